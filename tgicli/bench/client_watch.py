"""Watch the client itself: what is slow about it would be taken for the server's slowness.

Used by the attack on the event loop. It tells its figures and judges nothing.

cpu_share is the whole process's where a remote backend is asked. The model in this process computes
in threads of its own; there it is the event loop's thread alone.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tgicli.bench.result import ClientHealth
from tgicli.bench.sample_statistics import quantile

PERIOD_S = 0.01  # of looking how late the event loop is
_MS = 1000.0


@contextmanager
def quiet_gc() -> Iterator[None]:
    """Collect no garbage for the length of a block: a collection stops everything for a while."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()


class _Times(NamedTuple):
    wall_s: float
    process_s: float  # of CPU, all threads together
    thread_s: float  # of that, this one


class ClientWatch:
    """Measures from its making, or from the latest begin()."""

    def __init__(self, *, clock_s: Callable[[], float] = time.perf_counter) -> None:
        self._clock_s = clock_s
        self._gc_began_s: float | None = None
        self.begin()

    def begin(self) -> None:
        """Forget what was, and measure from now on."""
        self._lags_s: list[float] = []
        self._gc_s = 0.0
        self._began = self._now()
        self._ended: _Times | None = None

    def end(self) -> None:
        """Measure no further."""
        self._ended = self._now()

    def _now(self) -> _Times:
        return _Times(self._clock_s(), time.process_time(), time.thread_time())

    @contextmanager
    def hearing_gc(self) -> Iterator[None]:
        """Count the garbage collector's time for the length of a block."""
        gc.callbacks.append(self._on_gc)
        try:
            yield
        finally:
            gc.callbacks.remove(self._on_gc)

    def _on_gc(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._gc_began_s = self._clock_s()
        elif self._gc_began_s is not None:
            self._gc_s += self._clock_s() - self._gc_began_s
            self._gc_began_s = None

    async def measure_lag(self) -> None:
        """Look again and again how late the event loop comes back to a timer; until cancelled."""
        while True:
            due_s = self._clock_s() + PERIOD_S
            await asyncio.sleep(PERIOD_S)
            if self._ended is None:
                self._lags_s.append(max(0.0, self._clock_s() - due_s))

    def health(
        self,
        *,
        computes: bool = False,
        n_connections: int = 0,
        per_second_tokens: tuple[int, ...] = (),
    ) -> ClientHealth:
        """Return the figures of the time that was measured; computes: the model is in here."""
        ended, began = self._ended or self._now(), self._began
        cpu_s = ended.thread_s - began.thread_s if computes else ended.process_s - began.process_s
        wall_s = ended.wall_s - began.wall_s
        lags_s = sorted(self._lags_s) or [0.0]
        return ClientHealth(
            cpu_share=cpu_s / wall_s if wall_s > 0 else 0.0,
            lag_p50_ms=quantile(lags_s, 0.5) * _MS,
            lag_p99_ms=quantile(lags_s, 0.99) * _MS,
            lag_max_ms=lags_s[-1] * _MS,
            gc_ms=self._gc_s * _MS,
            n_connections=n_connections,
            host_load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
            per_second_tokens=per_second_tokens,
        )
