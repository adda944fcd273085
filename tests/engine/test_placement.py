"""How many layers go on a GPU: chosen by a table of devices, which is a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.test_memory import N_LAYERS, device, host, need
from tgicli.engine.devices import devices
from tgicli.engine.memory import Device, Need
from tgicli.engine.model import ALL_LAYERS, LoadOptions
from tgicli.engine.placement import check_gpus, choose, need_with, place
from tgicli.engine.runner import ContextOptions
from tgicli.errors import ConfigError, ModelLoadError


def measured(n_gpu_layers: int) -> Need:
    return need(N_LAYERS if n_gpu_layers == ALL_LAYERS else min(n_gpu_layers, N_LAYERS))


def test_all_layers_go_on_a_gpu_that_holds_them():
    placement = choose(LoadOptions(), [host(16), device("CUDA0", 80)], measured)

    assert placement.options.gpu_layers == N_LAYERS
    assert (placement.note, placement.missing) == (None, ())


def test_else_as_many_as_fit_and_that_is_said_in_one_line():
    placement = choose(LoadOptions(), [host(16), device("CUDA0", 4)], measured)

    assert placement.options.gpu_layers == 8
    assert placement.missing == ()
    assert placement.note == (
        "all layers need 11.2 GiB on CUDA0 (7.2 GiB of weights, 3.1 GiB for the context, "
        "0.3 GiB to compute, 0.5 GiB to spare), 4.0 GiB are free: 8 of 33 layers go on the GPU"
    )


def test_a_number_that_does_not_fit_is_missed_on_the_gpu():
    placement = choose(LoadOptions(gpu_layers=20), [host(16), device("CUDA0", 4)], measured)

    assert [shortage.device.name for shortage in placement.missing] == ["CUDA0"]


def test_what_the_gpu_has_no_room_for_must_fit_beside_it():
    placement = choose(LoadOptions(), [host(2), device("CUDA0", 4)], measured)

    assert [shortage.device.name for shortage in placement.missing] == ["CPU"]


def test_a_number_above_all_layers_means_all():
    placement = choose(LoadOptions(gpu_layers=999), [host(16), device("CUDA0", 80)], measured)

    assert placement.options.gpu_layers == N_LAYERS


def test_without_a_gpu_all_stays_on_the_cpu():
    placement = choose(LoadOptions(gpu_layers=7), [host(16)], measured)

    assert placement.options.gpu_layers == 0


TWO = [host(16), device("CUDA0", 80), device("CUDA1", 80)]


@pytest.mark.parametrize(
    ("options", "present", "message"),
    [
        (LoadOptions(main_gpu=2), TWO, "--main-gpu 2: there is no such GPU; there is 0 (CUDA0: "),
        (LoadOptions(main_gpu=0), [host(16)], "llama.cpp finds none"),
        (LoadOptions(tensor_split=(1, 2, 3)), TWO, "--tensor-split 1,2,3: 3 shares are too many"),
        (LoadOptions(tensor_split=(1,)), [host(16)], "1 shares are too many; llama.cpp finds none"),
    ],
)
def test_a_gpu_that_is_not_there_is_refused_with_those_that_are(
    options: LoadOptions, present: list[Device], message: str
):
    with pytest.raises(ConfigError) as caught:
        check_gpus(options, present)

    assert message in str(caught.value)
    assert all(gpu.label in str(caught.value) for gpu in present if gpu.kind.value == "gpu")


@pytest.mark.parametrize("options", [LoadOptions(main_gpu=1), LoadOptions(tensor_split=(3, 0.5))])
def test_a_gpu_that_is_there_is_taken(options: LoadOptions):
    check_gpus(options, TWO)


def test_each_number_of_layers_is_measured_once(tiny_model: Path):
    measure = need_with(tiny_model, LoadOptions(), ContextOptions(n_ctx=256))

    assert measure(0) is measure(0)
    assert measure(0).n_gpu_layers == 0


@pytest.mark.skipif(len(devices()) > 1, reason="this build has a GPU")
def test_a_model_on_a_build_without_a_gpu_is_placed_unmeasured(tmp_path: Path):
    options, note = place(tmp_path / "not there", LoadOptions(), ContextOptions(n_ctx=256))

    assert (options.gpu_layers, note) == (0, None)


@pytest.mark.skipif(len(devices()) > 1, reason="this build has a GPU")
def test_asking_such_a_build_for_a_gpu_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"llama\.cpp finds none"):
        place(tmp_path / "not there", LoadOptions(main_gpu=0), ContextOptions(n_ctx=256))


def test_a_file_that_is_not_there_cannot_be_measured(tmp_path: Path):
    measure = need_with(tmp_path / "no.gguf", LoadOptions(), ContextOptions(n_ctx=256))

    with pytest.raises(ModelLoadError, match="can't load"):
        measure(0)
