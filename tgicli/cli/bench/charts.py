"""Draw a result below its tables, as far as the window has room for it. Used by `showing`.

Pure: never looks at a terminal. What is drawn is what the tables' figures are of.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from tgicli.bench.metrics import shown_time
from tgicli.bench.result import Estimate, PointResult, Result
from tgicli.ui.plots import LoadPlace, against_load, ecdf, histogram, short, sparkline
from tgicli.ui.rows import Row, beside, row

LEAST_COLUMNS, WIDE_COLUMNS, MOST_COLUMNS = 80, 120, 160
LEAST_LINES, MOST_LINES = 3, 8  # of a plot, without what frames it
LINES_BELOW = 3  # what is said afterwards, and the shell's prompt
GAP_CELLS = 4
_AGAINST_FRAME, _LAST_FRAME = 4, 6  # blanks, titles, numbers, marks, the line of speeds
_MARKS = ("p50", "p90", "p99")


def plot_rows(
    result: Result,
    first_ms: Sequence[float],
    size: os.terminal_size,
    n_taken: int,
    *,
    is_ascii: bool = False,
) -> list[Row]:
    """Return the plots that fit below n_taken lines.

    first_ms: each answer's TTFT at the last load point; empty: it is not known any more.
    """
    if size.columns < LEAST_COLUMNS or not result.points:
        return []
    n_columns = min(size.columns - 1, MOST_COLUMNS)
    n_free = size.lines - LINES_BELOW - n_taken
    rows = _against(result.points, n_columns, _n_lines(n_free - _AGAINST_FRAME), is_ascii)
    if len(result.points) == 1 or n_columns + 1 >= WIDE_COLUMNS:
        n_lines = _n_lines(n_free - len(rows) - _LAST_FRAME)
        rows += _last(result.points[-1], first_ms, n_columns, n_lines, is_ascii)
    return rows


def _n_lines(n_free: int) -> int:
    return 0 if n_free < LEAST_LINES else min(n_free, MOST_LINES)


def _against(
    points: Sequence[PointResult], n_columns: int, n_lines: int, is_ascii: bool
) -> list[Row]:
    """Return latency and speed over the load; nothing for a single one."""
    is_open = any(point.is_open for point in points)
    first = shown_time("ttft_ms", is_open=is_open)
    titles: dict[str, list[Estimate | None]] = {
        f"{'TTFT sched' if is_open else 'TTFT'} p50, ms": [_median(p, first) for p in points],
        "tokens/s": [point.figures.output_tps for point in points],
    }
    places = [_places(points, found) for found in titles.values()]
    if not n_lines or min(map(len, places)) < 2:
        return []
    n_cells = (n_columns - GAP_CELLS) // 2
    unit = "requests a second" if is_open else "requests at once"
    drawn = [
        against_load(one, n_cells, n_lines, title=title, unit=unit, is_ascii=is_ascii)
        for title, one in zip(titles, places, strict=True)
    ]
    return [row(""), *beside(drawn, n_cells + GAP_CELLS)]


def _median(point: PointResult, metric: str) -> Estimate | None:
    sample = point.figures.metrics.get(metric)
    return sample.quantiles.get("p50") if sample else None


def _places(points: Sequence[PointResult], found: Sequence[Estimate | None]) -> list[LoadPlace]:
    places = []
    for point, estimate in zip(points, found, strict=True):
        load = point.concurrency or point.rate
        if load and estimate and estimate.value is not None:
            low, high = estimate.low, estimate.high
            places.append(LoadPlace(load=load, value=estimate.value, low=low, high=high))
    return places


def _last(
    point: PointResult, first_ms: Sequence[float], n_columns: int, n_lines: int, is_ascii: bool
) -> list[Row]:
    """Return how TTFT was spread at one load, and how the speed went."""
    if not n_lines:
        return []
    speeds = point.client.per_second_tokens
    most = f"most {short(max(speeds, default=0))}"
    spark = sparkline(
        speeds, n_columns - len("tokens/s") - len(most) - GAP_CELLS, is_ascii=is_ascii
    )
    rows = [row("")]
    if first_ms:
        n_cells = (n_columns - GAP_CELLS) // 2
        title = f"{'TTFT sched' if point.is_open else 'TTFT'}, {point.name}"
        marks = {name: ms for name in _MARKS if (ms := _quantile(point, name)) is not None}
        spread = histogram(first_ms, n_cells, n_lines, title=title, marks=marks, is_ascii=is_ascii)
        share = ecdf(first_ms, n_cells, n_lines, title="share that came by then", is_ascii=is_ascii)
        rows += beside([spread, share], n_cells + GAP_CELLS)
    return (
        [*rows, row(("tokens/s  ", "dim"), (spark, "cyan"), (f"  {most}", "dim"))]
        if spark
        else rows
    )


def _quantile(point: PointResult, name: str) -> float | None:
    sample = point.figures.metrics.get(shown_time("ttft_ms", is_open=point.is_open))
    estimate = sample.quantiles.get(name) if sample else None
    return estimate.value if estimate else None
