"""Bring a server up, let it run, and end it: what `tgicli serve` does once its options are checked.

Called on the main thread; runs the event loop. The socket is bound first, so a taken port is known
before the model loads; until that is done the server answers 503.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING

from tgicli import __version__
from tgicli.backends.local import LocalBackend
from tgicli.cli.local import Loading, start_loading
from tgicli.cli.loop import run
from tgicli.cli.serve import LOOPBACK, ServeOptions
from tgicli.cli.watching import watch
from tgicli.engine.prompt import PromptEncoder
from tgicli.engine.runner import ContextOptions
from tgicli.errors import ConfigError
from tgicli.server.run import Address, Server, bind, url_of
from tgicli.server.service import ServerOptions, Service
from tgicli.ui.status import Status
from tgicli.ui.terminal import Terminal
from tgicli.wire.limits import Limits

if TYPE_CHECKING:
    from tgicli.engine.model import Model

DEFAULT_TOTAL_TOKENS = 4096  # where the model was trained on more


def serve(options: ServeOptions, terminal: Terminal) -> None:
    """Serve until a signal comes."""
    keys = _keys(options)
    address = Address(
        host=options.hostname,
        port=options.port,
        uds=options.uds,
        certfile=options.ssl_certfile,
        keyfile=options.ssl_keyfile,
    )
    server = Server(address)
    status = Status(terminal)
    with contextlib.closing(bind(address)) as bound, _unlinked(options.uds):
        if not keys and options.uds is None and options.hostname not in LOOPBACK:
            terminal.say(
                f"anybody who reaches {options.hostname} may ask this server; "
                f"--api-key-file keeps strangers out"
            )
        loading = start_loading(options.loading, terminal, status, quiet=options.quiet)
        try:
            url = url_of(bound, address)
            serving = _Serving(options, terminal, keys, url)
            run(
                serving.run(server, bound, loading, status),
                loop_factory=server.loop_factory,
            )
        finally:
            status.clear()
            loading.close()


@contextlib.contextmanager
def _unlinked(path: Path | None):  # type: ignore[no-untyped-def]
    try:
        yield
    finally:
        if path is not None:
            path.unlink(missing_ok=True)


class _Serving:
    """One run of the command."""

    def __init__(
        self, options: ServeOptions, terminal: Terminal, keys: tuple[str, ...], url: str
    ) -> None:
        self._options = options
        self._terminal = terminal
        self._keys = keys
        self._url = url

    async def run(
        self, server: Server, bound: socket.socket, loading: Loading, status: Status
    ) -> None:
        """Serve until cancelled; then let what runs finish."""
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve(bound))
            try:
                model = await asyncio.wrap_future(loading.future)
                async with self._backend(model) as (backend, limits):
                    status.clear()
                    service = self._service(backend, limits, model)
                    async with watch(service, self._options, self._terminal, self._url) as report:
                        server.open(service, report)
                        await self._until_cancelled(serving, server)
            finally:
                server.stop()

    async def _until_cancelled(self, serving: asyncio.Task[None], server: Server) -> None:
        """Wait; when a signal cancels the wait, drain and return as if all were done."""
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
            await server.drain(self._options.shutdown_timeout)
            server.stop()
            await asyncio.shield(serving)

    @contextlib.asynccontextmanager
    async def _backend(self, model: Model) -> AsyncGenerator[tuple[LocalBackend, Limits], None]:
        options, limits = self._options, self._limits(model)
        context = ContextOptions(
            n_ctx=limits.max_total_tokens,
            n_lanes=options.limits.max_batch_size,
            batch_size=options.limits.max_batch_prefill_tokens or options.loading.batch_size,
            threads=options.loading.threads,
            flash_attn=options.loading.flash_attn,
            kv_type=options.loading.kv_type,
            lora=tuple(options.loading.lora),
        )
        backend = await LocalBackend.open(
            PromptEncoder(model), context, prefix_reuse=options.loading.prefix_reuse
        )
        async with contextlib.aclosing(backend):
            yield backend, limits

    def _limits(self, model: Model) -> Limits:
        asked = self._options.limits
        total = asked.max_total_tokens or self._options.loading.ctx_size
        total = total or min(model.n_ctx_train, DEFAULT_TOTAL_TOKENS)
        longest = total - 1 if asked.max_input_tokens is None else asked.max_input_tokens
        if longest >= total:
            raise ConfigError(
                f"--max-input-tokens {longest} must be less than the {total} tokens that "
                f"prompt and answer have together; raise --max-total-tokens"
            )
        return Limits(
            max_total_tokens=total,
            max_input_tokens=longest,
            max_best_of=asked.max_best_of,
            max_stop_sequences=asked.max_stop_sequences,
            max_top_n_tokens=asked.max_top_n_tokens,
            max_client_batch_size=asked.max_client_batch_size,
            allows_grammar=asked.grammar_support,
        )

    def _service(self, backend: LocalBackend, limits: Limits, model: Model) -> Service:
        options, asked = self._options, self._options.limits
        served = ServerOptions(
            limits=limits,
            max_concurrent_requests=asked.max_concurrent_requests,
            max_queue_wait_s=asked.max_queue_wait,
            payload_limit_bytes=asked.payload_limit,
            stall_timeout_s=options.stall_timeout,
            api_keys=self._keys,
            cors_allow_origins=options.cors_allow_origin,
            isolates_keys=options.isolate_keys,
        )
        asked_for = options.loading.model
        is_repository = asked_for is not None and not Path(asked_for).exists()
        name = asked_for if asked_for and is_repository else model.path.stem
        return Service(backend=backend, options=served, model_id=name, version=__version__)


def _keys(options: ServeOptions) -> tuple[str, ...]:
    keys = list(options.api_key)
    if options.api_key_file is not None:
        try:
            lines = options.api_key_file.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"can't read --api-key-file {options.api_key_file}: {error}"
            ) from error
        keys += [line.strip() for line in lines if line.strip()]
        if not keys:
            raise ConfigError(f"--api-key-file {options.api_key_file} holds no key")
    if "" in keys:
        raise ConfigError("--api-key: must not be empty")
    return tuple(keys)
