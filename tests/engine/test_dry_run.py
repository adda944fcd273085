"""What a simulation says is what llama.cpp takes when it loads the model for real."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tgicli.engine.dry_run import _recorded, measure, read_need, tensor_sizes
from tgicli.engine.llama import llama_cpp, quiet_log
from tgicli.engine.memory import HOST, Device, DeviceKind, Need
from tgicli.engine.model import LoadOptions, Model
from tgicli.engine.runner import ContextOptions, context_params
from tgicli.errors import ModelLoadError

MIB = 1 << 20
ROUNDING = 0.006 * MIB  # llama.cpp's log has two decimals, of each buffer
ARCHITECTURES = ["llama", "llama_spm", "mixtral", "mamba", "jamba", "gemma3", "split"]
CONTEXTS = [
    ContextOptions(n_ctx=512),
    ContextOptions(n_ctx=2048, n_lanes=4, kv_type="q8_0", flash_attn="on"),
    ContextOptions(n_ctx=1024, n_lanes=8, batch_size=64, kv_type="f32"),
]
NOT_LOADED = LoadOptions(gpu_layers=0, mmap=False)


def simulated(path: Path, context: ContextOptions) -> Need:
    params = context_params(context, on_gpu=False)
    return measure(path, NOT_LOADED, params, n_tokens=context.n_tokens)


def taken(path: Path, context: ContextOptions) -> dict[str, list[float]]:
    """Return the bytes of the buffers that llama.cpp says it has really made, by their purpose."""
    with _recorded() as lines:
        model = Model.load(path, NOT_LOADED)
        params = context_params(context, on_gpu=False)
        llama_cpp.llama_free(llama_cpp.llama_init_from_model(model.pointer, params))
        model.close()
    return buffers(lines)


def buffers(lines: Iterable[str]) -> dict[str, list[float]]:
    found = re.findall(r"(\w+) buffer size = +([\d.]+) MiB", "\n".join(lines))
    sizes: dict[str, list[float]] = {}
    for purpose, size in found:
        sizes.setdefault(purpose, []).append(float(size) * MIB)
    return sizes


def check_equal(need: Need, real: dict[str, list[float]]) -> None:
    (share,) = need.shares.values()
    kv = [*real.get("KV", []), *real.get("RS", [])]
    compute = [*real["compute"], *real["output"]]
    padding = 64 * 200  # llama.cpp aligns each tensor
    assert share.kv_bytes == pytest.approx(sum(kv), abs=ROUNDING * len(kv))
    assert share.compute_bytes == pytest.approx(sum(compute), abs=ROUNDING * len(compute))
    assert share.weights_bytes == pytest.approx(sum(real["model"]), abs=ROUNDING + padding)


@pytest.mark.parametrize("context", CONTEXTS[::2], ids=["one lane", "f32"])  # q8_0: heads of 32
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_simulation_tells_what_loading_takes(
    tiny_models: Callable[[str], Path], name: str, context: ContextOptions
):
    path = tiny_models(name)

    check_equal(simulated(path, context), taken(path, context))


@pytest.mark.parametrize("context", CONTEXTS, ids=["one lane", "q8_0", "f32"])
def test_a_simulation_of_the_demo_model_tells_what_loading_takes(
    demo_model: Path, context: ContextOptions
):
    check_equal(simulated(demo_model, context), taken(demo_model, context))


def test_all_layers_and_the_output_can_be_put_on_a_gpu(tiny_model: Path):
    need = simulated(tiny_model, CONTEXTS[0])

    assert (need.n_layers, need.n_gpu_layers) == (3, 0)
    assert set(need.shares) == {HOST}


def test_the_tensors_of_all_parts_are_counted(tiny_models: Callable[[str], Path]):
    assert tensor_sizes(tiny_models("split")) == tensor_sizes(tiny_models("llama"))


def test_the_log_is_as_quiet_afterwards_as_before(
    tiny_model: Path, capfd: pytest.CaptureFixture[str]
):
    simulated(tiny_model, CONTEXTS[0])

    Model.load(tiny_model, NOT_LOADED).close()
    assert capfd.readouterr() == ("", "")


def test_a_damaged_file_is_refused_with_llama_cpp_own_words(tiny_models: Callable[[str], Path]):
    with pytest.raises(ModelLoadError, match=r"can't load .*truncated\.gguf\n"):
        simulated(tiny_models("truncated"), CONTEXTS[0])

    assert quiet_log().lines


def test_a_context_that_cannot_even_be_simulated_is_refused_with_both_numbers(tiny_model: Path):
    too_large = ContextOptions(n_ctx=2**31, n_lanes=8)

    with pytest.raises(ModelLoadError, match=r"needs 1,024\.0 GiB .* [\d.]+ GiB are free"):
        simulated(tiny_model, too_large)


# What a build with two GPUs logs: layer 0 stays on the CPU, the output is on the last GPU.
TWO_GPUS = """\
load_tensors: layer   0 assigned to device CPU, is_swa = 0
load_tensors: layer   1 assigned to device CUDA0, is_swa = 0
load_tensors: layer   2 assigned to device CUDA1, is_swa = 0
load_tensors: layer   3 assigned to device CUDA1, is_swa = 0
load_tensors:        CUDA0 model buffer size =     0.00 MiB
llama_context:  CUDA_Host  output buffer size =     1.50 MiB
llama_kv_cache: layer   0: dev = CPU
llama_kv_cache: layer   1: dev = CUDA0
llama_kv_cache: layer   2: dev = CUDA1
llama_kv_cache:      CUDA0 KV buffer size =     0.00 MiB
llama_kv_cache: size =   12.00 MiB (  2048 cells,   3 layers,  8/8 seqs), K (f16):    6.00 MiB
sched_reserve:      CUDA0 compute buffer size =     3.00 MiB
sched_reserve:      CUDA1 compute buffer size =     5.00 MiB
sched_reserve:  CUDA_Host compute buffer size =     2.50 MiB"""
TENSORS = {
    "token_embd.weight": 7000,
    "output_norm.weight": 10,
    "blk.0.attn_q.weight": 100,
    "blk.1.attn_q.weight": 200,
    "blk.2.attn_q.weight": 400,
}


def gpus() -> Iterator[Device]:
    for name in ("CUDA0", "CUDA1"):
        yield Device(
            name=name, description="", kind=DeviceKind.GPU, free_bytes=1 << 30, total_bytes=1 << 30
        )


def test_each_gpu_gets_its_layers_with_their_cache():
    need = read_need(TWO_GPUS.split("\n"), TENSORS, gpus())

    assert (need.n_layers, need.n_gpu_layers) == (4, 3)
    assert need.shares["CUDA0"].weights_bytes == 200
    assert {name: share.kv_bytes / MIB for name, share in need.shares.items()} == {
        "CPU": 4,
        "CUDA0": 4,
        "CUDA1": 4,
    }
    assert {name: share.compute_bytes / MIB for name, share in need.shares.items()} == {
        "CPU": 4,
        "CUDA0": 3,
        "CUDA1": 5,
    }


def test_a_buffer_of_the_eleventh_gpu_is_not_the_first_one_s():
    device = next(gpus())
    many = [replace(device, name=f"CUDA{number}") for number in range(12)]

    need = read_need(["sched_reserve: CUDA11 compute buffer size =   256.00 MiB"], {}, many)

    assert {name for name, share in need.shares.items() if share.compute_bytes} == {"CUDA11"}


def test_an_embedding_that_is_the_output_too_is_held_twice():
    tied = read_need(TWO_GPUS.split("\n"), TENSORS, gpus())
    apart = read_need(TWO_GPUS.split("\n"), {**TENSORS, "output.weight": 9000}, gpus())

    assert tied.shares["CUDA1"].weights_bytes == 400 + 10 + 7000
    assert apart.shares["CUDA1"].weights_bytes == 400 + 10 + 9000
    assert tied.shares["CPU"].weights_bytes == apart.shares["CPU"].weights_bytes == 7100


def test_each_cache_is_shared_out_among_its_own_layers():
    window = """\
llama_kv_cache: layer   0: filtered
llama_kv_cache: layer   1: dev = CUDA0
llama_kv_cache: size =    2.00 MiB (  2048 cells,   1 layers,  1/1 seqs), K (f16):    1.00 MiB
llama_kv_cache: layer   0: dev = CUDA1
llama_kv_cache: layer   1: filtered
llama_kv_cache: size =    8.00 MiB (   256 cells,   1 layers,  1/1 seqs), K (f16):    4.00 MiB"""

    need = read_need(window.split("\n"), {}, gpus())

    assert {name: share.kv_bytes / MIB for name, share in need.shares.items()} == {
        "CUDA0": 2,
        "CUDA1": 8,
    }
