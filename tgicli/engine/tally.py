"""How many batches were computed, and how long each took.

Written by the engine's thread once per batch; read by any. Knows no clock.
"""

from __future__ import annotations

from bisect import bisect_left

from tgicli.stats import DURATION_BOUNDS_S, BatchStats, Durations


class BatchTally:
    """Counts the batches of one kind."""

    def __init__(self) -> None:
        self._n_failed = 0
        self._whole, self._forward, self._sampling = _Histogram(), _Histogram(), _Histogram()

    def failed(self) -> None:
        """Count a batch that brought nothing."""
        self._n_failed += 1

    def computed(self, duration_s: float, *, forward_s: float) -> None:
        """Count a batch that took so long, of which forward_s in llama_decode."""
        self._whole.add(duration_s)
        self._forward.add(forward_s)
        self._sampling.add(duration_s - forward_s)

    def stats(self) -> BatchStats:
        """Return what was counted so far."""
        return BatchStats(
            n_failed=self._n_failed,
            whole=self._whole.durations(),
            forward=self._forward.durations(),
            sampling=self._sampling.durations(),
        )


class _Histogram:
    def __init__(self) -> None:
        self._counts = [0] * (len(DURATION_BOUNDS_S) + 1)
        self._sum_s = 0.0

    def add(self, duration_s: float) -> None:
        self._counts[bisect_left(DURATION_BOUNDS_S, duration_s)] += 1
        self._sum_s += duration_s

    def durations(self) -> Durations:
        return Durations(tuple(self._counts), self._sum_s)
