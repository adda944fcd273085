"""Many clients that ask at once, at little cost of their own. Used by overload.py.

One thread, plain sockets and a selector: what is measured shall be the server, and the client's own
work delays the reading of an answer that is there already.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PATIENCE_S = 300.0


@dataclass(slots=True, eq=False)
class Asked:
    """One request, on a connection of its own, and what came of it."""

    request: bytes
    connection: socket.socket = field(default_factory=socket.socket)
    began_s: float = 0.0
    ended_s: float = 0.0
    answer: bytes = b""

    @property
    def latency_s(self) -> float:
        """From before connecting to the whole answer."""
        return self.ended_s - self.began_s

    @property
    def status(self) -> int:
        """The answer's."""
        return int(self.answer.split(maxsplit=2)[1])

    @property
    def retry_after_s(self) -> int:
        """When to come back."""
        found = re.search(rb"(?i)retry-after: (\d+)", self.answer)
        assert found, self.answer
        return int(found[1])

    def is_whole(self) -> bool:
        """Say whether all of the answer is there."""
        head, end, body = self.answer.partition(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: (\d+)", head)
        return bool(end) and len(body) >= (int(found[1]) if found else 0)


def get(path: str) -> bytes:
    """Return a GET request."""
    return f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode()


def post(path: str, body: Mapping[str, object]) -> bytes:
    """Return a POST request."""
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(data)}\r\n\r\n".encode() + data


def ask_at_once(url: str, requests: Sequence[bytes]) -> list[Asked]:
    """Send all requests, and read all answers as they come."""
    asked = [Asked(request) for request in requests]
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        for one in asked:
            stack.enter_context(one.connection)
            _begin(one, url, selector)
        deadline_s = time.perf_counter() + PATIENCE_S
        while selector.get_map():
            if time.perf_counter() > deadline_s:
                raise SystemExit(f"{url} does not answer")
            for key, events in selector.select(timeout=1.0):
                _go_on(key.data, events, selector)
    return asked


def _begin(one: Asked, url: str, selector: selectors.BaseSelector) -> None:
    address = urlsplit(url)
    one.connection.setblocking(False)
    one.began_s = time.perf_counter()
    one.connection.connect_ex((address.hostname, address.port))
    selector.register(one.connection, selectors.EVENT_WRITE, one)


def _go_on(one: Asked, events: int, selector: selectors.BaseSelector) -> None:
    if events & selectors.EVENT_WRITE:
        one.connection.sendall(one.request)  # small enough to be taken at once
        selector.modify(one.connection, selectors.EVENT_READ, one)
        return
    data = one.connection.recv(65536)
    if not data:
        raise SystemExit(f"a connection ended after {one.answer!r}")
    one.answer += data
    if one.is_whole():
        one.ended_s = time.perf_counter()
        selector.unregister(one.connection)


def stream(url: str, request: bytes) -> socket.socket:
    """Return a connection on which an answer has begun; closing it ends the answer."""
    address = urlsplit(url)
    connection = socket.create_connection((address.hostname, address.port), timeout=PATIENCE_S)
    connection.sendall(request)
    while b"data: " not in connection.recv(65536):
        pass
    return connection
