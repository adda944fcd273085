"""Copies of lanes in RAM, bit for bit, outside the KV cache.

Called by the runner on the engine thread. Which lane is saved, and for how long, is the lanes'
decision (prompt_cache.py).
"""

from __future__ import annotations

import ctypes
from typing import Any

from tgicli.engine.llama import llama_cpp


class SavedLanes:
    """The copies of one context's lanes, by number."""

    def __init__(self, ctx: Any) -> None:
        self._ctx = ctx
        self._copies: dict[int, Any] = {}

    def save(self, number: int, lane: int) -> None:
        """Copy all that a lane holds; without memory for that do nothing: it is only lost."""
        n_bytes = llama_cpp.llama_state_seq_get_size(self._ctx, lane)
        try:
            copy = (ctypes.c_uint8 * n_bytes)()
        except MemoryError:
            return
        if llama_cpp.llama_state_seq_get_data(self._ctx, copy, n_bytes, lane) == n_bytes:
            self._copies[number] = copy

    def restore(self, number: int, lane: int) -> bool:
        """Let a lane hold a copy and nothing else.

        False: it could not be saved or restored, and is dropped.
        """
        copy = self._copies.get(number)
        if copy is None:
            return False
        if llama_cpp.llama_state_seq_set_data(self._ctx, copy, len(copy), lane):
            return True
        self.drop(number)
        return False

    def drop(self, number: int) -> None:
        """Free a copy."""
        self._copies.pop(number, None)
