"""A server that does what a script says: each connection a list of steps, each step a deed.

It speaks HTTP by hand over real sockets, so that it can do what no library lets a server do. A
script is a list of functions that get the connection. Scripts are for requests with a body, one
after the other; the last one serves all further requests. Who asks for a page gets it from `pages`,
or 404.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE_S = 20.0
Step = Callable[["Connection"], None]
Script = Sequence[Step]


@dataclass(frozen=True)
class Seen:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


@dataclass
class Connection:
    """One client, from the server's side."""

    server: FaultyServer
    socket: socket.socket

    def read_request(self) -> None:
        """Read one request, and keep it."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        while self.server.reads_bodies and len(body) < int(headers.get("content-length", 0)):
            body += self._more()
        method, path, _ = first.split(" ")
        self.server.seen.append(Seen(method, path, headers, body))
        if method == "GET":
            raise _PageWanted(path)

    def _more(self) -> bytes:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the client is gone")
        return data

    def wait_until_gone(self) -> None:
        """Wait for the client to close its side."""
        with contextlib.suppress(OSError):
            while self.socket.recv(65536):
                pass
        self.server.n_gone += 1


class _PageWanted(Exception):
    """Somebody asks for a page, and not for what the script has."""


class FaultyServer:
    """Serves scripts on a port of its own, each connection on a thread."""

    def __init__(
        self,
        *scripts: Script,
        pages: Mapping[str, Script] | None = None,
        path: Path | None = None,  # of a Unix socket to listen on instead
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._pages = pages or {}
        self.reads_bodies = True
        self._tls = tls
        self.seen: list[Seen] = []
        self.n_gone = 0  # clients that closed while they were waited for
        self._scripts = list(scripts)
        if path is None:
            self._socket = socket.create_server(("127.0.0.1", 0))
            scheme = "http" if tls is None else "https"
            self.url = f"{scheme}://127.0.0.1:{self._socket.getsockname()[1]}"
        else:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.bind(str(path))
            self._socket.listen()
            self.url = f"unix:{path}"
        self._threads: list[threading.Thread] = []
        self._connections: list[Connection] = []
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    @property
    def n_connections(self) -> int:
        """How many there were."""
        return len(self._connections)

    @property
    def posts(self) -> list[Seen]:
        """The requests that were to generate something."""
        return [seen for seen in self.seen if seen.method == "POST"]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            client.settimeout(PATIENCE_S)
            connection = Connection(self, client)
            self._connections.append(connection)
            thread = threading.Thread(target=self._run, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _run(self, connection: Connection) -> None:
        with contextlib.suppress(OSError):
            try:
                if self._tls is not None:
                    connection.socket = self._tls.wrap_socket(connection.socket, server_side=True)
                self._answer(connection)
            finally:
                connection.socket.close()

    def _answer(self, connection: Connection) -> None:
        try:
            connection.read_request()
        except _PageWanted as wanted:
            script = self._pages.get(str(wanted), answer(404))
        else:
            script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        for step in script:
            step(connection)

    def close(self) -> None:
        """End all connections and threads."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._acceptor.join()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()


@contextlib.contextmanager
def serving(
    *scripts: Script,
    pages: Mapping[str, Script] | None = None,
    path: Path | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[FaultyServer]:
    """Run a server for the length of a block."""
    with contextlib.closing(FaultyServer(*scripts, pages=pages, path=path, tls=tls)) as server:
        yield server


def refusing_url() -> str:
    """Return the address of a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return f"http://127.0.0.1:{bound.getsockname()[1]}"


@contextlib.contextmanager
def silent_url() -> Iterator[str]:
    """Give an address where a connection is never made: the queue of those who knock is full."""
    with contextlib.ExitStack() as stack:
        bound = stack.enter_context(socket.socket())
        bound.bind(("127.0.0.1", 0))
        bound.listen(0)
        for _ in range(4):
            knocking = stack.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(bound.getsockname())
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def stall(connection: Connection) -> None:
    """Say nothing more, until the client goes."""
    connection.wait_until_gone()


def reset(connection: Connection) -> None:
    """Break the connection off, without a farewell."""
    linger = struct.pack("ii", 1, 0)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.socket.close()


def close(connection: Connection) -> None:
    """Close the connection, without an end of the body."""
    connection.socket.close()


def send(data: bytes) -> Step:
    """Send bytes as they are."""
    return lambda connection: connection.socket.sendall(data)


def send_forever(data: bytes) -> Step:
    """Send bytes until the client goes."""

    def step(connection: Connection) -> None:
        while True:
            connection.socket.sendall(data)

    return step


def wait(seconds: float) -> Step:
    """Pause."""
    return lambda connection: time.sleep(seconds)


def head(status: int = 200, media_type: str = "text/event-stream", **headers: str) -> Step:
    """Send a head; a body in chunks follows."""
    named = {"content-type": media_type} if media_type else {}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} Something", *(f"{k}: {v}" for k, v in named.items())]
    lines += ["transfer-encoding: chunked", "connection: close"]
    return send("\r\n".join([*lines, "", ""]).encode())


def chunk(data: bytes) -> Step:
    """Send a piece of the body."""
    return send(b"%x\r\n%b\r\n" % (len(data), data))


def chunks(data: bytes, size: int) -> list[Step]:
    """Send a body in pieces of a size, each a packet of its own as far as the kernel allows."""
    return [chunk(data[start : start + size]) for start in range(0, len(data), size)]


def next_request(connection: Connection) -> None:
    """Read another request on the same connection."""
    connection.read_request()


KEPT_HEAD = send(  # of an answer behind which the connection stays open
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
end = send(b"0\r\n\r\n")  # of a body


def answer(
    status: int, body: bytes = b"", media_type: str = "application/json", **headers: str
) -> Script:
    """Return the script of a whole answer."""
    return [head(status, media_type, **headers), *([chunk(body)] if body else []), end]


def stream(*events: bytes) -> Script:
    """Return the script of a stream that comes to its end."""
    return [head(), *map(chunk, events), end]


def gzipped(data: bytes) -> bytes:
    """Compress a body, so that each event in it can be read as soon as it is there."""
    made = zlib.compressobj(wbits=31)
    pieces = [
        made.compress(event + b"\n\n") + made.flush(zlib.Z_SYNC_FLUSH)
        for event in data.split(b"\n\n")
        if event
    ]
    return b"".join([*pieces, made.flush()])


def tgi_event(index: int, text: str, **more: Any) -> bytes:
    """Return an event of TGI's stream."""
    token = {"id": 300 + index, "text": text, "logprob": -0.5, "special": False}
    event = {"index": index, "token": token, "generated_text": None, "details": None}
    data = json.dumps({**event, **more}, ensure_ascii=False)
    return f"data: {data}\n\n".encode()


def tgi_stream(*texts: str, reason: str = "eos_token") -> list[bytes]:
    """Return the events of a whole TGI stream."""
    details = {"finish_reason": reason, "generated_tokens": len(texts), "seed": 7}
    last = {"generated_text": "".join(texts), "details": {**details, "input_length": 5}}
    events = [tgi_event(index, text) for index, text in enumerate(texts, 1)]
    return [*events[:-1], tgi_event(len(texts), texts[-1], **last)]


def tgi_error(words: str, kind: str) -> bytes:
    """Return the event with which TGI breaks a stream off, or refuses it."""
    return f"data: {json.dumps({'error': words, 'error_type': kind})}\n\n".encode()


def chat_event(**delta: Any) -> bytes:
    """Return a chunk of an OpenAI chat; `reason` ends it, `usage` counts."""
    reason, usage = delta.pop("reason", None), delta.pop("usage", None)
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    body = {"object": "chat.completion.chunk", "choices": [choice], "usage": usage}
    return f"data: {json.dumps(body)}\n\n".encode()


DONE = b"data: [DONE]\n\n"
