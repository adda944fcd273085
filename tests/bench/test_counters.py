"""What a server counts, read from its page and held against what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from tests.bench.stamped import closed, run_of, users
from tgicli.bench.counters import Count, Counted, grown, read_counters
from tgicli.bench.recording import Measured
from tgicli.bench.result import Remark, Severity
from tgicli.bench.summary import summarize_point


def page(name: str, *seconds: float) -> str:
    """Return a server's page, with a histogram of two models."""
    registry = CollectorRegistry()
    histogram = Histogram(name, "Seconds", ["model"], registry=registry)
    for number, value in enumerate(seconds):
        histogram.labels(model=str(number % 2)).observe(value)
    return generate_latest(registry).decode()


def told(*repeats: Counted) -> Sequence[Remark]:
    """Return what is said of a steady run, each of whose requests had its first token at 100 ms."""
    run = run_of(users(4), warm_ms=1000, end_ms=7000)
    measured = Measured(point=closed(4), runs=tuple(replace(run, counted=one) for one in repeats))
    return summarize_point(measured, slo=None, is_same_host=False).remarks


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("tgi_request_queue_duration", "queue_ms"),
        ("vllm:time_to_first_token_seconds", "ttft_ms"),
        ("sglang:e2e_request_latency_seconds", "e2e_ms"),
    ],
)
def test_a_page_is_read_over_all_its_labels(name: str, figure: str):
    assert read_counters(page(name, 0.5, 1.0, 1.5)) == {figure: Count(3, 3000.0)}


@pytest.mark.parametrize("text", ["", "<html>no such page</html>", 'a{b="c} 1\n', "up 1\n"])
def test_another_page_has_no_counters(text: str):
    assert read_counters(text) == {}


def test_what_came_between_two_readings_counts():
    before = read_counters(page("tgi_request_duration", 9.0))
    after = read_counters(page("tgi_request_duration", 9.0, 1.0, 2.0))

    assert grown(before, after) == {"e2e_ms": Count(2, 3000.0)}
    assert grown(after, before) == {}  # it was started again


def test_the_servers_means_are_held_against_ours():
    counts = {"ttft_ms": Count(100, 5000.0), "e2e_ms": Count(0, 0.0) + Count(10, 10 * 200.0)}

    words = [r.text for r in told(Counted(100, counts)) if r.severity is Severity.WARNING]

    assert "ttft_ms is 100.0 on average here and 50.0 by the server's own counters (+100%)" in words
    assert not any("e2e_ms" in text for text in words)


def test_the_wait_that_only_a_server_knows_is_told_over_all_repeats():
    short, long = ({"queue_ms": Count(10, 10 * ms)} for ms in (2.0, 4.0))

    words = [remark.text for remark in told(Counted(10, short), Counted(10, long))]

    assert (
        "by the server's own counters a request waited 3.0 ms on average until it was begun"
        in words
    )


def test_a_server_that_others_used_is_told_and_not_compared():
    crowded = Counted(100, {"ttft_ms": Count(101, 5000.0)})

    words = "\n".join(remark.text for remark in told(crowded))

    assert "the server had 101 requests meanwhile, and only 100 of them came from here" in words
    assert "ttft_ms is" not in words
