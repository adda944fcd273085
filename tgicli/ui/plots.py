"""Draw numbers in characters: histogram, ECDF, sparkline, figures against load.

Pure: lists of numbers to rows that are as wide as asked. With `is_ascii` nothing but ASCII is
used, for a terminal that can't show more. Used by tables and panels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import IO

from rich.text import Text

from tgicli.ui.rows import clean, row

_BLOCKS, _ASCII_BLOCKS = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
_BRAILLE = 0x2800
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # of a cell, by column, then row
_LOG_FROM = 10  # largest by smallest value, from which on an axis is logarithmic
_LONGEST_LOG = 1e4
_MARGIN = 7  # cells of the numbers at the left
_LEAST_COLUMNS = 20
_LEAST_BINS = 8


def needs_ascii(stream: IO[str] | None, *, is_dumb: bool) -> bool:
    """Say whether what is written there can't hold blocks and Braille."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return is_dumb or not encoding.lower().replace("-", "").startswith("utf")


def short(value: float | None) -> str:
    """Write a number in at most five characters: three digits or more; k are thousands."""
    if value is None:
        return "-"
    if value >= 9_999.5:
        return f"{value / 1000:,.0f}k" if value >= 99_950 else f"{value / 1000:.1f}k"
    if value >= 99.95 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


@dataclass(frozen=True, slots=True)
class Scale:
    """A range of values as a length from 0 to 1."""

    low: float
    high: float
    is_log: bool = False

    @classmethod
    def of(cls, values: Sequence[float]) -> Scale:
        """Return a scale that holds all values; logarithmic where they are far apart."""
        low, high = min(values, default=0.0), max(values, default=1.0)
        if high > _LOG_FROM * max(low, high / _LONGEST_LOG) > 0:
            return cls(max(low, high / _LONGEST_LOG), high, is_log=True)
        return cls(low, high if high > low else low + (abs(low) or 1.0))

    def share(self, value: float) -> float:
        """Return where a value is; what is outside is at the edge."""
        at, low, high = max(value, self.low), self.low, self.high
        if self.is_log:
            at, low, high = math.log(at), math.log(low), math.log(high)
        return min((at - low) / (high - low), 1.0)

    def value(self, share: float) -> float:
        """Return the value that is there."""
        if self.is_log:
            return float(self.low * (self.high / self.low) ** share)
        return self.low + share * (self.high - self.low)


def sparkline(values: Sequence[float], n_columns: int, *, is_ascii: bool = False) -> str:
    """Return a row of blocks from 0 to the largest, newest at the right.

    More values than columns are joined by their mean; fewer leave the row shorter.
    """
    n_columns = min(n_columns, len(values))
    if n_columns <= 0:
        return ""
    edges = [round(i * len(values) / n_columns) for i in range(n_columns + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    blocks, most = _ASCII_BLOCKS if is_ascii else _BLOCKS, max(means)
    if most <= 0:
        return blocks[0] * n_columns
    n_levels = len(blocks) - 1
    # Rounded up, so that a little is seen.
    return "".join(blocks[math.ceil(max(mean, 0) / most * n_levels)] for mean in means)


def histogram(
    values: Sequence[float],
    n_columns: int,
    n_lines: int,
    *,
    title: str = "",
    unit: str = "ms",
    marks: Mapping[str, float] | None = None,
    is_ascii: bool = False,
) -> list[Text]:
    """Return how often which values came: title, n_lines rows of bars, numbers, and marks."""
    if not values or n_columns < _LEAST_COLUMNS:
        return _nothing(title, values)
    n_cells, scale = n_columns - _MARGIN, Scale.of(values)
    # Few values in many bins would be noise; bars are as wide as there is room.
    n_bins = min(max(math.ceil(3 * len(values) ** (1 / 3)), _LEAST_BINS), n_cells)
    n_wide = n_cells // n_bins
    n_columns = _MARGIN + n_wide * n_bins
    counts = [0] * n_bins
    for value in values:
        counts[min(int(scale.share(value) * n_bins), n_bins - 1)] += 1
    most = max(counts)
    rows = [_heading(title, f"n {len(values):,}", n_columns)]
    for line in range(n_lines - 1, -1, -1):
        cells = (_cell(count / most * n_lines - line, is_ascii) for count in counts)
        bars = "".join(cell * n_wide for cell in cells)
        number = f"{most:,}" if line == n_lines - 1 else ""
        rows.append(row((f"{number:>{_MARGIN - 1}} ", "dim"), (bars, "cyan")))
    return [*rows, _below(scale, n_columns, unit), *_marked(scale, n_columns, marks or {})]


def ecdf(
    values: Sequence[float],
    n_columns: int,
    n_lines: int,
    *,
    title: str = "",
    unit: str = "ms",
    is_ascii: bool = False,
) -> list[Text]:
    """Return which share of the values is at most so large."""
    if not values or n_columns < _LEAST_COLUMNS:
        return _nothing(title, values)
    ordered, scale = sorted(values), Scale.of(values)
    canvas = Canvas(n_columns - _MARGIN, n_lines, is_ascii=is_ascii)
    places = [(scale.share(value), (i + 1) / len(ordered)) for i, value in enumerate(ordered)]
    height = 0.0
    for x, y in places:
        canvas.line(x, height, x, y)
        height = y
    for (x, y), (x_next, _) in pairwise(places):
        canvas.line(x, y, x_next, y)
    numbers = {0: "100 %", n_lines - 1: "0 %", (n_lines - 1) // 2: "50 %" if n_lines > 4 else ""}
    rows = [_heading(title, f"n {len(values):,}", n_columns)]
    return [*rows, *_numbered(canvas.rows(), numbers), _below(scale, n_columns, unit)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlace:
    """A figure at a load, with its interval where there is one."""

    load: float
    value: float
    low: float | None = None
    high: float | None = None


def against_load(
    places: Sequence[LoadPlace],
    n_columns: int,
    n_lines: int,
    *,
    title: str = "",
    unit: str = "requests at once",
    is_ascii: bool = False,
) -> list[Text]:
    """Return points over the load, their intervals as bars; y begins at 0."""
    if not places or n_columns < _LEAST_COLUMNS:
        return _nothing(title, places)
    ordered = sorted(places, key=lambda place: place.load)
    most = max(place.value if place.high is None else place.high for place in places) or 1.0
    x = Scale.of([place.load for place in places])
    n_cells = n_columns - _MARGIN - 2  # a number below the last point has room
    grid = [[" "] * n_cells for _ in range(n_lines)]
    for place in ordered:
        _draw_place(grid, round(x.share(place.load) * (n_cells - 1)), place, most, is_ascii)
    rows = [_heading(title, "", n_columns)]
    rows += _numbered(["".join(cells) for cells in grid], {0: short(most), n_lines - 1: "0"})
    return [*rows, _loads_below(ordered, x, n_cells), row((_indented(unit, n_columns), "dim"))]


class Canvas:
    """Dots in characters: eight in each with Braille, one in ASCII."""

    def __init__(self, n_columns: int, n_lines: int, *, is_ascii: bool = False) -> None:
        self._is_ascii = is_ascii
        self._cells = [[0] * n_columns for _ in range(n_lines)]
        per_column, per_line = (1, 1) if is_ascii else (2, 4)
        self._n_across, self._n_down = n_columns * per_column, n_lines * per_line

    def line(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """Draw a line; places are shares of width and height, y upwards."""
        begin, end = self._place(x1, y1), self._place(x2, y2)
        n_steps = max(abs(end[0] - begin[0]), abs(end[1] - begin[1]), 1)
        for step in range(n_steps + 1):
            share = step / n_steps
            self._set(
                round(begin[0] + share * (end[0] - begin[0])),
                round(begin[1] + share * (end[1] - begin[1])),
            )

    def rows(self) -> list[str]:
        """Return it line by line."""
        if self._is_ascii:
            return ["".join("*" if cell else " " for cell in cells) for cells in self._cells]
        return [
            "".join(chr(_BRAILLE + cell) if cell else " " for cell in cells)
            for cells in self._cells
        ]

    def _place(self, x: float, y: float) -> tuple[int, int]:
        return round(x * (self._n_across - 1)), round((1 - y) * (self._n_down - 1))

    def _set(self, across: int, down: int) -> None:
        if self._is_ascii:
            self._cells[down][across] = 1
        else:
            self._cells[down // 4][across // 2] |= _DOTS[across % 2][down % 4]


def _cell(height: float, is_ascii: bool) -> str:
    """Return what fills a cell up to a height, in cells; some where there is anything at all."""
    if is_ascii:
        return "#" if height >= 0.5 else "." if height > 0 else " "
    return _BLOCKS[math.ceil(min(max(height, 0), 1) * 8)]


def _draw_place(
    grid: list[list[str]], column: int, place: LoadPlace, most: float, is_ascii: bool
) -> None:
    dot, bar = ("o", "|") if is_ascii else ("●", "│")
    n_lines = len(grid)

    def line_of(value: float) -> int:
        return n_lines - 1 - round(max(value, 0) / most * (n_lines - 1))

    if place.low is not None and place.high is not None:
        for line in range(line_of(place.high), line_of(place.low) + 1):
            grid[line][column] = bar
    grid[line_of(place.value)][column] = dot


def _loads_below(places: Sequence[LoadPlace], x: Scale, n_cells: int) -> Text:
    """Write the loads below their points; one that has no room is left out."""
    words = ""
    for place in places:
        at = _MARGIN + round(x.share(place.load) * (n_cells - 1))
        if at >= len(words) + bool(words.strip()):
            words = words.ljust(at) + f"{place.load:g}"
    return row((words, "dim"))


def _numbered(lines: Sequence[str], numbers: Mapping[int, str]) -> list[Text]:
    return [
        row((f"{numbers.get(i, ''):>{_MARGIN - 1}} ", "dim"), (line, "cyan"))
        for i, line in enumerate(lines)
    ]


def _heading(title: str, aside: str, n_columns: int) -> Text:
    return row((f"{clean(title):<{n_columns - len(aside)}}", "bold"), (aside, "dim"))


def _below(scale: Scale, n_columns: int, unit: str) -> Text:
    """Write the scale's ends and middle below it."""
    log = ", log" if scale.is_log else ""
    low, middle, high = (short(scale.value(share)) for share in (0, 0.5, 1))
    n_cells = n_columns - _MARGIN
    right = f"{high} {clean(unit)}{log}"
    n_left = n_cells // 2
    left = f"{low:<{max(n_left - len(middle) // 2, 1)}}{middle}"
    if len(left) + 1 + len(right) > n_cells:
        left = low
    return row((" " * _MARGIN + left + right.rjust(n_cells - len(left)), "dim"))


def _marked(scale: Scale, n_columns: int, marks: Mapping[str, float]) -> list[Text]:
    """Write names below their values; those that have no room are left out."""
    words = ""
    for name, value in marks.items():
        at = _MARGIN + min(int(scale.share(value) * (n_columns - _MARGIN)), n_columns - _MARGIN - 1)
        at = min(at, n_columns - len(name) - 1)
        if at > len(words) or not words:
            words = f"{words:<{at}}^{clean(name)}"
    return [row((words, "yellow"))] if words else []


def _indented(words: str, n_columns: int) -> str:
    return " " * _MARGIN + clean(words)[: max(n_columns - _MARGIN, 0)]


def _nothing(title: str, values: Sequence[object]) -> list[Text]:
    why = "nothing to show yet" if not values else "too narrow for a plot"
    return [row((clean(title), "bold"), "  " if title else "", (why, "dim"))]
