"""Remember when bytes left the socket, rather than when their reader got to run.

The door to httpcore, for observed requests only; used by `http` on the event loop. A server that
computes in batches sends all its streams' tokens at once. Here all sockets that are ready are read,
and stamped, before any of their readers runs, so that the last one's tokens do not look late.

Never limits the number of connections, and sets no time limit but for connecting: patience has its
own.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import httpcore

from tgicli.backends.http_library import httpx

READ_AT = "read_at_ns"  # of the bytes read last, on time.perf_counter_ns's clock; an extra info


class StampingTransport(httpx.AsyncBaseTransport):
    """Connections to one server whose `network_stream` tells READ_AT.

    Each request has a connection for itself at once: one that is idle, or else a new one. In
    httpcore's own pool all requests that wait are promised the same idle connection, which one of
    them gets: where the answers of 64 users end together, some wait for seconds.
    """

    def __init__(self, verify: ssl.SSLContext, *, idle_s: float, socket: str | None = None) -> None:
        """Prepare; idle_s: how long a connection is kept; socket: a Unix socket's path."""
        self._verify = verify
        self._idle_s = idle_s
        self._socket = socket
        self._network = _Network()
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
        except BaseException:
            self._give_back(connection)
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
            self._open.discard(connection)
            await connection.aclose()
        made = httpcore.AsyncHTTPConnection(
            origin,
            ssl_context=self._verify,
            keepalive_expiry=self._idle_s,
            uds=self._socket,
            network_backend=self._network,
        )
        self._open.add(made)
        return made

    def _give_back(self, connection: httpcore.AsyncHTTPConnection) -> None:
        """Keep a connection whose answer was read to its end; the others are closed by now."""
        if connection.is_idle() and not connection.has_expired():
            self._idle.append(connection)
        else:
            self._open.discard(connection)

    async def aclose(self) -> None:
        """Close all connections."""
        self._idle.clear()
        while self._open:
            await self._open.pop().aclose()


class _Body(httpx.AsyncByteStream):
    """An answer's body, as httpx wants it."""

    def __init__(self, answer: httpcore.Response, on_close: Callable[[], None]) -> None:
        self._answer = answer
        self._on_close = on_close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for data in self._answer.aiter_stream():
                yield data

    async def aclose(self) -> None:
        await self._answer.aclose()
        self._on_close()


@contextmanager
def _translated() -> Iterator[None]:
    """Raise httpx's errors for httpcore's, which have the same names."""
    try:
        yield
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error


class _Network(httpcore.AsyncNetworkBackend):
    """Makes connections."""

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *_: Any, **__: Any
    ) -> _Stream:
        loop = asyncio.get_running_loop()
        with _connecting():
            async with asyncio.timeout(timeout):
                made = await loop.create_connection(_Stream, host, port)
        return made[1]

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, *_: Any, **__: Any
    ) -> _Stream:
        loop = asyncio.get_running_loop()
        with _connecting():
            async with asyncio.timeout(timeout):
                made = await loop.create_unix_connection(_Stream, path)
        return made[1]


@contextmanager
def _connecting() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise httpcore.ConnectTimeout(str(error)) from error
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from error


class _Stream(httpcore.AsyncNetworkStream, asyncio.Protocol):
    """One connection: asyncio puts bytes in, httpcore takes them out."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._unread: deque[tuple[int, bytes]] = deque()  # when it came, and what
        self._has_more = asyncio.Event()
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._lost_at_ns: int | None = None
        self._error: Exception | None = None
        self._read_at_ns: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        self._unread.append((time.perf_counter_ns(), data))
        self._has_more.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._lost_at_ns, self._error = time.perf_counter_ns(), error
        self._has_more.set()
        self._can_write.set()

    def pause_writing(self) -> None:
        self._can_write.clear()

    def resume_writing(self) -> None:
        self._can_write.set()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what one read of the socket brought, or as much of it; nothing at the end."""
        while not self._unread:
            if self._lost_at_ns is not None:
                return self._end(self._lost_at_ns)
            self._has_more.clear()
            await self._has_more.wait()
        self._read_at_ns, data = self._unread.popleft()
        if len(data) > max_bytes:
            self._unread.appendleft((self._read_at_ns, data[max_bytes:]))
        return data[:max_bytes]

    def _end(self, at_ns: int) -> bytes:
        self._read_at_ns = at_ns
        if self._error is not None:
            raise httpcore.ReadError(str(self._error)) from self._error
        return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._lost_at_ns is not None:
            raise httpcore.WriteError("the connection is closed") from self._error
        assert self._transport is not None
        self._transport.write(buffer)
        await self._can_write.wait()

    async def aclose(self) -> None:
        if self._transport is not None:
            self._transport.abort()  # nothing is left to be sent

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> _Stream:
        assert self._transport is not None
        start = asyncio.get_running_loop().start_tls
        with _connecting():
            async with asyncio.timeout(timeout):
                self._transport = await start(
                    self._transport, self, ssl_context, server_hostname=server_hostname
                )
        return self

    def get_extra_info(self, info: str) -> Any:
        """Tell READ_AT, and what httpcore asks for."""
        match info:
            case "read_at_ns":
                return self._read_at_ns
            case "is_readable":  # an idle connection that is so has come to its end
                return bool(self._unread) or self._lost_at_ns is not None
            case "ssl_object":
                return None if self._transport is None else self._transport.get_extra_info(info)
        return None
