"""A hub on 127.0.0.1 that speaks the hub's file protocol, and the storage that it sends readers to.

    GET  /api/models/<repository>                 the listing
    HEAD /<repository>/resolve/<revision>/<file>  302 to the storage, or 200 for a small file in git
    GET  the same, then <storage>/<sha256>?...    the bytes, with ranges

It remembers every request, and breaks what a test asks it to break.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, NamedTuple

TOKEN = "hf_secret"
SECRET = "5ecret"  # of links to the storage


@dataclass(slots=True, eq=False)
class Repository:
    """What a repository has, and how it behaves."""

    files: dict[str, bytes]
    in_git: bool = False  # small files are served by the hub itself, under another hash
    is_private: bool = False
    is_gated: bool = False
    status: int | None = None  # of every answer
    headers: dict[str, str] = field(default_factory=dict)  # beside that
    listing: bytes | None = None  # instead of the true one
    unlisted: set[str] = field(default_factory=set)  # listed, and not there when asked for

    @property
    def commit(self) -> str:
        """A hash of everything, as git's is."""
        return hashlib.sha1(repr(sorted(self.files.items())).encode()).hexdigest()

    @property
    def model(self) -> bytes:
        """The bytes of its one model."""
        return self.files["gem-Q4_K_M.gguf"]


class Answer(NamedTuple):
    """What the storage says instead of what it should."""

    status: int
    headers: dict[str, str]
    body: bytes


class Seen(NamedTuple):
    """One request."""

    method: str
    path: str
    headers: dict[str, str]

    @property
    def range(self) -> str | None:
        return self.headers.get("range")


@dataclass(slots=True, eq=False)
class Hub:
    """The state that the handlers share; a test's view of the server."""

    url: str = ""
    storage_url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)  # the next answers end after so many bytes
    stalls: threading.Event = field(default_factory=threading.Event)  # cut answers wait for it
    storage_status: int | None = None  # of what the storage answers
    answers: list[Answer] = field(default_factory=list)  # what the storage says next, instead
    ignores_ranges: bool = False
    sizes: dict[str, int] = field(default_factory=dict)  # what is claimed, by hash
    garbles: bool = False

    def downloads(self) -> list[Seen]:
        """The requests for files' bytes that reached whoever has them."""
        return [
            seen
            for seen in self.seen
            if seen.method == "GET" and not re.search("^/api/|/resolve/", seen.path)
        ]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: ClassVar[Hub]

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.seen.append(Seen(self.command, self.path, headers))
        if found := re.fullmatch(r"/api/models/([^/]+/[^/?]+).*", self.path):
            self._list(found[1])
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", self.path):
            self._resolve(found[1], found[2])
        elif found := re.fullmatch(r"/([0-9a-f]{64})\?.*", self.path):
            self._store(found[1])
        else:
            self._send(404)

    def _list(self, name: str) -> None:
        repository = self._may_see(name)
        if repository is None:
            return
        listing = {
            "id": name,
            "sha": repository.commit,
            "siblings": [{"rfilename": file} for file in repository.files],
        }
        body = repository.listing or json.dumps(listing).encode()
        self._send(200, {"Content-Type": "application/json"}, body)

    def _may_see(self, name: str) -> Repository | None:
        repository = self.hub.repositories.get(name)
        has_token = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if repository is None or (repository.is_private and not has_token):
            self._send(404 if has_token else 401, {"X-Error-Code": "RepoNotFound"})
            return None
        if repository.status is not None:
            self._send(repository.status, repository.headers)
            return None
        return repository

    def _resolve(self, name: str, file: str) -> None:
        repository = self._may_see(name)
        if repository is None:
            return
        commit = {"X-Repo-Commit": repository.commit}
        if repository.is_gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._send(401, {"X-Error-Code": "GatedRepo"})
        elif file not in repository.files or file in repository.unlisted:
            self._send(404, commit | {"X-Error-Code": "EntryNotFound"})
        elif repository.in_git:
            content = repository.files[file]
            self._send_content(content, commit | {"ETag": f'"{hashlib.sha1(content).hexdigest()}"'})
        else:
            digest = hashlib.sha256(repository.files[file]).hexdigest()
            n_bytes = self.hub.sizes.get(digest, len(repository.files[file]))
            linked = {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(n_bytes)}
            location = {"Location": f"{self.hub.storage_url}/{digest}?Signature={SECRET}"}
            self._send(302, commit | linked | location)

    def _store(self, digest: str) -> None:
        if self.hub.storage_status is not None:
            self._send(self.hub.storage_status)
            return
        if self.hub.answers:
            self._send(*self.hub.answers.pop(0))
            return
        contents = (c for r in self.hub.repositories.values() for c in r.files.values())
        content = next(c for c in contents if hashlib.sha256(c).hexdigest() == digest)
        if self.hub.garbles:
            content = bytes(len(content))
        self._send_content(content, {"ETag": f'"{digest}"'})

    def _send_content(self, content: bytes, headers: dict[str, str]) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted is None or self.hub.ignores_ranges:
            self._send(200, headers, content)
            return
        start = int(wanted[1])
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(206, headers | {"Content-Range": span}, content[start:])

    def _send(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("X-HF-Warning", "tests; the library would show this")
        if "Transfer-Encoding" not in (headers or {}):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        is_content = "ETag" in (headers or {})
        if is_content and self.hub.cuts and (n_bytes := self.hub.cuts.pop(0)) < len(body):
            self.wfile.write(body[:n_bytes])
            self.wfile.flush()
            self.hub.stalls.wait()
            self.close_connection = True
        else:
            self.wfile.write(body)


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Run a hub and its storage, which is another origin, until the block ends."""
    hub = Hub()
    hub.stalls.set()  # cut at once
    handler = type("Handler", (_Handler,), {"hub": hub})
    with _running(handler) as hub.url, _running(handler) as hub.storage_url:
        yield hub
        hub.stalls.set()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing about readers who went away."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            raise


@contextmanager
def _running(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
