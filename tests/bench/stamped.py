"""Records with stamps to the millisecond, and runs and points of them, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tgicli.bench.plan import Closed, Open, Point
from tgicli.bench.record import Chunk, Outcome, Record, TokenSource
from tgicli.bench.recording import Measured, PointRun
from tgicli.bench.result import ClientHealth, PointResult, Severity
from tgicli.bench.summary import summarize_point

MS, SECOND = 1_000_000, 1_000_000_000
HEALTHY = ClientHealth(
    cpu_share=0.1,
    lag_p50_ms=0.1,
    lag_p99_ms=0.4,
    lag_max_ms=1.0,
    gc_ms=0.0,
    n_connections=4,
    host_load=None,
)


def pieces(*at_ms: float, n_tokens: int = 1) -> tuple[Chunk, ...]:
    """Return pieces of visible text at these times, each in a read of its own."""
    return tuple(Chunk(round(at * MS), n_tokens, 4, False, k) for k, at in enumerate(at_ms))


def record(*, send_ms: float = 0, chunks: tuple[Chunk, ...] = (), **changes: Any) -> Record:
    """Return an answered request, which ends 1 ms after its last piece."""
    send_ns = round(send_ms * MS)
    values: dict[str, Any] = {
        "index": 0,
        "send_ns": send_ns,
        "chunks": chunks,
        "end_ns": (chunks[-1].at_ns if chunks else send_ns) + MS,
        "n_events": len(chunks),
        "n_reads": len(chunks),
        "outcome": Outcome.OK,
        "finish_reason": "length",
        "n_prompt_tokens": 100,
        "n_tokens": sum(chunk.n_tokens for chunk in chunks) or len(chunks),
        "token_source": TokenSource.USAGE,
    }
    return Record(**values | changes)


def answer(
    send_ms: float, *, ttft_ms: float = 100, gap_ms: float = 10, n_tokens: int = 11, **changes: Any
) -> Record:
    """Return a request answered at an even pace, one token a piece."""
    at_ms = [send_ms + ttft_ms + k * gap_ms for k in range(n_tokens)]
    return record(send_ms=send_ms, chunks=pieces(*at_ms), **changes)


def users(n_users: int, *, n_each: int = 40, first_ms: float = 0, **changes: Any) -> list[Record]:
    """Return the answers of users who ask again 1 ms after each: 201 ms for each answer."""
    return [
        answer(first_ms + 7 * user + 202 * turn, **changes)
        for user in range(n_users)
        for turn in range(n_each)
    ]


def arrivals(offsets_ms: Sequence[float], **changes: Any) -> list[Record]:
    """Return the answers to requests that were sent when the plan wanted them sent."""
    return [answer(at, sched_ns=round(at * MS), **changes) for at in offsets_ms]


def run_of(
    records: Sequence[Record],
    *,
    warm_ms: float = 0,
    end_ms: float | None = None,
    n_dropped: int = 0,
    n_late: int = 0,
    client: ClientHealth = HEALTHY,
) -> PointRun:
    """Return a run that was warm at once, and sent nothing after its last request."""
    last_ns = max((r.send_ns for r in records), default=0)
    return PointRun(
        records=tuple(records),
        warm_ns=round(warm_ms * MS),
        end_ns=last_ns if end_ms is None else round(end_ms * MS),
        n_dropped=n_dropped,
        n_late=n_late,
        client=client,
    )


def closed(concurrency: int) -> Point:
    """Return a point of so many users."""
    return Point(name=f"concurrency {concurrency}", load=Closed(concurrency))


def opened(
    offsets_ms: Sequence[float], *, arrival: str = "constant", max_in_flight: int | None = None
) -> Point:
    """Return a point of requests at these times."""
    load = Open(
        rate=1000 * len(offsets_ms) / (max(offsets_ms) or 1),
        arrival=arrival,
        offsets_ns=tuple(round(at * MS) for at in offsets_ms),
        max_in_flight=max_in_flight,
    )
    return Point(name="open", load=load)


def result_of(records: Sequence[Record], point: Point, **changes: Any) -> PointResult:
    """Sum up a run of these records."""
    options: dict[str, Any] = {"slo": None, "is_same_host": False}
    options |= {name: changes.pop(name) for name in list(changes) if name in options}
    floor = changes.pop("floor", None)
    run = run_of(records, **changes)
    return summarize_point(Measured(point=point, runs=(run,), floor=floor), **options)


def remarks(result: PointResult, severity: Severity) -> str:
    """Return the words of all remarks of a severity."""
    return "\n".join(r.text for r in result.remarks if r.severity is severity)
