from __future__ import annotations

import re
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tgicli.core import Finish, FinishReason
from tgicli.errors import (
    BodyTooLarge,
    ContextOverflow,
    DeadlineExceeded,
    DecodeFailed,
    GrammarInvalid,
    Overloaded,
    RequestError,
    StreamBroken,
    TemplateFailed,
    TgicliError,
    Unreachable,
)
from tgicli.server.answering import QueueWaitExceeded
from tgicli.server.metrics import CONTENT_TYPE, Metrics
from tgicli.stats import BackendStats, Batches, BatchStats, Durations
from tgicli.wire.limits import Limits

LIMITS = Limits(max_total_tokens=2000, max_input_tokens=1000)
IDLE = BackendStats(n_waiting=0, n_running=0)
FINISH = Finish(
    tokens=(),
    reason=FinishReason.LENGTH,
    n_prompt_tokens=45,
    n_cached_tokens=40,
    n_generated_tokens=8,
    seed=None,
    queue_s=0.5,
    prefill_s=1.0,
    decode_s=3.0,
)
UNKNOWN_TO_US = [
    "tgi_batch_filter",
    "tgi_batch_concat",
    "tgi_batch_next_size",
    "tgi_request_skipped_tokens",
]


def lines_of(metrics: Metrics, stats: BackendStats = IDLE) -> list[str]:
    """Return what is scraped, without the comments."""
    lines = metrics.expose(stats).decode().splitlines()
    return [line for line in lines if not line.startswith("#")]


def value_of(metrics: Metrics, sample: str, stats: BackendStats = IDLE) -> float:
    """Return the value of one line, named as it is written."""
    (value,) = (
        line.rpartition(" ")[2]
        for line in lines_of(metrics, stats)
        if line.rpartition(" ")[0] == sample
    )
    return float(value)


def bounds_of(metrics: Metrics, name: str) -> list[float]:
    """Return the upper bounds of a histogram's buckets."""
    pattern = re.compile(rf'{name}_bucket{{le="(.+)"}} ')
    return [float(m[1]) for line in lines_of(metrics) if (m := pattern.match(line))]


def test_counters_have_tgi_s_names_and_no_total() -> None:
    metrics = Metrics(LIMITS)
    for _ in range(3):
        metrics.request_started()

    text = metrics.expose(IDLE).decode()

    assert "# TYPE tgi_request_count counter\ntgi_request_count 3\n" in text
    assert "_total " not in text
    assert "_created" not in text


def test_prometheus_can_read_it() -> None:
    metrics = Metrics(LIMITS)
    metrics.refused(ContextOverflow("too long"))
    metrics.finished(FINISH, duration_s=4.6, max_new_tokens=8)

    families = list(text_string_to_metric_families(metrics.expose(IDLE).decode()))

    types = {family.name: family.type for family in families}
    assert types["tgi_request_failure"] == "counter"
    assert types["tgi_request_duration"] == "histogram"
    assert types["tgi_queue_size"] == "gauge"
    assert "unknown" not in types.values()
    assert all(family.documentation for family in families)
    assert CONTENT_TYPE.startswith("text/plain")


def test_a_finished_request_is_in_every_histogram() -> None:
    metrics = Metrics(LIMITS)

    metrics.validated(0.01)
    metrics.finished(FINISH, duration_s=4.6, max_new_tokens=16)

    sums = {
        "tgi_request_duration": 4.6,
        "tgi_request_validation_duration": 0.01,
        "tgi_request_queue_duration": 0.5,
        "tgi_request_inference_duration": 4.0,
        "tgi_request_mean_time_per_token_duration": 0.5,
        "tgi_request_input_length": 45,
        "tgi_request_generated_tokens": 8,
        "tgi_request_max_new_tokens": 16,
    }
    assert {name: value_of(metrics, f"{name}_sum") for name in sums} == sums
    assert {value_of(metrics, f"{name}_count") for name in sums} == {1}
    assert value_of(metrics, "tgi_request_success") == 1


def test_tokens_are_counted_before_their_answer_is_complete() -> None:
    metrics = Metrics(LIMITS)

    metrics.generated(3)
    metrics.generated(2)

    assert metrics.n_generated_tokens == 5
    assert value_of(metrics, "tgicli_generated_tokens") == 5
    assert value_of(metrics, "tgi_request_generated_tokens_count") == 0


def test_who_asks_for_no_limit_wants_what_the_prompt_leaves() -> None:
    metrics = Metrics(LIMITS)

    metrics.finished(FINISH, duration_s=4.6, max_new_tokens=None)

    assert value_of(metrics, "tgi_request_max_new_tokens_sum") == 2000 - 45


def test_an_answer_without_a_token_has_a_time_per_token() -> None:
    metrics = Metrics(LIMITS)
    silent = Finish(
        tokens=(),
        reason=FinishReason.EOS_TOKEN,
        n_prompt_tokens=45,
        n_cached_tokens=0,
        n_generated_tokens=0,
        seed=None,
        prefill_s=1.0,
    )

    metrics.finished(silent, duration_s=1.0, max_new_tokens=None)

    assert value_of(metrics, "tgi_request_mean_time_per_token_duration_sum") == 1.0


def test_durations_have_tgi_s_35_buckets() -> None:
    bounds = bounds_of(Metrics(LIMITS), "tgi_request_duration")

    assert bounds == pytest.approx([*(0.0001 * 1.5**k for k in range(1, 36)), float("inf")])


@pytest.mark.parametrize(
    ("name", "longest"),
    [
        ("tgi_request_input_length", 1000),
        ("tgi_request_generated_tokens", 2000),
        ("tgi_request_max_new_tokens", 2000),
    ],
)
def test_lengths_have_100_equal_buckets_up_to_the_limit(name: str, longest: int) -> None:
    bounds = bounds_of(Metrics(LIMITS), name)

    assert bounds == pytest.approx([*(longest / 100 * n for n in range(1, 101)), float("inf")])


def test_a_bucket_counts_what_is_at_most_its_bound() -> None:
    metrics = Metrics(LIMITS)

    metrics.finished(FINISH, duration_s=4.6, max_new_tokens=8)

    assert value_of(metrics, 'tgi_request_input_length_bucket{le="40.0"}') == 0
    assert value_of(metrics, 'tgi_request_input_length_bucket{le="50.0"}') == 1


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (RequestError("bad"), "validation"),
        (ContextOverflow("long"), "validation"),
        (GrammarInvalid("no"), "validation"),
        (TemplateFailed("none"), "template"),
        (Overloaded("busy"), "overloaded"),
        (DecodeFailed("-3"), "generation"),
        (StreamBroken("cut"), "incomplete"),
        (Unreachable("nobody"), "incomplete"),
        (DeadlineExceeded("late"), "incomplete"),
        (TgicliError("a bug"), "generation"),
    ],
)
def test_a_failure_is_counted_under_tgi_s_word(error: TgicliError, word: str) -> None:
    metrics = Metrics(LIMITS)

    metrics.refused(error)

    failures = [line for line in lines_of(metrics) if line.startswith("tgi_request_failure")]
    assert [line for line in failures if not line.endswith(" 0")] == [
        f'tgi_request_failure{{err="{word}"}} 1'
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Overloaded("busy"), "overloaded"),
        (QueueWaitExceeded("busy"), "queue_wait_exceeded"),
        (RequestError("bad"), "request_error"),
        (ContextOverflow("long"), "context_overflow"),
        (BodyTooLarge("large"), "body_too_large"),
    ],
)
def test_a_rejection_is_counted_under_its_reason(error: TgicliError, reason: str) -> None:
    metrics = Metrics(LIMITS)

    metrics.refused(error)

    assert value_of(metrics, f'tgicli_rejections{{reason="{reason}"}}') == 1


def test_what_failed_while_it_was_computed_is_no_rejection() -> None:
    metrics = Metrics(LIMITS)

    metrics.refused(DecodeFailed("llama_decode returned -3"))

    assert not any(line.startswith("tgicli_rejections") for line in lines_of(metrics))


def test_a_failure_that_never_happened_is_zero() -> None:
    failures = [
        line for line in lines_of(Metrics(LIMITS)) if line.startswith("tgi_request_failure")
    ]

    assert sorted(failures) == [
        f'tgi_request_failure{{err="{word}"}} 0'
        for word in ("dropped", "generation", "incomplete", "overloaded", "template", "validation")
    ]


def test_a_reader_that_went_away_is_a_dropped_request() -> None:
    metrics = Metrics(LIMITS)

    metrics.cancelled()

    assert value_of(metrics, "tgicli_cancellations") == 1
    assert value_of(metrics, 'tgi_request_failure{err="dropped"}') == 1


def test_a_stalled_reader_is_counted_beside_its_cancellation() -> None:
    metrics = Metrics(LIMITS)

    metrics.stalled_reader()
    metrics.cancelled()

    assert value_of(metrics, "tgicli_stalled_readers") == 1
    assert value_of(metrics, "tgicli_cancellations") == 1


def test_what_the_backend_does_is_read_when_it_is_scraped() -> None:
    stats = BackendStats(
        n_waiting=3,
        n_running=2,
        n_prompt_tokens=100,
        n_cached_tokens=60,
        steps_s=4.0,
        decode_s=3.0,
        worst_step_s=0.75,
    )

    values = {
        "tgi_queue_size": 3,
        "tgi_batch_current_size": 2,
        "tgicli_prompt_tokens": 100,
        "tgicli_cached_prompt_tokens": 60,
        "tgicli_worst_step_seconds": 0.75,
        "tgicli_python_share": 0.25,
    }
    assert {name: value_of(Metrics(LIMITS), name, stats) for name in values} == values


def durations(sum_s: float, *buckets: int) -> Durations:
    """Return one entry in each of some buckets."""
    return Durations(tuple(buckets.count(i) for i in range(36)), sum_s)


def test_batches_are_told_by_method() -> None:
    prefill = BatchStats(
        n_failed=1,
        whole=durations(0.9, 20, 22),
        forward=durations(0.7, 20, 20),
        sampling=durations(0.2, 0, 21),
    )
    decode = BatchStats(
        n_failed=0, whole=durations(300, 35), forward=durations(2, 3), sampling=durations(1, 4)
    )
    batches = Batches(n_reserved_tokens=70, n_cells=512, prefill=prefill, decode=decode)
    stats = replace(IDLE, batches=batches)

    values = {
        "tgi_batch_current_max_tokens": 70,
        "tgi_batch_max_total_tokens": 512,
        'tgi_batch_inference_count{method="prefill"}': 3,
        'tgi_batch_inference_success{method="prefill"}': 2,
        'tgi_batch_inference_failure{method="prefill"}': 1,
        'tgi_batch_inference_count{method="decode"}': 1,
        'tgi_batch_inference_success{method="decode"}': 1,
        'tgi_batch_inference_failure{method="decode"}': 0,
        'tgi_batch_inference_duration_sum{method="prefill"}': 0.9,
        'tgi_batch_inference_duration_count{method="prefill"}': 2,
        'tgi_batch_inference_duration_sum{method="decode"}': 300,
        'tgi_batch_inference_duration_bucket{method="decode",le="+Inf"}': 1,
        'tgi_batch_forward_duration_sum{method="prefill"}': 0.7,
        'tgi_batch_forward_duration_sum{method="decode"}': 2,
        'tgi_batch_decode_duration_sum{method="prefill"}': 0.2,
        'tgi_batch_decode_duration_sum{method="decode"}': 1,
    }
    assert {name: value_of(Metrics(LIMITS), name, stats) for name in values} == values


def test_a_batch_is_within_its_bucket_and_all_larger_ones() -> None:
    told = BatchStats(
        n_failed=0, whole=durations(9, 0, 33, 35), forward=durations(0), sampling=durations(0)
    )
    stats = replace(
        IDLE, batches=Batches(n_reserved_tokens=0, n_cells=0, prefill=told, decode=told)
    )

    bucket = re.compile(r'tgi_batch_inference_duration_bucket{method="decode",le="(.+)"} (.+)')
    found = [m.groups() for line in lines_of(Metrics(LIMITS), stats) if (m := bucket.match(line))]

    bounds = [float(bound) for bound, _ in found]
    assert bounds == pytest.approx([*(0.0001 * 1.5**k for k in range(1, 36)), float("inf")])
    assert [count for _, count in found] == ["1"] * 33 + ["2"] * 2 + ["3"]


def test_of_a_server_elsewhere_no_batches_are_told() -> None:
    assert [line for line in lines_of(Metrics(LIMITS)) if line.startswith("tgi_batch")] == [
        "tgi_batch_current_size 0"
    ]


def test_before_the_first_step_no_share_is_claimed() -> None:
    assert not any(line.startswith("tgicli_python_share") for line in lines_of(Metrics(LIMITS)))


def test_no_number_is_invented_for_what_we_do_not_have() -> None:
    metrics = Metrics(LIMITS)
    metrics.finished(FINISH, duration_s=4.6, max_new_tokens=8)

    assert not [line for line in lines_of(metrics) if line.startswith(tuple(UNKNOWN_TO_US))]


def test_two_servers_count_apart() -> None:
    one, other = Metrics(LIMITS), Metrics(LIMITS)

    one.request_started()

    assert value_of(one, "tgi_request_count") == 1
    assert value_of(other, "tgi_request_count") == 0
