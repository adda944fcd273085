"""Bring a server up, let it run, and end it: what `tgicli serve` does once its options are checked.

Called on the main thread; runs the event loop. The socket is bound first, so a taken port is known
before the model loads; until that is done the server answers 503.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tgicli import __version__
from tgicli.cli.local import loading_model
from tgicli.cli.loop import run
from tgicli.cli.serve.flags import ServeFlags
from tgicli.cli.serve.source import EndpointSource, ModelSource, Served, Source
from tgicli.cli.serve.watching import watch
from tgicli.cli.warm import offered
from tgicli.errors import ConfigError
from tgicli.server.address import Address, bind, url_of
from tgicli.server.run import Server
from tgicli.server.service import ServerOptions, Service
from tgicli.ui.status import Status
from tgicli.ui.terminal import Terminal

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def serve(flags: ServeFlags, terminal: Terminal) -> None:
    """Serve until a signal comes."""
    keys = _keys(flags)
    address = Address(
        host=flags.hostname,
        port=flags.port,
        uds=flags.uds,
        certfile=flags.ssl_certfile,
        keyfile=flags.ssl_keyfile,
    )
    server = Server(address)
    status = Status(terminal)
    with contextlib.closing(bind(address)) as bound, _unlinked(flags.uds):
        if not keys and flags.uds is None and flags.hostname not in LOOPBACK:
            terminal.say(
                f"anybody who reaches {flags.hostname} may ask this server; "
                f"--api-key-file keeps strangers out"
            )
        with _source(flags, terminal, status) as (source, keyless):
            serving = _Serving(flags, terminal, keys, url_of(bound, address), keyless)
            run(serving.run(server, bound, source, status), loop_factory=server.loop_factory)


@contextlib.contextmanager
def _source(
    flags: ServeFlags, terminal: Terminal, status: Status
) -> Iterator[tuple[Source, socket.socket | None]]:
    """Give what is served, and with a model the socket where `generate` and `chat` find it."""
    remote = flags.remote.to_remote()
    if remote is not None:
        yield EndpointSource(flags, remote, terminal), None
        return
    with (
        loading_model(
            replace(flags.loading, batch_size=flags.batch_size),
            terminal,
            status,
            quiet=flags.quiet,
            n_ctx=flags.limits.max_total_tokens or 0,
            n_lanes=flags.limits.max_batch_size,
        ) as loading,
        _offered(loading.path, flags, terminal) as keyless,
    ):
        yield ModelSource(flags, loading), keyless


@contextlib.contextmanager
def _offered(model: Path, flags: ServeFlags, terminal: Terminal) -> Iterator[socket.socket | None]:
    """Give a socket where `generate` and `chat` find this server; None where there can be none."""
    if flags.ssl_certfile is not None or not hasattr(socket, "AF_UNIX"):
        yield None  # uvicorn would speak TLS there, too
        return
    with contextlib.ExitStack() as stack:
        try:
            keyless = stack.enter_context(offered(model, flags.loading))
        except OSError as error:
            keyless = None
            terminal.say(f"`generate` and `chat` will not find this server: {error}")
        yield keyless


@contextlib.contextmanager
def _unlinked(path: Path | None) -> Iterator[None]:
    try:
        yield
    finally:
        if path is not None:
            path.unlink(missing_ok=True)


class _Serving:
    """One run of the command."""

    def __init__(
        self,
        flags: ServeFlags,
        terminal: Terminal,
        keys: tuple[str, ...],
        url: str,
        keyless: socket.socket | None,
    ) -> None:
        self._flags = flags
        self._terminal = terminal
        self._keys = keys
        self._url = url
        self._keyless = keyless

    async def run(
        self, server: Server, bound: socket.socket, source: Source, status: Status
    ) -> None:
        """Serve until cancelled; then let what runs finish."""
        sockets = [bound] if self._keyless is None else [bound, self._keyless]
        serving = asyncio.create_task(server.serve(*sockets))
        try:
            async with source.open() as served:
                status.clear()
                service = self._service(served)
                async with watch(service, self._flags, self._terminal, self._url) as report:
                    server.open(service, report)
                    await self._until_cancelled(serving, server)
        finally:
            server.stop()
            await serving

    async def _until_cancelled(self, serving: asyncio.Task[None], server: Server) -> None:
        """Wait; when a signal cancels the wait, drain and return as if all were done."""
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
            await server.drain(self._flags.shutdown_timeout)
            server.stop()
            await asyncio.shield(serving)

    def _service(self, served: Served) -> Service:
        flags, asked = self._flags, self._flags.limits
        how = ServerOptions(
            limits=served.limits,
            max_concurrent_requests=asked.max_concurrent_requests,
            max_queue_wait_s=None if flags.remote.connect else asked.max_queue_wait,
            payload_limit_bytes=asked.payload_limit,
            stall_timeout_s=flags.stall_timeout,
            api_keys=self._keys,
            keyless_socket=None if self._keyless is None else self._keyless.getsockname(),
            cors_allow_origins=flags.cors_allow_origin,
            isolates_keys=flags.isolate_keys,
            on_gpu=served.on_gpu,
        )
        return Service(
            backend=served.backend, options=how, model_id=served.model_id, version=__version__
        )


def _keys(flags: ServeFlags) -> tuple[str, ...]:
    keys = [key.value for key in flags.api_key]
    if flags.api_key_file is not None:
        try:
            lines = flags.api_key_file.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"can't read --api-key-file {flags.api_key_file}: {error}") from error
        keys += [line.strip() for line in lines if line.strip()]
        if not keys:
            raise ConfigError(f"--api-key-file {flags.api_key_file} holds no key")
    if "" in keys:
        raise ConfigError("--api-key: must not be empty")
    return tuple(keys)
