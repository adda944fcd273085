"""Results for a spreadsheet and for a text: CSV and Markdown.

Called by the command. Pure. Never shows a percentile that the sample does not support: the largest
value stands there instead, and is called so.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tgicli.bench.check import check_words
from tgicli.bench.distributions import QUANTILES
from tgicli.bench.markdown import NONE, number_cell, plain, setting_lines, table_row
from tgicli.bench.metrics import shown_time
from tgicli.bench.named_metric import unit_of
from tgicli.bench.result import (
    Distribution,
    Estimate,
    PointResult,
    Result,
    WindowFigures,
)
from tgicli.bench.sample_statistics import around

_INTERVALS = [f"{name}{end}" for name in QUANTILES for end in ("", "_low", "_high")]
_COLUMNS = ["point", "concurrency", "rate", "window", "is_valid", "metric", "unit", "n"]
_COLUMNS += ["value", "low", "high", "sd", "min", "max", "mad", "n_outliers", *_INTERVALS]

Cell = str | int | float | bool | None


def to_csv(result: Result) -> bytes:
    """Write one row a load point, window and metric.

    `value` is the mean of a metric that every request has, or the figure itself, with the ends of
    its 95 % interval. What could not be measured is left empty.
    """
    return csv_bytes(_COLUMNS, (row for point in result.points for row in _rows(point)))


def csv_bytes(columns: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> bytes:
    """Write rows by their columns' names; what a row lacks is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _rows(point: PointResult) -> Iterator[dict[str, Cell]]:
    windows = {"steady": point.steady, "full": point.full}
    for name, figures in windows.items():
        if figures is None:
            continue
        place: dict[str, Cell] = {
            "point": point.name,
            "concurrency": point.concurrency,
            "rate": point.rate,
            "window": name,
            "is_valid": point.is_valid,
        }
        for metric, sample in figures.metrics.items():
            yield place | {"metric": metric, "unit": unit_of(metric)} | _sample_cells(sample)
        for metric, estimate in _single_figures(figures).items():
            if estimate.value is not None:
                yield place | {"metric": metric, "unit": unit_of(metric)} | _ends("value", estimate)


def _sample_cells(sample: Distribution) -> dict[str, Cell]:
    cells: dict[str, Cell] = {
        "n": sample.n,
        "sd": sample.sd,
        "min": sample.min,
        "max": sample.max,
        "mad": sample.mad,
        "n_outliers": sample.n_outliers,
    }
    cells |= _ends("value", sample.mean)
    for name, estimate in sample.quantiles.items():
        cells |= _ends(name, estimate)
    return cells


def _ends(name: str, estimate: Estimate) -> dict[str, Cell]:
    prefix = "" if name == "value" else f"{name}_"
    return {name: estimate.value, f"{prefix}low": estimate.low, f"{prefix}high": estimate.high}


def _single_figures(figures: WindowFigures) -> dict[str, Estimate]:
    """The figures that are of the window as a whole."""
    plain = {
        "duration_s": figures.duration_s,
        "n_requests": figures.n_requests,
        "n_ok": figures.n_ok,
        "n_busy": figures.n_busy,
        "n_errors": figures.n_errors,
        "n_cut": figures.n_cut,
        "n_first_wave": figures.n_first_wave,
        "lost_tps": figures.lost_tps,
        "rps_offered": figures.rps_offered,
        "rps_sent": figures.rps_sent,
        "concurrency_mean": figures.concurrency_mean,
        "tokens_per_chunk": figures.tokens_per_chunk,
        "events_per_read": figures.events_per_read,
        "cache_hit_share": figures.cache_hit_share,
        "mean_prompt_tokens": figures.mean_prompt_tokens,
        "mean_new_tokens": figures.mean_new_tokens,
    }
    return {
        "output_tps": figures.output_tps,
        "rps_achieved": around(figures.rps_achieved, figures.rps_within),
        "goodput_rps": figures.goodput_rps or Estimate(None),
        "slo_attainment": figures.slo_attainment or Estimate(None),
        **{name: Estimate(value) for name, value in plain.items()},
    }


def to_markdown(result: Result) -> str:
    """Write a table of the load points, and under it what must be known to believe it."""
    lines = [*_table(result), "", *_remarks(result), *setting_lines(result.setting)]
    if result.check is not None:
        lines += ["", *(f"- {plain(words)}" for words in check_words(result.check))]
    return "\n".join(lines) + "\n"


def _table(result: Result) -> Iterator[str]:
    gap_names = dict.fromkeys(point.figures.chunk_gap_name for point in result.points)
    titles = ["Load", "Valid", "Answers", "Failed", "TTFT p50", "p90", "p99", "TPOT p50"]
    titles += [f"{' / '.join(gap_names) or 'ICL'} p50", "p99", "E2E p50", "Tokens/s", "Requests/s"]
    is_held = any(point.figures.goodput_rps for point in result.points)
    titles += ["Good requests/s"] if is_held else []
    yield table_row(titles)
    yield table_row(["---", "---"] + ["--:"] * (len(titles) - 2))
    for point in result.points:
        figures = point.figures
        cells = _latency_cells(point)
        if is_held:
            cells.append(_estimate(figures.goodput_rps or Estimate(None)))
        yield table_row(cells)


def _latency_cells(point: PointResult) -> list[str]:
    figures, metrics = point.figures, point.figures.metrics
    ttft, e2e = (
        metrics.get(shown_time(name, is_open=point.is_open)) for name in ("ttft_ms", "e2e_ms")
    )
    return [
        point.name,
        "yes" if point.is_valid else "**no**",
        str(figures.n_ok),
        str(figures.n_errors + figures.n_busy),
        *(_quantile(ttft, name) for name in ("p50", "p90", "p99")),
        _quantile(metrics.get("tpot_ms"), "p50"),
        *(_quantile(metrics.get("icl_ms"), name) for name in ("p50", "p99")),
        _quantile(e2e, "p50"),
        _estimate(figures.output_tps),
        f"{figures.rps_achieved:.2f}",
    ]


def _quantile(sample: Distribution | None, name: str) -> str:
    """A percentile, or the largest value, called so, where there are too few for one."""
    if sample is None:
        return NONE
    estimate = sample.quantiles.get(name)
    return f"{number_cell(sample.max)} (max)" if estimate is None else number_cell(estimate.value)


def _estimate(estimate: Estimate) -> str:
    half = estimate.within
    if estimate.value is None or half is None:
        return number_cell(estimate.value)
    within = number_cell(half) if half >= 10 else f"{half:.2g}"
    return f"{number_cell(estimate.value)} ± {within}"


def _remarks(result: Result) -> Iterator[str]:
    yield "Latencies in ms; ± is a 95 % interval; (max): too few answers for that percentile."
    if any(point.is_open for point in result.points):
        yield "At a given rate TTFT and E2E begin when the plan wanted a request sent."
    yield ""
    for point in result.points:
        for remark in point.remarks:
            yield f"- {plain(point.name)}: **{remark.severity}**: {plain(remark.text)}"
    yield ""
