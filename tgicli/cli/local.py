"""Bring up a local model: find its file, load it beside the imports that follow, size its context.

Used by the commands that run a model, on the main thread. The weights load on a thread of their
own, because llama.cpp does so without the GIL: what Python has to import meanwhile costs nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from tgicli.cli.options import LoadingOptions
from tgicli.cli.size import download_progress
from tgicli.models.resolve import Origin, resolve
from tgicli.ui.status import Status
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.engine.model import Model
    from tgicli.engine.runner import ContextOptions

DEFAULT_CTX = 8192  # tokens, where the model was trained on more and the prompt needs no more
ROOM_FOR_ANSWER = 4096  # tokens left behind a prompt that needs more


class Loading:
    """A model on its way into memory."""

    def __init__(self, path: Path, options: LoadingOptions, status: Status) -> None:
        """Start loading."""
        self.path = path
        self.future: Future[Model] = Future()
        self.future.set_running_or_notify_cancel()  # only close() cancels it
        self._cancelled = False
        self._status = status
        # A daemon, so that a second Ctrl-C need not wait for it.
        self._thread = threading.Thread(
            target=self._load, args=(path, options), name="load", daemon=True
        )
        self._thread.start()

    def _load(self, path: Path, options: LoadingOptions) -> None:
        try:
            self.future.set_result(_load_model(path, options, self._on_progress))
        except BaseException as error:  # carried to whoever waits for the model
            self.future.set_exception(error)

    def _on_progress(self, fraction: float) -> bool:
        self._status.show(f"loading the model {fraction:4.0%}")
        return not self._cancelled

    def close(self) -> None:
        """Stop loading, or free the model."""
        self._cancelled = True
        self._thread.join()
        if self.future.exception() is None:
            self.future.result().close()


def _load_model(path: Path, options: LoadingOptions, on_progress: Callable[[float], bool]) -> Model:
    from tgicli.engine.model import LoadOptions, Model

    load = LoadOptions(gpu_layers=options.gpu_layers, mmap=options.mmap, mlock=options.mlock)
    return Model.load(path, load, on_progress)


def start_loading(
    options: LoadingOptions, terminal: Terminal, status: Status, *, quiet: bool
) -> Loading:
    """Find the model's file, from a hub if need be, and start loading it.

    Raises:
        ModelNotFound, ModelLoadError, Unreachable: there is none to load.
    """
    found = resolve(
        options.model,
        offline=options.offline,
        progress=download_progress(status.show),
    )
    status.clear()
    if found.origin is Origin.DEMO and options.model is None and not quiet:
        terminal.say(f"no model is named; using the demo model {found.name} (-m chooses another)")
    return Loading(found.path, options, status)


def context_options(
    options: LoadingOptions,
    model: Model,
    *,
    n_prompt: int,
    max_new_tokens: int | None,
    n_lanes: int,
) -> ContextOptions:
    """Size a context for requests of one shape."""
    from tgicli.engine.runner import ContextOptions

    return ContextOptions(
        n_ctx=options.ctx_size or _fitting_ctx(model.n_ctx_train, n_prompt, max_new_tokens),
        n_lanes=n_lanes,
        batch_size=options.batch_size,
        threads=options.threads,
        flash_attn=options.flash_attn,
        kv_type=options.kv_type,
        lora=tuple(options.lora),
    )


def _fitting_ctx(n_ctx_train: int, n_prompt: int, max_new_tokens: int | None) -> int:
    """Return the context that prompt and answer need, within what the model was trained on."""
    if max_new_tokens is not None:
        return min(n_ctx_train, n_prompt + max_new_tokens)
    return min(n_ctx_train, max(DEFAULT_CTX, n_prompt + ROOM_FOR_ANSWER))
