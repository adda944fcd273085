"""Connections on which little or nothing happens, over a real socket in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress

import pytest

from tests.server.conftest import PATIENCE_S
from tests.server.gated import GatedServer, gated_server
from tests.server.raw import Connection, connected, request_bytes
from tgicli.server import connection, run
from tgicli.server.service import ServerOptions
from tgicli.wire.limits import Limits

LIMITS = Limits(max_total_tokens=99, max_input_tokens=98)
POST = request_bytes("/generate", {"inputs": "Hello"})
Talk = Callable[[Connection], Coroutine[None, None, None]]


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a request take a moment only."""
    monkeypatch.setattr(connection, "REQUEST_TIMEOUT_S", 0.2)


def rest_after(talk: Talk) -> tuple[bytes, GatedServer]:
    """Return what comes on a connection after a talk, until the server ends it."""

    async def visit() -> tuple[bytes, GatedServer]:
        async with (
            gated_server(ServerOptions(limits=LIMITS)) as server,
            asyncio.timeout(PATIENCE_S),
            connected(server) as client,
        ):
            server.backend.gate.set()
            await talk(client)
            try:
                return await client.reader.read(), server
            except ConnectionError:
                return b"", server

    return asyncio.run(visit())


@pytest.mark.parametrize("n_sent", [0, 1, 40, len(POST) - 1])
def test_a_request_that_does_not_go_on_is_not_waited_for(n_sent: int):
    async def begin(client: Connection) -> None:
        await client.send(POST[:n_sent])

    rest, server = rest_after(begin)

    assert rest == b""
    assert [record.error_type for record in server.records] in ([], ["cancelled"])


def test_a_head_that_comes_byte_by_byte_is_not_waited_for():
    async def trickle(client: Connection) -> None:
        await client.send(b"GET /health HTTP/1.1\r\n")
        try:
            while not client.reader.at_eof():
                await client.send(b"x")
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass

    assert rest_after(trickle)[0] == b""


def test_a_body_that_comes_slowly_is_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "LEAST_BYTES_PER_S", 10)

    async def trickle(client: Connection) -> None:
        head, _, body = POST.partition(b"\r\n\r\n")
        await client.send(head + b"\r\n\r\n")
        for byte in body:
            await client.send(bytes([byte]))
            await asyncio.sleep(0.02)
        assert (await client.reply()).status == 200
        client.cut()

    rest_after(trickle)


def test_a_body_that_hardly_comes_is_not_waited_for():
    async def trickle(client: Connection) -> None:
        head, _, body = POST.partition(b"\r\n\r\n")
        await client.send(head + b"\r\n\r\n")
        with suppress(ConnectionError):
            for byte in body:
                await client.send(bytes([byte]))
                await asyncio.sleep(0.05)

    rest, server = rest_after(trickle)

    assert rest == b""
    assert [record.error_type for record in server.records] == ["cancelled"]


def test_requests_that_nobody_waits_for_an_answer_to_are_not_kept():
    async def flood(client: Connection) -> None:
        with suppress(ConnectionError):
            await client.send(b"GET /info HTTP/1.1\r\nhost: x\r\n\r\n" * 5_000)

    rest, server = rest_after(flood)

    assert rest.count(b"HTTP/1.1 200") <= connection.MAX_PIPELINED + 1
    assert len(server.records) <= connection.MAX_PIPELINED + 1


def test_a_few_requests_in_a_row_are_all_answered():
    async def ask(client: Connection) -> None:
        await client.send(b"GET /info HTTP/1.1\r\nhost: x\r\n\r\n" * connection.MAX_PIPELINED)
        for _ in range(connection.MAX_PIPELINED):
            assert (await client.reply()).status == 200
        client.cut()

    rest_after(ask)


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "TLS/1.0"])
def test_who_offers_another_protocol_is_answered_in_this_one(protocol: str):
    offer = {"connection": "Upgrade, HTTP2-Settings", "upgrade": protocol, "http2-settings": "AA"}
    post = request_bytes("/generate", {"inputs": "Hello"}, headers=offer)
    get = request_bytes("/info", headers=offer)

    async def offer_thrice(client: Connection) -> None:
        await client.send(post[:-5])
        await client.send(post[-5:] + get + post)
        replies = [await client.reply() for _ in range(3)]
        assert [reply.status for reply in replies] == [200, 200, 200]
        assert replies[0].json == replies[2].json == {"generated_text": " a a a"}
        client.cut()

    rest_after(offer_thrice)


@pytest.mark.parametrize(
    ("path", "end"),
    [
        ("/generate_stream", b"null}\n\n"),
        ("/generate", b'{"generated_text":" a a a"}'),
    ],
)
def test_an_answer_in_http_1_0_has_no_chunks(path: str, end: bytes):
    post = request_bytes(path, {"inputs": "Hello"}).replace(b"HTTP/1.1", b"HTTP/1.0")

    answer, _ = rest_after(lambda client: client.send(post))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert body.endswith(end)
    assert body.startswith((b"data: {", b"{"))


def test_who_wants_a_tunnel_is_refused():
    async def connect(client: Connection) -> None:
        await client.send(b"CONNECT x:443 HTTP/1.1\r\nhost: x:443\r\n\r\n")
        assert (await client.reply()).status == 400

    rest_after(connect)


def test_an_answer_may_take_longer_than_its_request():
    async def visit() -> int:
        async with gated_server(ServerOptions(limits=LIMITS)) as server, connected(server) as one:
            await one.send(POST)
            await asyncio.sleep(0.5)
            server.backend.gate.set()
            return (await one.reply()).status

    assert asyncio.run(visit()) == 200


def test_a_connection_that_is_not_used_again_is_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run, "IDLE_CONNECTION_S", 1)

    async def ask_once(client: Connection) -> None:
        await client.send(POST)
        assert (await client.reply()).status == 200

    assert rest_after(ask_once)[0] == b""
