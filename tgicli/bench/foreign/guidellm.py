"""Read what guidellm has written as JSON: a report with one benchmark for each load.

Pure. Names are those of guidellm/benchmark/schemas (read at 0.8.1). Intervals are its own.
"""

from __future__ import annotations

import json

from tgicli.bench.comparable import Comparable, LoadFigures
from tgicli.bench.foreign.told import (
    at,
    closed,
    failures,
    number,
    of_summary,
    opened,
    single,
    text,
)
from tgicli.bench.result import Estimate

TOOL = "guidellm"
_METRICS = {  # by our names; and how many of ours one of theirs is
    "ttft_ms": ("time_to_first_token_ms", 1.0),
    "ttfo_ms": ("time_to_first_output_token_ms", 1.0),
    "tpot_ms": ("inter_token_latency_ms", 1.0),
    "ntpot_ms": ("time_per_output_token_ms", 1.0),
    "e2e_ms": ("request_latency", 1000.0),
}
_QUANTILES = {"p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99", "p99.9": "p999"}
_MEANINGS = (
    "TPOT is what it calls inter-token latency: a request counts as often as it has tokens",
    "end to end is until the request's end, not its last text",
    "output_tps is over the whole run, unless it was told to leave out its beginning and its end",
)


def is_guidellm(told: object) -> bool:
    """Whether this is such a report."""
    return at(told, "benchmarks", 0, "metrics", "request_totals") is not None


def from_guidellm(told: object) -> Comparable:
    """Return what a report tells."""
    benchmarks = at(told, "benchmarks")
    assert isinstance(benchmarks, list)
    return Comparable(
        tool=TOOL,
        model=text(benchmarks[0], "config", "backend", "model"),
        options={
            "data": json.dumps(at(told, "config", "spec", "data")),
            "request_format": text(benchmarks[0], "config", "backend", "request_format"),
        },
        surroundings={
            "guidellm": text(told, "metadata", "guidellm_version"),
            "Python": text(told, "metadata", "python_version"),
        },
        points=tuple(map(_point, benchmarks)),
        meanings=_MEANINGS,
    )


def _point(told: object) -> LoadFigures:
    name, load = _load(at(told, "config", "strategy"))
    metrics = at(told, "metrics")
    totals = at(metrics, "request_totals")
    return LoadFigures(
        name=name,
        load=load,
        figures={
            **single("output_tps", number(metrics, "output_tokens_per_second", "total", "mean")),
            **single("rps_achieved", number(metrics, "requests_per_second", "successful", "mean")),
            **_summaries(metrics),
        },
        mean_prompt_tokens=number(metrics, "prompt_token_count", "successful", "mean"),
        mean_new_tokens=number(metrics, "output_token_count", "successful", "mean"),
        remarks=tuple(failures(number(totals, "successful"), number(totals, "errored"))),
    )


def _load(strategy: object) -> tuple[str, str]:
    kind, rate = text(strategy, "type_"), number(strategy, "rate")
    if kind == "synchronous":
        return closed(1)
    if kind == "concurrent" and (n_users := number(strategy, "streams")) is not None:
        return closed(n_users)
    if kind in ("constant", "poisson") and rate is not None:
        return opened(rate, kind)
    return kind, kind


def _summaries(metrics: object) -> dict[str, Estimate]:
    found: dict[str, Estimate] = {}
    for ours, (theirs, factor) in _METRICS.items():
        told = at(metrics, theirs, "successful")
        quantiles = {
            name: _estimate(told, ("percentiles", spelled), ("percentile_cis", spelled), factor)
            for name, spelled in _QUANTILES.items()
        }
        mean = _estimate(told, ("mean",), ("mean_ci",), factor)
        found |= of_summary(ours, mean=mean, quantiles=quantiles)
    return found


def _estimate(
    told: object, value: tuple[str, ...], interval: tuple[str, ...], factor: float
) -> Estimate:
    low, high = (number(told, *interval, end) for end in ("lower", "upper"))
    return Estimate(number(told, *value), low, high).times(factor)
