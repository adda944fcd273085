"""A server in this process, on a real socket, whose backend says nothing until it is told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from tgicli.core import (
    Delta,
    Event,
    Finish,
    FinishReason,
    GenerationRequest,
    ModelInfo,
    Progress,
    Token,
    TokenizedPrompt,
)
from tgicli.server.address import Address, bind, url_of
from tgicli.server.record import Record
from tgicli.server.run import Server
from tgicli.server.service import ServerOptions, Service
from tgicli.stats import BackendStats

N_TOKENS = 3


class GatedBackend:
    """Accepts every request; answers with N_TOKENS tokens once the gate is open."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.n_open = 0  # answers that somebody still waits for
        self.fails = False  # with a bug, behind the gate

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        self.n_open += 1
        try:
            yield Progress(0, 1)
            await self.gate.wait()
            if self.fails:
                raise ZeroDivisionError
            token = Token(7, " a", -0.5)
            for _ in range(N_TOKENS - 1):
                yield Delta((token,))
            yield Finish(
                tokens=(token,),
                reason=FinishReason.LENGTH,
                n_prompt_tokens=1,
                n_cached_tokens=0,
                n_generated_tokens=N_TOKENS,
                seed=None,
            )
        finally:
            self.n_open -= 1

    async def tokenize(self, request: GenerationRequest) -> TokenizedPrompt:
        return TokenizedPrompt("", ())

    async def count_tokens(self, request: GenerationRequest) -> int:
        return 1

    async def info(self) -> ModelInfo:
        return ModelInfo(name="gated", n_ctx=99, description="gated")

    def stats(self) -> BackendStats:
        return BackendStats(n_waiting=self.n_open, n_running=0)

    async def health(self) -> bool:
        return True

    async def aclose(self) -> None:
        pass


@dataclass(slots=True, eq=False)
class GatedServer:
    """A server that runs."""

    url: str
    backend: GatedBackend
    service: Service
    records: list[Record] = field(default_factory=list)  # of requests that are over


@contextlib.asynccontextmanager
async def gated_server(options: ServerOptions) -> AsyncGenerator[GatedServer, None]:
    """Serve for the length of a block."""
    backend, address = GatedBackend(), Address(port=0)
    service = Service(backend=backend, options=options, model_id="gated", version="1")
    server = Server(address)
    with contextlib.closing(bind(address)) as bound:
        running = GatedServer(url_of(bound, address), backend, service)
        server.open(service, running.records.append)
        bound.listen()  # who comes before the server is up waits
        serving = asyncio.ensure_future(server.serve(bound))
        try:
            yield running
        finally:
            server.stop()
            await serving
