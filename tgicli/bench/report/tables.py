"""The tables of a report: every point in a row, and every metric of a point. Used by `page`.

Pure: figures to HTML. A percentile that the sample is too small for is never shown: the largest
value stands in its place and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tgicli.bench.metrics import shown_time
from tgicli.bench.report.parts import table, title_cell
from tgicli.bench.report.svg import element, escaped, number_text
from tgicli.bench.result import Distribution, Estimate, PointResult, WindowFigures

METRICS = {
    "ttft_ms": ("TTFT", "from sending to the first text"),
    "ttft_sched_ms": ("TTFT from schedule", "from when it was to be sent to the first text"),
    "sched_delay_ms": ("sending delay", "from when it was to be sent to when it was"),
    "ttfr_ms": ("first event", "from sending to the first event of any kind"),
    "ttfo_ms": ("first visible", "from sending to the first text that is not reasoning"),
    "tpot_ms": ("TPOT", "time per token after the first piece, each request once"),
    "icl_ms": ("ICL", "gap between two pieces of text; ITL where each is one token"),
    "e2e_ms": ("end to end", "from sending to the last text"),
    "e2e_sched_ms": ("end to end from schedule", "from when it was to be sent to the last text"),
    "tail_ms": ("tail", "from the last text to the answer's end"),
    "ntpot_ms": ("NTPOT", "end to end divided by all tokens"),
    "decode_tps": ("decode tokens/s", "of one request, after its first piece"),
    "e2e_tps": ("request tokens/s", "of one request, its wait included"),
    "prefill_tps_est": ("prefill tokens/s (estimate)", "holds queue, network and a decode step"),
    "stall_max_ms": ("longest pause", "within one answer"),
    "stall_ratio": ("stalled share", "of an answer's time, in gaps over 3 times its median"),
    "conn_ms": ("connecting", "until a new connection was ready"),
    "queue_ms": ("queue", "as the server told"),
    "output_tps": ("tokens/s", "of all answers together, where they arrived"),
    "chunks": ("pieces", "of text, by answer"),
    "tok_per_chunk": ("tokens per piece", "by answer"),
}
_TO = "\u2009\u2013\u2009"  # a dash with a little air: the columns are many
_UNKNOWN = "–"  # noqa: RUF001  # what could not be measured, for people


class _Group(NamedTuple):
    """A metric over all points."""

    title: str
    name: str
    quantiles: tuple[str, ...]


def figures_table(points: Sequence[PointResult]) -> str:
    """Return a row for each load point."""
    groups = [
        group
        for group in _groups(points)
        if any(group.name in point.figures.metrics for point in points)
    ]
    columns = [*_COUNTS]
    if any(point.figures.goodput_rps is not None for point in points):
        columns.append(_GOODPUT)
    top = [
        title_cell(title, "col", rowspan=2) for title in ("load", *(title for title, _ in columns))
    ]
    top += [title_cell(group.title, "colgroup", colspan=len(group.quantiles)) for group in groups]
    below = [title_cell(name, "col") for group in groups for name in group.quantiles]
    rows = [
        element(
            "tr", title_cell(point.name, "row"), *_values(point, columns), *_cells(point, groups)
        )
        for point in points
    ]
    caption = "Times in milliseconds; below a figure its 95 % interval, if requests are enough."
    if any(point.is_open for point in points):
        caption += " End to end is from the schedule."
    return table(caption, [top, below], rows)


def metrics_table(point: PointResult) -> str:
    """Return a row for each metric of one point."""
    titles = ["n", "mean", "sd", "min", "p50", "p90", "p95", "p99", "max", "MAD", "outliers"]
    head = [title_cell("metric", "col"), *(title_cell(title, "col") for title in titles)]
    figures = point.figures
    rows = [
        element("tr", _metric_name(name, figures), *_metric_cells(figures.metrics[name]))
        for name in dict.fromkeys([*METRICS, *figures.metrics])
        if name in figures.metrics
    ]
    return table(
        "Times in milliseconds. Outliers: past Tukey's fences; none was taken out.", [head], rows
    )


def metric_label(name: str, figures: WindowFigures) -> str:
    """Return what to call a metric; the gap between pieces by its honest name."""
    return figures.chunk_gap_name if name == "icl_ms" else METRICS.get(name, (name, ""))[0]


def estimate_cell(estimate: Estimate | None) -> str:
    """Return a cell with the value, and its interval below."""
    if estimate is None or estimate.value is None:
        return element("td", _UNKNOWN)
    value = number_text(estimate.value)
    if estimate.low is None or estimate.high is None:
        return element("td", value)
    interval = f"{number_text(estimate.low)}{_TO}{number_text(estimate.high)}"
    return element("td", value, element("small", interval))


def _groups(points: Sequence[PointResult]) -> list[_Group]:
    names = dict.fromkeys(point.figures.chunk_gap_name for point in points)
    gap = next(iter(names)) if len(names) == 1 else "ICL"
    is_open = any(point.is_open for point in points)
    usual = ("p50", "p90", "p99")
    return [
        _Group("TTFT from schedule", "ttft_sched_ms", usual),
        _Group("TTFT", "ttft_ms", ("p50",) if is_open else usual),
        _Group("TPOT", "tpot_ms", ("p50", "p90")),
        _Group(gap, "icl_ms", ("p50", "p99")),
        _Group("end to end", shown_time("e2e_ms", is_open=is_open), ("p50",)),
    ]


def _cells(point: PointResult, groups: Sequence[_Group]) -> list[str]:
    metrics = point.figures.metrics
    return [
        _quantile_cell(metrics.get(group.name), name)
        for group in groups
        for name in group.quantiles
    ]


def _quantile_cell(sample: Distribution | None, name: str) -> str:
    if sample is None:
        return element("td", _UNKNOWN)
    if name in sample.quantiles:
        return estimate_cell(sample.quantiles[name])
    if sample.max is None:
        return element("td", _UNKNOWN)
    most = element("span", "max ", class_="most")
    return element("td", most, number_text(sample.max), title=f"{sample.n} can't tell {name}")


_Column = tuple[str, Callable[[PointResult], str]]


def _requests(point: PointResult) -> str:
    figures = point.figures
    return element("td", f"{figures.n_ok:,}", element("small", f"of {figures.n_requests:,}"))


def _speed(point: PointResult) -> str:
    return estimate_cell(point.figures.output_tps)


def _rate(point: PointResult) -> str:
    figures = point.figures
    achieved = number_text(figures.rps_achieved)
    if figures.rps_offered is None:
        return element("td", achieved)
    return element("td", achieved, element("small", f"of {number_text(figures.rps_offered)}"))


def _goodput(point: PointResult) -> str:
    return estimate_cell(point.figures.goodput_rps)


_COUNTS: tuple[_Column, ...] = (
    ("tokens/s", _speed),
    ("requests/s", _rate),
    ("answered", _requests),
)
_GOODPUT: _Column = ("goodput/s", _goodput)


def _values(point: PointResult, columns: Sequence[_Column]) -> list[str]:
    return [cell(point) for _, cell in columns]


def _metric_name(name: str, figures: WindowFigures) -> str:
    label, meaning = metric_label(name, figures), METRICS.get(name, ("", ""))[1]
    return element("th", escaped(label), scope="row", title=meaning)


def _metric_cells(sample: Distribution) -> list[str]:
    middle = [estimate_cell(sample.quantiles.get(name)) for name in ("p50", "p90", "p95", "p99")]
    numbers = [sample.max, sample.mad, sample.n_outliers]
    return [
        element("td", f"{sample.n:,}"),
        estimate_cell(sample.mean),
        *(_number_cell(value) for value in (sample.sd, sample.min)),
        *middle,
        *(_number_cell(value) for value in numbers),
    ]


def _number_cell(value: float | None) -> str:
    return element("td", _UNKNOWN if value is None else number_text(value))
