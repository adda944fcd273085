"""Charts of comparisons: all metrics' changes, one metric's blocks, two readers' waits. Pure.

Each says in words what it shows. Used by `comparison` and `streaming`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tgicli.bench.paired_sheets import change_words
from tgicli.bench.report.svg import (
    Axis,
    Frame,
    box,
    chart,
    dot,
    line,
    number_text,
    text_at,
)
from tgicli.bench.verdict import Ratio

_ROW_HEIGHT = 40
_MARGINS = 60  # above and below a chart's values
_WIDE = 860
_LEAST_REACH = 2.0  # times what counts as the same: an axis never shows less


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What one reader sees: nothing, then words, then all of them; in ms since asking."""

    who: str
    first_ms: float
    last_ms: float


def changes(
    name: str, title: str, ratios: Mapping[str, Ratio], said: Mapping[str, str], same_within: float
) -> str:
    """Draw each metric's change with its interval, around the band that counts as the same."""
    ends = [end for ratio in ratios.values() for end in (ratio.value, ratio.low, ratio.high)]
    reach = max(_LEAST_REACH * same_within, *(abs(end - 1) for end in ends if end is not None))
    n = len(ratios)
    frame = Frame(
        x=Axis(low=-105 * reach, high=105 * reach, label="change from A to B, %"),
        y=Axis(low=0, high=n, label=""),
        width=_WIDE,
        height=_MARGINS + n * _ROW_HEIGHT,
    )
    rows = (
        _change(frame, frame.top(n - i), f"{label}: {said[label]}", ratio)
        for i, (label, ratio) in enumerate(ratios.items())
    )
    words = "; ".join(
        f"{label} {change_words(ratio.value)}, {said[label]}" for label, ratio in ratios.items()
    )
    marks = [_band(frame, same_within), frame.axes(has_rows=False), _zero(frame), *rows]
    return chart(name, title, words, frame, *marks)


def blocks(name: str, title: str, ratio: Ratio) -> str:
    """Draw a metric's change in each block, and their mean with its interval."""
    percents = [100 * (one - 1) for one in ratio.per_block]
    n = len(percents)
    mean, low, high = (
        None if one is None else 100 * (one - 1) for one in (ratio.value, ratio.low, ratio.high)
    )
    assert mean is not None
    ends = [one for one in (*percents, low, high, 0.0) if one is not None]
    pad = max(0.1 * (max(ends) - min(ends)), 0.1)
    frame = Frame(
        x=Axis(low=0.5, high=n + 0.5, label="block", ticks=tuple(range(1, n + 1))),
        y=Axis(low=min(ends) - pad, high=max(ends) + pad, label="change from A to B, %"),
    )
    left, right = frame.left(0.5), frame.left(n + 0.5)
    marks = [frame.axes(), line(left, frame.top(0), right, frame.top(0), "tick")]
    if low is not None and high is not None:
        top = frame.top(high)
        marks.insert(0, box(left, top, right - left, frame.top(low) - top, "measured"))
    marks.append(line(left, frame.top(mean), right, frame.top(mean), "second"))
    marks += [dot(frame.left(i), frame.top(one), "line-dot") for i, one in enumerate(percents, 1)]
    words = ", ".join(map(change_words, ratio.per_block))
    return chart(name, title, f"{words}; {change_words(ratio.value)} together", frame, *marks)


def waits(name: str, title: str, readers: Sequence[Wait]) -> str:
    """Draw how long readers see nothing, and how long their answer comes, below each other."""
    n = len(readers)
    frame = Frame(
        x=Axis(low=0, high=max(one.last_ms for one in readers) or 1.0, label="ms since asking"),
        y=Axis(low=0, high=n, label=""),
        width=_WIDE,
        height=_MARGINS + n * _ROW_HEIGHT,
    )
    rows = (_wait(frame, frame.top(n - i), one) for i, one in enumerate(readers))
    words = "; ".join(
        f"{one.who}: first words after {number_text(one.first_ms)} ms, "
        f"all after {number_text(one.last_ms)} ms"
        for one in readers
    )
    return chart(name, title, words, frame, frame.axes(has_rows=False), *rows)


def _change(frame: Frame, top: float, words: str, ratio: Ratio) -> str:
    at, y = frame.left(100 * (ratio.value - 1)), top + 27
    left, right = frame.left(frame.x.low), frame.left(frame.x.high)
    marks = [line(left, top, right, top, "grid"), text_at(left, top + 14, words)]
    marks.append(dot(at, y, "line-dot"))
    if ratio.low is not None and ratio.high is not None:
        low, high = (frame.left(100 * (end - 1)) for end in (ratio.low, ratio.high))
        marks += _whisker(low, high, y)
    return "".join(marks)


def _whisker(low: float, high: float, y: float) -> Iterator[str]:
    yield line(low, y, high, y, "line")
    yield from (line(x, y - 4, x, y + 4, "line") for x in (low, high))


def _wait(frame: Frame, top: float, one: Wait) -> str:
    begin, first, last = (frame.left(ms) for ms in (0.0, one.first_ms, one.last_ms))
    height = _ROW_HEIGHT - 20
    waiting = box(begin, top + 18, first - begin, height, "wait", "waiting")
    coming = box(first, top + 18, last - first, height, "bar", "words come")
    return text_at(begin, top + 13, one.who) + waiting + (coming if first < last else "")


def _band(frame: Frame, same_within: float) -> str:
    """Shade the changes that count as none."""
    low, high = (frame.left(100 * (end - 1)) for end in (1 / (1 + same_within), 1 + same_within))
    return box(low, frame.ceiling, high - low, frame.bottom - frame.ceiling, "measured")


def _zero(frame: Frame) -> str:
    at = frame.left(0)
    return line(at, frame.ceiling, at, frame.bottom, "tick")
