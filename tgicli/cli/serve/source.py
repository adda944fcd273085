"""What a server serves: a model in this process, or with --connect a server somewhere else.

Used by `run`. Both come up while the socket is bound already, and answer behind one interface.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tgicli.cli.local import DEFAULT_LANE_CTX, Loading, sized_context
from tgicli.cli.serve.flags import ServeFlags
from tgicli.core import Backend
from tgicli.errors import ConfigError
from tgicli.ui.terminal import Terminal
from tgicli.wire.limits import Limits

if TYPE_CHECKING:
    from tgicli.backends.endpoint import RemoteOptions
    from tgicli.engine.model import Model

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Served:
    """A backend that is ready, and how it is called."""

    backend: Backend
    limits: Limits
    model_id: str
    on_gpu: bool | None = None  # None: not known


class Source(Protocol):
    """Where a backend comes from."""

    def open(self) -> contextlib.AbstractAsyncContextManager[Served]:
        """Bring the backend up; close it behind the block."""
        ...


class ModelSource:
    """A model that is being loaded."""

    def __init__(self, flags: ServeFlags, loading: Loading) -> None:
        self._flags = flags
        self._loading = loading

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncGenerator[Served, None]:
        """Wait for the model, and start the engine.

        Raises:
            ModelLoadError: it can't be loaded, or there is no room for its context.
            ConfigError: the limits contradict the model.
        """
        from tgicli.backends.local import LocalBackend
        from tgicli.engine.prompt import PromptEncoder

        asked = self._flags.limits
        model = await asyncio.wrap_future(self._loading.future)
        named = self._flags.named_lora
        limits = replace(
            _limits(self._flags, min(model.n_ctx_train, DEFAULT_LANE_CTX)),
            adapters=tuple(name for name, _ in named),
        )
        context = replace(
            sized_context(
                self._flags.loading, n_ctx=limits.max_total_tokens, n_lanes=asked.max_batch_size
            ),
            batch_size=self._flags.batch_size,
            cache_bytes=asked.cache_ram * MIB,
            named_lora=named,
        )
        backend = await LocalBackend.open(PromptEncoder(model), context)
        async with contextlib.aclosing(backend):
            yield Served(backend, limits, self._name(model), on_gpu=model.gpu_layers != 0)

    def _name(self, model: Model) -> str:
        """Return a hub's name as it was asked for, else the file's."""
        asked = self._flags.loading.model
        is_repository = asked is not None and not Path(asked).exists()
        return asked if asked and is_repository else model.path.stem


class EndpointSource:
    """A server that requests are passed on to."""

    def __init__(self, flags: ServeFlags, remote: RemoteOptions, terminal: Terminal) -> None:
        self._flags = flags
        self._remote = remote
        self._terminal = terminal

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncGenerator[Served, None]:
        """Look who is there.

        Raises:
            Unreachable, Unauthorized: nobody, or nobody who lets us in.
            ConfigError: it can't do what its clients are promised.
        """
        from tgicli.backends.gateway import Gateway

        async with contextlib.aclosing(Gateway(self._remote)) as backend:
            info = await backend.info()
            if self._flags.isolate_keys and not await backend.isolates():
                raise ConfigError(
                    f"--isolate-keys: {info.description} can't be told to keep prefixes apart; "
                    f"leave it out"
                )
            limits = _limits(self._flags, info.n_ctx or DEFAULT_LANE_CTX)
            if not info.n_ctx and self._flags.limits.max_total_tokens is None:
                self._terminal.say(
                    f"{self._remote.endpoint.shown} does not tell its context; /info will say "
                    f"{limits.max_total_tokens:,} tokens (--max-total-tokens)"
                )
            yield Served(backend, limits, self._remote.model or info.name)


def _limits(flags: ServeFlags, usual_total: int) -> Limits:
    asked = flags.limits
    total = asked.max_total_tokens or flags.loading.ctx_size or usual_total
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
