"""Which stretch of time the figures are of, and what happened inside it.

Called by the summary. Pure. Never looks at when a request ended to say whose tokens count: tokens
count where they arrived.

    full     first send to last content
    steady   closed loop: the longest stretch at full load, warmed up, before the drain
             open loop: from warm to when no more is sent, or, of a schedule that ends by itself,
             to its last content
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from statistics import median
from typing import NamedTuple

from tgicli.bench.metrics import done_ns, tokens_by_arrival
from tgicli.bench.plan import Closed, Load
from tgicli.bench.record import NS_PER_S, Outcome, Record

FULL_SHARE = 0.95  # of the target in flight: full load
# A user who has been answered asks again a moment later. That is no dip in the load while it is
# short beside an answer: then even a dip after every answer leaves FULL_SHARE of the target.
HAND_OVER_SHARE = 0.05
MIN_HAND_OVER_NS = 100_000_000  # after a failure users take a breath of half of this
MIN_STEADY_SHARE = 0.5  # of the time of measuring: full load for less is chance


class Span(NamedTuple):
    """A stretch of time, both ends inside."""

    start_ns: int
    end_ns: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end_ns - self.start_ns) / NS_PER_S

    def __contains__(self, at_ns: object) -> bool:
        return isinstance(at_ns, int) and self.start_ns <= at_ns <= self.end_ns

    def overlap_ns(self, start_ns: int, end_ns: int) -> int:
        """Return how much of [start, end] is inside."""
        return max(0, min(self.end_ns, end_ns) - max(self.start_ns, start_ns))


def full_span(records: Sequence[Record]) -> Span | None:
    """First send to last content; to the last end where there was none. None: nothing was sent."""
    if not records:
        return None
    contents = [record.chunks[-1].at_ns for record in records if record.chunks]
    ends = contents or [record.end_ns for record in records]
    return Span(min(record.send_ns for record in records), max(ends))


def steady_span(records: Sequence[Record], load: Load, *, warm_ns: int, end_ns: int) -> Span | None:
    """The stretch at full load within [warm, end]; None: there was none that lasted."""
    whole = Span(warm_ns, end_ns)
    if warm_ns >= end_ns or not any(record.send_ns in whole for record in records):
        return None
    if not isinstance(load, Closed):
        return whole
    stretches = list(_busy_spans(records, FULL_SHARE * load.concurrency, whole))
    joined = _join(stretches, _hand_over_ns(records))
    longest = max(joined, key=lambda span: span.seconds, default=Span(0, 0))
    return longest if longest.seconds >= MIN_STEADY_SHARE * whole.seconds else None


def mean_in_flight(records: Iterable[Record], span: Span) -> float:
    """Requests under way, on average over a span that is not empty."""
    busy_ns = sum(span.overlap_ns(record.send_ns, record.end_ns) for record in records)
    return busy_ns / max(span.end_ns - span.start_ns, 1)


def in_flight_at(records: Iterable[Record], at_ns: int) -> int:
    """Requests under way at a time."""
    return sum(record.send_ns <= at_ns < record.end_ns for record in records)


def done_inside(records: Iterable[Record], span: Span) -> list[Record]:
    """Return those whose answer was complete (or that ended otherwise) inside."""
    return [record for record in records if done_ns(record) in span]


def sent_inside(records: Iterable[Record], span: Span) -> list[Record]:
    """Return those that were sent inside, in the order of sending."""
    inside = [record for record in records if record.send_ns in span]
    return sorted(inside, key=lambda record: record.send_ns)


def due_times(records: Iterable[Record], offsets_ns: Sequence[int]) -> list[int]:
    """Return when the plan wanted requests sent, those that were dropped too, in the run's time."""
    sent = [record.sched_ns for record in records if record.sched_ns is not None]
    if not sent or not offsets_ns:
        return []
    began_ns = min(sent) - offsets_ns[0]  # the first one is never dropped
    return [began_ns + offset for offset in offsets_ns]


def token_counts(records: Iterable[Record], span: Span, n_blocks: int = 1) -> list[float]:
    """Return the tokens that arrived in each of n_blocks equal parts of a span."""
    arrivals = chain.from_iterable(map(tokens_by_arrival, records))
    return _counts(arrivals, span, n_blocks)


def answer_counts(records: Iterable[Record], span: Span, n_blocks: int = 1) -> list[float]:
    """Return the answers that were complete in each of n_blocks equal parts of a span."""
    done = ((done_ns(record), 1.0) for record in records if record.outcome is Outcome.OK)
    return _counts(done, span, n_blocks)


def _counts(amounts: Iterable[tuple[int, float]], span: Span, n_blocks: int) -> list[float]:
    counts = [0.0] * n_blocks
    width_ns = max(span.end_ns - span.start_ns, 1) / n_blocks
    for at_ns, amount in amounts:
        if at_ns in span:
            counts[min(int((at_ns - span.start_ns) / width_ns), n_blocks - 1)] += amount
    return counts


def _busy_spans(records: Sequence[Record], need: float, whole: Span) -> Iterator[Span]:
    """Yield where at least `need` are in flight, cut to a whole."""
    starts = [(record.send_ns, False) for record in records]
    ends = [(record.end_ns, True) for record in records]
    n_in_flight, since = 0, None
    for at_ns, is_end in sorted(starts + ends):  # at one time a start is before an end
        n_in_flight += -1 if is_end else 1
        if n_in_flight >= need and since is None:
            since = at_ns
        elif n_in_flight < need and since is not None:
            if whole.overlap_ns(since, at_ns):
                yield Span(max(since, whole.start_ns), min(at_ns, whole.end_ns))
            since = None


def _join(spans: Iterable[Span], max_gap_ns: float) -> list[Span]:
    joined: list[Span] = []
    for span in spans:
        if joined and span.start_ns - joined[-1].end_ns <= max_gap_ns:
            joined[-1] = Span(joined[-1].start_ns, span.end_ns)
        else:
            joined.append(span)
    return joined


def _hand_over_ns(records: Iterable[Record]) -> float:
    lasted_ns = median(record.end_ns - record.send_ns for record in records)
    return max(HAND_OVER_SHARE * lasted_ns, MIN_HAND_OVER_NS)
