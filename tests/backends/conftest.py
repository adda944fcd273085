"""Everybody who answers, for the tests of what all backends promise."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.backends.golden import GOLDEN
from tests.backends.servers import llama_cpp_server, llama_server
from tests.faulty import chunks, end, head, serving
from tests.server.conftest import running_server
from tgicli.backends.endpoint import Endpoint, RemoteOptions
from tgicli.backends.local import LocalBackend
from tgicli.backends.remote import RemoteBackend
from tgicli.core import Backend, GenerationRequest, Message, SamplingParams
from tgicli.engine.model import LoadOptions, Model
from tgicli.engine.prompt import PromptEncoder
from tgicli.engine.runner import ContextOptions
from tgicli.wire.api import Api

N_CTX = 256  # tokens of every model's context
GREEDY = SamplingParams(temperature=0, max_new_tokens=12)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One way to be answered."""

    open: Callable[[], AbstractAsyncContextManager[Backend]]
    chats: bool
    tells_n_ctx: bool = True
    refuses: bool = True  # what it can't do; otherwise it breaks off
    keeps_bytes: bool = True  # a stream leaves none of the model's broken characters out

    def request(self, prompt: str = "Hello", params: SamplingParams = GREEDY) -> GenerationRequest:
        """Return a request of the kind's own form, with its prompt for an id."""
        messages = (Message("user", prompt),)
        return GenerationRequest(
            id=prompt, prompt=messages if self.chats else prompt, params=params
        )


LOCAL = ["local prompt", "local chat"]
OWN = ["tgicli native", "tgicli chat", "tgicli completions"]
TELLING = ["llama-server chat", "llama-server completions"]
OTHERS = [*TELLING, "llama_cpp.server completions"]
RECORDED = [golden.name for golden in GOLDEN if golden.params == SamplingParams()]


@pytest.fixture(scope="session")
def own_server(tiny_model: Path) -> Iterator[str]:
    """Our own server on the tiny model."""
    limits = ["--max-total-tokens", str(N_CTX), "--max-batch-size", "2", "--threads", "1"]
    with running_server(tiny_model, *limits) as server:
        yield server.url


@pytest.fixture(scope="session")
def llama_url(tiny_model: Path) -> Iterator[str]:
    """A llama-server on the tiny model."""
    with llama_server(tiny_model, n_ctx=N_CTX) as url:
        yield url


@pytest.fixture(scope="session")
def llama_cpp_url(tiny_model: Path) -> Iterator[str]:
    """A llama_cpp.server on the tiny model."""
    with llama_cpp_server(tiny_model, n_ctx=N_CTX) as url:
        yield url


@pytest.fixture(params=[*LOCAL, *OWN, *OTHERS, *RECORDED])
def kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    """Each backend."""
    yield from _kinds(request)


@pytest.fixture(params=[*LOCAL, *OWN, *OTHERS])
def model_kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    """Each backend that has a model; a recorded stream says the same always."""
    yield from _kinds(request)


@pytest.fixture(params=[*LOCAL, *OWN, *TELLING])
def telling_kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    """Each backend that tells a prompt's tokens."""
    yield from _kinds(request)


def _kinds(request: pytest.FixtureRequest) -> Iterator[Kind]:
    who, _, route = request.param.rpartition(" ")
    match who:
        case "local":
            model = request.getfixturevalue("tiny_model")
            yield Kind(open=lambda: local(model), chats=route == "chat")
        case "tgicli":
            yield of_server(request.getfixturevalue("own_server"), route)
        case "llama-server":
            yield replace(of_server(request.getfixturevalue("llama_url"), route), keeps_bytes=False)
        case "llama_cpp.server":
            url = request.getfixturevalue("llama_cpp_url")
            kind = of_server(url, route)
            yield replace(kind, tells_n_ctx=False, refuses=False, keeps_bytes=False)
        case _:
            golden = next(one for one in GOLDEN if one.name == route)
            with serving([head(), *chunks(golden.bytes, 64), end], pages=golden.pages) as server:
                yield replace(of_server(server.url, golden.route), tells_n_ctx=False)


def of_server(url: str, route: str) -> Kind:
    """Return the kind that a server's route is."""
    api = Api.OPENAI_COMPLETIONS if route == "completions" else None
    return Kind(open=lambda: remote(url, api), chats=route == "chat")


@asynccontextmanager
async def local(path: Path) -> AsyncGenerator[Backend, None]:
    """Open a local backend with two lanes."""
    model = Model.load(path, LoadOptions())
    options = ContextOptions(n_ctx=N_CTX, n_lanes=2, batch_size=64, threads=1)
    async with aclosing(await LocalBackend.open(PromptEncoder(model), options)) as backend:
        yield backend
    model.close()


@asynccontextmanager
async def remote(url: str, api: Api | None) -> AsyncGenerator[Backend, None]:
    """Open a remote backend."""
    options = RemoteOptions(endpoint=Endpoint.from_url(url), api=api)
    async with aclosing(RemoteBackend(options)) as backend:
        yield backend
