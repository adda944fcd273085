"""Write a result as one HTML page that needs nothing else: no network, no script, no fonts.

Called by commands and by who has a result. Pure. Validity comes first. Every word that comes from
elsewhere (a model's name, an error's words) is escaped, and a policy in the page forbids whatever
is not its own style.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tgicli.bench.check import CheckResult, check_words
from tgicli.bench.metrics import shown_time
from tgicli.bench.record import Record
from tgicli.bench.report.charts import Series, over_load
from tgicli.bench.report.parts import (
    figure,
    headed,
    list_of,
    page,
    remark_item,
    scrolled,
    section,
    setting_section,
    validity,
    verdict_card,
)
from tgicli.bench.report.point import point_section
from tgicli.bench.report.svg import element, escaped, number_text
from tgicli.bench.report.tables import METRICS, figures_table
from tgicli.bench.result import (
    Estimate,
    PointResult,
    Remark,
    Result,
    Severity,
    WindowFigures,
)


def to_html(result: Result, records: Iterable[Record] = ()) -> str:
    """Return the page. Without records there are no distributions and no timelines."""
    by_point: dict[int, list[Record]] = {}
    for record in records:
        by_point.setdefault(record.point, []).append(record)
    points = "".join(
        point_section(f"point-{n}", point, by_point.get(n, []))
        for n, point in enumerate(result.points)
    )
    setting = result.setting
    main = element(
        "main",
        _verdict(result),
        setting_section(setting),
        section(
            "figures", "Figures", scrolled(figures_table(result.points), "Figures of all points")
        ),
        _loads(result.points),
        points,
        _check(result.check),
    )
    when = f"{setting.target} ({setting.server}), {setting.started_at}, tgicli {setting.tgicli}"
    header = headed(f"Load on {setting.model}", when)
    return page(f"tgicli bench: {setting.model}", header + main + _meanings(result))


def _check(check: CheckResult | None) -> str:
    if check is None:
        return ""
    items = "".join(element("li", escaped(words)) for words in check_words(check))
    return section("text", "The answers' text under load", element("ul", items))


def _verdict(result: Result) -> str:
    """Say first whether to believe the rest."""
    remarks = [(point, remark) for point in result.points for remark in point.remarks]
    word, look = validity({remark.severity for _, remark in remarks})
    n_points = len(result.points)
    items = "".join(
        remark_item(remark, "" if len(names) == n_points else ", ".join(names))
        for remark, names in _told(remarks)
    )
    return verdict_card("Validity", word, look, _health(result.points), items)


def _told(remarks: Iterable[tuple[PointResult, Remark]]) -> list[tuple[Remark, list[str]]]:
    """Return each remark once, worst first, with the points it is about."""
    names: dict[Remark, list[str]] = {}
    for point, remark in remarks:
        names.setdefault(remark, []).append(point.name)
    order = [Severity.INVALID, Severity.WARNING, Severity.NOTE]
    return sorted(names.items(), key=lambda pair: order.index(pair[0].severity))


def _health(points: Sequence[PointResult]) -> list[str]:
    """Return the run's first line: what speaks for its figures and against them."""
    if not points:
        return ["nothing was measured"]
    all_figures = [point.figures for point in points]
    cpu = max(point.client.cpu_share for point in points)
    lag_ms = max(point.client.lag_p99_ms for point in points)
    hits = [f.cache_hit_share for f in all_figures if f.cache_hit_share is not None]
    offered = [f for f in all_figures if f.rps_offered is not None]
    facts = [f"client {100 * cpu:.0f} % CPU, loop p99 {number_text(lag_ms)} ms"]
    if offered:
        wanted = " / ".join(number_text(f.rps_offered or 0) for f in offered)
        achieved = " / ".join(number_text(f.rps_achieved) for f in offered)
        facts.append(f"offered {wanted}, achieved {achieved} requests/s")
    return [
        *facts,
        f"{sum(point.n_dropped for point in points):,} dropped",
        f"{sum(point.full.n_errors for point in points):,} errors",
        f"{sum(point.full.n_busy for point in points):,} refused as busy",
        f"{sum(point.full.n_cut for point in points):,} cut off",
        f"cache {100 * max(hits):.0f} %" if hits else "cache not told",
    ]


def _loads(points: Sequence[PointResult]) -> str:
    """Return latency and throughput against load, over all points; empty for a single one."""
    loads = [point.concurrency or point.rate for point in points]
    known = [(load, point) for load, point in zip(loads, points, strict=True) if load]
    kinds = {point.concurrency is None for _, point in known}
    if len(known) < 2 or len(kinds) > 1:
        return ""
    label = "requests a second, offered" if True in kinds else "requests at once"
    at, shown = [load for load, _ in known], [point.figures for _, point in known]
    first = shown_time("ttft_ms", is_open=True in kinds)
    charts = [
        _load_chart("load-ttft", first, at, shown, label),
        _load_chart("load-tpot", "tpot_ms", at, shown, label),
        over_load(
            "load-tps",
            "Throughput against load",
            at,
            [Series(name="tokens/s", estimates=tuple(f.output_tps for f in shown))],
            (label, "tokens a second"),
        ),
        over_load(
            "load-rps",
            "Answers against load",
            at,
            [Series(name="answers/s", estimates=tuple(Estimate(f.rps_achieved) for f in shown))],
            (label, "answers a second"),
        ),
    ]
    captions = (
        f"{METRICS[first][0]} against load",
        "TPOT against load",
        "Throughput against load",
        "Answers against load",
    )
    figures = map(figure, captions, charts)
    return section("loads", "Against load", element("div", *figures, class_="charts"))


def _load_chart(
    name: str, metric: str, at: Sequence[float], shown: Sequence[WindowFigures], label: str
) -> str:
    samples = [figures.metrics.get(metric) for figures in shown]
    series = [
        Series(
            name=quantile,
            estimates=tuple(s.quantiles.get(quantile) if s else None for s in samples),
        )
        for quantile in ("p50", "p90")
    ]
    known = [one for one in series if any(one.estimates)]
    title = f"{METRICS[metric][0]} against load"
    return over_load(name, title, at, known, (label, f"{METRICS[metric][0]}, ms"))


def _meanings(result: Result) -> str:
    known = {name for point in result.points for name in point.figures.metrics}
    words = {label: meaning for name, (label, meaning) in METRICS.items() if name in known}
    return element("footer", element("h2", "What the words mean"), list_of(words))
