"""Notice when other programs use the machine, and measure again. Used by the harness.

Counts the CPU time that neither this process nor its children used, as Linux tells it; that of
other virtual machines ("steal") is in it. Elsewhere it knows nothing, and says so.
"""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

MAX_OTHERS = 0.03  # of the machine's CPU time; two threads at a barrier feel less than that
LOOK_S = 1.0
_STAT = Path("/proc/stat")
_T = TypeVar("_T")


class Calm:
    """Waits for calm, and runs things again that others disturbed, while the patience lasts."""

    def __init__(self, *, patience_s: float) -> None:
        self._left_s = patience_s
        self._n_repeated = 0
        self._worst = 0.0

    def run(self, task: Callable[[], _T]) -> _T:
        """Run a task; its last result is the one that counts."""
        while True:
            self._wait()
            watched = _watch(task)
            if watched.others <= MAX_OTHERS or self._left_s <= 0:
                self._worst = max(self._worst, watched.others)
                return watched.result
            self._left_s -= watched.elapsed_s
            self._n_repeated += 1

    def _wait(self) -> None:
        """Wait until nobody else is seen at work."""
        while self._left_s > 0:
            watched = _watch(lambda: time.sleep(LOOK_S))
            if watched.others <= MAX_OTHERS:
                return
            self._left_s -= watched.elapsed_s

    def verdict(self) -> str:
        """Say how disturbed the runs were that count."""
        if not _STAT.exists():
            return "nobody knows how much other programs disturbed them"
        again = f"; {self._n_repeated} disturbed ones are not counted" if self._n_repeated else ""
        return f"other programs took at most {max(0.0, self._worst):.0%} of the CPUs{again}"


@dataclass(frozen=True, slots=True)
class _Watched(Generic[_T]):
    result: _T
    elapsed_s: float
    others: float  # their share of the machine's CPU time meanwhile


def _watch(task: Callable[[], _T]) -> _Watched[_T]:
    began_s, began_others_s = time.perf_counter(), _others_s()
    result = task()
    elapsed_s = time.perf_counter() - began_s
    others = (_others_s() - began_others_s) / elapsed_s / (os.cpu_count() or 1)
    return _Watched(result, elapsed_s, others)


def _others_s() -> float:
    """Return the CPU seconds used by everybody else since the machine started."""
    if not _STAT.exists():
        return 0.0
    user, nice, system, _idle, _iowait, irq, softirq, steal, *_ = map(
        int, _STAT.read_text().splitlines()[0].split()[1:]
    )
    busy_s = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    ended_s = _used_s(resource.RUSAGE_SELF) + _used_s(resource.RUSAGE_CHILDREN)
    return busy_s - ended_s - sum(_running_children_s())


def _running_children_s() -> Iterator[float]:
    """Yield the CPU seconds of each child that still runs, a server for example."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            fields = file.read_text().rpartition(")")[2].split()  # from the third one on
            if int(fields[1]) == os.getpid():
                yield (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _used_s(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime
