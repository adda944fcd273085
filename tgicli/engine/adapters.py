"""LoRA adapters: loaded once, and switched on and off between batches.

Made and closed with the runner's context on a worker thread, switched on the engine thread. To
llama.cpp adapters belong to a whole context, so rows computed together have the same ones. Never
merges anything into the weights.

What other adapters compute between an adapter's batches changes no bit of its logits. But whether
one row or several of its own are in a batch does on a CPU, as with all weights of F32: ggml
multiplies these with another kernel for one row (ggml/src/ggml-cpu/llamafile/sgemm.cpp).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tgicli.engine.llama import llama_cpp, quiet_log
from tgicli.engine.model import Model
from tgicli.errors import ModelLoadError

NAMED_SCALE = 1.0


class Adapters:
    """The adapters of one context, and which of them are on."""

    def __init__(
        self,
        model: Model,
        ctx: Any,
        *,
        always: Iterable[tuple[Path, float]],
        named: Iterable[tuple[str, Path]],
    ) -> None:
        """Load them; switch on those that are always on, which have their scales.

        Raises:
            ModelLoadError: llama.cpp refused one; the message ends with its own last lines.
        """
        self._ctx = ctx
        common = [(_load(model, path), scale) for path, scale in always]
        own = {name: (_load(model, path), NAMED_SCALE) for name, path in named}
        self._handles = [handle for handle, _ in (*common, *own.values())]
        self._sets = {None: _Set(common)} | {
            name: _Set([*common, adapter]) for name, adapter in own.items()
        }
        self._on: str | None = None
        if common:
            self._apply(None)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that `switch` knows."""
        return tuple(name for name in self._sets if name is not None)

    def switch(self, name: str | None) -> None:
        """Leave on what is always on, and this one.

        Where that changes anything, llama.cpp reserves its compute buffers anew in the next batch,
        which takes milliseconds.
        """
        if name != self._on:
            self._apply(name)

    def _apply(self, name: str | None) -> None:
        chosen = self._sets[name]
        code = llama_cpp.llama_set_adapters_lora(
            self._ctx, chosen.handles, chosen.size, chosen.scales
        )
        assert code == 0, f"llama_set_adapters_lora returned {code}"  # it knows no failure
        self._on = name

    def close(self) -> None:
        """Free them; the context must have been freed before."""
        for handle in self._handles:
            llama_cpp.llama_adapter_lora_free(handle)


class _Set:
    """Adapters with their scales, in the arrays that llama.cpp takes."""

    def __init__(self, adapters: list[tuple[Any, float]]) -> None:
        self.size = len(adapters)
        handles = [handle for handle, _ in adapters]
        self.handles = (llama_cpp.llama_adapter_lora_p_ctypes * self.size)(*handles)
        self.scales = (ctypes.c_float * self.size)(*[scale for _, scale in adapters])


def _load(model: Model, path: Path) -> Any:
    log = quiet_log()
    log.clear()
    handle = llama_cpp.llama_adapter_lora_init(model.pointer, bytes(path))
    if not handle:
        raise ModelLoadError("\n  ".join([f"llama.cpp can't load the adapter {path}", *log.lines]))
    if llama_cpp.llama_adapter_get_alora_n_invocation_tokens(handle):
        raise ModelLoadError(
            f"the adapter {path} is an activated LoRA (aLoRA), to be switched on in the middle of a"
            f" prompt, which is not supported; use a plain LoRA"
        )
    return handle
