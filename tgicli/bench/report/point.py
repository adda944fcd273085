"""A report's section on one load point: what shaped its figures, its charts, all its metrics.

Used by `page`. Pure. What is drawn is what the figures are of: answered requests that were sent in
the window that is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tgicli.bench.metrics import PER_REQUEST, icl_ms, shown_time
from tgicli.bench.record import NS_PER_S, Outcome, Record
from tgicli.bench.report.charts import Moments, ecdf, histogram, throughput, timeline
from tgicli.bench.report.parts import figure, list_of, scrolled, section
from tgicli.bench.report.svg import element, escaped, number_text
from tgicli.bench.report.tables import metric_label, metrics_table
from tgicli.bench.result import Distribution, Floor, PointResult, WindowFigures
from tgicli.bench.windows import Span, full_span, sent_inside, token_counts

_DRAWN_QUANTILES = ("p50", "p90", "p99")
_KEYS = {
    "wait": "waiting for the first text",
    "bar": "streaming",
    "bad": "failed or refused",
    "cut": "cut by the end of the run",
}


def point_section(name: str, point: PointResult, records: Sequence[Record]) -> str:
    """Return the section; `name` is its own on the page. Records may be missing."""
    charts = [*_distributions(name, point, records), *_over_time(name, point, records)]
    missing = "Made without the requests' records: no distributions, no timeline."
    return section(
        name,
        point.name,
        list_of(_facts(point)),
        element("div", *charts, class_="charts") if charts else "",
        "" if records else element("p", missing, class_="quiet"),
        scrolled(metrics_table(point), f"All metrics at {point.name}"),
    )


def _facts(point: PointResult) -> dict[str, str]:
    figures = point.figures
    kind = "steady" if point.steady else "the whole run: it was never steady"
    return {
        "window": f"{figures.duration_s:.1f} s, {kind}",
        "left out of it": f"{100 * point.excluded_share:.0f} % of requests",
        **_first_wave(figures),
        "at once, on average": number_text(figures.concurrency_mean),
        "ended by": _counts(figures.finish_reasons),
        "tokens counted by": _counts(figures.token_sources),
        **_lengths(figures),
        **_arrivals(point),
        **_trouble(figures),
        **(_floor(point.floor) if point.floor else {}),
    }


def _first_wave(figures: WindowFigures) -> dict[str, str]:
    n = figures.n_first_wave
    return {"users' first requests": f"{n:,} of {figures.n_requests:,}"} if n else {}


def _lengths(figures: WindowFigures) -> dict[str, str]:
    if figures.mean_prompt_tokens is None or figures.mean_new_tokens is None:
        return {}
    asked, new = map(number_text, (figures.mean_prompt_tokens, figures.mean_new_tokens))
    return {"tokens, on average": f"{asked} in, {new} out"}


def _arrivals(point: PointResult) -> dict[str, str]:
    if not point.arrival:
        return {}
    idc = "" if point.arrival_idc is None else f", dispersion {number_text(point.arrival_idc)}"
    late = f"{point.n_late:,} late, {point.n_dropped:,} dropped"
    return {"arrivals": f"{point.arrival}{idc}; {late}"}


def _trouble(figures: WindowFigures) -> dict[str, str]:
    kept = figures.slo_attainment.value if figures.slo_attainment else None
    facts = {
        "within the objective": "" if kept is None else f"{100 * kept:.1f} %",
        "errors": _counts(figures.errors) if figures.errors else "",
        "framing": _counts(figures.problems) if figures.problems else "",
    }
    return {name: value for name, value in facts.items() if value}


def _floor(floor: Floor) -> dict[str, str]:
    first, gap, first_p99, gap_p99 = map(
        number_text,
        (
            floor.ttft_added_p50_ms,
            floor.icl_added_p50_ms,
            floor.ttft_added_p99_ms,
            floor.icl_added_p99_ms,
        ),
    )
    words = f"TTFT {first} ms, gap {gap} ms; p99 {first_p99} and {gap_p99} ms"
    return {"the client alone adds": words}


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "nothing"


def _distributions(name: str, point: PointResult, records: Sequence[Record]) -> Iterator[str]:
    figures, first = point.figures, shown_time("ttft_ms", is_open=point.is_open)
    span = Span(round(figures.start_s * NS_PER_S), round(figures.end_s * NS_PER_S))
    ok = [r for r in sent_inside(records, span) if r.outcome is Outcome.OK]
    first_ms = [PER_REQUEST[first](record) for record in ok]
    samples = {
        first: [ms for ms in first_ms if ms is not None],
        "icl_ms": [gap for record in ok for gap in icl_ms(record)],
    }
    for metric, values in samples.items():
        if values:
            label, sample = metric_label(metric, figures), figures.metrics.get(metric)
            yield from _pair(f"{name}-{metric}", label, values, sample)


def _pair(
    name: str, label: str, values: Sequence[float], sample: Distribution | None
) -> Iterator[str]:
    """Give a histogram and an ECDF of the same values."""
    quantiles = sample.quantiles if sample else {}
    marks = {
        key: value
        for key in _DRAWN_QUANTILES
        if key in quantiles and (value := quantiles[key].value) is not None
    }
    drawn = f"{len(values):,} values"
    if sample and sample.n != len(values):
        drawn += f"; the figures are of {sample.n:,}, without repeats' warm-ups"
    for kind, draw in (("histogram", histogram), ("ECDF", ecdf)):
        title = f"{label}: {kind}"
        picture = draw(f"{name}-{kind.lower()}", title, values, marks, f"{label}, ms")
        yield figure(escaped(f"{title} of {drawn}"), picture)


def _over_time(name: str, point: PointResult, records: Sequence[Record]) -> Iterator[str]:
    first = [record for record in records if record.block == 0]
    of_repeat = "" if len(first) == len(records) else " in the first repeat"
    counts, end_s = _per_second(point, first)
    moments = Moments(end_s=end_s, shaded=None if of_repeat else _measured(point, len(counts)))
    if counts:
        speed = point.figures.output_tps.value
        title = f"Tokens a second{of_repeat}"
        about = "; shaded: measured; dashed: the mean" if moments.shaded else "; dashed: the mean"
        picture = throughput(f"{name}-tps", title, counts, speed, moments)
        yield figure(escaped(title + about), picture, is_wide=True)
    if first:
        title = f"Requests over time{of_repeat}"
        picture, n_drawn = timeline(f"{name}-time", title, first, moments)
        part = "" if n_drawn == len(first) else f", the first {n_drawn:,} of {len(first):,}"
        yield figure(escaped(f"{title}{part}: ") + _key(), picture, is_wide=True)


def _per_second(point: PointResult, records: Sequence[Record]) -> tuple[Sequence[float], float]:
    """Return tokens by arrival in each second, and when the last request ended."""
    if not records:
        counts = point.client.per_second_tokens
        return counts, float(len(counts))
    span = full_span(records)
    assert span is not None  # there are records
    last_ns = max(record.end_ns for record in records)
    end_s = (last_ns - span.start_ns) / NS_PER_S
    n_seconds = max(int(end_s), 1)  # a second that was not whole would look like a slow one
    whole = Span(span.start_ns, span.start_ns + n_seconds * NS_PER_S)
    return token_counts(records, whole, n_seconds), end_s


def _measured(point: PointResult, n_seconds: int) -> tuple[float, float] | None:
    """Return the window in seconds since the point began; None: there were repeats."""
    began_s, figures = point.full.start_s, point.figures
    if point.full.end_s - began_s > n_seconds + 1:
        return None
    return figures.start_s - began_s, figures.end_s - began_s


def _key() -> str:
    return "".join(
        element("span", class_=f"key {look}") + escaped(words) for look, words in _KEYS.items()
    )
