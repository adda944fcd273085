"""Connections to one server, each for one request at a time, and kept for the next one.

The door to httpcore's connections; used by `clients` on the event loop wherever no proxy is in the
way. In httpcore's own pool all requests that wait are promised the same idle connection, which one
of them gets: where the answers of 64 users end together, some wait for seconds. Here each request
has one for itself at once: one that is idle, or else a new one.

Never limits their number, and sets no time limit but for connecting: patience has its own.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import httpcore

from tgicli.backends.http_library import httpx


class DirectTransport(httpx.AsyncBaseTransport):
    """Connections to one server."""

    def __init__(
        self,
        verify: ssl.SSLContext,
        *,
        idle_s: float,
        socket: str | None = None,
        network: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        """Prepare; nothing is sent.

        idle_s: how long a connection is kept; socket: a Unix socket's path; network: who makes
        the connections, None: httpcore.
        """
        self._verify = verify
        self._idle_s = idle_s
        self._socket = socket
        self._network = network
        self._open: set[httpcore.AsyncHTTPConnection] = set()
        self._idle: list[httpcore.AsyncHTTPConnection] = []  # the last one is taken first

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; return its answer once its head is there."""
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        asked = httpcore.Request(
            method=request.method,
            url=url,
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        connection = await self._take(url.origin)
        try:
            with _translated():
                answer = await connection.handle_async_request(asked)
        except BaseException:  # also where it was cancelled with the connection just made
            await self._close(connection)
            raise
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer, on_close=lambda: self._give_back(connection)),
            extensions=answer.extensions,
        )

    async def _take(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await self._close(connection)
        made = httpcore.AsyncHTTPConnection(
            origin,
            ssl_context=self._verify,
            keepalive_expiry=self._idle_s,
            uds=self._socket,
            network_backend=self._network,
        )
        self._open.add(made)
        return made

    async def _give_back(self, connection: httpcore.AsyncHTTPConnection) -> None:
        """Keep a connection whose answer was read to its end, if the server does, too."""
        while self._idle and self._idle[0].has_expired():  # the one that was not needed for longest
            await self._close(self._idle.pop(0))
        if connection.is_idle() and not connection.has_expired():
            self._idle.append(connection)
        else:
            await self._close(connection)

    async def _close(self, connection: httpcore.AsyncHTTPConnection) -> None:
        self._open.discard(connection)
        await connection.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        self._idle.clear()
        while self._open:
            await self._open.pop().aclose()


class _Body(httpx.AsyncByteStream):
    """An answer's body, as httpx wants it."""

    def __init__(self, answer: httpcore.Response, on_close: Callable[[], Awaitable[None]]) -> None:
        self._answer = answer
        self._on_close = on_close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for data in self._answer.aiter_stream():
                yield data

    async def aclose(self) -> None:
        await self._answer.aclose()
        await self._on_close()


@contextmanager
def _translated() -> Iterator[None]:
    """Raise httpx's errors for httpcore's, which have the same names."""
    try:
        yield
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error
