"""Draw charts as inline SVG: axes, ticks, marks. Used by the HTML report.

Pure: numbers to text. Colours come from the page's classes, so that it can be dark; nothing is
fetched and nothing runs. All words are escaped here.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 400, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 14, 20, 40
_LONGEST_LOG = 1e4  # from the largest value down; what is smaller is drawn at the edge
# Control characters have no place in HTML, except line ends and tabs.
_PICTURES = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"}
_HARMLESS = _PICTURES | {0x7F: "\u2421"} | dict.fromkeys(range(0x80, 0xA0), "\ufffd")


def escaped(text: str) -> str:
    """Return any text as it may stand in HTML, between tags and in quotes."""
    decodable = text.encode("utf-8", errors="replace").decode()  # a lone surrogate becomes "?"
    return html.escape(decodable.translate(_HARMLESS))


def element(name: str, *content: str, **attributes: str | float) -> str:
    """Return an element around markup; values are escaped, `class_` is class, `a_b` is a-b."""
    pairs = (f' {_name(key)}="{_value(value)}"' for key, value in attributes.items())
    return f"<{name}{''.join(pairs)}>{''.join(content)}</{name}>"


def number_text(value: float) -> str:
    """Return a number for people: three digits or all before the point."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 1 if abs(value) >= 10 else 2
    text = f"{value:.{digits}f}" if abs(value) >= 0.01 else f"{value:.1g}"
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A range of values. `ticks` empty: round ones are chosen."""

    low: float
    high: float
    label: str
    is_log: bool = False
    ticks: tuple[float, ...] = ()

    @classmethod
    def around(cls, values: Iterable[float], label: str, *, from_zero: bool = False) -> Axis:
        """Return an axis that holds all values; logarithmic where they differ by far."""
        known = list(values) or [0.0]
        least, high = min(known), max(known)
        low = max(least, high / _LONGEST_LOG)
        if not from_zero and high > 10 * low > 0:
            edge = "; smaller ones at the edge" if least < low else ""
            return cls(low=low, high=high, label=label + edge, is_log=True)
        low = 0.0 if from_zero else least
        pad = (high - low) * 0.04 or abs(high) * 0.1 or 1.0
        return cls(low=max(low - pad, 0.0) if least >= 0 else low, high=high + pad, label=label)

    def share(self, value: float) -> float:
        """Return where a value is, from 0 to 1; what is outside is at the edge."""
        low, high, at = self.low, self.high, max(value, self.low)
        if self.is_log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return min((at - low) / (high - low or 1.0), 1.0)

    def value(self, share: float) -> float:
        """Return the value there; the inverse of `share`."""
        if self.is_log:
            return float(self.low * (self.high / self.low) ** share)
        return self.low + share * (self.high - self.low)

    def marks(self) -> tuple[float, ...]:
        """Return the values at which to write a number."""
        return self.ticks or (_log_ticks if self.is_log else _ticks)(self.low, self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where a chart's values are, in SVG's units."""

    x: Axis
    y: Axis
    width: float = WIDTH
    height: float = HEIGHT

    def left(self, value: float) -> float:
        """Return the horizontal place of a value of x."""
        return round(_LEFT + self.x.share(value) * (self.width - _LEFT - _RIGHT), 2)

    def top(self, value: float) -> float:
        """Return the vertical place of a value of y; SVG counts downwards."""
        return round(self.bottom - self.y.share(value) * (self.bottom - _TOP), 2)

    @property
    def bottom(self) -> float:
        """The vertical place of y's lowest value."""
        return self.height - _BOTTOM

    @property
    def ceiling(self) -> float:
        """The vertical place of y's highest value."""
        return _TOP

    def axes(self, *, has_rows: bool = True) -> str:
        """Return the grid, numbers and labels; without y's where rows have no numbers."""
        middle = (_LEFT + self.width - _RIGHT) / 2
        x_ticks = "".join(self._x_tick(value) for value in self.x.marks())
        rows = "".join(self._y_tick(value) for value in self.y.marks()) if has_rows else ""
        log = " (log scale)" if self.x.is_log else ""
        return (
            rows
            + x_ticks
            + text_at(middle, self.height - 6, self.x.label + log, "label middle")
            + text_at(4, 11, self.y.label, "label")
        )

    def _x_tick(self, value: float) -> str:
        at = self.left(value)
        tick = line(at, self.bottom, at, self.bottom + 4, "tick")
        return tick + text_at(at, self.bottom + 17, number_text(value), "middle")

    def _y_tick(self, value: float) -> str:
        at = self.top(value)
        grid = line(_LEFT, at, self.width - _RIGHT, at, "grid")
        return grid + text_at(_LEFT - 6, at + 4, number_text(value), "end")


def chart(name: str, title: str, words: str, frame: Frame, *marks: str) -> str:
    """Return the whole picture; `name` is its own on the page, `words` are for who can't see it."""
    return element(
        "svg",
        element("title", escaped(title), id=f"{name}-title"),
        element("desc", escaped(words), id=f"{name}-words"),
        *marks,
        viewBox=f"0 0 {frame.width:g} {frame.height:g}",
        role="img",
        aria_labelledby=f"{name}-title {name}-words",
    )


def line(x1: float, y1: float, x2: float, y2: float, look: str) -> str:
    """Return a straight line."""
    return element("path", d=f"M{x1:g} {y1:g}L{x2:g} {y2:g}", class_=look)


def path(places: Sequence[tuple[float, float]], look: str) -> str:
    """Return a line through all these places."""
    steps = "L".join(f"{x:g} {y:g}" for x, y in places)
    return element("path", d=f"M{steps}", class_=look) if places else ""


def box(x: float, y: float, width: float, height: float, look: str, words: str = "") -> str:
    """Return a filled rectangle, at least a hair wide; words appear when one points at it."""
    size = f"M{x:g} {y:g}h{max(width, 0.3):.4g}v{height:.4g}H{x:g}z"
    title = element("title", escaped(words)) if words else ""
    return element("path", title, d=size, class_=look)


def dot(x: float, y: float, look: str, *, is_square: bool = False) -> str:
    """Return a point's mark; two shapes, so that nobody needs to tell colours apart."""
    if is_square:
        return box(x - 4, y - 4, 8, 8, look)
    return element("circle", cx=x, cy=y, r=4.5, class_=look)


def text_at(x: float, y: float, text: str, look: str = "") -> str:
    """Return a line of words."""
    return element("text", escaped(text), x=x, y=y, class_=look)


def _name(key: str) -> str:
    return key if key == "viewBox" else key.rstrip("_").replace("_", "-")


def _value(value: str | float) -> str:
    return escaped(value) if isinstance(value, str) else f"{value:g}"


def _ticks(low: float, high: float) -> tuple[float, ...]:
    """Return about five round values."""
    span = high - low
    if span <= 0:
        return (low,)
    rough = span / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(min(max(n * step, low), high) for n in range(first, last + 1))  # to the last bit


def _log_ticks(low: float, high: float) -> tuple[float, ...]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 3 else (1,)
    ticks = (factor * 10.0**power for power in range(first, last + 1) for factor in factors)
    return tuple(tick for tick in ticks if low <= tick <= high)
