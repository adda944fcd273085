"""Read what AIPerf has written as `profile_export_aiperf.json`.

Pure. Names are those of aiperf's JsonExportData (read at schema 1.4), a superset of GenAI-Perf's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from tgicli.bench.comparable import Comparable, LoadFigures
from tgicli.bench.foreign.told import (
    at,
    closed,
    failures,
    mean_of,
    number,
    of_summary,
    opened,
    quantiles_of,
    single,
    text,
)
from tgicli.bench.result import Estimate, Remark, warning

TOOL = "AIPerf"
_METRICS = {
    "ttft_ms": "time_to_first_token",
    "ttfo_ms": "time_to_first_output_token",
    "tpot_ms": "inter_token_latency",
    "icl_ms": "inter_chunk_latency",
    "e2e_ms": "request_latency",
}
_MEANINGS = (
    "TPOT is what it calls inter-token latency",
    "output_tps is over the whole run with its beginning and its end",
)


def is_aiperf(told: object) -> bool:
    """Whether this is such an export."""
    return at(told, "request_throughput", "avg") is not None


def from_aiperf(told: object) -> Comparable:
    """Return what an export tells."""
    config = at(told, "input_config")
    return Comparable(
        tool=TOOL,
        model=text(config, "models", "items", 0, "name"),
        options={
            "endpoint": text(config, "endpoint", "type"),
            "extra": json.dumps(at(config, "endpoint", "extra")),
            "datasets": json.dumps(at(config, "datasets")),
        },
        surroundings={"aiperf": text(told, "aiperf_version")},
        points=(_point(told, at(config, "phases")),),
        meanings=_MEANINGS,
    )


def _point(told: object, phases: object) -> LoadFigures:
    name, load = _load(phases)
    n_ok = number(told, "request_count", "avg")
    return LoadFigures(
        name=name,
        load=load,
        figures={
            **single("output_tps", number(told, "output_token_throughput", "avg")),
            **single("rps_achieved", number(told, "request_throughput", "avg")),
            **single("goodput_rps", number(told, "goodput", "avg")),
            **_summaries(told),
        },
        mean_prompt_tokens=number(told, "input_sequence_length", "avg"),
        mean_new_tokens=number(told, "output_sequence_length", "avg"),
        remarks=tuple(_remarks(told, n_ok)),
    )


def _load(phases: object) -> tuple[str, str]:
    """Read the load that was measured: the last phase, behind those that warm up."""
    phase = phases[-1] if isinstance(phases, list) and phases else None
    rate, n_users = number(phase, "rate"), number(phase, "concurrency")
    if rate is not None:
        return opened(rate, text(phase, "type"))
    if n_users is not None:
        return closed(n_users)
    return "profiling", text(phase, "type")


def _summaries(told: object) -> dict[str, Estimate]:
    found: dict[str, Estimate] = {}
    for ours, theirs in _METRICS.items():
        one = at(told, theirs)
        n = None if ours == "icl_ms" else number(one, "count")  # gaps of one answer hang together
        found |= of_summary(
            ours,
            mean=mean_of(number(one, "avg"), number(one, "std"), n),
            quantiles=quantiles_of(one, {name: name for name in ("p50", "p90", "p95", "p99")}),
        )
    return found


def _remarks(told: object, n_ok: float | None) -> Iterator[Remark]:
    yield from failures(n_ok, number(told, "error_request_count", "avg"))
    if at(told, "was_cancelled") is True:
        yield warning("it was ended early")
