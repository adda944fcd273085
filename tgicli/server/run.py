"""A server's life: load, serve, drain, end.

Called by the command on its event loop. uvicorn carries HTTP. Its signal handlers stay out: the
command hears signals and calls `drain` and `stop`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from tgicli.errors import ConfigError
from tgicli.server.address import Address
from tgicli.server.app import build_app
from tgicli.server.connection import Connection
from tgicli.server.loading import answer_while_loading
from tgicli.server.recording import Report
from tgicli.server.service import Service

BACKLOG = 2048
IDLE_CONNECTION_S = 75  # that a connection may take between two requests
LAST_WORDS_S = 1  # for streams that are cut off to say so


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
            http=Connection,
            ws="none",
            interface="asgi3",
            proxy_headers=False,
            log_config=None,
            log_level="error",  # what clients do wrong is told to them
            access_log=False,
            lifespan="off",
            backlog=BACKLOG,
            server_header=False,
            timeout_keep_alive=IDLE_CONNECTION_S,
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
                await admission.emptied()
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
