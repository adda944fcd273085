"""Choose what a report's charts show: distributions, speed over time, requests, load. For `page`.

Pure: records and figures to SVG. Each chart says in words what it shows.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tgicli.bench.record import NS_PER_MS, NS_PER_S, Outcome, Record
from tgicli.bench.report.svg import (
    WIDTH,
    Axis,
    Frame,
    box,
    chart,
    dot,
    line,
    number_text,
    path,
    text_at,
)
from tgicli.bench.result import Estimate

_LEAST_BINS, _MOST_BINS = 8, 32
_MOST_REQUESTS = 1000  # in a timeline; more would be a wall, and a large file
_MOST_STEPS = 200  # of an ECDF
_WIDE = 860
_THROUGHPUT_HEIGHT = 170
_TIMELINE_HEIGHT = 240  # of all lanes together, where they are not too thin then


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """The time that charts show, in seconds since a point began; those of one point share it."""

    end_s: float
    shaded: tuple[float, float] | None = None  # measured

    def axis(self) -> Axis:
        """Return it as an axis."""
        return Axis(low=0, high=self.end_s or 1.0, label="s since this point began")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One figure over the load points; None where it could not be measured."""

    name: str
    estimates: tuple[Estimate | None, ...]


def histogram(
    name: str, title: str, values: Sequence[float], marks: Mapping[str, float], label: str
) -> str:
    """Draw how often which values came, with the quantiles marked that the sample supports."""
    x = Axis.around(values, label)
    n_bins = min(max(math.ceil(3 * len(values) ** (1 / 3)), _LEAST_BINS), _MOST_BINS)
    counts = [0] * n_bins
    for value in values:
        counts[min(int(x.share(value) * n_bins), n_bins - 1)] += 1
    frame = Frame(x=x, y=Axis.around(counts, "how many", from_zero=True))
    bars = (
        _bar(frame, x.value(i / n_bins), x.value((i + 1) / n_bins), count)
        for i, count in enumerate(counts)
        if count
    )
    return chart(
        name, title, _words(values, marks), frame, frame.axes(), *bars, _quantiles(frame, marks)
    )


def ecdf(
    name: str, title: str, values: Sequence[float], marks: Mapping[str, float], label: str
) -> str:
    """Draw which share of the values is at most so large."""
    ordered = sorted(values)
    frame = Frame(
        x=Axis.around(values, label),
        y=Axis(low=0, high=100, label="% at most", ticks=(0, 25, 50, 75, 90, 100)),
    )
    n_steps = min(len(ordered), _MOST_STEPS)
    places = [(frame.left(ordered[0]), frame.top(0))] if ordered else []
    for step in range(1, n_steps + 1):
        rank = math.ceil(step / n_steps * len(ordered))
        at = frame.left(ordered[rank - 1])
        places += [(at, places[-1][1]), (at, frame.top(100 * rank / len(ordered)))]
    return chart(
        name,
        title,
        _words(values, marks),
        frame,
        frame.axes(),
        path(places, "line"),
        _quantiles(frame, marks),
    )


def throughput(
    name: str, title: str, counts: Sequence[float], mean: float | None, moments: Moments
) -> str:
    """Draw tokens a second over time."""
    frame = Frame(
        x=moments.axis(),
        y=Axis.around([*counts, mean or 0], "tokens a second", from_zero=True),
        width=_WIDE,
        height=_THROUGHPUT_HEIGHT,
    )
    places = [(frame.left(i + 0.5), frame.top(count)) for i, count in enumerate(counts)]
    area = [(places[0][0], frame.bottom), *places, (places[-1][0], frame.bottom)]
    words = f"{len(counts)} seconds, from {min(counts):,.0f} to {max(counts):,.0f} tokens a second"
    marks = [_shade(frame, moments), frame.axes(), path(area, "area"), path(places, "line")]
    if mean is not None:
        words += f", {number_text(mean)} on average while measured"
        begin_s, end_s = moments.shaded or (0, moments.end_s)
        level = frame.top(mean)
        marks.append(line(frame.left(begin_s), level, frame.left(end_s), level, "second"))
    return chart(name, title, words, frame, *marks)


def timeline(name: str, title: str, records: Sequence[Record], moments: Moments) -> tuple[str, int]:
    """Draw when requests waited and streamed, in lanes; return also how many were drawn."""
    drawn = sorted(records, key=lambda record: record.send_ns)[:_MOST_REQUESTS]
    began_ns = drawn[0].send_ns
    lanes = _lanes(drawn)
    n_lanes = max(lanes) + 1
    height = min(max(_TIMELINE_HEIGHT / n_lanes, 2.5), 16)
    if len(drawn) < len(records):
        moments = Moments(end_s=max((r.end_ns - began_ns) / NS_PER_S for r in drawn))
    frame = Frame(
        x=moments.axis(),
        y=Axis(low=0, high=n_lanes, label=f"{n_lanes} at once, at most"),
        width=_WIDE,
        height=60 + n_lanes * height,
    )
    boxes = (
        _request(frame, record, began_ns, frame.top(n_lanes - lane), height)
        for record, lane in zip(drawn, lanes, strict=True)
    )
    n_bad = sum(record.outcome in (Outcome.ERROR, Outcome.BUSY) for record in drawn)
    words = f"{len(drawn):,} requests, {n_bad:,} of them failed or refused"
    marks = [_shade(frame, moments), frame.axes(has_rows=False), *boxes]
    return chart(name, title, words, frame, *marks), len(drawn)


def _shade(frame: Frame, moments: Moments) -> str:
    if moments.shaded is None:
        return ""
    begin, end = (frame.left(max(at, 0.0)) for at in moments.shaded)
    return box(begin, frame.ceiling, end - begin, frame.bottom - frame.ceiling, "measured")


def over_load(
    name: str, title: str, loads: Sequence[float], series: Sequence[Series], labels: tuple[str, str]
) -> str:
    """Draw figures against load, with their intervals; `labels` are those of x and of y."""
    x_label, y_label = labels
    known = [e for one in series for e in one.estimates if e is not None and e.value is not None]
    heights = [v for e in known for v in (e.value, e.low, e.high) if v is not None]
    frame = Frame(x=_load_axis(loads, x_label), y=Axis.around(heights, y_label, from_zero=True))
    marks = [_series(frame, loads, one.estimates, is_second=i > 0) for i, one in enumerate(series)]
    words = "; ".join(f"{one.name}: {_told(loads, one.estimates)}" for one in series)
    return chart(name, title, words, frame, frame.axes(), *marks, _legend(series))


def _load_axis(loads: Sequence[float], label: str) -> Axis:
    low, high = min(loads), max(loads)
    if low > 0 and high / low >= 8:
        return Axis(low=low / 1.2, high=high * 1.2, label=label, is_log=True, ticks=tuple(loads))
    return Axis(low=0, high=high * 1.08, label=label, ticks=tuple(loads))


def _series(
    frame: Frame, loads: Sequence[float], estimates: Sequence[Estimate | None], *, is_second: bool
) -> str:
    look = "second" if is_second else "line"
    places, marks = [], []
    for load, estimate in sorted(zip(loads, estimates, strict=True), key=lambda pair: pair[0]):
        if estimate is None or estimate.value is None:
            continue
        at = frame.left(load), frame.top(estimate.value)
        places.append(at)
        if estimate.low is not None and estimate.high is not None:
            low, high = frame.top(estimate.low), frame.top(estimate.high)
            marks.append(_whisker(at[0], low, high, look))
        marks.append(dot(*at, f"{look}-dot", is_square=is_second))
    return path(places, look) + "".join(marks)


def _whisker(x: float, low: float, high: float, look: str) -> str:
    ends = (line(x - 4, y, x + 4, y, look) for y in (low, high))
    return line(x, low, x, high, look) + "".join(ends)


def _legend(series: Sequence[Series]) -> str:
    if len(series) < 2:
        return ""
    at, marks = WIDTH - 14 - 66 * len(series), []
    for i, one in enumerate(series):
        look = "second-dot" if i else "line-dot"
        marks += [dot(at + 10, 8, look, is_square=i > 0), text_at(at + 20, 12, one.name)]
        at += 66
    return "".join(marks)


def _told(loads: Sequence[float], estimates: Sequence[Estimate | None]) -> str:
    return ", ".join(
        f"{number_text(estimate.value)} at {load:g}"
        for load, estimate in zip(loads, estimates, strict=True)
        if estimate is not None and estimate.value is not None
    )


def _bar(frame: Frame, low: float, high: float, count: int) -> str:
    left, right, top = frame.left(low), frame.left(high), frame.top(count)
    words = f"{number_text(low)} to {number_text(high)}: {count:,}"
    return box(left + 0.5, top, right - left - 1, frame.bottom - top, "bar", words)


def _quantiles(frame: Frame, marks: Mapping[str, float]) -> str:
    """Mark quantiles; the names of those that are too close to the one before are left out."""
    shown, last = "", -math.inf
    for name, value in marks.items():
        at = frame.left(value)
        shown += line(at, frame.ceiling, at, frame.bottom, "mark")
        if at - last >= 26:
            shown += text_at(at, 12, name, "middle label")
            last = at
    return shown


def _words(values: Sequence[float], marks: Mapping[str, float]) -> str:
    if not values:
        return "no values"
    told = (f"{name} {number_text(value)}" for name, value in marks.items())
    ends = f"from {number_text(min(values))} to {number_text(max(values))}"
    return ", ".join([f"{len(values):,} values {ends}", *told])


def _lanes(records: Sequence[Record]) -> list[int]:
    """Return a lane for each request, in order of sending: the lowest that is free then."""
    free: list[int] = []
    busy: list[tuple[int, int]] = []  # (until, lane), the first to be free first
    lanes = []
    n_lanes = 0
    for record in records:
        while busy and busy[0][0] <= record.send_ns:
            bisect.insort(free, busy.pop(0)[1])
        if free:
            lane = free.pop(0)
        else:
            lane, n_lanes = n_lanes, n_lanes + 1
        bisect.insort(busy, (record.end_ns, lane))
        lanes.append(lane)
    return lanes


def _request(frame: Frame, record: Record, began_ns: int, top: float, height: float) -> str:
    sent = frame.left((record.send_ns - began_ns) / NS_PER_S)
    end = frame.left((record.end_ns - began_ns) / NS_PER_S)
    first = end
    if record.chunks:
        first = frame.left((record.chunks[0].at_ns - began_ns) / NS_PER_S)
    is_bad = record.outcome in (Outcome.ERROR, Outcome.BUSY)
    look = "bad" if is_bad else "cut" if record.outcome is Outcome.CUT else "bar"
    words, thick = _told_request(record), max(height - 1.5, 1.5)
    waiting = box(
        sent, top, first - sent, thick, "bad" if is_bad and first == end else "wait", words
    )
    return waiting + (box(first, top, end - first, thick, look, words) if first < end else "")


def _told_request(record: Record) -> str:
    words = f"request {record.index}: {record.outcome.value}, {record.n_tokens:,} tokens"
    if record.is_first_wave:
        words += ", its user's first"
    if record.chunks:
        words += f", first after {(record.chunks[0].at_ns - record.send_ns) / NS_PER_MS:,.0f} ms"
    return f"{words}, over after {(record.end_ns - record.send_ns) / NS_PER_MS:,.0f} ms"
