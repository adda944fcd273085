from __future__ import annotations

import pytest

from tests.bench.stamped import MS, answer, pieces, record
from tgicli.bench.metrics import (
    PER_REQUEST,
    FirstTokens,
    conn_ms,
    content_tokens,
    decode_tps,
    done_ns,
    e2e_ms,
    e2e_sched_ms,
    e2e_tps,
    first_tokens,
    icl_ms,
    ntpot_ms,
    prefill_tps_est,
    sched_delay_ms,
    stall_max_ms,
    stall_ratio,
    tail_ms,
    tokens_by_arrival,
    tokens_per_chunk,
    tpot_ms,
    ttfo_ms,
    ttfr_ms,
    ttft_ms,
    ttft_sched_ms,
)
from tgicli.bench.record import Chunk, TokenSource


def test_times_begin_at_the_sending_and_end_at_content():
    request = record(send_ms=50, chunks=pieces(250, 260, 270), end_ns=275 * MS)

    assert (ttft_ms(request), e2e_ms(request), tail_ms(request)) == (200, 220, 5)
    assert icl_ms(request) == [10, 10]
    assert done_ns(request) == 270 * MS


def test_scheduled_times_begin_when_the_plan_wanted_it_sent():
    request = record(send_ms=50, sched_ns=20 * MS, chunks=pieces(250, 270))

    assert sched_delay_ms(request) == 30
    assert ttft_sched_ms(request) == 230
    assert e2e_sched_ms(request) == 250


def test_a_closed_loop_has_no_scheduled_times():
    request = answer(50)

    assert sched_delay_ms(request) is None
    assert ttft_sched_ms(request) is None
    assert e2e_sched_ms(request) is None


def test_a_role_a_second_before_content_shows_in_ttfr_alone():
    request = record(first_event_ns=20 * MS, chunks=pieces(1020, 1030), n_events=3)

    assert ttft_ms(request) == 1020
    assert ttfr_ms(request) == 20


def test_reasoning_counts_for_ttft_and_not_for_ttfo():
    thinking = Chunk(100 * MS, 1, 4, True, 0)
    seen = Chunk(900 * MS, 1, 4, False, 1)

    assert ttft_ms(record(chunks=(thinking, seen))) == 100
    assert ttfo_ms(record(chunks=(thinking, seen))) == 900
    assert ttfo_ms(record(chunks=(thinking,))) is None


@pytest.mark.parametrize("per_chunk", [1, 2, 5])
def test_tpot_is_exact_with_many_tokens_a_chunk(per_chunk: int):
    """A token takes 10 ms; a chunk brings its tokens when the last of them is made."""
    at_ms = [200 + 10 * per_chunk * k for k in range(8)]

    request = record(chunks=pieces(*at_ms, n_tokens=per_chunk))

    assert tpot_ms(request) == pytest.approx(10)
    assert decode_tps(request) == pytest.approx(100)
    assert tokens_per_chunk(request) == per_chunk


@pytest.mark.parametrize(("n_each", "n_seen"), [(1, 6), (0, 6), (0, 7), (0, 30)])
def test_tpot_leaves_hidden_reasoning_out(n_each: int, n_seen: int):
    """A piece each 10 ms; their tokens are told, or as many as they, or an end more, or spread."""
    at_ms = [500 + 10 * k for k in range(6)]
    sent = pieces(*at_ms, n_tokens=n_each)

    whole = record(chunks=sent, n_tokens=400 + n_seen, n_hidden_tokens=400)

    assert tpot_ms(whole) == tpot_ms(record(chunks=sent, n_tokens=n_seen))
    assert tokens_per_chunk(whole) == max(n_seen - n_seen % 6, 6) / 6


def test_hidden_reasoning_arrives_with_the_first_piece():
    chunks = pieces(500, 510, 520)

    arrived = list(tokens_by_arrival(record(chunks=chunks, n_tokens=44, n_hidden_tokens=40)))

    assert [n for _, n in arrived] == [41, 1, 2]


def test_tpot_leaves_the_first_chunks_tokens_out():
    first = Chunk(100 * MS, 5, 20, False, 0)
    request = record(chunks=(first, *pieces(110, 120, 130)))

    assert first_tokens(request) == (5, FirstTokens.TOLD)
    assert tpot_ms(request) == 10


@pytest.mark.parametrize(
    ("n_tokens", "expected"),
    [
        (3, (1, FirstTokens.ONE)),
        (4, (1, FirstTokens.ONE)),  # one is the end's
        (6, (2, FirstTokens.SPREAD)),
        (2, (2 / 3, FirstTokens.SPREAD)),
        (0, None),
    ],
)
def test_where_the_first_chunks_tokens_are_not_told(
    n_tokens: int, expected: tuple[float, FirstTokens] | None
):
    request = record(chunks=pieces(10, 20, 30, n_tokens=0), n_tokens=n_tokens)

    assert first_tokens(request) == expected


@pytest.mark.parametrize("told", [0, 1])
def test_an_end_token_whose_time_is_not_known_does_not_count_in_tpot(told: int):
    request = record(chunks=pieces(10, 20, 30, n_tokens=told), n_tokens=4)

    assert tpot_ms(request) == 10


@pytest.mark.parametrize(
    "request_",
    [
        record(chunks=pieces(10)),
        record(chunks=pieces(10, n_tokens=0), n_tokens=2),  # one piece and the end's token
        record(chunks=pieces(10, n_tokens=8)),
        record(chunks=()),
    ],
    ids=["one token", "one token and the end", "one piece", "nothing"],
)
def test_tpot_is_nothing_and_never_zero_without_a_second_piece(request_):
    assert tpot_ms(request_) is None
    assert decode_tps(request_) is None
    assert stall_ratio(request_) is None


def test_tpot_of_pieces_that_came_in_one_read_is_none_at_all_and_their_speed_is_not_known():
    request = record(chunks=pieces(10, 10, 10))

    assert tpot_ms(request) == 0
    assert decode_tps(request) is None
    assert stall_ratio(request) is None


def test_an_answer_without_content_has_no_times():
    request = record(n_tokens=1)

    assert [ttft_ms(request), e2e_ms(request), ntpot_ms(request), e2e_tps(request)] == [None] * 4
    assert stall_max_ms(request) is None
    assert done_ns(request) == request.end_ns


def test_whole_time_by_token():
    request = answer(0, ttft_ms=100, gap_ms=10, n_tokens=11)

    assert ntpot_ms(request) == pytest.approx(200 / 11)
    assert e2e_tps(request) == pytest.approx(55)


def test_prefill_leaves_cached_tokens_out():
    request = answer(0, ttft_ms=500, n_prompt_tokens=300, n_cached_tokens=200)

    assert prefill_tps_est(request) == 200
    assert prefill_tps_est(answer(0, n_prompt_tokens=0)) is None


def test_connecting_is_told_apart():
    assert conn_ms(answer(10, conn_ns=12 * MS)) == 2
    assert conn_ms(answer(10)) is None


def test_a_freeze_shows_as_a_stall():
    request = record(chunks=pieces(100, 110, 120, 2120, 2130))

    assert stall_max_ms(request) == 2000
    assert stall_ratio(request) == pytest.approx(2000 / 2030)


def test_an_even_pace_has_no_stall():
    assert stall_ratio(answer(0)) == 0


def test_nobody_can_tell_a_usual_gap_when_most_pieces_share_a_read():
    assert stall_ratio(record(chunks=pieces(100, 100, 100, 200))) is None


def test_pieces_counted_instead_of_tokens_tell_no_tokens_a_chunk():
    request = record(chunks=pieces(10, 20, n_tokens=0), token_source=TokenSource.CHUNKS)

    assert tokens_per_chunk(request) is None


def test_an_end_token_is_in_no_chunk():
    assert tokens_per_chunk(record(chunks=pieces(10, 20, n_tokens=0), n_tokens=3)) == 1


@pytest.mark.parametrize(
    ("told", "n_tokens", "expected"),
    [
        ((1, 1, 1), 3, [1, 1, 1]),
        ((1, 1, 1), 4, [1, 1, 2]),  # an end token
        ((0, 0, 0), 6, [2, 2, 2]),
        ((4, 0, 0), 6, [4, 1, 1]),
        ((2, 2, 2), 5, [2, 2, 2]),  # more than the whole: told apart by the identities
    ],
)
def test_tokens_arrive_with_their_chunks(
    told: tuple[int, ...], n_tokens: int, expected: list[float]
):
    chunks = tuple(Chunk(k, n, 4, False, k) for k, n in enumerate(told))

    arrived = list(tokens_by_arrival(record(chunks=chunks, n_tokens=n_tokens)))

    assert arrived == list(enumerate(expected))


def test_every_metric_has_its_unit_in_its_name():
    bare = {"stall_ratio", "chunks", "tok_per_chunk", "prefill_tps_est"}

    assert all(name.endswith(("_ms", "_tps")) for name in PER_REQUEST.keys() - bare)


@pytest.mark.parametrize(("n_counted", "n_tokens"), [(7, 7), (3, 2), (2, 2), (0, None)])
def test_pieces_that_tell_no_tokens_hold_what_the_server_counted_but_for_the_end(
    n_counted: int, n_tokens: int | None
):
    request = record(chunks=pieces(100, 110, n_tokens=0), n_tokens=n_counted)

    assert content_tokens(request) == n_tokens
