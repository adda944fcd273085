"""Send a stream of server-sent events, and stop when nobody reads it.

Used by the routes on the event loop. Headers go out at once; a comment keeps an idle connection
alive; a reader that takes nothing is given up. Never polls for a disconnect.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tgicli.server.service import ServerOptions, Service
from tgicli.wire.sse import COMMENT

HEADERS = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",  # nginx would hold events back
}


class EventStream(Response):
    """An answer made of events. Its body is closed whatever happens."""

    def __init__(
        self,
        service: Service,
        body: AsyncGenerator[bytes, None],
        *,
        headers: Mapping[str, str] | None = None,
        last_words: bytes,
    ) -> None:
        """Take over a generator of framed events; last_words go out when the server ends first."""
        super().__init__(status_code=200, headers={**HEADERS, **(headers or {})})
        del self.headers["content-length"]
        self._service = service
        self._body = body
        self._last_words = last_words

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the body; end it when the client goes or stops reading."""
        is_listening = False
        writer = _Writer(send, self._service.options)
        async with aclosing(self._body):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            try:
                async with asyncio.TaskGroup() as group:
                    helpers = [
                        group.create_task(_until_gone(receive)),
                        group.create_task(writer.watch()),
                    ]
                    async for data in self._body:
                        await writer.write(data)
                    for helper in helpers:
                        helper.cancel()
                    is_listening = True
            except* _Gone:
                pass
            except* TimeoutError:
                self._service.metrics.stalled_reader()
            except* asyncio.CancelledError:  # the server ends before the answer does
                await writer.write(self._last_words)
                is_listening = True
        if is_listening:
            await writer.end()


class _Gone(Exception):
    """The client closed the connection."""


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    raise _Gone


class _Writer:
    """One connection's end, written by the answer and by its keep-alive.

    One timer serves the whole stream: a timeout around each write would cost more than the write.
    """

    def __init__(self, send: Send, options: ServerOptions) -> None:
        self._send = send
        self._options = options
        self._wrote_s = time.monotonic()  # when the last write ended
        self._writing_since_s: float | None = None  # when the current one began

    async def write(self, data: bytes) -> None:
        """Send data; waits while the client is slow."""
        self._writing_since_s = time.monotonic()
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        self._writing_since_s, self._wrote_s = None, time.monotonic()

    async def watch(self) -> None:
        """Send a comment whenever nothing was sent for long.

        Raises:
            TimeoutError: the client takes nothing for too long.
        """
        stall_timeout_s = self._options.stall_timeout_s
        while True:
            now_s = time.monotonic()
            if self._writing_since_s is not None:
                left_s = self._writing_since_s + stall_timeout_s - now_s
                if left_s <= 0:
                    raise TimeoutError
            else:
                left_s = self._wrote_s + self._options.keep_alive_s - now_s
                if left_s <= 0:
                    async with asyncio.timeout(stall_timeout_s):
                        await self.write(COMMENT)
                    continue
            await asyncio.sleep(min(left_s, stall_timeout_s / 4))

    async def end(self) -> None:
        """Say that this was all."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})
