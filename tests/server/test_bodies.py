"""What the server reads of a body, over a real socket in this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import pytest

from tests.server.gated import gated_server
from tests.server.raw import Reply, connected, request_bytes
from tgicli.server import bodies
from tgicli.server.service import ServerOptions
from tgicli.wire.limits import Limits

BODY = b'{"inputs": "Hello"}'
CHUNKED = b"POST /generate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
CHUNKED += b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)


def posted(headers: Mapping[str, str] | None = None, *, body: bytes = BODY) -> bytes:
    return request_bytes("/generate", body, headers=headers)


def reply_to(request: bytes, *, payload_limit_bytes: int = len(BODY)) -> Reply:
    """Return the answer of a server that takes no more than the body above."""
    options = ServerOptions(
        limits=Limits(max_total_tokens=99, max_input_tokens=98),
        payload_limit_bytes=payload_limit_bytes,
    )

    async def visit() -> Reply:
        async with gated_server(options) as server, connected(server) as client:
            server.backend.gate.set()
            await client.send(request)
            return await client.reply()

    return asyncio.run(visit())


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("application/json;charset=utf-8", 200),
        ("Application/JSON ; charset=utf-8", 200),
        ("application/vnd.api+json", 200),
        ("text/json", 415),
        ("application/xjson", 415),
        ("application", 415),
    ],
)
def test_a_body_must_say_that_it_is_json(media_type: str, status: int):
    assert reply_to(posted({"content-type": media_type})).status == status


@pytest.mark.parametrize("sent", [posted(), CHUNKED], ids=["counted", "chunked"])
def test_a_body_may_be_as_long_as_the_limit_and_no_longer(sent: bytes):
    taken = reply_to(sent)
    refused = reply_to(sent, payload_limit_bytes=len(BODY) - 1)

    assert taken.status == 200
    assert refused.status == 413
    assert "length limit exceeded (18 bytes)" in refused.json["error"]


@pytest.mark.parametrize(
    "headers",
    [{}, {"expect": "100-continue", "connection": "close"}],
    ids=["kept", "expecting"],
)
def test_who_says_that_too_much_will_come_hears_no_before_it_does(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
):
    monkeypatch.setattr(bodies, "PATIENCE_S", 20)
    begun_s = time.monotonic()

    reply = reply_to(posted({"content-length": "1000000", **headers}, body=b""))

    assert reply.status == 413
    assert time.monotonic() - begun_s < 10


@pytest.mark.parametrize(
    ("version", "connection"),
    [(b"HTTP/1.0", "keep-alive"), (b"HTTP/1.1", "close"), (b"HTTP/1.1", "TE, Close")],
)
def test_a_refused_body_whose_rest_does_not_come_is_answered_after_a_while(
    monkeypatch: pytest.MonkeyPatch, version: bytes, connection: str
):
    monkeypatch.setattr(bodies, "PATIENCE_S", 0.3)
    request = posted({"content-length": "1000000", "connection": connection})
    begun_s = time.monotonic()

    reply = reply_to(request.replace(b"HTTP/1.1", version))

    assert reply.status == 413
    assert time.monotonic() - begun_s >= 0.3
