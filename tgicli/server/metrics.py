"""What Prometheus scrapes, under TGI's names.

Called by the server on the event loop's thread. Keeps its own registry, so that two servers in one
process never meet. Never computes what it was not told, never keeps a prompt.

Each `request_started` is followed by exactly one of `refused`, `cancelled` and `finished`, also
where a request is turned away at the door.

Counters have no `_total` at their end, as TGI's. A batch of the method `prefill` is one chunk of a
prompt, as where TGI cuts prompts; one of `decode` is what is decoded together. What TGI has and we
do not, because there would be nothing true to say:
    tgi_batch_next_size: who is admitted has a lane, not a batch
    tgi_batch_concat, tgi_batch_concat_duration, tgi_batch_filter_duration: ours need neither
    tgi_request_skipped_tokens: nothing is decoded by speculation
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from tgicli.core import Finish
from tgicli.errors import (
    DeadlineExceeded,
    Overloaded,
    RequestError,
    StreamBroken,
    TemplateFailed,
    TgicliError,
    Unreachable,
)
from tgicli.stats import DURATION_BOUNDS_S, BackendStats, Batches, Durations
from tgicli.wire.limits import Limits

CONTENT_TYPE = "text/plain; charset=utf-8"

_N_TOKEN_BUCKETS = 100
_DROPPED = "dropped"  # its reader went away
_FAILURES = ("validation", "template", "overloaded", "generation", "incomplete", _DROPPED)


class Metrics:
    """Counts requests, and writes the counts down."""

    def __init__(self, limits: Limits) -> None:
        self.n_generated_tokens = 0  # counted as they come
        self._max_total_tokens = limits.max_total_tokens
        self._registry = CollectorRegistry(auto_describe=False)
        self._started = self._counter("tgi_request_count", "Requests for an answer")
        self._succeeded = self._counter("tgi_request_success", "Requests that were answered")
        self._failed = self._counter("tgi_request_failure", "Requests that failed", "err")
        for word in _FAILURES:
            self._failed.labels(word)  # a rate needs the zero before the first failure
        self._duration = self._durations("tgi_request_duration", "From arrival to last token")
        self._validation = self._durations(
            "tgi_request_validation_duration", "From arrival to acceptance"
        )
        self._queue = self._durations(
            "tgi_request_queue_duration", "From acceptance to the first computed step"
        )
        self._inference = self._durations(
            "tgi_request_inference_duration", "From the first computed step to the last token"
        )
        self._per_token = self._durations(
            "tgi_request_mean_time_per_token_duration", "Inference duration by generated token"
        )
        self._input = self._lengths(
            "tgi_request_input_length", "Prompt tokens", limits.max_input_tokens
        )
        self._generated = self._lengths(
            "tgi_request_generated_tokens", "Generated tokens", limits.max_total_tokens
        )
        self._wanted = self._lengths(
            "tgi_request_max_new_tokens", "Wanted tokens at most", limits.max_total_tokens
        )
        self._rejections = self._counter(
            "tgicli_rejections", "Requests refused before anything was computed", "reason"
        )
        self._cancellations = self._counter(
            "tgicli_cancellations", "Requests whose reader went away"
        )
        self._stalled = self._counter(
            "tgicli_stalled_readers", "Requests cancelled because their reader took nothing"
        )

    def request_started(self) -> None:
        """Count a request that arrived, whatever becomes of it."""
        self._started.inc()

    def validated(self, duration_s: float) -> None:
        """Record how long it took to accept a request."""
        self._validation.observe(duration_s)

    def refused(self, error: TgicliError) -> None:
        """Count a request that failed, before its first token or after."""
        self._failed.labels(_failure_of(error)).inc()
        if isinstance(error, (RequestError, Overloaded)):
            self._rejections.labels(_snake_case(type(error).__name__)).inc()

    def cancelled(self) -> None:
        """Count a request whose reader went away."""
        self._failed.labels(_DROPPED).inc()
        self._cancellations.inc()

    def stalled_reader(self) -> None:
        """Count a reader that took nothing for too long; its request is `cancelled` besides."""
        self._stalled.inc()

    def generated(self, n_tokens: int) -> None:
        """Count tokens of an answer that may not be complete yet."""
        self.n_generated_tokens += n_tokens

    def finished(self, finish: Finish, *, duration_s: float, max_new_tokens: int | None) -> None:
        """Record a request that was answered. `max_new_tokens` is what it asked for."""
        inference_s = finish.prefill_s + finish.decode_s
        self._succeeded.inc()
        self._duration.observe(duration_s)
        self._queue.observe(finish.queue_s)
        self._inference.observe(inference_s)
        self._per_token.observe(inference_s / max(finish.n_generated_tokens, 1))
        self._input.observe(finish.n_prompt_tokens)
        self._generated.observe(finish.n_generated_tokens)
        n_left = self._max_total_tokens - finish.n_prompt_tokens
        self._wanted.observe(n_left if max_new_tokens is None else max_new_tokens)

    def expose(self, stats: BackendStats) -> bytes:
        """Write all metrics in Prometheus' text format, for `CONTENT_TYPE`."""
        generated = CounterMetricFamily(
            "tgicli_generated_tokens", "Tokens generated, as they come", self.n_generated_tokens
        )
        families = [*self._registry.collect(), generated, *_families(stats)]
        return "".join(line for family in families for line in _lines(family)).encode()

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self._registry)

    def _durations(self, name: str, meaning: str) -> Histogram:
        return Histogram(
            name, f"{meaning}, seconds", registry=self._registry, buckets=DURATION_BOUNDS_S
        )

    def _lengths(self, name: str, meaning: str, longest: int) -> Histogram:
        buckets = [longest / _N_TOKEN_BUCKETS * (n + 1) for n in range(_N_TOKEN_BUCKETS)]
        return Histogram(name, f"{meaning} of a request", registry=self._registry, buckets=buckets)


def _failure_of(error: TgicliError) -> str:
    """Return TGI's word; it has none for an error of the server itself, which is `generation`."""
    match error:
        case TemplateFailed():
            return "template"
        case RequestError():
            return "validation"
        case Overloaded():
            return "overloaded"
        case StreamBroken() | Unreachable() | DeadlineExceeded():
            return "incomplete"
        case _:
            return "generation"


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _families(stats: BackendStats) -> Iterator[Metric]:
    """Yield what only the backend knows."""
    yield GaugeMetricFamily("tgi_queue_size", "Requests that wait", stats.n_waiting)
    yield GaugeMetricFamily("tgi_batch_current_size", "Requests that run", stats.n_running)
    if stats.batches is not None:
        yield from _batch_families(stats.batches)
    yield CounterMetricFamily(
        "tgicli_prompt_tokens", "Prompt tokens of all started requests", stats.n_prompt_tokens
    )
    yield CounterMetricFamily(
        "tgicli_cached_prompt_tokens",
        "Of these, taken from an earlier request's KV cells",
        stats.n_cached_tokens,
    )
    yield GaugeMetricFamily(
        "tgicli_worst_step_seconds", "The longest step that a reader waited for", stats.worst_step_s
    )
    if stats.steps_s > 0:
        share = 1 - stats.decode_s / stats.steps_s
        yield GaugeMetricFamily(
            "tgicli_python_share", "Share of the steps' time outside llama_decode", share
        )


def _batch_families(batches: Batches) -> Iterator[Metric]:
    """Yield what is told of batches, by method, and of the cells that running requests may fill."""
    n_reserved, n_cells = batches.n_reserved_tokens, batches.n_cells
    yield GaugeMetricFamily("tgi_batch_current_max_tokens", "Tokens they may hold", n_reserved)
    yield GaugeMetricFamily("tgi_batch_max_total_tokens", "Tokens that all lanes hold", n_cells)
    kinds = {"prefill": batches.prefill, "decode": batches.decode}
    n_failed = {method: kind.n_failed for method, kind in kinds.items()}
    n_computed = {method: sum(kind.whole.counts) for method, kind in kinds.items()}
    n_all = {method: n_computed[method] + n_failed[method] for method in kinds}
    yield _by_method("tgi_batch_inference_count", "Batches", n_all)
    yield _by_method("tgi_batch_inference_success", "Batches that were computed", n_computed)
    yield _by_method("tgi_batch_inference_failure", "Batches that failed", n_failed)
    wholes = {method: kind.whole for method, kind in kinds.items()}
    forwards = {method: kind.forward for method, kind in kinds.items()}
    samplings = {method: kind.sampling for method, kind in kinds.items()}
    yield _durations_by_method("tgi_batch_inference_duration", "A batch", wholes)
    yield _durations_by_method("tgi_batch_forward_duration", "Its llama_decode", forwards)
    yield _durations_by_method("tgi_batch_decode_duration", "Its sampling", samplings)


def _by_method(name: str, meaning: str, counts: dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, meaning, labels=["method"])
    for method, count in counts.items():
        family.add_metric([method], count)
    return family


def _durations_by_method(name: str, meaning: str, told: dict[str, Durations]) -> Metric:
    family = HistogramMetricFamily(name, f"{meaning}, seconds", labels=["method"])
    for method, durations in told.items():
        family.add_metric([method], _buckets(durations), durations.sum_s)
    return family


def _buckets(durations: Durations) -> list[tuple[str, float]]:
    """Return (upper bound, how many were within it), as Prometheus has them."""
    bounds = [*map(str, DURATION_BOUNDS_S), "+Inf"]
    return list(zip(bounds, itertools.accumulate(durations.counts), strict=True))


def _lines(family: Metric) -> Iterator[str]:
    """Yield a family's lines. The library's own writer insists on `_total`."""
    yield f"# HELP {family.name} {family.documentation}\n# TYPE {family.name} {family.type}\n"
    for sample in family.samples:
        if not sample.name.endswith("_created"):  # OpenMetrics'; TGI has none
            # NOTE: nothing is escaped; all words here are ours.
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            name = sample.name.removesuffix("_total") + (f"{{{labels}}}" if labels else "")
            yield f"{name} {sample.value:.16g}\n"
