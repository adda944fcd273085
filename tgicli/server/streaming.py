"""Send a stream of server-sent events, and stop when nobody reads it.

Used by the routes on the event loop. Headers go out at once; a comment keeps an idle connection
alive; a reader that takes nothing is given up, with its connection. Never polls for a disconnect.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tgicli.errors import StreamBroken
from tgicli.server.answering import until_gone
from tgicli.server.record import CANCELLED, STALLED, Record
from tgicli.server.service import Service
from tgicli.wire.sse import COMMENT, encode_event

HANG_UP = "hang_up"  # in a request's state: what cuts its connection, whatever is still unread
COMMENT_EVERY_S = 15.0  # on a stream that has nothing to say
MIN_LOOK_S = 0.01
PIECE_BYTES = 8192  # of what waited for a slow reader: as much must it take before the next
HEADERS = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",  # nginx would hold events back
}


def framed(events: Iterable[bytes]) -> Iterator[bytes]:
    """Yield events, given as their data, ready to be sent; many of them in several pieces."""
    piece: list[bytes] = []
    n_bytes = 0
    for data in events:
        piece.append(encode_event(data))
        n_bytes += len(piece[-1])
        if n_bytes >= PIECE_BYTES:
            yield b"".join(piece)
            piece, n_bytes = [], 0
    if piece:
        yield b"".join(piece)


class EventStream(Response):
    """An answer made of events."""

    def __init__(
        self,
        service: Service,
        record: Record,
        body: AsyncGenerator[bytes, None],
        held: AsyncExitStack,
        *,
        headers: Mapping[str, str] | None = None,
        last_words: bytes,
    ) -> None:
        """Take over a generator of framed events and what it needs, which is let go whatever comes.

        last_words go out when the server ends first.
        """
        super().__init__(status_code=200, headers={**HEADERS, **(headers or {})})
        del self.headers["content-length"]
        self._service = service
        self._record = record
        self._body = body
        self._held = held
        self._last_words = last_words

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the body; end it when the client goes or stops reading."""
        writer = _Writer(send, stall_timeout_s=self._service.options.stall_timeout_s)
        async with self._held, aclosing(self._body):
            is_listening = await self._answer(writer, receive)
        if is_listening:
            await writer.end()
        elif self._record.error_type == STALLED:
            await _hang_up(scope, receive)

    async def _answer(self, writer: _Writer, receive: Receive) -> bool:
        """Return whether somebody listened to the end."""
        is_listening = True
        try:
            async with asyncio.TaskGroup() as group:
                helpers = [
                    group.create_task(writer.listen(receive)),
                    group.create_task(writer.watch()),
                ]
                await writer.begin(self.raw_headers)
                async for data in self._body:
                    await writer.write(data)
                for helper in helpers:
                    helper.cancel()
        except* _Gone:
            is_listening = False
            self._record.error_type = CANCELLED
        except* TimeoutError:
            is_listening = False
            self._record.error_type = STALLED
            self._service.metrics.stalled_reader()
        except* asyncio.CancelledError:  # the server ends before the answer does
            self._record.error_type = StreamBroken.error_type
            await writer.write(self._last_words)
        return is_listening


async def _hang_up(scope: Scope, receive: Receive) -> None:
    """Cut the connection; an orderly end would wait until everything is read."""
    scope["state"][HANG_UP]()
    await until_gone(receive)


class _Gone(Exception):
    """The client closed the connection."""


class _Writer:
    """One connection's end, written by the answer and by its keep-alive.

    One timer serves the whole stream: a timeout around each write would cost more than the write.
    """

    def __init__(self, send: Send, *, stall_timeout_s: float) -> None:
        self._send = send
        self._stall_timeout_s = stall_timeout_s
        self._wrote_s = time.monotonic()  # when the last write ended
        self._writing_since_s: float | None = None  # when the current one began
        self._is_gone = False

    async def listen(self, receive: Receive) -> None:
        """Wait until the client is gone.

        Raises:
            _Gone: it is.
        """
        await until_gone(receive)
        self._is_gone = True
        raise _Gone

    async def begin(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the head; waits while the client has not taken an earlier answer."""
        self._writing_since_s = time.monotonic()
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        self._writing_since_s, self._wrote_s = None, time.monotonic()

    async def write(self, data: bytes) -> None:
        """Send data; waits while the client is slow.

        Raises:
            _Gone: the client has closed the connection; nobody will read the rest.
        """
        self._writing_since_s = time.monotonic()
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        self._writing_since_s, self._wrote_s = None, time.monotonic()
        if self._is_gone:
            raise _Gone

    async def watch(self) -> None:
        """Send a comment whenever nothing was sent for long.

        Raises:
            TimeoutError: the client takes nothing for too long.
        """
        stall_timeout_s = self._stall_timeout_s
        while True:
            now_s = time.monotonic()
            if self._writing_since_s is not None:
                left_s = self._writing_since_s + stall_timeout_s - now_s
                if left_s <= 0:
                    raise TimeoutError
            else:
                left_s = self._wrote_s + COMMENT_EVERY_S - now_s
                if left_s <= 0:
                    async with asyncio.timeout(stall_timeout_s):
                        await self.write(COMMENT)
                    continue
            await asyncio.sleep(max(min(left_s, stall_timeout_s / 4), MIN_LOOK_S))

    async def end(self) -> None:
        """Say that this was all."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})
