"""HTTP/1.1 by hand, so that a test can leave, stall or talk nonsense at any byte."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from tests.server.conftest import PATIENCE_S, eventually

READ_LIMIT = 2**22


class HasUrl(Protocol):
    """A server, in a process of its own or in ours."""

    @property
    def url(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


def request_bytes(
    path: str,
    body: Any = None,
    *,
    method: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return a request; a body that is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    fields = {"host": "x", "content-type": "application/json", "content-length": str(len(data))}
    lines = [f"{name}: {value}" for name, value in {**fields, **(headers or {})}.items()]
    verb = method or ("GET" if body is None else "POST")
    return "\r\n".join([f"{verb} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1") + data


class Connection:
    """One connection to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        """Read a status and headers; not those that only say that the body may come."""
        status, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = (line.split(": ", 1) for line in lines if line)
        if status.split()[1] == "100":
            return await self.head()
        return int(status.split()[1]), {name.lower(): value for name, value in fields}

    async def reply(self, *, has_body: bool = True) -> Reply:
        """Read an answer to its end."""
        status, headers = await self.head()
        if not has_body or status in (204, 304):
            return Reply(status, headers, b"")
        if "content-length" in headers:
            body = await self.reader.readexactly(int(headers["content-length"]))
        else:
            body = b"".join([chunk async for chunk in self.chunks()])
        return Reply(status, headers, body)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Read a chunked body; ends with its last chunk.

        Raises:
            IncompleteReadError: the connection ended before.
        """
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            yield (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readexactly(2)

    async def events(self) -> AsyncGenerator[Any, None]:
        """Read the head of a stream, then the JSON of the events that come."""
        status, _ = await self.head()
        assert status == 200
        async for chunk in self.chunks():
            for line in chunk.splitlines():
                if line.startswith(b"data: {"):
                    yield json.loads(line[6:])

    def cut(self) -> None:
        """Go away at once, whatever is still unread."""
        self.writer.transport.abort()


@asynccontextmanager
async def connected(
    server: HasUrl, *, receive_buffer: int | None = None
) -> AsyncGenerator[Connection, None]:
    """Connect for the length of a block; fail rather than hang."""
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    channel = socket.socket()
    if receive_buffer is not None:
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    channel.setblocking(False)
    async with asyncio.timeout(PATIENCE_S):
        with closing_on_failure(channel):
            await asyncio.get_running_loop().sock_connect(channel, (host, int(port)))
            limit = READ_LIMIT if receive_buffer is None else receive_buffer
            reader, writer = await asyncio.open_connection(sock=channel, limit=limit)
        try:
            yield Connection(reader, writer)
        finally:
            writer.transport.abort()


@contextmanager
def closing_on_failure(channel: socket.socket) -> Iterator[None]:
    """Close a socket if the block fails."""
    try:
        yield
    except BaseException:
        channel.close()
        raise


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something comes to hold, or fail; the event loop goes on meanwhile."""
    assert await asyncio.to_thread(eventually, holds, within_s=PATIENCE_S)


async def ask(
    server: HasUrl, path: str, body: Any = None, headers: Mapping[str, str] | None = None
) -> Reply:
    """Return the answer to one request on a connection of its own."""
    async with connected(server) as connection:
        await connection.send(request_bytes(path, body, headers=headers))
        return await connection.reply()
