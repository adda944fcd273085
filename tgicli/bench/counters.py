"""What a server counts itself, on its page for Prometheus, beside what its client measured.

The page is read before and after a load point; the differences are the server's own means. Called
by the job that measures (reading) and by validity (comparing). Pure. Names by source: TGI's
router/src/server.rs, vLLM's v1/metrics/loggers.py, SGLang's metrics/collector.py; `tgicli serve`
has TGI's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tgicli.bench.result import Distribution, Remark, WindowFigures, note, warning

MAX_DIFFERENCE = 0.10
# A figure, and the histograms that hold it, in seconds.
_HISTOGRAMS: Mapping[str, tuple[str, ...]] = {
    "ttft_ms": ("vllm:time_to_first_token_seconds", "sglang:time_to_first_token_seconds"),
    "e2e_ms": (
        "tgi_request_duration",
        "vllm:e2e_request_latency_seconds",
        "sglang:e2e_request_latency_seconds",
    ),
    "queue_ms": (
        "tgi_request_queue_duration",
        "vllm:request_queue_time_seconds",
        "sglang:queue_time_seconds",
    ),
}
_MS_PER_S = 1000.0


@dataclass(frozen=True, slots=True)
class Count:
    """Some requests, and what they took together."""

    n: int = 0
    total_ms: float = 0.0

    def __add__(self, other: Count) -> Count:
        return Count(self.n + other.n, self.total_ms + other.total_ms)

    def __sub__(self, other: Count) -> Count:
        return Count(self.n - other.n, self.total_ms - other.total_ms)


@dataclass(frozen=True, slots=True)
class Counted:
    """What a server counted while a load was held."""

    n_sent: int  # requests, those included that only held the load
    counts: Mapping[str, Count]  # by figure: "queue_ms"


def read_counters(page: str) -> dict[str, Count]:
    """Return the counts of a page in Prometheus' text format; none where it is something else."""
    from prometheus_client.parser import text_string_to_metric_families

    samples: dict[str, float] = {}
    try:
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                samples[sample.name] = samples.get(sample.name, 0.0) + sample.value
    except ValueError:
        return {}
    return {
        figure: Count(round(samples[f"{name}_count"]), samples[f"{name}_sum"] * _MS_PER_S)
        for figure, names in _HISTOGRAMS.items()
        for name in names
        if f"{name}_count" in samples and f"{name}_sum" in samples
    }


def grown(before: Mapping[str, Count], after: Mapping[str, Count]) -> dict[str, Count]:
    """Return what came between two readings; nothing of a server that was started meanwhile."""
    differences = {figure: count - before.get(figure, Count()) for figure, count in after.items()}
    return {figure: new for figure, new in differences.items() if new.n > 0 and new.total_ms >= 0}


def counter_remarks(full: WindowFigures, repeats: Iterable[Counted | None]) -> Iterator[Remark]:
    """Yield where a server's own means are others than ours, and what it alone can know."""
    counted = [one for one in repeats if one is not None and one.counts]
    n_sent = sum(one.n_sent for one in counted)
    counts: dict[str, Count] = {}
    for figure, count in (item for one in counted for item in one.counts.items()):
        counts[figure] = counts.get(figure, Count()) + count
    n_most = max((count.n for count in counts.values()), default=0)
    if n_most > n_sent:
        yield warning(
            f"the server had {n_most} requests meanwhile, and only {n_sent} of them came from here:"
            " somebody else used it",
        )
        return
    for figure, count in counts.items():
        yield from _compared(figure, full.metrics.get(figure), count.total_ms / count.n)
    if queued := counts.get("queue_ms"):
        yield note(
            "by the server's own counters a request waited"
            f" {queued.total_ms / queued.n:.1f} ms on average until it was begun",
        )


def _compared(figure: str, ours: Distribution | None, told_ms: float) -> Iterator[Remark]:
    if ours is None or not ours.mean.value or not told_ms:
        return
    difference = ours.mean.value / told_ms - 1
    if abs(difference) > MAX_DIFFERENCE:
        yield warning(
            f"{figure} is {ours.mean.value:.1f} on average here and {told_ms:.1f} by the server's"
            f" own counters ({difference:+.0%})",
        )
