"""Remember when bytes left the socket, rather than when their reader got to run.

The door to httpcore's network; used by `clients` on the event loop, for observed requests only. A
server that computes in batches sends all its streams' tokens at once. Here all sockets that are
ready are read, and stamped, before any of their readers runs, so that the last one's tokens do not
look late. Never makes a server wait: a reader that lags behind is a load test's own fault.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import httpcore


class StampingNetwork(httpcore.AsyncNetworkBackend):
    """Makes connections whose `network_stream` tells `read_at_ns` as an extra info."""

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
        if error.errno is not None:  # the system gave up, not our limit
            raise httpcore.ConnectError(str(error)) from error
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
        """Tell when the last bytes came, on perf_counter_ns's clock, and what httpcore asks for."""
        match info:
            case "read_at_ns":
                return self._read_at_ns
            case "is_readable":  # an idle connection that is so has come to its end
                return bool(self._unread) or self._lost_at_ns is not None
            case "ssl_object":
                return None if self._transport is None else self._transport.get_extra_info(info)
        return None
