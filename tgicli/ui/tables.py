"""Show what a bench found as tables that fit the window: whether to believe it, then the numbers.

Pure: plain numbers to rows. Knows no bench; who shows a result fills in the rows. A percentile
that a sample is too small for is never shown: the largest value stands there with a star.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len
from rich.text import Text

from tgicli.ui.plots import short
from tgicli.ui.rows import clean, cropped, fitted, flowed, row

_NAME_CELLS = 16
_METRIC_CELLS, _SIDE_CELLS, _INTERVAL_CELLS = 14, 10, 18
_MANY_TIMES = 10.0  # a larger growth is told as a factor: per cent would be hard to read
_REMARK_STYLES = {"invalid": "red", "warning": "yellow", "note": "dim"}
_STAR = "* the largest: too few answers for this percentile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether a run may be believed, in a line."""

    is_valid: bool
    cpu_share: float  # of a core, by the client
    lag_p99_ms: float
    offered: tuple[float, ...] = ()  # requests a second of each open-loop point
    achieved: tuple[float, ...] = ()  # and what came of them
    n_dropped: int = 0
    n_errors: int = 0
    n_busy: int = 0
    n_cut: int = 0
    cache_share: float | None = None  # None: not told
    remarks: tuple[tuple[str, str], ...] = ()  # ("note" | "warning" | "invalid", words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """One metric at one load, in milliseconds; None: the sample is too small, or there is none."""

    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PointRow:
    """The figures of one load point."""

    name: str
    is_valid: bool = True
    ttft: Spread
    tpot: Spread
    gap: Spread
    gap_name: str = "ITL"  # its honest name: "ICL (4.0 tok/chunk)"
    e2e: Spread
    tokens_per_s: float | None
    tokens_within: float | None = None  # half of the 95 % interval
    requests_per_s: float
    goodput: float | None = None  # None: no objective was given
    kept_share: float | None = None  # of the objective


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioRow:
    """One metric of two sides."""

    name: str
    first: float | None
    second: float | None
    change: float | None  # 0.1: the second is 10 % more
    low: float | None
    high: float | None
    verdict: str  # "faster", "slower", "same within 2 %", "undecided", "failed"


def result_rows(
    health: Health, points: Sequence[PointRow], n_columns: int, *, ttft_name: str = "TTFT"
) -> list[Text]:
    """Return validity, and why not; the table; then what must be known beside it."""
    why = [*_remarks(health, ("invalid",), n_columns), row("")]
    beside = _remarks(health, ("warning", "note"), n_columns)
    table = point_rows(points, n_columns, ttft_name)
    return [*health_rows(health, n_columns), *why, *table, *([row("")] if beside else []), *beside]


def health_rows(health: Health, n_columns: int) -> list[Text]:
    """Return whether the figures may be believed, and what speaks for and against them."""
    n_warnings = sum(severity == "warning" for severity, _ in health.remarks)
    word = "VALID" if health.is_valid else "INVALID"
    colour = "bold red" if not health.is_valid else "bold yellow" if n_warnings else "bold green"
    facts = _facts(health)
    if n_warnings:
        facts.append(f"{n_warnings:,} warning{'s' if n_warnings > 1 else ''} below")
    lines = flowed(facts, n_columns, len(word) + 2)
    return cropped([row((word, colour), lines[0][len(word) :]), *map(row, lines[1:])], n_columns)


def _remarks(health: Health, severities: Sequence[str], n_columns: int) -> list[Text]:
    """Return the remarks of these severities, in this order, wrapped."""
    rows = []
    for severity in severities:
        for words in (words for kind, words in health.remarks if kind == severity):
            wrapped = flowed([f"{severity}:", *clean(words).split(" ")], n_columns - 2, gap=" ")
            style = _REMARK_STYLES[severity]
            rows += [row("  " if i else "", (line, style)) for i, line in enumerate(wrapped)]
    return cropped(rows, n_columns)


def point_rows(points: Sequence[PointRow], n_columns: int, ttft_name: str = "TTFT") -> list[Text]:
    """Return a row for each load point, in two lines of titles; wide windows see more."""
    columns = _chosen(points, n_columns, ttft_name)
    rows = [_group_titles(columns), _titles(columns)]
    rows += [_point_row(point, columns) for point in points]
    return cropped([*rows, *_footnotes(points, columns)], n_columns)


def ratio_rows(
    rows: Sequence[RatioRow], names: tuple[str, str], n_columns: int, *, title: str = ""
) -> list[Text]:
    """Return two sides beside each other, with the change's interval and a verdict, if any."""
    names = clean(names[0]), clean(names[1])
    sides = "".join(fitted(name, _SIDE_CELLS - 1).rstrip().rjust(_SIDE_CELLS) for name in names)
    head = f"{fitted(clean(title), _METRIC_CELLS)}{sides}{'change':>9}"
    last = "verdict" if any(one.verdict for one in rows) else ""
    shown = [row((f"{head}  {'95 % interval':<{_INTERVAL_CELLS}}{last}", "dim"))]
    return cropped([*shown, *map(_ratio_row, rows)], n_columns)


def grid_rows(titles: Sequence[str], cells: Sequence[Sequence[str]], n_columns: int) -> list[Text]:
    """Return any words as a table: the first column to the left, the others to the right."""
    table = [[clean(cell) for cell in line] for line in (titles, *cells)]
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    rest = n_columns - sum(widths[1:]) - 2 * len(widths[1:])
    widths[0] = max(min(widths[0], rest), 1)
    lines = (
        "  ".join(
            [fitted(line[0], widths[0]), *map(_to_the_right, line[1:], widths[1:])],
        )
        for line in table
    )
    return cropped([row((line, "" if i else "dim")) for i, line in enumerate(lines)], n_columns)


def point_words(point: PointRow) -> str:
    """Return a load point in a line of its own, for a log."""
    facts = [
        f"{short(point.requests_per_s)} requests/s",
        f"{short(point.tokens_per_s)} tokens/s",
        f"TTFT p50 {_starred(point.ttft, 'p50')} ms",
        f"TPOT p50 {_starred(point.tpot, 'p50')} ms",
    ]
    facts += [] if point.is_valid else ["INVALID"]
    return f"{point.name}: {', '.join(facts)}"


def _to_the_right(text: str, n_cells: int) -> str:
    return " " * (n_cells - cell_len(text)) + text


class _Column(NamedTuple):
    group: str
    title: str
    n_cells: int
    n_least_columns: int  # a narrower window does without it
    value: Callable[[PointRow], str]


def _facts(health: Health) -> list[str]:
    lag_ms = _trimmed(health.lag_p99_ms)
    facts = [f"client {100 * health.cpu_share:.0f} % CPU, loop p99 {lag_ms} ms"]
    if health.offered:
        offered = "/".join(map(_trimmed, health.offered))
        achieved = "/".join(map(_trimmed, health.achieved))
        facts.append(f"offered {offered}, achieved {achieved} req/s")
    facts += [f"{health.n_dropped:,} dropped", f"{health.n_errors:,} errors"]
    if health.n_busy:
        facts.append(f"{health.n_busy:,} refused as busy")
    if health.n_cut:
        facts.append(f"{health.n_cut:,} cut off")
    if health.cache_share is not None:
        facts.append(f"cache {100 * health.cache_share:.0f} %")
    return facts


def _chosen(points: Sequence[PointRow], n_columns: int, ttft_name: str) -> list[_Column]:
    names = {point.gap_name.partition(" ")[0] for point in points}
    gap = names.pop() if len(names) == 1 else "ICL"
    columns = [
        _Column("tokens/s", "", 11, 0, _speed),
        _Column("req/s", "", 6, 50, lambda point: short(point.requests_per_s)),
        *_quantiles("ttft", clean(ttft_name), (0, 40, 60)),
        *_quantiles("tpot", "TPOT", (50, 110, 110)),
        *_quantiles("gap", gap, (79, 120, 79)),
        *_quantiles("e2e", "e2e", (76, 110, 120)),
    ]
    if any(point.goodput is not None for point in points):
        columns.insert(2, _Column("good/s", "", 7, 60, lambda point: short(point.goodput)))
    shown = [column for column in columns if n_columns >= column.n_least_columns]
    while len(shown) > 1 and _n_cells(shown) > n_columns:
        del shown[_least_wanted(shown)]
    return shown


def _quantiles(metric: str, title: str, n_least: tuple[int, int, int]) -> list[_Column]:
    """Return a metric's columns; `n_least` says how wide the window must be for each."""
    cells = {"p50": 6, "p90": 7, "p99": 7}  # a star needs room
    return [
        _Column(title, quantile, n_cells, n, _of(metric, quantile))
        for (quantile, n_cells), n in zip(cells.items(), n_least, strict=True)
    ]


def _least_wanted(columns: Sequence[_Column]) -> int:
    """Return the place of the last column among those that the widest window is needed for."""
    widest = max(column.n_least_columns for column in columns)
    return max(i for i, column in enumerate(columns) if column.n_least_columns == widest)


def _n_cells(columns: Sequence[_Column]) -> int:
    return _NAME_CELLS + sum(column.n_cells for column in columns)


def _of(metric: str, quantile: str) -> Callable[[PointRow], str]:
    return lambda point: _starred(getattr(point, metric), quantile)


def _starred(spread: Spread, quantile: str) -> str:
    value: float | None = getattr(spread, quantile)
    if value is None and spread.most is not None:
        return f"{short(spread.most)}*"
    return short(value)


def _rough(value: float) -> str:
    return short(value) if value >= 99.5 else f"{value:.2g}"


def _trimmed(value: float) -> str:
    text = short(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _speed(point: PointRow) -> str:
    within = point.tokens_within
    return short(point.tokens_per_s) + ("" if within is None else f" ±{_rough(within)}")


def _group_titles(columns: Sequence[_Column]) -> Text:
    """Return the metrics' names, each above the right end of its columns."""
    words = fitted("times in ms", _NAME_CELLS)
    for i, column in enumerate(columns):
        words += " " * column.n_cells
        is_last = i + 1 == len(columns) or columns[i + 1].group != column.group
        if is_last and column.title:
            n_group = sum(other.n_cells for other in columns if other.group == column.group)
            n_before = len(words) - n_group
            words = words[:n_before] + fitted(column.group, n_group - 1).rstrip().rjust(n_group)
    return row((words, "bold"))


def _titles(columns: Sequence[_Column]) -> Text:
    titles = ((column.title or column.group).rjust(column.n_cells) for column in columns)
    return row((f"{'load':<{_NAME_CELLS}}{''.join(titles)}", "dim"))


def _point_row(point: PointRow, columns: Sequence[_Column]) -> Text:
    mark = "" if point.is_valid else " !"
    n_cells = _NAME_CELLS - len(mark)
    name = fitted(fitted(clean(point.name), n_cells).rstrip() + mark, _NAME_CELLS)
    cells = (column.value(point).rjust(column.n_cells) for column in columns)
    return row((name, "bold" if point.is_valid else "bold red"), "".join(cells))


def _footnotes(points: Sequence[PointRow], columns: Sequence[_Column]) -> list[Text]:
    notes = []
    if any("*" in column.value(point) for point in points for column in columns):
        notes.append(_STAR)
    if not all(point.is_valid for point in points):
        notes.append("! invalid: these figures tell of the client, or of nothing")
    named = dict.fromkeys(point.gap_name for point in points if " " in point.gap_name)
    notes += [f"{name}: gaps between pieces of text, not tokens" for name in named]
    kept = [
        f"{clean(point.name)} {100 * point.kept_share:.1f} %"
        for point in points
        if point.kept_share is not None
    ]
    notes += [f"objective kept: {', '.join(kept)}"] if kept else []
    return [row((note, "dim")) for note in notes]


def _ratio_row(one: RatioRow) -> Text:
    interval = ""
    if one.low is not None and one.high is not None:
        interval = _range(one.low, one.high)
    sides = "".join(short(value).rjust(_SIDE_CELLS) for value in (one.first, one.second))
    verdict = clean(one.verdict)
    return row(
        (fitted(clean(one.name), _METRIC_CELLS), "bold"),
        f"{sides}{_change(one.change):>9}  {interval:<{_INTERVAL_CELLS}}",
        (verdict, _VERDICT_STYLES.get(verdict.partition(" ")[0], "")),
    )


_VERDICT_STYLES = {
    "faster": "green",
    "same": "green",
    "slower": "red",
    "failed": "red",
    "undecided": "yellow",
}


def _range(low: float, high: float) -> str:
    if high >= _MANY_TIMES:
        return f"x {1 + low:,.1f} to {1 + high:,.1f}"
    return f"{100 * low:+.1f} to {_change(high)}"


def _change(share: float | None) -> str:
    if share is None:
        return "-"
    if share >= _MANY_TIMES:
        return f"x {1 + share:,.1f}"
    return f"{round(100 * share, 1) + 0.0:+.1f} %"  # never -0.0
