from __future__ import annotations

import random
from dataclasses import replace
from itertools import accumulate
from typing import Any

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
    remarks,
    result_of,
    run_of,
    users,
)
from tgicli.bench.answer_facts import IN_ONE_BURST, NO_USAGE
from tgicli.bench.figures import Stretch
from tgicli.bench.record import Chunk, Outcome, Record, TokenSource
from tgicli.bench.recording import Measured
from tgicli.bench.result import Floor, PointResult, Severity
from tgicli.bench.slo import parse_slo
from tgicli.bench.summary import summarize_point
from tgicli.bench.validity import is_saturated
from tgicli.bench.windows import Span

NOTE, WARNING, INVALID = Severity.NOTE, Severity.WARNING, Severity.INVALID
STEADY: dict[str, Any] = {"warm_ms": 1000, "end_ms": 7000}


def four_users(**changes: Any) -> PointResult:
    return result_of(users(4), closed(4), **STEADY | changes)


def test_a_good_measurement_has_nothing_but_the_note_on_its_intervals():
    result = four_users()

    assert [remark.severity for remark in result.remarks] == [NOTE]
    assert "within-run" in remarks(result, NOTE)
    assert result.is_valid


def test_repeats_need_no_note():
    runs = tuple(
        run_of(users(4, first_ms=10_000 * k), warm_ms=10_000 * k + 1000, end_ms=10_000 * k + 7000)
        for k in range(3)
    )

    result = summarize_point(Measured(point=closed(4), runs=runs), slo=None, is_same_host=False)

    assert result.remarks == ()


@pytest.mark.parametrize(
    ("changes", "severity", "words"),
    [
        ({"cpu_share": 0.75}, WARNING, "75% of a core"),
        ({"cpu_share": 0.97}, INVALID, "97% of a core: it was the bottleneck"),
        ({"lag_p99_ms": 2.5}, WARNING, "2.5 ms late (p99), 25% of the 10.0 ms between pieces"),
        (
            {"lag_p99_ms": 6.0},
            INVALID,
            "60% of the 10.0 ms between pieces: the times are the client's",
        ),
        ({"gc_ms": 6.0}, WARNING, "garbage stopped the client for 6.0 ms"),
    ],
)
def test_a_client_that_was_the_bottleneck_is_told(
    changes: dict[str, Any], severity: Severity, words: str
):
    result = four_users(client=replace(HEALTHY, **changes))

    assert words in remarks(result, severity)
    assert result.is_valid is (severity is not INVALID)


def test_the_model_in_this_process_may_use_it():
    local = users(4, token_source=TokenSource.ENGINE)
    hog = replace(HEALTHY, cpu_share=1.9, lag_p99_ms=9)

    result = result_of(local, closed(4), client=hog, **STEADY)

    assert result.is_valid
    assert "the model computes in the same process" in remarks(result, WARNING)


def test_a_lag_within_a_timers_rounding_is_none():
    result = four_users(client=replace(HEALTHY, lag_p99_ms=1.9))

    assert remarks(result, WARNING) == ""


def test_events_that_come_in_groups_are_told():
    grouped = [
        replace(request, chunks=tuple(c._replace(read_id=c.read_id // 3) for c in request.chunks))
        for request in users(4)
    ]

    assert "2.8 events came with each read" in remarks(
        result_of(grouped, closed(4), **STEADY), WARNING
    )


def test_an_answers_end_that_comes_with_its_last_piece_is_no_group():
    """Of a short answer the last piece, the usage and [DONE] are half of all events."""
    short = users(4, n_tokens=2, gap_ms=100, n_events=4, n_reads=2)

    result = result_of(short, closed(4), **STEADY)

    assert result.figures.events_per_read == 1
    assert "events came" not in remarks(result, WARNING)


def test_what_the_client_adds_by_itself_is_held_against_the_figures():
    floor = Floor(
        n_streams=4,
        ttft_added_p50_ms=1,
        ttft_added_p99_ms=20,
        icl_added_p50_ms=0.1,
        icl_added_p99_ms=0.5,
    )

    words = remarks(four_users(floor=floor), WARNING)

    assert "adds up to 20.0 ms (p99) to ttft by itself, 20% of the measured" in words
    assert "icl" not in words


def spaced(n: int = 200, every_ms: float = 50) -> list[float]:
    return [every_ms * k for k in range(n)]


def late_by(late_ms: float) -> list[Record]:
    return [answer(at + late_ms, sched_ns=round(at * MS)) for at in spaced()]


@pytest.mark.parametrize(("late_ms", "severity"), [(1, None), (4, WARNING), (60, INVALID)])
def test_sending_late_is_held_against_the_gap_between_requests(
    late_ms: float, severity: Severity | None
):
    result = result_of(late_by(late_ms), opened(spaced()), end_ms=10_000)

    assert ("50 ms apart" in remarks(result, WARNING)) is (severity is WARNING)
    assert ("not the load that was asked for" in remarks(result, INVALID)) is (severity is INVALID)


def test_late_and_dropped_requests_are_counted():
    result = result_of(arrivals(spaced()), opened(spaced()), n_dropped=3, n_late=40)

    assert "3 requests were not sent" in remarks(result, WARNING)
    assert "40 of 200 requests were sent more than 10 ms late" in remarks(result, WARNING)


def test_a_request_that_was_sent_just_behind_the_end_is_no_load_that_was_missed():
    times = [500 * number for number in range(9)]
    sent = [answer(at + 2, sched_ns=at * MS) for at in times]

    result = result_of(sent, opened(times), end_ms=4001)  # the last one is due at 4000

    assert result.figures.n_requests == 8
    assert remarks(result, INVALID) == ""


def test_a_burst_that_was_sent_just_behind_the_end_is_no_load_that_was_missed():
    times = [1000 * (number // 4) for number in range(20)]  # 4 at once, each second
    sent = [answer(at + 2, sched_ns=at * MS) for at in times]

    result = result_of(sent, opened(times), end_ms=4001)  # the last 4 are due at 4000

    assert result.figures.n_requests == 16
    assert remarks(result, INVALID) == ""


def test_a_client_that_sent_a_burst_late_did_not_keep_up():
    times = [1000 * (number // 4) for number in range(20)]
    sent = [answer(at + 50, sched_ns=at * MS) for at in times]

    result = result_of(sent, opened(times), end_ms=4001)

    assert "the client did not keep up" in remarks(result, INVALID)


def test_a_client_that_sent_fewer_than_planned_is_invalid():
    result = result_of(arrivals(spaced())[::2], opened(spaced()), end_ms=9950)

    assert "the client did not keep up" in remarks(result, INVALID)


def first_wave(n_users: int) -> list[Record]:
    return [answer(user, ttft_ms=500, is_first_wave=True) for user in range(n_users)]


def test_users_first_requests_are_told_of_where_they_are_among_the_figures():
    later = users(4, first_ms=610)

    result = result_of(first_wave(4) + later, closed(5), warm_ms=0, end_ms=8000)  # never steady

    words = remarks(result, NOTE)
    assert result.figures.n_first_wave == 4
    assert "4 of 164 requests are users' first ones, which were sent together" in words
    assert "their median TTFT is 500 ms, the others' 100 ms" in words


def test_users_first_requests_that_the_warm_up_took_are_not_told_of():
    later = users(4, first_ms=610)

    result = result_of(first_wave(4) + later, closed(4), warm_ms=650, end_ms=8000)

    assert result.full.n_first_wave == 4
    assert result.figures.n_first_wave == 0
    assert "first ones" not in remarks(result, NOTE)


def test_where_nobody_asked_a_second_time_there_are_no_others():
    result = result_of(first_wave(4), closed(5), warm_ms=0, end_ms=600)

    assert "4 of 4 requests are users' first ones, which were sent together" in [
        remark.text for remark in result.remarks
    ]


def queued(offsets_ms: list[float], *, service_ms: float) -> list[Record]:
    """Answer one request after another, each in so long a time."""
    ends = accumulate(offsets_ms, lambda end, at: max(end, at) + service_ms, initial=0.0)
    return [
        answer(at, ttft_ms=end - at, n_tokens=1, sched_ns=round(at * MS))
        for at, end in zip(offsets_ms, list(ends)[1:], strict=True)
    ]


def test_a_server_slower_than_the_rate_is_saturated():
    """20 requests a second, and 12.5 answers."""
    result = result_of(queued(spaced(), service_ms=80), opened(spaced()), end_ms=9950)

    words = remarks(result, WARNING)
    assert "saturated: 20.0" in words
    assert "12." in words
    assert "the backlog grew" in words
    assert (result.figures.rps_achieved) < 0.95 * (result.figures.rps_offered or 0)
    assert result.is_valid  # it is the server's doing


def test_a_schedule_that_is_measured_to_its_last_answer_may_be_saturated_all_the_same():
    records = queued(spaced(), service_ms=80)

    result = result_of(records, opened(spaced()), end_ms=16_000)

    assert "saturated: 20.0" in remarks(result, WARNING)


def test_a_server_that_keeps_up_is_not_saturated():
    rng = random.Random(2)
    offsets = list(accumulate(rng.expovariate(1 / 50) for _ in range(400)))

    result = result_of(queued(offsets, service_ms=35), opened(offsets), end_ms=offsets[-1])

    assert "saturated" not in remarks(result, WARNING)


def test_filling_up_is_not_saturation():
    """Answers take 4 of 10 seconds: in flight they only grow until the first ones end."""
    records = [answer(at, ttft_ms=4000) for at in spaced()]

    assert not is_saturated(Stretch(records, Span(0, 9950 * MS)))


def test_a_freeze_that_is_caught_up_with_is_not_saturation():
    """All requests of two seconds wait for the same moment, and are answered after it."""
    late = {at: 9000 - at if 7000 <= at < 9000 else 0 for at in spaced()}
    records = [answer(at, ttft_ms=100 + wait) for at, wait in late.items()]

    assert not is_saturated(Stretch(records, Span(0, 9950 * MS)))


def test_saturation_is_seen_at_random_arrivals_for_what_it_is():
    """No false alarm at 70 % of the capacity, none missed at 130 %, in 40 runs each."""
    found = {70: 0, 130: 0}
    for load in found:
        for seed in range(40):
            rng = random.Random(seed)
            offsets = list(accumulate(rng.expovariate(1 / 50) for _ in range(600)))
            records = queued(offsets, service_ms=50 * load / 100)
            found[load] += is_saturated(Stretch(records, Span(0, round(offsets[-1]) * MS)))

    assert found[70] <= 2
    assert found[130] >= 38


def failing(n: int) -> list[Record]:
    broken = [
        record(send_ms=1500 + k, outcome=Outcome.ERROR, error="StreamBroken") for k in range(n)
    ]
    return users(4) + broken


@pytest.mark.parametrize(("n", "severity"), [(2, WARNING), (30, INVALID)])
def test_errors_are_counted_by_name(n: int, severity: Severity):
    result = result_of(failing(n), closed(4), **STEADY)

    assert f"requests failed ({n / (120 + n):.1%}): StreamBroken {n}x" in remarks(result, severity)


def test_refusals_are_no_errors():
    busy = [record(send_ms=1500 + k, outcome=Outcome.BUSY) for k in range(50)]

    result = result_of(users(4) + busy, closed(4), **STEADY)

    assert "50 of 170 requests were refused" in remarks(result, WARNING)
    assert result.is_valid


def test_nothing_answered_is_invalid():
    broken = [
        record(send_ms=k, outcome=Outcome.ERROR, error="Unreachable", message="nobody there")
        for k in range(9)
    ]

    result = result_of(broken, closed(4))

    assert "none of 9 requests was answered: Unreachable 9x (nobody there)" in remarks(
        result, INVALID
    )
    assert "no request was sent" in remarks(result_of([], closed(4)), INVALID)


def test_a_run_that_was_too_short_for_any_answer_is_invalid():
    cut = [answer(k, outcome=Outcome.CUT) for k in range(2)]

    result = result_of(cut, closed(2))

    assert not result.is_valid
    assert "none of 2 requests was answered: cut off at the end 2x" in remarks(result, INVALID)


def test_answers_without_content_can_not_be_timed():
    result = result_of([record(send_ms=k, n_tokens=1) for k in range(9)], closed(1))

    assert "the answers had no content" in remarks(result, INVALID)


def test_a_cache_nobody_asked_for_is_told():
    measured = Measured(point=closed(4), runs=(run_of(users(4, n_cached_tokens=30), **STEADY),))

    surprising = summarize_point(measured, slo=None, is_same_host=False)
    asked = summarize_point(measured, slo=None, is_same_host=False, expects_cache=True)

    assert "30% of the prompts' tokens came from the server's cache" in remarks(surprising, WARNING)
    assert remarks(asked, WARNING) == ""


def test_token_sources_that_differ_are_told():
    mixed = users(2) + users(2, first_ms=3, token_source=TokenSource.CHUNKS)

    words = remarks(result_of(mixed, closed(4), **STEADY), WARNING)

    assert "tokens were counted in several ways: usage" in words
    assert "nobody counted the tokens of" in words


def test_spread_tokens_are_told():
    request = record(chunks=pieces(10, 20, 30, n_tokens=0), n_tokens=9)

    assert "was not told in 1 answers" in remarks(result_of([request], closed(1)), NOTE)


def test_whole_answers_in_one_burst_are_no_streaming():
    bursts = users(4, problems=(IN_ONE_BURST,))

    words = remarks(result_of(bursts, closed(4), **STEADY), WARNING)

    assert "160 of 160 answers came whole, in one burst" in words
    assert "well-formed" not in words


def test_problems_of_framing_are_told_by_name():
    words = remarks(result_of(users(4, problems=(NO_USAGE,)), closed(4), **STEADY), WARNING)

    assert f"the streams were not well-formed: {NO_USAGE} 120x" in words


def test_a_load_that_was_never_steady_is_told():
    assert "the load was never steady" in remarks(result_of(users(3), closed(4)), WARNING)


def test_repeats_that_were_never_steady_are_left_out():
    runs = (run_of(users(4), **STEADY), run_of(users(3, first_ms=9000), warm_ms=9000))

    result = summarize_point(Measured(point=closed(4), runs=runs), slo=None, is_same_host=False)

    assert "1 of 2 repeats were never at full load" in remarks(result, WARNING)


def test_many_cut_requests_are_told():
    cut = [answer(1500 + k, outcome=Outcome.CUT) for k in range(40)]

    assert "40 of 160 requests were cut off" in remarks(
        result_of(users(4) + cut, closed(4), **STEADY), WARNING
    )


def test_hidden_reasoning_is_told():
    records = users(4, n_tokens=11)
    hiding = [replace(one, n_tokens=51, n_hidden_tokens=40) for one in records]

    words = remarks(result_of(hiding, closed(4), **STEADY), NOTE)

    assert "hide reasoning" in words
    assert "hide reasoning" not in remarks(result_of(records, closed(4), **STEADY), NOTE)


def test_a_single_cut_request_is_told():
    cut = answer(1500, outcome=Outcome.CUT)

    assert "1 of 121 requests were cut off" in remarks(
        result_of([*users(4), cut], closed(4), **STEADY), WARNING
    )


def test_too_few_answers_are_told():
    assert "only 5 answers" in remarks(
        result_of(users(1, n_each=5), closed(1), end_ms=999), WARNING
    )
    assert "20 answers are too few for percentiles" in remarks(
        result_of(users(1, n_each=20), closed(1), end_ms=9999), NOTE
    )


def test_a_server_on_the_same_machine_is_told_with_its_load():
    result = four_users(is_same_host=True, client=replace(HEALTHY, host_load=2.5))

    assert "the server shares this machine with the client (load 2.5)" in remarks(result, NOTE)


def test_stamps_out_of_order_are_invalid():
    wrong = replace(answer(2000), send_ns=2150 * MS)

    result = result_of([*users(4), wrong], closed(4), **STEADY)

    assert "1 of 161 requests have stamps out of order" in remarks(result, INVALID)


def test_pieces_with_more_tokens_than_the_answer_are_invalid():
    result = result_of([replace(answer(0), n_tokens=8)], closed(1))

    assert "the pieces held 11 tokens, but the whole answers 8" in remarks(result, INVALID)


def test_tokens_without_text_are_told():
    silent = [replace(request, n_tokens=20) for request in users(4)]

    result = result_of(silent, closed(4), **STEADY)

    assert "1440 of 3200 tokens brought no text" in remarks(result, WARNING)
    assert result.is_valid


def test_an_end_token_is_nothing_to_tell():
    with_end = [replace(request, n_tokens=12) for request in users(4)]

    assert remarks(result_of(with_end, closed(4), **STEADY), WARNING) == ""


def test_littles_law_finds_a_load_that_was_not_steady():
    """Requests that never end within the span are in flight, and none of those that end."""
    hanging = [answer(1100, ttft_ms=60_000) for _ in range(30)]

    result = result_of(users(4) + hanging, closed(4), **STEADY)

    assert "(Little's law)" in remarks(result, WARNING)


def test_undetermined_answers_are_told():
    result = result_of(
        [*users(4), answer(2000, n_tokens=1)], closed(4), slo=parse_slo("tpot:50"), **STEADY
    )

    assert "1 answers could not be held against the objective" in remarks(result, NOTE)


def test_the_gravest_remark_stands_first():
    result = four_users(client=replace(HEALTHY, cpu_share=0.95, gc_ms=9), is_same_host=True)

    severities = [remark.severity for remark in result.remarks]
    assert severities == [INVALID, WARNING, NOTE, NOTE]


def test_reasoning_is_content():
    thinking = tuple(Chunk(at * MS, 1, 4, True, at) for at in (100, 110, 120))

    assert "no content" not in remarks(result_of([record(chunks=thinking)], closed(1)), INVALID)
