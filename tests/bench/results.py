"""Made-up runs: records as a busy server gives them, and results with figures in proportion.

The same seed gives the same run. The figures are computed in the simplest way that is right, so
that what shows a result can be tested without what makes one.
"""

from __future__ import annotations

import math
import random
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from tgicli.bench.record import Chunk, Outcome, Record, TokenSource
from tgicli.bench.result import (
    ClientHealth,
    Distribution,
    Estimate,
    Floor,
    PointResult,
    Remark,
    Result,
    Setting,
    Severity,
    WindowFigures,
)
from tgicli.bench.verdict import Ratio

MS, SECOND = 1_000_000, 1_000_000_000
LEAST = {"p50": 6, "p90": 36, "p95": 72, "p99": 368, "p99.9": 3688}
SETTING = Setting(
    target="http://127.0.0.1:8080",
    server="llama-server",
    model="SmolLM2-135M-Instruct.Q4_1.gguf",
    command="tgicli bench http://127.0.0.1:8080 --concurrency 1,4,16 --duration 30 --seed 7",
    seed=7,
    started_at="2026-03-01T12:00:00+00:00",
    tgicli="0.1.0",
    python="3.11.2",
    machine="Linux x86_64, AMD EPYC",
    n_cores=2,
    is_same_host=True,
    options={"prompt_tokens": "256", "output_tokens": "128", "temperature": 0.0, "repeat": 1},
)
HEALTH = ClientHealth(
    cpu_share=0.12,
    lag_p50_ms=0.1,
    lag_p99_ms=0.4,
    lag_max_ms=2.3,
    gc_ms=0.0,
    n_connections=4,
    host_load=1.9,
)
FLOOR = Floor(
    n_streams=4,
    ttft_added_p50_ms=0.9,
    ttft_added_p99_ms=2.1,
    icl_added_p50_ms=0.05,
    icl_added_p99_ms=0.6,
)


def answer(
    rng: random.Random,
    *,
    send_ns: int,
    ttft_ms: float,
    gap_ms: float,
    n_tokens: int,
    **changes: Any,
) -> Record:
    """Return an answered request: about these times, and now and then a pause."""
    at_ns = send_ns + round(ttft_ms * rng.lognormvariate(0, 0.25) * MS)
    chunks = []
    for n in range(n_tokens):
        chunks.append(Chunk(at_ns, 1, 5, False, n))
        pause = 12 if rng.random() < 0.004 else 1
        at_ns += round(gap_ms * rng.lognormvariate(0, 0.12) * pause * MS)
    record = Record(
        index=0,
        send_ns=send_ns,
        head_ns=send_ns + 2 * MS,
        first_event_ns=chunks[0].at_ns,
        chunks=tuple(chunks),
        end_ns=chunks[-1].at_ns + MS // 5,
        n_events=n_tokens + 2,
        n_reads=n_tokens,
        outcome=Outcome.OK,
        finish_reason="length",
        n_prompt_tokens=256,
        n_tokens=n_tokens,
        token_source=TokenSource.USAGE,
        n_prompt_asked=256,
        n_new_asked=128,
    )
    return replace(record, **changes)


def closed_records(
    concurrency: int, *, point: int = 0, begin_s: float = 0.0, seconds: float = 20.0, seed: int = 7
) -> list[Record]:
    """Return what so many users got who ask again once answered."""
    rng = random.Random(f"{seed}/{concurrency}")
    records: list[Record] = []
    for user in range(concurrency):
        send_ns = round((begin_s + 0.05 * user) * SECOND)
        while send_ns < (begin_s + seconds) * SECOND:
            record = answer(
                rng,
                send_ns=send_ns,
                ttft_ms=90 + 55 * concurrency,
                gap_ms=9 + 1.6 * concurrency,
                n_tokens=rng.randint(48, 80),
                point=point,
            )
            records.append(record)
            send_ns = record.end_ns + MS
    records.sort(key=lambda record: record.send_ns)
    return [replace(record, index=n) for n, record in enumerate(records)]


def open_records(
    rate: float, *, point: int = 0, seconds: float = 20.0, seed: int = 7
) -> list[Record]:
    """Return what requests got that were sent at a rate, whatever became of those before."""
    rng = random.Random(f"{seed}/{rate}")
    records: list[Record] = []
    at_s = 0.0
    while (at_s := at_s + rng.expovariate(rate)) < seconds:
        record = answer(
            rng,
            send_ns=round(at_s * SECOND) + rng.randrange(MS),
            ttft_ms=90 + 40 * rate,
            gap_ms=9 + 2 * rate,
            n_tokens=rng.randint(48, 80),
            index=len(records),
            point=point,
            sched_ns=round(at_s * SECOND),
        )
        records.append(record)
    return records


def failed(record: Record, outcome: Outcome = Outcome.ERROR, n_chunks: int = 10) -> Record:
    """Return the request as it were, had it ended after so many chunks."""
    chunks = record.chunks[:n_chunks]
    return replace(
        record,
        outcome=outcome,
        chunks=chunks,
        n_tokens=len(chunks),
        end_ns=chunks[-1].at_ns if chunks else record.send_ns + 3 * MS,
        first_event_ns=record.first_event_ns if chunks else None,
        finish_reason=None,
        error="" if outcome is Outcome.CUT else "StreamBroken",
        message="" if outcome is Outcome.CUT else "the stream ended without its finish",
    )


def distribution(values: Sequence[float]) -> Distribution:
    """Return a sample's figures; no quantile that it is too small for."""
    ordered = sorted(values)
    n = len(ordered)
    mean = statistics.fmean(ordered)
    sd = statistics.stdev(ordered) if n > 1 else None
    half = 1.96 * sd / math.sqrt(n) if sd is not None else 0.0
    median = statistics.median(ordered)
    return Distribution(
        n=n,
        mean=Estimate(mean, mean - half, mean + half),
        sd=sd,
        min=ordered[0],
        max=ordered[-1],
        mad=statistics.median(abs(value - median) for value in ordered),
        n_outliers=0,
        quantiles={
            name: Estimate(quantile(ordered, float(name[1:]) / 100), *_around(ordered, name))
            for name, least in LEAST.items()
            if n >= least
        },
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile, interpolated."""
    at = share * (len(ordered) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def _around(ordered: Sequence[float], name: str) -> tuple[float, float]:
    share, n = float(name[1:]) / 100, len(ordered)
    half = 1.96 * math.sqrt(share * (1 - share) / n)
    return quantile(ordered, max(share - half, 0)), quantile(ordered, min(share + half, 1))


def window(records: Sequence[Record], **changes: Any) -> WindowFigures:
    """Return the figures of all these records."""
    ok = [record for record in records if record.outcome is Outcome.OK]
    start_s = min(record.send_ns for record in records) / SECOND
    end_s = max(record.end_ns for record in records) / SECOND
    seconds = end_s - start_s
    outcomes = Counter(record.outcome for record in records)
    output_tps = sum(len(record.chunks) for record in records) / seconds
    figures = WindowFigures(
        start_s=start_s,
        end_s=end_s,
        n_requests=len(records),
        n_ok=len(ok),
        n_busy=outcomes[Outcome.BUSY],
        n_errors=outcomes[Outcome.ERROR],
        n_cut=outcomes[Outcome.CUT],
        errors=dict(Counter(record.error for record in records if record.error)),
        problems={},
        metrics=_metrics(ok),
        output_tps=Estimate(output_tps, 0.97 * output_tps, 1.03 * output_tps),
        lost_tps=0.0,
        rps_offered=None,
        rps_sent=len(records) / seconds,
        rps_achieved=len(ok) / seconds,
        concurrency_mean=sum(record.end_ns - record.send_ns for record in records)
        / SECOND
        / seconds,
        goodput_rps=None,
        slo_attainment=None,
        n_undetermined=0,
        finish_reasons=dict(Counter(record.finish_reason or "" for record in ok)),
        token_sources=dict(Counter(record.token_source.value for record in ok)),
        tokens_per_chunk=1.0,
        events_per_read=1.02,
        cache_hit_share=0.0,
        mean_prompt_tokens=256.0,
        mean_new_tokens=64.0,
    )
    return replace(figures, **changes)


def _metrics(ok: Sequence[Record]) -> dict[str, Distribution]:
    samples: dict[str, list[float]] = {"ttft_ms": [], "tpot_ms": [], "icl_ms": [], "e2e_ms": []}
    for record in ok:
        at_ms = [chunk.at_ns / MS for chunk in record.chunks]
        samples["ttft_ms"].append(at_ms[0] - record.send_ns / MS)
        samples["tpot_ms"].append((at_ms[-1] - at_ms[0]) / (len(at_ms) - 1))
        samples["icl_ms"] += [after - before for before, after in pairwise(at_ms)]
        samples["e2e_ms"].append(at_ms[-1] - record.send_ns / MS)
        if record.sched_ns is not None:
            from_sched_ms = at_ms[0] - record.sched_ns / MS
            samples.setdefault("ttft_sched_ms", []).append(from_sched_ms)
            samples.setdefault("e2e_sched_ms", []).append(at_ms[-1] - record.sched_ns / MS)
    return {name: distribution(values) for name, values in samples.items() if values}


def per_second(records: Sequence[Record]) -> tuple[int, ...]:
    """Return how many tokens came in each second since the first was sent."""
    first_ns = min(record.send_ns for record in records)
    counts = Counter(
        (chunk.at_ns - first_ns) // SECOND for record in records for chunk in record.chunks
    )
    return tuple(counts[second] for second in range(max(counts, default=-1) + 1))


def point(records: Sequence[Record], **changes: Any) -> PointResult:
    """Return a closed-loop point's result; other fields by name."""
    full = window(records)
    result = PointResult(
        name="concurrency 4",
        concurrency=4,
        rate=None,
        arrival=None,
        arrival_idc=None,
        n_dropped=0,
        n_late=0,
        full=full,
        steady=window([r for r in records if r.send_ns / SECOND >= full.start_s + 2]),
        excluded_share=0.08,
        client=replace(HEALTH, per_second_tokens=per_second(records)),
        floor=FLOOR,
        remarks=(Remark(Severity.NOTE, "server and client share this machine's 2 cores"),),
    )
    return replace(result, **changes)


def closed_run(*concurrencies: int, seconds: float = 20.0) -> tuple[Result, list[Record]]:
    """Return a run over closed-loop points, and its records."""
    runs = [
        closed_records(n, point=i, begin_s=i * (seconds + 5), seconds=seconds)
        for i, n in enumerate(concurrencies)
    ]
    points = [
        point(records, name=f"concurrency {n}", concurrency=n)
        for n, records in zip(concurrencies, runs, strict=True)
    ]
    return Result(setting=SETTING, points=tuple(points)), [r for records in runs for r in records]


def open_run(*rates: float, seconds: float = 20.0) -> tuple[Result, list[Record]]:
    """Return a run over open-loop points whose last one is invalid, and its records."""
    points: list[PointResult] = []
    everything: list[Record] = []
    for i, rate in enumerate(rates):
        records = open_records(rate, point=i, seconds=seconds)
        records[-3] = failed(records[-3])
        records[-2] = failed(records[-2], Outcome.BUSY, 0)
        records[-1] = failed(records[-1], Outcome.CUT)
        full = window(records, rps_offered=rate, goodput_rps=Estimate(0.8 * rate, 0.7 * rate, rate))
        points.append(
            point(
                records,
                name=f"{rate:g} requests/s",
                concurrency=None,
                rate=rate,
                arrival="poisson",
                arrival_idc=1.04,
                full=full,
                steady=full,
            )
        )
        everything += records
    busy = Remark(Severity.INVALID, "the client used 97 % of a core: the figures are its own")
    warned = Remark(Severity.WARNING, "offered 8, achieved 7.1 requests/s: the backlog grows")
    points[-1] = replace(points[-1], n_dropped=3, n_late=5, remarks=(busy, warned))
    return Result(setting=SETTING, points=tuple(points)), everything


def width(ratio: Ratio) -> float:
    """Return how wide a ratio's interval is, as a logarithm."""
    assert ratio.low is not None
    assert ratio.high is not None
    return math.log(ratio.high / ratio.low)
