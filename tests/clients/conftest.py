"""The client libraries, each in a process of its own, and two servers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.installing import HERE, node_clients, old_clients, program
from tests.clients.library import Client, Library, running_library
from tests.server.conftest import CALM, RunningServer, eventually, running_server, taken_place

PATIENCE_S = 60  # what clients that have a time limit are told


@pytest.fixture(scope="session")
def url(demo_model: Path) -> Iterator[str]:
    """Where a server has places for all."""
    with running_server(demo_model, "--max-total-tokens", "2048", *CALM) as one:
        yield one.url


@pytest.fixture(scope="session")
def small_server(demo_model: Path) -> Iterator[RunningServer]:
    """A server with one place."""
    with running_server(demo_model, "--max-concurrent-requests", "1", *CALM) as one:
        yield one


@pytest.fixture
def overloaded_url(small_server: RunningServer) -> Iterator[str]:
    """Where a server has no place left."""
    short = {"inputs": "Once", "parameters": {"max_new_tokens": 1}}
    assert eventually(lambda: small_server.post("/generate", short)[0] == 200)  # it had one
    with taken_place(small_server):
        yield small_server.url


@pytest.fixture(scope="session")
def cache(pytestconfig: pytest.Config) -> Path:
    """A folder that the next run finds again."""
    assert pytestconfig.cache is not None
    return pytestconfig.cache.mkdir("clients")


@pytest.fixture(scope="module", params=["newest", "0.36"])
def hub(request: pytest.FixtureRequest, cache: Path) -> Iterator[Library]:
    """huggingface_hub: what tgicli itself is installed with, then the last of the major before."""
    packages = None if request.param == "newest" else old_clients(cache)
    command = [sys.executable, str(HERE / "caller.py"), "huggingface_hub"]
    with running_library(command, packages) as library:
        yield library


@pytest.fixture(params=["InferenceClient", "AsyncInferenceClient"])
def inference_client(request: pytest.FixtureRequest, hub: Library) -> Callable[..., Client]:
    """Return a function that makes huggingface_hub's client of a server."""

    def make(url: str, **options: object) -> Client:
        return hub.new(request.param, url, timeout=PATIENCE_S, **options)

    return make


@pytest.fixture(scope="module")
def text_generation(cache: Path) -> Iterator[Library]:
    """text-generation, TGI's own client."""
    command = [sys.executable, str(HERE / "caller.py"), "text_generation"]
    with running_library(command, old_clients(cache)) as library:
        yield library


@pytest.fixture(scope="module")
def openai() -> Iterator[Library]:
    """OpenAI's client."""
    command = [sys.executable, str(HERE / "caller.py"), "openai"]
    with running_library(command, None) as library:
        yield library


@pytest.fixture(scope="session")
def node_command(cache: Path) -> list[str]:
    """Return the command that runs a JavaScript library, but for its name."""
    return [program("node"), str(node_clients(cache) / "caller.mjs")]


@pytest.fixture
def inference_2(node_command: list[str]) -> Iterator[Library]:
    """@huggingface/inference 2.8.1."""
    with running_library([*node_command, "inference-2"], None) as library:
        yield library


@pytest.fixture
def inference_4(node_command: list[str]) -> Iterator[Library]:
    """@huggingface/inference, newest."""
    with running_library([*node_command, "inference-4"], None) as library:
        yield library
