"""Bring up a local model: find its file, load it beside the imports that follow, size its context.

Used by the commands that run a model, on the main thread. The weights load on a thread of their
own, because llama.cpp does so without the GIL: what Python has to import meanwhile costs nothing.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tgicli.cli.flags import LoadingFlags
from tgicli.cli.size import download_progress
from tgicli.errors import ConfigError
from tgicli.models.gguf import read_header
from tgicli.models.resolve import ModelFile, Origin, resolve
from tgicli.ui.status import Status
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.engine.model import LoadOptions, Model
    from tgicli.engine.runner import ContextOptions

DEFAULT_CTX = 8192  # tokens, where the model was trained on more and the prompt needs no more
DEFAULT_LANE_CTX = 4096  # the same, of each lane where there are several
ROOM_FOR_ANSWER = 4096  # tokens left behind a prompt that needs more


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is known of a model's use before it loads."""

    n_ctx: int = 0  # tokens one request may hold; 0: what the model allows
    n_lanes: int = 1
    is_brief: bool = False  # for one answer: what is mapped is ready sooner
    is_quiet: bool = False


class Loading:
    """A model on its way into memory."""

    def __init__(
        self,
        path: Path,
        flags: LoadingFlags,
        terminal: Terminal,
        status: Status,
        expected: Expected,
    ) -> None:
        """Start loading."""
        self.path = path
        self.future: Future[Model] = Future()
        self.future.set_running_or_notify_cancel()  # only close() cancels it
        self._cancelled = False
        self._terminal = terminal
        self._status = status
        # A daemon, so that a second Ctrl-C need not wait for it.
        self._thread = threading.Thread(
            target=self._load, args=(path, flags, expected), name="load", daemon=True
        )
        self._thread.start()

    def _load(self, path: Path, flags: LoadingFlags, expected: Expected) -> None:
        try:
            self.future.set_result(self._load_model(path, flags, expected))
        except BaseException as error:  # carried to whoever waits for the model
            self.future.set_exception(error)

    def _load_model(self, path: Path, flags: LoadingFlags, expected: Expected) -> Model:
        from tgicli.engine.model import Model

        load, note = placed(path, flags, expected)
        if note is not None and not expected.is_quiet:
            self._status.clear()
            self._terminal.say(note)
        return Model.load(path, load, self._on_progress)

    def _on_progress(self, fraction: float) -> bool:
        self._status.show(f"loading the model {fraction:4.0%}")
        return not self._cancelled

    def close(self) -> None:
        """Stop loading, or free the model."""
        self._cancelled = True
        self._thread.join()
        if self.future.exception() is None:
            self.future.result().close()


def placed(path: Path, flags: LoadingFlags, expected: Expected) -> tuple[LoadOptions, str | None]:
    """Say how to load a model, and what its user should know about that.

    On a build without a GPU none is looked for.

    Raises:
        ConfigError: a GPU is named that is not there.
        ModelLoadError: the layers asked for do not fit on the GPUs.
    """
    from tgicli.engine.model import can_offload

    load = load_options(flags)
    if not can_offload() and load.main_gpu is None and not load.tensor_split:
        return replace(load, mmap=_is_mapped(path, flags, expected)), None
    from tgicli.engine.placement import place

    return place(path, load, expected_context(path, flags, expected))


def _is_mapped(path: Path, flags: LoadingFlags, expected: Expected) -> bool:
    """Say whether a model is mapped where nobody says so: unless it stays, and is small."""
    if flags.mmap is not None:
        return flags.mmap
    if expected.is_brief or flags.mlock or read_header(path).n_parts > 1:
        return True
    from tgicli.engine import huge_pages

    return not huge_pages.pays_off(path.stat().st_size)


def load_options(flags: LoadingFlags) -> LoadOptions:
    """Return what the engine should do with the weights.

    Raises:
        ConfigError: the flags contradict each other.
    """
    from tgicli.engine.model import LoadOptions

    split = flags.tensor_split
    if flags.main_gpu is not None and split is not None:
        raise ConfigError("--main-gpu uses one GPU alone, --tensor-split several; leave one out")
    return LoadOptions(
        gpu_layers=flags.gpu_layers,
        main_gpu=flags.main_gpu,
        tensor_split=() if split is None else split.shares,
        mmap=flags.mmap is not False,
        mlock=flags.mlock,
    )


def expected_context(path: Path, flags: LoadingFlags, expected: Expected) -> ContextOptions:
    """Return the context that a model will probably have, by its header."""
    most = DEFAULT_CTX if expected.n_lanes == 1 else DEFAULT_LANE_CTX
    n_ctx_train = read_header(path).context_length or most
    return sized_context(
        flags,
        n_ctx=expected.n_ctx or flags.ctx_size or min(n_ctx_train, most),
        n_lanes=expected.n_lanes,
    )


def find_model(
    flags: LoadingFlags, terminal: Terminal, status: Status, *, quiet: bool, hint: str = ""
) -> ModelFile:
    """Find a model's file, from a hub if need be; where none is named, say which one it is.

    Raises:
        ModelNotFound, ModelLoadError, Unreachable: there is none.
    """
    try:
        progress = download_progress(status.show)
        found = resolve(flags.model, offline=flags.offline, progress=progress)
    finally:
        status.clear()
    if found.origin is Origin.DEMO and flags.model is None and not quiet:
        terminal.say(f"no model is named; using the demo model {found.name}{hint}")
    return found


@contextlib.contextmanager
def loading_model(
    flags: LoadingFlags,
    terminal: Terminal,
    status: Status,
    *,
    quiet: bool,
    n_ctx: int = 0,
    n_lanes: int = 1,
    brief: bool = False,
) -> Iterator[Loading]:
    """Find the model's file, from a hub if need be, and load it within the block; free it behind.

    n_ctx (0: unknown yet) and n_lanes say which context it will have: what a GPU must hold, too;
    brief, that it is needed for one answer only.

    Raises:
        ModelNotFound, ModelLoadError, Unreachable: there is none to load.
    """
    found = find_model(flags, terminal, status, quiet=quiet, hint=" (-m chooses another)")
    expected = Expected(n_ctx=n_ctx, n_lanes=n_lanes, is_brief=brief, is_quiet=quiet)
    loading = Loading(found.path, flags, terminal, status, expected)
    try:
        yield loading
    finally:
        status.clear()
        loading.close()


def context_options(
    flags: LoadingFlags,
    model: Model,
    *,
    n_prompt: int,
    max_new_tokens: int | None,
    n_lanes: int,
) -> ContextOptions:
    """Size a context for requests of one shape."""
    n_ctx = flags.ctx_size or _fitting_ctx(model.n_ctx_train, n_prompt, max_new_tokens)
    return sized_context(flags, n_ctx=n_ctx, n_lanes=n_lanes)


def sized_context(flags: LoadingFlags, *, n_ctx: int, n_lanes: int) -> ContextOptions:
    """Return a context of that size, otherwise as the flags say."""
    from tgicli.engine.runner import ContextOptions

    return ContextOptions(
        n_ctx=n_ctx,
        n_lanes=n_lanes,
        batch_size=flags.batch_size,
        threads=flags.threads,
        flash_attn=flags.flash_attn,
        kv_type=flags.kv_type,
        prefix_reuse=flags.prefix_reuse,
        lora=tuple(flags.lora),
    )


def _fitting_ctx(n_ctx_train: int, n_prompt: int, max_new_tokens: int | None) -> int:
    """Return the context that prompt and answer need, within what the model was trained on."""
    if max_new_tokens is not None:
        return min(n_ctx_train, n_prompt + max_new_tokens)
    return min(n_ctx_train, max(DEFAULT_CTX, n_prompt + ROOM_FOR_ANSWER))
