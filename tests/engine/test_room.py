"""A context that has no room is refused; one that has is not, however close it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tgicli.engine import hardware
from tgicli.engine.model import LoadOptions, Model
from tgicli.engine.runner import ContextOptions, Runner
from tgicli.errors import ModelLoadError

FREE = 40 << 20
WIDE = ContextOptions(n_ctx=100_000, n_lanes=2)  # 51 MB of cache, of `gemma3` half of it


@pytest.fixture(autouse=True)
def _small_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for a container that may take 40 MiB more."""
    (tmp_path / "memory.max").write_text(f"{FREE}\n")
    (tmp_path / "memory.current").write_text("0\n")
    monkeypatch.setattr(hardware, "_CGROUP", tmp_path)


@pytest.fixture
def model(tiny_models: Callable[[str], Path]) -> Iterator[Callable[..., Model]]:
    models = []

    def load(name: str, options: LoadOptions | None = None) -> Model:
        models.append(Model.load(tiny_models(name), options or LoadOptions()))
        return models[-1]

    yield load
    for loaded in models:
        loaded.close()


def test_what_does_not_fit_is_refused_with_both_numbers(model: Callable[..., Model]):
    with pytest.raises(ModelLoadError) as caught:
        Runner(model("llama"), WIDE)

    message = str(caught.value)
    assert message.startswith("llama.gguf with a context of 200,000 tokens needs ")
    assert "0.4 MiB of weights, 48.9 MiB for the context, " in message
    assert ", 40.0 MiB are free; choose a smaller --ctx-size, a smaller --kv-type or a" in message


def test_a_hybrid_model_whose_first_layer_has_no_keys_is_counted_by_the_others(
    model: Callable[..., Model],
):
    jamba = model("jamba")

    assert jamba.kv_values_per_token == 0
    with pytest.raises(ModelLoadError, match="MiB for the context"):
        Runner(jamba, replace(WIDE, n_ctx=300_000))


def test_what_fits_closely_is_made(model: Callable[..., Model]):
    Runner(model("llama"), replace(WIDE, n_ctx=60_000)).close()


def test_a_cache_with_a_window_is_counted_as_small_as_it_is(model: Callable[..., Model]):
    gemma = model("gemma3")

    assert WIDE.n_tokens * gemma.kv_values_per_token * 2 > FREE
    Runner(gemma, WIDE).close()


def test_weights_that_were_read_into_memory_are_not_counted_twice(model: Callable[..., Model]):
    with pytest.raises(ModelLoadError) as caught:
        Runner(model("llama", LoadOptions(mmap=False)), WIDE)

    assert "of weights" not in str(caught.value)
