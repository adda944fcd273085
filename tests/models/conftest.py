"""A hub with one model, and a process that downloads from it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.models.files import write_gguf
from tests.models.hub_client import running_client
from tests.models.hub_server import Hub, Repository, running_hub

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    with running_hub() as hub:
        yield hub


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hf")


@pytest.fixture(scope="module")
def client(server: Hub, home: Path) -> Iterator[ProcessPoolExecutor]:
    environ = {
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_TELEMETRY": "1",  # it asks the hub for more than models
        "HF_TOKEN": "",
    }
    with running_client(environ) as client:
        yield client


@pytest.fixture
def hub(server: Hub) -> Iterator[Hub]:
    """The server, as if it had just started."""
    yield server
    server.repositories.clear()
    server.seen.clear()
    server.cuts.clear()
    server.sizes.clear()
    server.answers.clear()
    server.storage_status, server.ignores_ranges, server.garbles = None, False, False


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A model of some 200 kB."""
    path = write_gguf(tmp_path_factory.mktemp("content") / "m.gguf", n_weights=196608)
    return path.read_bytes()


@pytest.fixture
def name() -> str:
    """A repository that no other test has cached."""
    return f"org/gem-{next(_numbers)}-GGUF"


@pytest.fixture
def repository(hub: Hub, name: str, content: bytes) -> Repository:
    """One with one model, and its README."""
    # A hash of its own: the bytes behind the weights don't matter.
    content += name.encode()
    hub.repositories[name] = Repository({"README.md": b"#", "gem-Q4_K_M.gguf": content})
    return hub.repositories[name]
