"""One connection: uvicorn's, with limits on what comes before a body, and refusals in JSON.

Made by `run`; used by uvicorn on the event loop. It stands on uvicorn's private classes, so this is
the file to look at when uvicorn changes. Never looks into a body or an answer.
"""

from __future__ import annotations

import asyncio
import math
from http import HTTPStatus

import httptools
from uvicorn import _types as types
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tgicli.server.address import UNSENT_BYTES
from tgicli.server.streaming import HANG_UP
from tgicli.wire.tgi import encode_failure

REQUEST_TIMEOUT_S = 60.0  # that a head may take from its first byte on, and a pause in a body
LEAST_BYTES_PER_S = 10_000  # of a body, but for a first REQUEST_TIMEOUT_S
MAX_PIPELINED = 16  # requests of one connection that wait for the answer to one before them
MAX_HEAD_BYTES = 65_536  # of what is not a body: a request line, headers, the framing of chunks


class Connection(HttpToolsProtocol):
    """What uvicorn makes for each client.

    Another protocol is never taken up: a request that offers one is answered as any other.
    """

    _n_beside_body = 0  # bytes of the current request
    _timer: asyncio.TimerHandle | None = None  # while the rest of a request is expected
    _due_s = 0.0  # when it must be there, on the loop's clock
    _unanswered: tuple[RequestResponseCycle, ...] = ()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request soon, and keep little of an answer in memory."""
        transport.set_write_buffer_limits(high=UNSENT_BYTES)
        super().connection_made(transport)
        self._expect_more()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more, and tell every answer."""
        self._expect_nothing()
        self._abandon()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in bytes, of heads so many only."""
        self._n_beside_body += len(data)
        self._unset_keepalive_if_required()
        self._read(data)
        if self._n_beside_body > MAX_HEAD_BYTES and not self.transport.is_closing():
            words = f"a request's headers have more than {MAX_HEAD_BYTES:,} bytes"
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, words)

    def _read(self, data: bytes) -> None:
        """Let the parser read; where it stops for another protocol, let it read without the offer.

        It takes no body for HTTP/1.1's there, as curl's or Java's first request has one (RFC 9110,
        section 7.8: a server may ignore the offer).
        """
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as stop:
                data = self._head() + data[stop.args[0] :] if self._is_offer else b""
            except httptools.HttpParserError:
                self.send_400_response("Invalid HTTP request received.")
                return

    @property
    def _is_offer(self) -> bool:
        """Whether the current request offers another protocol; CONNECT demands it."""
        return bool(self.parser.should_upgrade()) and self.parser.get_method() != b"CONNECT"

    def _head(self) -> bytes:
        """Return the current request's head without the offer."""
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % field for field in self.headers if field[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._n_beside_body = 0
        self._expect_more()
        super().on_message_begin()
        self.scope["state"][HANG_UP] = self._hang_up

    def on_headers_complete(self) -> None:
        """Let the request be answered, now or behind those before it.

        Raises:
            RuntimeError: too many wait already; the parser stops there.
        """
        if self._is_offer:
            return
        if len(self.pipeline) >= MAX_PIPELINED:
            raise RuntimeError("too many requests without an answer")
        self._due_s = self.loop.time() + REQUEST_TIMEOUT_S
        self._expect_more()
        super().on_headers_complete()
        unanswered = (cycle for cycle in self._unanswered if not cycle.response_complete)
        self._unanswered = (*unanswered, self.cycle)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: types.ASGI3Application) -> None:
        """Answer a request; to who knows no chunks, without them."""
        is_old = cycle.scope["http_version"] == "1.0"
        super()._start_asgi_task(cycle, _without_chunks(cycle, app) if is_old else app)

    def on_body(self, body: bytes) -> None:
        """Take in a piece of a body, which has a limit of its own."""
        self._n_beside_body -= len(body)
        self._due_s += len(body) / LEAST_BYTES_PER_S
        self._expect_more(self._due_s - self.loop.time())
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request; its answer may take as long as it takes."""
        if self._is_offer:
            return
        self._expect_nothing()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def timeout_keep_alive_handler(self) -> None:
        """End a connection that nobody uses, also when its last answer is still unread."""
        self.transport.abort()

    def _hang_up(self) -> None:
        """Cut the connection, and let nobody write to it."""
        self._abandon()
        self.transport.abort()

    def _abandon(self) -> None:
        # uvicorn tells only the last one, and a client may have sent two requests in a row.
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()

    def _expect_more(self, within_s: float = math.inf) -> None:
        self._expect_nothing()
        wait_s = max(0.0, min(within_s, REQUEST_TIMEOUT_S))
        self._timer = self.loop.call_later(wait_s, self._give_up)

    def _give_up(self) -> None:
        """Wait no longer, unless nothing can come because an earlier answer is still on its way."""
        if self.flow.read_paused:
            self._due_s = self.loop.time() + REQUEST_TIMEOUT_S
            self._expect_more()
        else:
            self._hang_up()

    def _expect_nothing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: HTTPStatus, words: str) -> None:
        """Say why, unless that would be in the midst of an answer, and end the connection."""
        if any(not cycle.response_complete for cycle in self._unanswered):
            self._hang_up()
            return
        body = encode_failure(words, status.name.lower())
        head = (
            f"HTTP/1.1 {status} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def _without_chunks(
    cycle: RequestResponseCycle, app: types.ASGI3Application
) -> types.ASGI3Application:
    """Return an app whose answers of unknown length end with their connection."""

    async def answer(
        scope: types.Scope, receive: types.ASGIReceiveCallable, send: types.ASGISendCallable
    ) -> None:
        is_sized = True

        async def send_on(message: types.ASGISendEvent) -> None:
            nonlocal is_sized
            if message["type"] == "http.response.start":
                is_sized = any(name == b"content-length" for name, _ in message["headers"])
                cycle.chunked_encoding = None if is_sized else False
            elif message["type"] == "http.response.body" and not is_sized:
                cycle.expected_content_length = len(message["body"])  # uvicorn checks it
            await send(message)

        await app(scope, receive, send_on)

    return answer
