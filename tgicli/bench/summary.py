"""Turn what a run left behind into what it found.

Called by the command once a point has ended, and by `bench report` on records read from a file: the
same records give the same result, to the last digit. Pure. Never reads a clock, a file or a server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tgicli.bench.figures import Stretch, dropped_inside, window_figures
from tgicli.bench.metrics import PER_REQUEST, shown_time
from tgicli.bench.plan import Closed, Open, Point
from tgicli.bench.record import Outcome
from tgicli.bench.recording import Measured, PointRun, Recording
from tgicli.bench.result import ClientHealth, PointResult, Result, WindowFigures
from tgicli.bench.schedule import dispersion
from tgicli.bench.slo import Slo
from tgicli.bench.validity import remarks_of
from tgicli.bench.windows import Span, due_times, full_span, sent_inside, steady_span

_NOTHING = Span(0, 0)


def summarize_recording(recording: Recording) -> Result:
    """Sum up all load points of a run."""
    points = tuple(
        summarize_point(
            measured,
            slo=recording.slo,
            is_same_host=recording.setting.is_same_host,
            expects_cache=recording.expects_cache,
        )
        for measured in recording.points
    )
    return Result(setting=recording.setting, points=points, check=recording.check)


def summarize_point(
    measured: Measured, *, slo: Slo | None, is_same_host: bool, expects_cache: bool = False
) -> PointResult:
    """Sum up a load point; its repeats become one set of figures, with intervals between them."""
    load = measured.point.load
    full = _full(measured) or [Stretch((), _NOTHING)]  # stopped before it began
    steady = _steady(measured)
    n_dropped = sum(run.n_dropped for run in measured.runs)
    whole = [stretch.records for stretch in full]
    full_figures = window_figures(
        full, whole, load, slo, n_dropped=n_dropped, n_around=measured.n_around
    )
    steady_figures = _steady_figures(steady, measured, slo) if steady else None
    result = PointResult(
        name=measured.point.name,
        concurrency=load.concurrency if isinstance(load, Closed) else None,
        rate=load.rate if isinstance(load, Open) else None,
        arrival=load.arrival if isinstance(load, Open) else None,
        arrival_idc=dispersion(load.offsets_ns) if isinstance(load, Open) else None,
        n_dropped=n_dropped,
        n_late=sum(run.n_late for run in measured.runs),
        full=full_figures,
        steady=steady_figures,
        excluded_share=_excluded_share(full_figures, steady_figures),
        client=worst_health([run.client for run in measured.runs]),
        floor=measured.floor,
        remarks=(),
    )
    remarks = remarks_of(
        result,
        measured,
        full=full,
        steady=steady,
        is_same_host=is_same_host,
        expects_cache=expects_cache,
    )
    return replace(result, remarks=remarks)


def first_times_ms(measured: Measured) -> list[float]:
    """Return each answer's TTFT, of those that the figures to show are of."""
    is_open = isinstance(measured.point.load, Open)
    measure = PER_REQUEST[shown_time("ttft_ms", is_open=is_open)]
    stretches = _steady(measured) or _full(measured)
    times = [
        measure(record)
        for records, span, _ in stretches
        for record in sent_inside(records, span)
        if record.outcome is Outcome.OK
    ]
    return [ms for ms in times if ms is not None]


def worst_health(healths: Sequence[ClientHealth]) -> ClientHealth:
    """Join the client's signals over repeats: the worst of each, amounts added up."""
    loads = [health.host_load for health in healths if health.host_load is not None]
    return ClientHealth(
        cpu_share=max((health.cpu_share for health in healths), default=0.0),
        lag_p50_ms=max((health.lag_p50_ms for health in healths), default=0.0),
        lag_p99_ms=max((health.lag_p99_ms for health in healths), default=0.0),
        lag_max_ms=max((health.lag_max_ms for health in healths), default=0.0),
        gc_ms=sum(health.gc_ms for health in healths),
        n_connections=sum(health.n_connections for health in healths),
        host_load=max(loads, default=None),
        per_second_tokens=tuple(n for health in healths for n in health.per_second_tokens),
    )


def _full(measured: Measured) -> list[Stretch]:
    """The repeats, whole."""
    return [
        Stretch(run.records, full_span(run.records) or _NOTHING, _due_ns(run, measured.point))
        for run in measured.runs
    ]


def _due_ns(run: PointRun, point: Point) -> Sequence[int]:
    load = point.load
    return (
        due_times(run.records, run.offsets_ns or load.offsets_ns) if isinstance(load, Open) else ()
    )


def _steady(measured: Measured) -> list[Stretch]:
    """The repeats that were at full load, with the span in which they were."""
    spans = [
        steady_span(run.records, measured.point.load, warm_ns=run.warm_ns, end_ns=run.end_ns)
        for run in measured.runs
    ]
    return [
        Stretch(run.records, span, _due_ns(run, measured.point))
        for run, span in zip(measured.runs, spans, strict=True)
        if span is not None
    ]


def _steady_figures(
    steady: Sequence[Stretch], measured: Measured, slo: Slo | None
) -> WindowFigures:
    load = measured.point.load
    sent = [sent_inside(records, span) for records, span, _ in steady]
    n_dropped = sum(dropped_inside(stretch, load) for stretch in steady)
    return window_figures(steady, sent, load, slo, n_dropped=n_dropped, n_around=measured.n_around)


def _excluded_share(full: WindowFigures, steady: WindowFigures | None) -> float:
    if steady is None or not full.n_requests:
        return 0.0
    return 1 - steady.n_requests / full.n_requests
