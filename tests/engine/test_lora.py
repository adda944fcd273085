"""LoRA adapters: one that changes the answer, its scale, and files that are none."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from tests.engine.running import Answers
from tests.tiny import HEAD, N_EMBD, N_HEAD_KV, N_LAYER
from tgicli.engine.model import LoadOptions, Model
from tgicli.engine.runner import ContextOptions, Runner
from tgicli.errors import ModelLoadError

RANK = 4
PROMPT = [30, 90, 127, 60]


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """Return an adapter for the tiny llama that bends every value projection."""
    path = tmp_path / "adapter.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(RANK))
    rng = np.random.default_rng(7)
    for layer in range(N_LAYER):
        name = f"blk.{layer}.attn_v.weight"
        a = rng.normal(size=(RANK, N_EMBD)).astype(np.float32)
        b = rng.normal(size=(N_HEAD_KV * HEAD, RANK)).astype(np.float32)
        writer.add_tensor(f"{name}.lora_a", a)
        writer.add_tensor(f"{name}.lora_b", b)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def answer(model_path: Path, *lora: tuple[Path, float]) -> list[int]:
    """Answer a prompt with these adapters."""
    model = Model.load(model_path, LoadOptions())
    runner = Runner(model, ContextOptions(n_ctx=128, lora=lora))
    ids = Answers(model, runner, prefix_reuse=False).answer(PROMPT)
    runner.close()
    model.close()
    return ids


def test_an_adapter_changes_the_answer(tiny_model: Path, adapter: Path) -> None:
    assert answer(tiny_model, (adapter, 1.0)) != answer(tiny_model)


def test_an_adapter_of_scale_zero_changes_nothing(tiny_model: Path, adapter: Path) -> None:
    assert answer(tiny_model, (adapter, 0.0)) == answer(tiny_model)


def test_a_file_that_is_no_adapter_is_refused(tiny_model: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"can't load the adapter .*llama\.gguf"):
        answer(tiny_model, (tiny_model, 1.0))


def test_a_missing_adapter_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"can't load the adapter .*missing\.gguf"):
        answer(tiny_model, (tmp_path / "missing.gguf", 1.0))
