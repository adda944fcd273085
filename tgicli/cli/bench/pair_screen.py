"""Show streams beside whole answers while they come: two columns on a terminal, a line a pair else.

Called on the command's event loop.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from tgicli.cli.bench.single_jobs import Answered, Asked, PairTimes, Typed
from tgicli.ui.bench_columns import PairProgress, PairView, Side, open_pair_progress
from tgicli.ui.terminal import Terminal

TICK_S = 0.1


class PairScreen:
    """What is seen of a comparison of streams with whole answers."""

    def __init__(self, terminal: Terminal, target: str, n_pairs: int, *, is_live: bool) -> None:
        self._progress: PairProgress = open_pair_progress(terminal, is_live=is_live)
        self._target = target
        self._n_pairs = n_pairs
        self._n_pair = 1
        self._sides = {True: Side(), False: Side()}  # by whether it is streamed
        self._began_s: dict[bool, float] = {}
        self._loop = asyncio.get_running_loop()
        self._tick()

    def hears(self, what: object) -> None:
        """Take what the other process says."""
        match what:
            case Asked(streams=streams):
                if len(self._began_s) == len(self._sides):
                    self._sides, self._began_s = {True: Side(), False: Side()}, {}
                self._began_s[streams] = time.monotonic()
                self._sides[streams] = Side(elapsed_s=0.0)
            case Typed(streams=streams, text=text):
                side = self._timed(streams)
                first_s = side.elapsed_s if side.first_s is None else side.first_s
                self._sides[streams] = replace(side, text=text, first_s=first_s)
            case Answered(streams=streams, text=text):
                side = self._timed(streams)
                first_s = side.elapsed_s if side.first_s is None else side.first_s
                self._sides[streams] = replace(side, text=text, first_s=first_s, is_done=True)
            case PairTimes(number=number):
                self._n_pair = min(number + 2, self._n_pairs)
                self._progress.add(_words(what))
        self._show()

    def _timed(self, streams: bool) -> Side:
        side = self._sides[streams]
        if side.is_done or streams not in self._began_s:
            return side
        return replace(side, elapsed_s=time.monotonic() - self._began_s[streams])

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._tick)
        self._sides = {streams: self._timed(streams) for streams in self._sides}
        self._show()

    def _show(self) -> None:
        self._progress.show(
            PairView(
                target=self._target,
                n_pair=self._n_pair,
                n_pairs=self._n_pairs,
                streamed=self._sides[True],
                whole=self._sides[False],
            )
        )

    def close(self) -> None:
        """Leave nothing behind but what was said."""
        self._timer.cancel()
        self._progress.close()


def _words(times: PairTimes) -> str:
    if times.ttft_ms is None or times.e2e_ms is None or times.full_ms is None:
        return f"pair {times.number + 1}: failed"
    return (
        f"pair {times.number + 1}: first words after {times.ttft_ms:,.0f} ms, "
        f"last after {times.e2e_ms:,.0f} ms; at once after {times.full_ms:,.0f} ms"
    )
