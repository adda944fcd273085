from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.bench.stamped import (
    HEALTHY,
    MS,
    answer,
    arrivals,
    closed,
    opened,
    pieces,
    record,
    result_of,
    run_of,
    users,
)
from tgicli.bench.record import Outcome, TokenSource
from tgicli.bench.recording import Measured
from tgicli.bench.result import Estimate, WindowFigures
from tgicli.bench.slo import parse_slo
from tgicli.bench.summary import summarize_point, worst_health


def p50(figures: WindowFigures, name: str) -> float | None:
    return figures.metrics[name].quantiles["p50"].value


def test_a_closed_loop_is_summed_up():
    """Four users, 201 ms for each answer of 11 tokens, 1 ms between."""
    result = result_of(users(4), closed(4), warm_ms=1000, end_ms=7000)

    figures = result.steady
    assert figures is not None
    assert (result.concurrency, result.rate, result.arrival_idc) == (4, None, None)
    assert (figures.start_s, figures.end_s) == (1, 7)
    assert figures.n_requests == figures.n_ok == 4 * 30
    assert p50(figures, "ttft_ms") == 100
    assert p50(figures, "tpot_ms") == 10
    assert p50(figures, "e2e_ms") == 200
    assert figures.rps_offered is None
    assert figures.rps_achieved == pytest.approx(4 / 0.202, rel=0.02)
    assert figures.output_tps.value == pytest.approx(44 / 0.202, rel=0.02)
    assert figures.concurrency_mean == pytest.approx(4 * 201 / 202, rel=0.001)
    assert figures.mean_new_tokens == 11
    assert "ttft_sched_ms" not in figures.metrics


def test_both_windows_are_there_and_what_was_left_out():
    result = result_of(users(4), closed(4), warm_ms=1000, end_ms=7000)

    assert result.steady is not None
    assert result.figures is result.steady
    assert result.full.n_requests == 160
    assert result.full.start_s == 0
    assert result.excluded_share == pytest.approx(1 - result.steady.n_requests / 160)


def test_the_whole_run_is_shown_where_the_load_was_never_steady():
    result = result_of(users(3), closed(4))

    assert result.steady is None
    assert result.figures is result.full
    assert result.excluded_share == 0


def test_a_run_without_any_request_has_no_figures_and_does_not_fail():
    result = result_of([], closed(4))

    assert result.full.metrics == {}
    assert result.full.output_tps == Estimate(None)
    assert not result.is_valid


def test_tokens_are_the_same_however_they_are_cut_into_chunks():
    singly = [answer(202 * k) for k in range(40)]
    in_fives = [
        record(
            send_ms=202 * k,
            chunks=pieces(202 * k + 100, 202 * k + 150, 202 * k + 200, n_tokens=5),
        )
        for k in range(40)
    ]

    one, five = result_of(singly, closed(1)).full, result_of(in_fives, closed(1)).full

    assert p50(one, "tpot_ms") == p50(five, "tpot_ms") == 10
    assert p50(five, "icl_ms") == 50
    assert (one.tokens_per_chunk, five.tokens_per_chunk) == (1, 5)
    assert one.chunk_gap_name == "ITL"
    assert five.chunk_gap_name == "ICL (5.0 tok/chunk)"


def test_an_end_token_without_text_does_not_change_the_gaps_name():
    chunks = pieces(100, 110, 120, n_tokens=0)

    result = result_of([record(chunks=chunks, n_tokens=4)], closed(1))

    assert result.full.chunk_gap_name == "ITL"


def test_gaps_between_pieces_that_nobody_counted_are_not_called_itl():
    request = answer(0, token_source=TokenSource.CHUNKS)

    assert result_of([request], closed(1)).full.chunk_gap_name == "ICL"


def test_percentiles_that_lie_among_the_cut_requests_are_left_out():
    good = [answer(500 * k) for k in range(400)]
    cut = [answer(600 * k, outcome=Outcome.CUT) for k in range(8)]

    whole, rest = (result_of(sent, closed(2)).full.metrics for sent in (good, good + cut))

    for name in ("ttft_ms", "e2e_ms", "icl_ms"):
        assert {"p95", "p99"} < set(whole[name].quantiles)
        assert "p95" in rest[name].quantiles
        assert "p99" not in rest[name].quantiles


def test_the_median_is_told_however_many_were_cut():
    cut = [answer(600 * k, outcome=Outcome.CUT) for k in range(3)]

    assert set(result_of([answer(0), *cut], closed(2)).full.metrics["ttft_ms"].quantiles) == {"p50"}


def test_failed_and_cut_requests_count_and_their_tokens_are_told_apart():
    good = [answer(500 * k) for k in range(10)]
    failed = answer(100, outcome=Outcome.ERROR, error="StreamBroken")
    cut = answer(4800, outcome=Outcome.CUT)
    refused = record(send_ms=50, outcome=Outcome.BUSY)

    full = result_of([*good, failed, cut, refused], closed(2)).full

    assert (full.n_ok, full.n_errors, full.n_cut, full.n_busy) == (10, 1, 1, 1)
    assert full.errors == {"StreamBroken": 1}
    assert full.metrics["ttft_ms"].n == 10
    assert full.output_tps.value == pytest.approx(12 * 11 / 5.0)
    assert full.lost_tps == pytest.approx(2 * 11 / 5.0)
    assert full.rps_achieved == pytest.approx(10 / 5.0)


def test_requests_that_fail_after_the_last_content_count():
    """A server is killed: its answers stop, and its users go on asking."""
    failed = [
        record(send_ms=8080 + 50 * k, outcome=Outcome.ERROR, error="Unreachable") for k in range(88)
    ]

    result = result_of([*users(1), *failed], closed(1), warm_ms=1000, end_ms=12_500)

    full = result.full
    assert (full.n_requests, full.n_ok, full.n_errors) == (128, 40, 88)
    assert full.end_s == pytest.approx(8.078)
    assert full.rps_sent == pytest.approx(40 / 8.078)
    assert result.steady is not None
    assert result.steady.n_requests == 123
    assert result.excluded_share == pytest.approx(5 / 128)


def test_throughput_counts_what_arrived_and_not_what_was_completed():
    """One answer takes the whole time and is cut in its middle."""
    long = answer(0, ttft_ms=10, gap_ms=10, n_tokens=1000)

    result = result_of([long], closed(1), warm_ms=2000, end_ms=4000)

    assert result.steady is None  # nobody asked within
    whole = result_of([long, answer(2500)], closed(1), warm_ms=2000, end_ms=4000)
    assert whole.steady is not None
    assert whole.steady.output_tps.value == pytest.approx((201 + 11) / 2)
    assert whole.steady.rps_achieved == 0.5


def test_a_steady_stream_has_a_narrow_interval_and_a_bursty_one_a_wide_one():
    even = [answer(0, ttft_ms=0, gap_ms=10, n_tokens=1001)]
    bursty = [answer(1000 * k, ttft_ms=0, gap_ms=1, n_tokens=100) for k in (0, 1, 7, 9)]

    narrow = result_of(even, closed(1)).full.output_tps
    wide = result_of([*bursty, answer(9900, n_tokens=1)], closed(1)).full.output_tps

    assert narrow.value == pytest.approx(100, rel=0.01)
    assert narrow.low == pytest.approx(100, rel=0.02)
    assert wide.low is not None
    assert wide.high is not None
    assert wide.high - wide.low > 20


def test_requests_a_second_have_an_interval_as_tokens_have():
    """Users who ask all the time are answered evenly; a server that pauses does not."""
    even = result_of(users(4), closed(4), warm_ms=1000, end_ms=7000).figures
    paused = result_of([*users(4, n_each=10), *users(4, n_each=10, first_ms=4000)], closed(4)).full

    assert even.rps_within == pytest.approx(0.5, abs=0.5)
    assert (paused.rps_within or 0) > 0.3 * paused.rps_achieved


def test_a_server_that_freezes_once_shows_in_scheduled_ttft_and_not_in_ttft():
    """A client of one connection sends late after the freeze: its own TTFT looks fine."""
    offsets = [100.0 * k for k in range(400)]
    records = []
    for k, at in enumerate(offsets):
        send = max(at, 12_000.0) if 10_000 <= at < 12_000 else at
        records.append(answer(send, sched_ns=round(at * MS), index=k))

    result = result_of(records, opened(offsets), end_ms=40_000)

    figures = result.figures
    assert figures.metrics["ttft_ms"].quantiles["p99"].value == 100
    sched = figures.metrics["ttft_sched_ms"]
    assert (sched.quantiles["p99"].value or 0) > 1500
    assert sched.max == 2100


def test_a_freeze_within_a_stream_shows_in_its_longest_stall():
    frozen = record(send_ms=0, chunks=pieces(100, 110, 120, 2120, 2130))

    full = result_of([frozen, answer(2200)], closed(1)).full

    assert full.metrics["stall_max_ms"].max == 2000
    assert full.metrics["ttft_ms"].max == 100


def test_a_role_chunk_long_before_content_leaves_ttft_alone():
    request = record(first_event_ns=20 * MS, chunks=pieces(1020, 1030), n_events=3)

    full = result_of([request], closed(1)).full

    assert p50(full, "ttft_ms") == 1020
    assert p50(full, "ttfr_ms") == 20


def test_an_open_loop_says_what_was_offered_and_what_was_achieved():
    offsets = [100.0 * k for k in range(100)]

    result = result_of(arrivals(offsets), opened(offsets), warm_ms=1000, end_ms=9000)

    assert result.steady is not None
    assert result.steady.rps_offered == pytest.approx(10, rel=0.02)
    assert result.steady.rps_sent == pytest.approx(10, rel=0.02)
    assert result.steady.rps_achieved == pytest.approx(10, rel=0.02)
    assert result.rate == pytest.approx(10, rel=0.02)
    assert result.arrival == "constant"
    assert result.arrival_idc == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(
    ("offsets", "offered"), [([0, 0, 0, 0], 4 / 0.2), ([0, 100, 200, 300], 3 / 0.3)]
)
def test_a_schedule_that_ends_by_itself_is_measured_to_its_last_content(
    offsets: list[float], offered: float
):
    end_ms = offsets[-1] + 200

    result = result_of(arrivals(offsets), opened(offsets), end_ms=end_ms)

    figures = result.figures
    assert figures is result.steady
    assert figures.rps_offered == pytest.approx(offered)
    assert figures.rps_achieved == pytest.approx(4000 / end_ms)
    assert figures.output_tps.value == pytest.approx(44_000 / end_ms)
    assert result.is_valid


def test_a_repeat_is_held_against_its_own_schedule():
    even, twice = [100.0 * k for k in range(100)], [50.0 * k for k in range(200)]
    runs = (
        run_of(arrivals(even), end_ms=5000),
        replace(
            run_of(arrivals(twice), end_ms=5000), offsets_ns=tuple(round(at * MS) for at in twice)
        ),
    )

    measured = Measured(point=opened(even), runs=runs)
    result = summarize_point(measured, slo=None, is_same_host=False)

    assert result.figures.rps_offered == pytest.approx(15, rel=0.02)


def test_a_dropped_request_was_offered():
    offsets = [100.0 * k for k in range(100)]
    sent = arrivals(offsets[::2])

    result = result_of(sent, opened(offsets), end_ms=9900, n_dropped=50)

    assert result.n_dropped == 50
    assert result.figures.rps_offered == pytest.approx(10, rel=0.02)
    assert result.figures.rps_sent == pytest.approx(5, rel=0.03)


def test_a_request_that_was_dropped_is_not_good():
    offsets = [100.0 * k for k in range(101)]
    point, sent = opened(offsets, max_in_flight=1), arrivals(offsets[::2])

    result = result_of(
        sent, point, warm_ms=2000, end_ms=9900, n_dropped=50, slo=parse_slo("ttft:200")
    )

    assert result.steady is not None
    assert result.full.slo_attainment is not None
    assert result.full.slo_attainment.value == 51 / 101
    assert result.steady.slo_attainment is not None
    assert result.steady.slo_attainment.value == 40 / 80


def test_goodput_counts_errors_as_bad_and_leaves_cut_requests_out():
    good = [answer(500 * k, ttft_ms=100) for k in range(6)]
    slow = [answer(3000 + 500 * k, ttft_ms=300) for k in range(2)]
    failed = record(send_ms=100, outcome=Outcome.ERROR, error="StreamBroken")
    refused = record(send_ms=200, outcome=Outcome.BUSY)
    cut = answer(3600, outcome=Outcome.CUT)

    result = result_of(
        [*good, *slow, failed, refused, cut], closed(1), slo=parse_slo("ttft:200 tpot:50")
    )

    full = result.full
    assert full.slo_attainment is not None
    assert full.slo_attainment.value == 6 / 10
    assert full.slo_attainment.low == pytest.approx(0.313, abs=0.001)
    assert full.goodput_rps is not None
    assert full.goodput_rps.value == pytest.approx(6 / (full.end_s - full.start_s))
    assert full.n_undetermined == 0


def test_requests_that_hung_until_the_end_missed_the_objective():
    good = [answer(500 * k) for k in range(6)]
    hung = [record(send_ms=k, outcome=Outcome.CUT, end_ns=8000 * MS) for k in range(2)]

    full = result_of([*good, *hung], closed(1), slo=parse_slo("ttft:2000")).full

    assert full.slo_attainment is not None
    assert full.slo_attainment.value == 6 / 8


def test_what_can_not_be_measured_is_undetermined_and_not_good():
    records = [answer(0), answer(300, n_tokens=1)]

    full = result_of(records, closed(1), slo=parse_slo("tpot:50")).full

    assert full.n_undetermined == 1
    assert full.slo_attainment is not None
    assert full.slo_attainment.value == 0.5


def test_without_an_objective_there_is_no_goodput():
    full = result_of([answer(0)], closed(1)).full

    assert full.goodput_rps is None
    assert full.slo_attainment is None


def test_gaps_that_grow_and_shrink_together_leave_their_median_unsure():
    swings = [10 + (k // 8) % 3 for k in range(80)]
    records = [answer(300 * k, gap_ms=gap) for k, gap in enumerate(swings)]

    median = result_of(records, closed(1)).full.metrics["icl_ms"].quantiles["p50"]

    assert median.value == 11
    assert median.within is not None
    assert median.within > 0.3


def test_a_single_run_has_intervals_from_its_batches():
    rng = random.Random(1)
    records = [answer(202 * k, ttft_ms=rng.uniform(50, 150)) for k in range(60)]

    ttft = result_of(records, closed(1)).full.metrics["ttft_ms"].mean

    assert ttft.low is not None
    assert ttft.low < (ttft.value or 0) < (ttft.high or 0)


def test_repeats_become_one_result_with_the_interval_between_them():
    runs = tuple(
        run_of(
            [answer(10_000 * block + 250 * k, ttft_ms=ttft, block=block) for k in range(20)],
            warm_ms=10_000 * block,
            end_ms=10_000 * block + 4900,
        )
        for block, ttft in enumerate((100, 120, 140))
    )

    result = summarize_point(Measured(point=closed(1), runs=runs), slo=None, is_same_host=False)

    ttft = result.full.metrics["ttft_ms"].mean
    assert result.full.n_requests == 60
    assert ttft.value == pytest.approx(120)
    assert ttft.low == pytest.approx(120 - 49.68, abs=0.1)  # 4.303 x 20 / sqrt(3)
    assert result.full.output_tps.value == pytest.approx(44, rel=0.05)
    assert result.full.end_s == pytest.approx(24.95, abs=0.1)
    assert result.full.duration_s == pytest.approx(3 * 4.95, abs=0.1)
    assert result.full.concurrency_mean < 1


def test_throughput_and_goodput_have_the_interval_between_repeats_too():
    """Answers take 200 ms each, one after another; the runs differ in how many there are."""
    runs = tuple(
        run_of([answer(first_ms + k * 1000 / n) for k in range(10 * n)], warm_ms=first_ms)
        for first_ms, n in ((0, 2), (20_000, 3), (40_000, 4))
    )
    measured = Measured(point=closed(1), runs=runs)

    full = summarize_point(measured, slo=parse_slo("ttft:200"), is_same_host=False).full

    assert full.goodput_rps is not None
    for estimate, rate in ((full.output_tps, 33.0), (full.goodput_rps, 3.0)):
        assert estimate.value == pytest.approx(rate, rel=0.03)
        half = ((estimate.high or 0) - (estimate.low or 0)) / 2
        assert half == pytest.approx(rate / 3 * 2.484, rel=0.05)  # 4.303 / sqrt(3)


def test_the_clients_worst_signals_are_kept_over_repeats():
    lagging = replace(HEALTHY, lag_p99_ms=9, gc_ms=2, host_load=1.5, per_second_tokens=(1, 2))
    busy = replace(HEALTHY, cpu_share=0.8, gc_ms=1, per_second_tokens=(3,))

    health = worst_health([lagging, busy])

    assert (health.lag_p99_ms, health.cpu_share, health.host_load) == (9, 0.8, 1.5)
    assert (health.gc_ms, health.n_connections) == (3, 8)
    assert health.per_second_tokens == (1, 2, 3)


def test_cached_tokens_are_a_share_of_the_prompts():
    records = [answer(0, n_cached_tokens=50), answer(300)]

    assert result_of(records, closed(1)).full.cache_hit_share == 0.25
    assert result_of([answer(0, n_cached_tokens=0)], closed(1)).full.cache_hit_share == 0


def test_a_cache_of_which_nobody_tells_has_no_share():
    assert result_of([answer(0)], closed(1)).full.cache_hit_share is None


def test_a_chat_templates_tokens_are_no_hits_of_prompts_whose_length_was_nobodys_wish_either():
    def share(n_around: int) -> float | None:
        records = (answer(0, n_prompt_tokens=50, n_cached_tokens=25),)
        measured = Measured(point=closed(1), runs=(run_of(records),), n_around=n_around)
        return summarize_point(measured, slo=None, is_same_host=False).full.cache_hit_share

    assert share(25) == 0
    assert share(0) == 0.5


def test_a_chat_templates_tokens_are_no_cache_hits():
    def share(n_cached: int) -> float | None:
        records = [answer(0, n_prompt_tokens=125, n_prompt_asked=100, n_cached_tokens=n_cached)]
        return result_of(records, closed(1)).full.cache_hit_share

    assert share(25) == 0
    assert share(50) == 0.2
