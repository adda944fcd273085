"""Do many short calls into C at once: threads that share a step's sampling among themselves.

Used by the runner on the engine thread, which works, too, and goes on when all is done. ctypes
frees the GIL in each call, so calls that are long run side by side; short ones would only wait for
each other, so a thread gets none that is not worth it. Beside a GPU only: on a CPU the threads that
compute wait for their next step on the same cores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

SLICE = 1 << 17  # logits that are worth a thread: sampling from so many takes some 0.4 ms


class Crew:
    """Some threads. Close them when nobody needs them any more."""

    def __init__(self, n_threads: int, *, slice_logits: int = SLICE) -> None:
        self._n_threads = n_threads
        self._slice_logits = slice_logits
        self._pool: ThreadPoolExecutor | None = None

    def run(self, calls: Sequence[Callable[[], int]], *, n_logits: int) -> list[int]:
        """Make the calls, each about n_logits logits; return their results in order."""
        n_slices = min(self._n_threads, len(calls), len(calls) * n_logits // self._slice_logits)
        if n_slices < 2:
            return [call() for call in calls]
        mine, *others = (calls[index::n_slices] for index in range(n_slices))
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._n_threads - 1, thread_name_prefix="sample")
        waiting = [self._pool.submit(_make, part) for part in others]
        done = [_make(mine), *(future.result() for future in waiting)]
        return [done[index % n_slices][index // n_slices] for index in range(len(calls))]

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()


def _make(calls: Sequence[Callable[[], int]]) -> list[int]:
    return [call() for call in calls]
