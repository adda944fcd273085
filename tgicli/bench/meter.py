"""Count what a load does while it runs, for whoever watches; and its tokens by the second.

Used by the attack on the event loop. These figures are for showing: results come from records.
"""

from __future__ import annotations

import enum
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tgicli.bench.record import NS_PER_S, Outcome, Record
from tgicli.bench.recorder import Note, Recorder


class Phase(enum.StrEnum):
    """What a load point is doing."""

    WARMING = "warming up"
    MEASURING = "measuring"
    ENDING = "ending"  # what is under way is waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a load point is. Counts are since its beginning, but where they are told apart."""

    phase: Phase
    elapsed_s: float  # since its beginning
    share: float | None  # of measuring that is done, in [0, 1]; None: nobody can tell
    n_in_flight: int
    n_dropped: int
    n_ok: int
    n_busy: int
    n_errors: int
    n_tokens: int  # as far as they are told apart while they come
    tokens_per_s: float  # over about the last second
    ttft_ms: tuple[float, ...]  # of the answers that began since the last report
    tpot_ms: tuple[float, ...]  # of those that ended


class Meter:
    """The counters of one load point."""

    def __init__(
        self, recorder: Recorder, *, clock_s: Callable[[], float] = time.perf_counter
    ) -> None:
        self.n_in_flight = 0
        self.n_dropped = 0
        self._recorder = recorder
        self._clock_s = clock_s
        self._n_before = recorder.n_pieces
        self._n_by_outcome = dict.fromkeys(Outcome, 0)
        self._tpots_ms: list[float] = []
        self._lately: deque[tuple[float, int]] = deque([(clock_s(), recorder.n_pieces)])
        recorder.take_ttfts_ms()

    def ended(self, note: Note, record: Record) -> None:
        """Count a request that has ended."""
        self._n_by_outcome[record.outcome] += 1
        tpot_ms = note.tpot_ms
        if tpot_ms is not None:
            self._tpots_ms.append(tpot_ms)

    def progress(self, phase: Phase, *, elapsed_s: float, share: float | None) -> Progress:
        """Return the counters; what has come since the last report is told once."""
        tpots_ms, self._tpots_ms = tuple(self._tpots_ms), []
        return Progress(
            phase=phase,
            elapsed_s=elapsed_s,
            share=share,
            n_in_flight=self.n_in_flight,
            n_dropped=self.n_dropped,
            n_ok=self._n_by_outcome[Outcome.OK],
            n_busy=self._n_by_outcome[Outcome.BUSY],
            n_errors=self._n_by_outcome[Outcome.ERROR],
            n_tokens=self._recorder.n_pieces - self._n_before,
            tokens_per_s=self._rate(),
            ttft_ms=self._recorder.take_ttfts_ms(),
            tpot_ms=tpots_ms,
        )

    def _rate(self) -> float:
        """Return the tokens a second since the latest look that is at least a second old."""
        now_s, n_now = self._clock_s(), self._recorder.n_pieces
        self._lately.append((now_s, n_now))
        while len(self._lately) > 2 and now_s - self._lately[1][0] >= 1:
            self._lately.popleft()
        then_s, n_then = self._lately[0]
        return (n_now - n_then) / (now_s - then_s) if now_s > then_s else 0.0


def tokens_by_second(records: Iterable[Record]) -> tuple[int, ...]:
    """Return how many tokens came in each second since the first send.

    The tokens of an answer whose pieces' sizes nobody told are spread over its pieces.
    """
    told = [record for record in records if record.chunks]
    if not told:
        return ()
    began_ns = min(record.send_ns for record in records)
    sums: dict[int, float] = {}
    for record in told:
        mean = record.n_tokens / len(record.chunks)
        for chunk in record.chunks:
            second = (chunk.at_ns - began_ns) // NS_PER_S
            sums[second] = sums.get(second, 0.0) + (chunk.n_tokens or mean)
    return tuple(round(sums.get(second, 0.0)) for second in range(max(sums) + 1))
