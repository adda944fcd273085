from __future__ import annotations

from dataclasses import replace

import pytest

from tests.bench.stamped import MS, answer, pieces, record
from tgicli.bench.record import Outcome
from tgicli.bench.slo import Slo, parse_slo
from tgicli.errors import ConfigError


@pytest.mark.parametrize("text", ["ttft:200 tpot:50", "ttft:200,tpot:50", " ttft:200ms, tpot:50 "])
def test_an_objective_is_read_as_vllm_writes_it(text: str):
    assert parse_slo(text) == Slo({"ttft": 200, "tpot": 50})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "can't read ''"),
        ("ttft", "can't read 'ttft'"),
        ("ttft:fast", "can't read 'ttft:fast'"),
        ("ttft:-1", "can't read 'ttft:-1'"),
        ("ttft:0", "> 0 ms, got 0"),
        ("itl:20", "no objective 'itl'; there are ttft, tpot, e2el, ttft_sched, stall, icl"),
        ("ttft:1 ttft:2", "ttft is there twice"),
    ],
)
def test_an_objective_that_makes_no_sense_is_refused(text: str, words: str):
    with pytest.raises(ConfigError) as refused:
        parse_slo(text)

    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ttft:100", True),  # the limit itself is kept
        ("ttft:99", False),
        ("tpot:10 e2el:200", True),
        ("tpot:10 e2el:199", False),
        ("icl:10 stall:10", True),
        ("stall:9", False),
        ("ttft_sched:1000", None),  # a closed loop has none
        ("ttft_sched:1000 ttft:99", False),
    ],
)
def test_all_limits_must_be_kept(text: str, expected: bool | None):
    request = answer(0, ttft_ms=100, gap_ms=10, n_tokens=11)

    assert parse_slo(text).is_kept(request) is expected


@pytest.mark.parametrize("text", ["tpot:50", "icl:50"])
def test_what_lies_between_tokens_of_a_single_one_is_undetermined_and_not_good(text: str):
    assert parse_slo(text).is_kept(answer(0, n_tokens=1)) is None


def test_time_per_token_of_an_answer_that_came_at_once_is_kept():
    assert parse_slo("tpot:50").is_kept(record(chunks=pieces(300, 300, 300))) is True


def test_a_request_sent_late_is_held_against_the_plan():
    request = answer(300, ttft_ms=100, sched_ns=0)

    assert parse_slo("ttft:200").is_kept(request) is True
    assert parse_slo("ttft_sched:200").is_kept(request) is False


def test_the_gaps_limit_is_for_the_mean_and_the_stalls_for_the_longest():
    request = record(chunks=pieces(100, 110, 120, 220), end_ns=300 * MS)

    assert parse_slo("icl:40").is_kept(request) is True
    assert parse_slo("stall:40").is_kept(request) is False


@pytest.mark.parametrize(
    ("text", "is_missed"),
    [("ttft:2000", False), ("e2el:5000", True), ("stall:4000", True), ("tpot:1 icl:1", False)],
)
def test_a_stream_that_hung_until_it_was_cut_missed_what_it_had_waited_past(
    text: str, is_missed: bool
):
    hung = record(chunks=pieces(100, 110), outcome=Outcome.CUT, end_ns=5200 * MS)

    assert parse_slo(text).is_missed(hung) is is_missed


@pytest.mark.parametrize("text", ["ttft:2000", "ttft_sched:2000"])
def test_a_request_that_was_cut_before_its_first_piece_missed_if_it_waited_too_long(text: str):
    hung = record(sched_ns=0, outcome=Outcome.CUT, end_ns=5200 * MS)

    assert parse_slo(text).is_missed(hung)
    assert not parse_slo(text).is_missed(replace(hung, end_ns=1999 * MS))


def test_an_objective_says_what_it_is():
    assert str(parse_slo("ttft:200,tpot:12.5")) == "ttft:200 tpot:12.5"
