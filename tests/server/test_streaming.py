"""What a stream does while its backend says nothing, over a real socket in this process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.server.conftest import PATIENCE_S
from tests.server.gated import N_TOKENS, GatedServer, gated_server
from tests.server.raw import ask, connected, request_bytes
from tgicli.server import streaming
from tgicli.server.service import ServerOptions
from tgicli.wire.limits import Limits

LIMITS = Limits(max_total_tokens=99, max_input_tokens=98)
HELLO = {"inputs": "Hello", "prompt": "Hello", "max_tokens": 4, "stream": True}
CHOICES = HELLO | {"prompt": ["a", "b"]}
Visit = Callable[[GatedServer], Coroutine[None, None, Any]]


def served(visit: Visit, **options: Any) -> Any:
    """Return what a visit to a server brings."""

    async def run() -> Any:
        async with (
            gated_server(ServerOptions(limits=LIMITS, **options)) as server,
            asyncio.timeout(PATIENCE_S),
        ):
            return await visit(server)

    return asyncio.run(run())


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("path", ["/generate_stream", "/v1/completions"])
def test_a_stream_begins_at_once_and_comments_keep_it_alive(
    path: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(streaming, "COMMENT_EVERY_S", 0.05)

    async def wait(server: GatedServer) -> tuple[list[bytes], list[bytes]]:
        async with connected(server) as client:
            await client.send(request_bytes(path, HELLO))
            assert (await client.head())[0] == 200
            chunks = client.chunks()
            waiting = [await anext(chunks) for _ in range(3)]
            server.backend.gate.set()
            return waiting, [chunk async for chunk in chunks]

    waiting, answer = served(wait)

    assert waiting == [b":\n\n"] * 3
    assert b"".join(answer).count(b"data: {") == N_TOKENS


@pytest.mark.parametrize("body", [HELLO, CHOICES], ids=["one", "two choices"])
def test_a_reader_that_leaves_a_silent_stream_ends_its_requests(body: Any):
    async def leave(server: GatedServer) -> GatedServer:
        async with connected(server) as client:
            await client.send(request_bytes("/v1/completions", body))
            await client.head()
            assert server.service.admission.n_taken == server.backend.n_open > 0
        await until(lambda: bool(server.records))
        return server

    server = served(leave)

    assert server.service.admission.n_taken == server.backend.n_open == 0
    assert [record.error_type for record in server.records] == ["cancelled"]


def test_a_timeout_of_nothing_is_no_busy_loop():
    async def wait(server: GatedServer) -> float:
        async with connected(server) as client:
            await client.send(request_bytes("/generate_stream", HELLO))
            await client.head()
            began_s = time.process_time()
            await asyncio.sleep(0.5)
            return time.process_time() - began_s

    assert served(wait, stall_timeout_s=0.0) < 0.3


def test_a_bug_is_a_500_that_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture):
    async def fail(server: GatedServer) -> tuple[int, Any, GatedServer]:
        server.backend.fails = True
        server.backend.gate.set()
        reply = await ask(server, "/generate", {"inputs": "Hello"})
        await until(lambda: bool(server.records))
        return reply.status, reply.json, server

    with caplog.at_level(logging.ERROR):
        status, answer, server = served(fail)

    assert status == 500
    assert answer["error_type"] == "internal"
    assert "ZeroDivisionError" in caplog.text
    assert [(record.status, record.error_type) for record in server.records] == [(500, "internal")]
    assert server.service.admission.n_taken == 0


def test_a_bug_in_the_midst_of_a_stream_cuts_it(caplog: pytest.LogCaptureFixture):
    async def fail(server: GatedServer) -> tuple[bytes, GatedServer]:
        server.backend.fails = True
        async with connected(server) as client:
            await client.send(request_bytes("/generate_stream", HELLO))
            await client.head()
            server.backend.gate.set()
            return await client.reader.read(), server

    with caplog.at_level(logging.ERROR):
        rest, server = served(fail)

    assert rest == b""
    assert "ZeroDivisionError" in caplog.text
    assert server.service.admission.n_taken == 0
