"""Turn results into what `ui` draws: plain numbers and words. Used once something was measured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from tgicli.bench.metrics import shown_time
from tgicli.bench.paired_sheets import StreamFigure, stream_figures
from tgicli.bench.result import Distribution, PointResult, Result, WindowFigures
from tgicli.bench.stream_vs_full import StreamVsFull
from tgicli.bench.verdict import Comparison, Ratio
from tgicli.cli.bench.charts import plot_rows
from tgicli.ui.plots import needs_ascii
from tgicli.ui.rows import Row, clean, flowed, row, to_bytes
from tgicli.ui.tables import (
    Health,
    PointRow,
    RatioRow,
    Spread,
    grid_rows,
    ratio_rows,
    result_rows,
)
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.bench.recording import Recording

_FIGURES = re.compile(r"\d[\d.,]*")


def result_table(result: Result, recording: Recording | None, terminal: Terminal) -> bytes:
    """Return a result as the table that goes to stdout; on a terminal with plots below it."""
    size = terminal.size()
    rows = [point_row(point) for point in result.points]
    is_open = any(point.is_open for point in result.points)
    drawn = result_rows(health_of(result), rows, size.columns, ttft_name=ttft_name(is_open=is_open))
    drawn += floor_rows(result, size.columns)
    if terminal.stdout_is_terminal:
        is_ascii = needs_ascii(terminal.stdout, is_dumb=terminal.is_dumb)
        first_ms = _last_first_ms(recording)
        drawn += plot_rows(result, first_ms, size, len(drawn), is_ascii=is_ascii)
    return to_stdout(drawn, terminal)


def _last_first_ms(recording: Recording | None) -> list[float]:
    if recording is None or not recording.points:
        return []
    from tgicli.bench.summary import first_times_ms

    return first_times_ms(recording.points[-1])


def floor_rows(result: Result, n_columns: int) -> Iterator[Row]:
    """Say what this client adds by itself, at the load where that is most."""
    floors = [point.floor for point in result.points if point.floor is not None]
    if not floors:
        return
    ttft = [max(floor.ttft_added_p50_ms for floor in floors)]
    ttft += [max(floor.ttft_added_p99_ms for floor in floors)]
    gap = [max(floor.icl_added_p50_ms for floor in floors)]
    gap += [max(floor.icl_added_p99_ms for floor in floors)]
    most = "" if len(floors) == 1 else ", at most"
    words = (
        f"this client adds by itself{most}: TTFT {_added(ttft)} ms, gaps {_added(gap)} ms "
        "(p50, p99; nothing is subtracted)"
    )
    yield row("")
    for i, line in enumerate(flowed(words.split(" "), n_columns - 2, gap=" ")):
        yield row(f"{'  ' if i else ''}{line}")


def _added(values: Sequence[float]) -> str:
    """Write amounts of milliseconds; the rounding's own -0.00 is none."""
    return ", ".join(f"{round(value, 2) + 0.0:+.2f}" for value in values)


def to_stdout(drawn: Iterable[Row], terminal: Terminal) -> bytes:
    """Return rows as stdout wants them: without styles on a pipe."""
    return to_bytes(
        drawn, is_styled=terminal.stdout_can_animate, has_colour=terminal.stdout_has_colour
    )


def ttft_name(*, is_open: bool) -> str:
    """Say from when the first token's time counts: a schedule's, where there is one."""
    return "TTFT sched" if is_open else "TTFT"


def health_of(result: Result) -> Health:
    """Return whether a run may be believed."""
    points = result.points
    shares = [share for p in points if (share := p.figures.cache_hit_share) is not None]
    offered = [(p.figures.rps_offered, p.figures.rps_achieved) for p in points]
    told = [(rate, achieved) for rate, achieved in offered if rate is not None]
    return Health(
        is_valid=result.is_valid,
        cpu_share=max((point.client.cpu_share for point in points), default=0.0),
        lag_p99_ms=max((point.client.lag_p99_ms for point in points), default=0.0),
        offered=tuple(rate for rate, _ in told),
        achieved=tuple(achieved for _, achieved in told),
        n_dropped=sum(point.n_dropped for point in points),
        n_errors=sum(point.full.n_errors for point in points),
        n_busy=sum(point.full.n_busy for point in points),
        n_cut=sum(point.full.n_cut for point in points),
        cache_share=max(shares, default=None),
        remarks=tuple(_remarks(result)),
    )


def _remarks(result: Result) -> list[tuple[str, str]]:
    """Return all remarks, those once that say the same of several points, in other figures."""
    alike: dict[tuple[str, str], dict[str, str]] = {}
    for point in result.points:
        for remark in point.remarks:
            key = remark.severity.value, _FIGURES.sub("", remark.text)
            alike.setdefault(key, {})[point.name] = remark.text
    n_points = len(result.points)
    return [(severity, _together(said, n_points)) for (severity, _), said in alike.items()]


def _together(said: dict[str, str], n_points: int) -> str:
    """Return one remark of those that points have; with their names, unless all have the same."""
    first, *others = said
    if len(set(said.values())) > 1:
        is_all = len(said) == n_points and len(others) > 1
        return f"{first}: {said[first]}; likewise {'all others' if is_all else ', '.join(others)}"
    return said[first] if len(said) == n_points else f"{', '.join(said)}: {said[first]}"


def point_row(point: PointResult) -> PointRow:
    """Return a load point's figures."""
    figures = point.figures
    goodput, share = figures.goodput_rps, figures.slo_attainment
    return PointRow(
        name=point.name,
        is_valid=point.is_valid,
        ttft=_spread(figures, shown_time("ttft_ms", is_open=point.is_open)),
        tpot=_spread(figures, "tpot_ms"),
        gap=_spread(figures, "icl_ms"),
        gap_name=figures.chunk_gap_name,
        e2e=_spread(figures, shown_time("e2e_ms", is_open=point.is_open)),
        tokens_per_s=figures.output_tps.value,
        tokens_within=figures.output_tps.within,
        requests_per_s=figures.rps_achieved,
        goodput=goodput.value if goodput else None,
        kept_share=share.value if share else None,
    )


def _spread(figures: WindowFigures, name: str) -> Spread:
    found = figures.metrics.get(name)
    if found is None:
        return Spread()
    return Spread(
        p50=_quantile(found, "p50"),
        p90=_quantile(found, "p90"),
        p99=_quantile(found, "p99"),
        most=found.max,
    )


def _quantile(found: Distribution, name: str) -> float | None:
    estimate = found.quantiles.get(name)
    return estimate.value if estimate else None


def comparison_table(comparison: Comparison, names: tuple[str, str], terminal: Terminal) -> bytes:
    """Return two sides beside each other."""
    rows = [_ratio_row(name, ratio, comparison) for name, ratio in comparison.metrics.items()]
    legend = [row(f"{side}: {clean(name)}") for side, name in zip("AB", names, strict=True)]
    table = ratio_rows(rows, ("A", "B"), terminal.size().columns)
    return to_stdout([*legend, row(""), *table], terminal)


def stream_table(found: StreamVsFull, terminal: Terminal) -> bytes:
    """Return what streaming gained and cost."""
    cells = [(one.label, _spelled(one), _interval(one)) for one in stream_figures(found)]
    cells.append(("texts that are equal", f"{found.n_text_equal} of {found.n_texts}", ""))
    cells.append(("token counts that are", f"{found.n_tokens_equal} of {found.n_counted}", ""))
    titles = (f"{found.n_pairs} pairs", "mean", "95 % interval")
    return to_stdout(grid_rows(titles, cells, terminal.size().columns), terminal)


def _spelled(one: StreamFigure) -> str:
    value = one.estimate.value
    return "-" if value is None else f"{round(value, 1) + 0.0:,.1f} {one.unit}"  # never -0.0


def _interval(one: StreamFigure) -> str:
    low, high = one.estimate.low, one.estimate.high
    return "-" if low is None or high is None else f"{low:,.1f} to {high:,.1f} {one.unit}"


def _ratio_row(name: str, ratio: Ratio, comparison: Comparison) -> RatioRow:
    return RatioRow(
        name=name,
        first=ratio.a,
        second=ratio.b,
        change=ratio.value - 1,
        low=None if ratio.low is None else ratio.low - 1,
        high=None if ratio.high is None else ratio.high - 1,
        verdict=comparison.said(ratio),
    )
