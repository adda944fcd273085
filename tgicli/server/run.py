"""Sockets, and a server's life: bind, load, serve, drain, end.

Called by the command on its event loop. uvicorn carries HTTP. Its signal handlers stay out: the
command hears signals and calls `drain` and `stop`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import httptools
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import _types as types
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tgicli.errors import ConfigError
from tgicli.server.app import build_app
from tgicli.server.loading import answer_while_loading
from tgicli.server.recording import Report
from tgicli.server.service import Service
from tgicli.server.streaming import HANG_UP
from tgicli.wire.tgi import encode_failure

BACKLOG = 2048
KEEP_ALIVE_S = 75  # of a connection between two requests
DRAIN_CHECK_S = 0.05
LAST_WORDS_S = 1  # for streams that are cut off to say so
REQUEST_TIMEOUT_S = 60.0  # that a head may take from its first byte on, and a pause in a body
MAX_HEAD_BYTES = 65_536  # of what is not a body: a request line, headers, the framing of chunks
UNSENT_BYTES = 16_384  # that the kernel holds for a slow reader, and then we; then its answer waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen."""

    host: str = "127.0.0.1"
    port: int = 3000  # 0: any free one
    uds: Path | None = None  # a Unix socket instead
    certfile: Path | None = None
    keyfile: Path | None = None


def bind(address: Address) -> socket.socket:
    """Return a socket bound to the address.

    Raises:
        ConfigError: it is taken, or there is no such host.
    """
    if address.uds is not None:
        return _bind_unix(address.uds)
    try:
        family, kind, proto, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise ConfigError(
            f"there is no host {address.host!r}: {error.strerror}; choose another --hostname"
        ) from error
    bound = socket.socket(family, kind, proto)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            # Else a kernel takes megabytes for a reader that stands still, and nobody notices.
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        bound.bind(place)
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"can't listen on {address.host}:{address.port}: {error.strerror}; "
            f"choose another --port, or end what uses it"
        ) from error
    return bound


def _bind_unix(path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket() and not _answers(path):
            path.unlink()  # left by a server that was killed
        bound.bind(str(path))
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"can't listen on {path}: {error.strerror or error}; choose another --uds"
        ) from error
    return bound


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


def url_of(bound: socket.socket, address: Address) -> str:
    """Return where a client finds the server."""
    if address.uds is not None:
        return f"unix:{address.uds}"
    host, port = bound.getsockname()[:2]
    scheme = "http" if address.certfile is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class Server:
    """uvicorn on one socket."""

    def __init__(self, address: Address) -> None:
        """Make it; until open() it answers that the model is loading.

        Raises:
            ConfigError: the certificate or its key can't be used.
        """
        self._service: Service | None = None
        self._app: ASGIApp = answer_while_loading
        config = uvicorn.Config(
            self._answer,
            http=_Connection,
            ws="none",
            interface="asgi3",
            proxy_headers=False,
            log_config=None,
            log_level="error",  # what clients do wrong is told to them
            access_log=False,
            lifespan="off",
            backlog=BACKLOG,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=LAST_WORDS_S,
            ssl_certfile=address.certfile,
            ssl_keyfile=address.keyfile,
        )
        try:
            config.load()
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"can't use the certificate {address.certfile} with the key {address.keyfile}: "
                f"{error}"
            ) from error
        self._server = _Quiet(config)

    @property
    def loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop] | None:
        """What makes the event loop that serves fastest here: uvloop's, where there is one."""
        return self._server.config.get_loop_factory()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def open(self, service: Service, report: Report) -> None:
        """Answer from here on."""
        self._service = service
        self._app = build_app(service, report)

    async def serve(self, *bound: socket.socket) -> None:
        """Serve on these sockets until stopped, and until who is cut off has been told so."""
        await self._server.serve(sockets=list(bound))
        if tasks := self._server.server_state.tasks:
            await asyncio.wait(tasks, timeout=LAST_WORDS_S)

    async def drain(self, timeout_s: float) -> None:
        """Admit nothing more, and wait for what runs, for so long at most."""
        if self._service is None:
            return
        admission = self._service.admission
        admission.close()
        try:
            async with asyncio.timeout(timeout_s):
                while admission.n_taken:
                    await asyncio.sleep(DRAIN_CHECK_S)
        except TimeoutError:
            return  # stop() cuts the rest off

    def stop(self) -> None:
        """Close all connections, and let serve() return."""
        self._server.should_exit = True


class _Quiet(uvicorn.Server):
    """A uvicorn that leaves the process's signals alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Connection(HttpToolsProtocol):
    """uvicorn's connection, with limits on what comes before a body, and refusals in JSON.

    Another protocol is never taken up: a request that offers one is answered as any other.
    """

    _n_beside_body = 0  # bytes of the current request
    _timer: asyncio.TimerHandle | None = None  # while the rest of a request is expected
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
        """Let the request be answered, now or behind those before it."""
        if self._is_offer:
            return
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
        self._expect_more()
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

    def _expect_more(self) -> None:
        self._expect_nothing()
        self._timer = self.loop.call_later(REQUEST_TIMEOUT_S, self._give_up)

    def _give_up(self) -> None:
        """Wait no longer, unless nothing can come because an earlier answer is still on its way."""
        if self.flow.read_paused:
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
