from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.stamped import MS, answer, arrivals, opened, pieces, record, users
from tgicli.bench.plan import Closed
from tgicli.bench.record import Outcome, Record
from tgicli.bench.windows import (
    Span,
    done_inside,
    full_span,
    in_flight_at,
    mean_in_flight,
    sent_inside,
    steady_span,
    token_counts,
)


@st.composite
def requests(draw: st.DrawFn) -> Record:
    send = draw(st.integers(0, 5000))
    gaps = draw(st.lists(st.integers(0, 300), max_size=8))
    at_ms = [float(send + sum(gaps[: k + 1])) for k in range(len(gaps))]
    outcome = draw(st.sampled_from(Outcome))
    tail = draw(st.integers(0, 50))
    end_ns = (round(at_ms[-1]) if at_ms else send) * MS + tail * MS
    return record(send_ms=send, chunks=pieces(*at_ms), outcome=outcome, end_ns=end_ns)


many = st.lists(requests(), min_size=1, max_size=12)


def test_what_was_sent_is_in_the_order_of_sending():
    late, early = answer(50), answer(10)

    assert sent_inside([late, early], Span(0, 100 * MS)) == [early, late]


def test_full_is_the_first_send_to_the_last_content():
    records = [answer(50), answer(400), answer(200)]

    assert full_span(records) == Span(50 * MS, 600 * MS)


def test_full_without_content_ends_with_the_last_request():
    failed = record(send_ms=10, outcome=Outcome.ERROR, end_ns=90 * MS)

    assert full_span([failed]) == Span(10 * MS, 90 * MS)
    assert full_span([]) is None


def test_steady_leaves_warming_up_and_draining_out():
    records = users(4)

    span = steady_span(records, Closed(4), warm_ns=1000 * MS, end_ns=7000 * MS)

    assert span == Span(1000 * MS, 7000 * MS)


def test_steady_ends_where_users_stop_asking():
    """Three of four users leave after 20 answers."""
    records = users(3, n_each=20) + users(1, n_each=40, first_ms=21)

    span = steady_span(records, Closed(4), warm_ns=0, end_ns=8000 * MS)

    assert span is not None
    assert span.start_ns == 21 * MS
    assert span.end_ns == min(r.end_ns for r in records if r.send_ns >= 202 * 19 * MS)


def test_steady_is_the_longest_of_several_stretches():
    records = users(2, n_each=5) + users(2, n_each=20, first_ms=3000)

    span = steady_span(records, Closed(2), warm_ns=0, end_ns=7000 * MS)

    assert span is not None
    assert span.start_ns == 3007 * MS


def test_a_single_user_is_steady_over_the_hand_over():
    records = users(1)

    span = steady_span(records, Closed(1), warm_ns=0, end_ns=8000 * MS)

    assert span == Span(0, 8000 * MS)


def test_a_user_who_waits_long_before_asking_again_is_never_steady():
    records = [answer(700 * k) for k in range(10)]

    assert steady_span(records, Closed(1), warm_ns=0, end_ns=7000 * MS) is None


def test_a_load_that_was_never_reached_has_no_steady_span():
    assert steady_span(users(3), Closed(4), warm_ns=0, end_ns=8000 * MS) is None
    assert steady_span(users(4), Closed(4), warm_ns=9000 * MS, end_ns=8000 * MS) is None


def test_an_open_loop_is_steady_from_warm_until_nothing_more_is_sent():
    offsets = [100.0 * k for k in range(50)]

    span = steady_span(arrivals(offsets), opened(offsets).load, warm_ns=1000 * MS, end_ns=4900 * MS)

    assert span == Span(1000 * MS, 4900 * MS)


def test_tokens_count_where_they_arrive():
    """Sent before the span, answered into it and past it: three pieces of eleven are inside."""
    request = answer(0, ttft_ms=100, gap_ms=10, n_tokens=11)

    assert token_counts([request], Span(120 * MS, 140 * MS)) == [3]


def test_tokens_that_nobody_told_by_piece_are_spread():
    request = record(chunks=pieces(10, 20, 30, 40, n_tokens=0), n_tokens=8)

    assert token_counts([request], Span(0, 20 * MS)) == [4]


def test_tokens_by_parts_of_the_time():
    request = record(chunks=pieces(0, 10, 11, 20, n_tokens=2))

    assert token_counts([request], Span(0, 20 * MS), n_blocks=2) == [2, 6]


def test_in_flight_on_average():
    two = [answer(0), answer(100)]  # 0 to 201 ms, 100 to 301 ms

    assert mean_in_flight(two, Span(0, 200 * MS)) == pytest.approx(1.5)
    assert in_flight_at(two, 150 * MS) == 2
    assert in_flight_at(two, 250 * MS) == 1


def test_sent_and_done_are_told_apart():
    request = answer(0)

    assert sent_inside([request], Span(0, 100 * MS)) == [request]
    assert done_inside([request], Span(0, 100 * MS)) == []
    assert done_inside([request], Span(100 * MS, 200 * MS)) == [request]


@given(many, st.integers(1, 20))
def test_parts_of_the_time_hold_all_tokens_of_the_whole(records: list[Record], n_blocks: int):
    span = full_span(records)

    assert span is not None
    parts = token_counts(records, span, n_blocks)
    assert sum(parts) == pytest.approx(token_counts(records, span)[0])
    assert sum(parts) == sum(r.n_tokens for r in records)


@given(many, st.integers(1, 6), st.integers(0, 6000), st.integers(0, 6000))
def test_steady_is_inside_and_begins_and_ends_at_full_load(
    records: list[Record], concurrency: int, warm_ms: int, end_ms: int
):
    span = steady_span(records, Closed(concurrency), warm_ns=warm_ms * MS, end_ns=end_ms * MS)

    if span is not None:
        assert warm_ms * MS <= span.start_ns < span.end_ns <= end_ms * MS
        assert in_flight_at(records, span.start_ns) >= 0.95 * concurrency
        assert in_flight_at(records, span.end_ns - 1) >= 0.95 * concurrency


@given(many, st.integers(0, 5000), st.integers(1, 5000))
def test_in_flight_is_the_mean_of_what_is_seen_at_each_moment(
    records: list[Record], start_ms: int, lasts_ms: int
):
    span = Span(start_ms * MS, (start_ms + lasts_ms) * MS)

    seen = [in_flight_at(records, (start_ms + k) * MS) for k in range(lasts_ms)]

    assert mean_in_flight(records, span) == pytest.approx(sum(seen) / lasts_ms)
