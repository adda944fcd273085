"""The scheduler: which rows the next step computes, and what their results mean."""

from __future__ import annotations

import pytest

from tests.fakes import sampled, sequence
from tgicli.core import FinishReason, SamplingParams
from tgicli.engine.chunks import LEAST, SMALL, cut_small
from tgicli.engine.lanes import LanePool
from tgicli.engine.pace import MAX_PAUSES, PAUSE_S, Pace
from tgicli.engine.scheduler import Row, Scheduler
from tgicli.engine.sequence import Sequence
from tgicli.errors import DecodeFailed

GREEDY = SamplingParams(temperature=0)


def new_scheduler(
    n_lanes: int = 4,
    *,
    token_budget: int = 64,
    chunk: int = 16,
    reuse: bool = True,
    pace: Pace | None = None,
) -> Scheduler:
    """Return a scheduler that puts `chunk` prompt tokens, or what `pace` allows, beside decodes."""
    return Scheduler(
        LanePool(n_lanes, n_cells=4096, reuse=reuse),
        pace or Pace(max_tokens=token_budget, fixed_tokens=chunk),
        token_budget=token_budget,
        cut=cut_small,
    )


def admit(scheduler: Scheduler) -> None:
    """Give lanes away, each with the whole prefix that is wanted in it."""
    for edit in scheduler.admit():
        scheduler.place(edit, n_kept=edit.n_keep)


def step(scheduler: Scheduler) -> list[Row]:
    """Admit and schedule, and compute with a model that counts up."""
    admit(scheduler)
    rows = scheduler.schedule()
    results = [sampled(row.sequence.token_ids[-1] + 1) if row.samples else None for row in rows]
    scheduler.update(zip(rows, results, strict=True))
    return rows


def counts(rows: list[Row]) -> list[tuple[str, int, int]]:
    return [(row.sequence.request_id, row.start, row.count) for row in rows]


def decoding(scheduler: Scheduler, name: str) -> Sequence:
    """Return a sequence that has sampled its first token."""
    chatting = sequence([hash(name), 1], name=name, max_new_tokens=100)
    scheduler.add(chatting)
    step(scheduler)
    assert not chatting.is_prefilling
    return chatting


def test_a_long_prompt_delays_a_decode_by_one_chunk_at_most() -> None:
    scheduler = new_scheduler(chunk=16)
    decoding(scheduler, "chatting")
    scheduler.add(sequence(100, name="arriving"))

    rows = step(scheduler)

    assert counts(rows) == [("chatting", 2, 1), ("arriving", 0, 16)]


def test_a_prompt_alone_gets_the_whole_budget() -> None:
    scheduler = new_scheduler(token_budget=64)
    scheduler.add(sequence(100))

    assert counts(step(scheduler)) == [("a", 0, 64)]
    assert counts(step(scheduler)) == [("a", 64, 36)]


def test_a_prompt_that_is_scored_comes_in_small_chunks() -> None:
    scheduler = new_scheduler(token_budget=512)
    prompt = list(range(1_000, 1_100))
    scheduler.add(Sequence("a", prompt, GREEDY, 4, wants_prompt_logprobs=True))

    assert counts(step(scheduler)) == [("a", 0, SMALL)]
    assert counts(step(scheduler)) == [("a", SMALL, 40)]


def test_prompts_share_the_budget_in_order_of_arrival() -> None:
    scheduler = new_scheduler(token_budget=64, reuse=False)
    scheduler.add(sequence(40, name="first"))
    scheduler.add(sequence(40, name="second"))

    assert counts(step(scheduler)) == [("first", 0, 40), ("second", 0, 24)]


def pausing(n_tokens: int) -> Pace:
    """Return the pace of a device on which so many tokens of a prompt take a pause."""
    pace = Pace(max_tokens=64)
    pace.observe_decodes(0.010)
    pace.observe_chunk(1, PAUSE_S / n_tokens)
    return pace


def beside_a_decode(**n_tokens: int) -> Scheduler:
    """Return a scheduler with prompts: 20 tokens take a pause, and 1 stands beside a decode."""
    scheduler = new_scheduler(5, reuse=False, pace=pausing(20))
    decoding(scheduler, "chatting")
    for name, length in n_tokens.items():
        scheduler.add(sequence(length, name=name))
    return scheduler


def test_a_short_prompt_and_a_long_one_do_not_wait_for_each_other() -> None:
    scheduler = beside_a_decode(long=MAX_PAUSES * 20 + 1, short=20, shorter=5)

    assert counts(step(scheduler))[1:] == [("short", 0, 20), ("long", 0, LEAST)]
    assert counts(step(scheduler))[2:] == [("shorter", 0, 5), ("long", LEAST, LEAST)]
    assert counts(step(scheduler))[3:] == [("long", 2 * LEAST, LEAST)]


@pytest.mark.parametrize(("n_more", "count"), [(0, 20), (1, LEAST)])
def test_a_prompt_is_either_short_or_long(n_more: int, count: int) -> None:
    scheduler = beside_a_decode(prompt=MAX_PAUSES * 20 + n_more)

    assert counts(step(scheduler))[1:] == [("prompt", 0, count)]


def test_a_long_prompt_of_which_a_lane_held_nearly_all_is_a_short_one() -> None:
    scheduler = new_scheduler(pace=pausing(20))
    earlier = sequence(300, name="earlier", max_new_tokens=1)
    scheduler.add(earlier)
    while earlier.finish_reason is None:
        step(scheduler)
    decoding(scheduler, "chatting")

    scheduler.add(sequence(320, name="later"))

    assert counts(step(scheduler))[1:] == [("later", 300, 20)]


def test_where_a_pause_holds_more_than_a_step_the_decodes_still_have_room_in_it() -> None:
    scheduler = new_scheduler(token_budget=64, reuse=False, pace=pausing(10_000))  # as on a GPU
    decoding(scheduler, "chatting")
    scheduler.add(sequence(50, name="a"))
    scheduler.add(sequence(100, name="b"))

    assert counts(step(scheduler))[1:] == [("a", 0, 50), ("b", 0, 64 - 1 - 50)]


def test_a_prompt_of_several_pauses_comes_in_pieces_of_one_size() -> None:
    scheduler = beside_a_decode(prompt=50)

    assert [counts(step(scheduler))[-1][1:] for _ in range(3)] == [(0, 17), (17, 17), (34, 16)]


def test_short_prompts_share_a_pause_as_far_as_it_holds_them_whole() -> None:
    scheduler = beside_a_decode(a=5, b=10, c=6, d=3)

    assert counts(step(scheduler))[1:] == [("a", 0, 5), ("b", 0, 10)]
    assert counts(step(scheduler))[3:] == [("c", 0, 6), ("d", 0, 3)]


def test_where_nobody_waits_for_a_token_prompts_need_no_pauses() -> None:
    scheduler = beside_a_decode(long=MAX_PAUSES * 20 + 1, short=20)
    scheduler.abort("chatting")

    assert counts(step(scheduler)) == [("short", 0, 20), ("long", 0, 44)]


def test_short_prompts_without_end_leave_half_of_each_step_to_a_long_one() -> None:
    scheduler = beside_a_decode(long=1_000)
    scheduler.abort("chatting")
    for number in range(20):
        scheduler.add(sequence(60, name=f"short {number}", max_new_tokens=1))

    steps = [counts(step(scheduler)) for _ in range(20)]

    assert all(of_one[-1][0] == "long" and of_one[-1][2] >= 26 for of_one in steps)


def test_decodes_are_sorted_by_lane_and_come_before_prompts() -> None:
    scheduler = new_scheduler(n_lanes=3)
    first = decoding(scheduler, "first")
    decoding(scheduler, "second")
    scheduler.add(sequence(100, name="prompt"))
    admit(scheduler)
    scheduler.abort("first")
    scheduler.add(sequence(1, name="third"))  # takes the first one's lane, and runs behind
    admit(scheduler)

    rows = scheduler.schedule()

    assert first.lane is None
    assert [(row.sequence.request_id, row.sequence.lane) for row in rows] == [
        ("third", 0),
        ("second", 1),
        ("prompt", 2),
    ]


def test_a_request_beyond_the_lanes_waits_for_one() -> None:
    scheduler = new_scheduler(n_lanes=1)
    scheduler.add(sequence([1, 2], name="first", max_new_tokens=1))
    scheduler.add(sequence([3, 4], name="second"))

    assert counts(step(scheduler)) == [("first", 0, 2)]
    assert counts(step(scheduler)) == [("second", 0, 2)]


def test_requests_that_arrive_together_compute_a_shared_prefix_once() -> None:
    scheduler = new_scheduler(n_lanes=4, token_budget=50)
    prefix = list(range(200))
    for i in range(4):
        scheduler.add(sequence([*prefix, 900 + i], name=f"r{i}"))

    computed = sum(
        row.count
        for _ in range(8)
        for row in step(scheduler)
        if row.sequence.is_prefilling or row.count > 1
    )

    assert computed < 200 + 4 * 8


def test_a_request_that_waits_for_a_prefix_lets_others_pass() -> None:
    scheduler = new_scheduler(n_lanes=4, token_budget=50)
    prefix = list(range(200))
    scheduler.add(sequence([*prefix, 900], name="leader"))
    scheduler.add(sequence([*prefix, 901], name="follower"))
    scheduler.add(sequence([7, 8, 9], name="other"))

    step(scheduler)

    assert [running.request_id for running in scheduler.running] == ["leader", "other"]


def test_a_prompt_that_is_scored_waits_for_nobodys_prefix() -> None:
    scheduler = new_scheduler()
    scheduler.add(sequence(200, name="leader"))
    scored = Sequence("scored", list(range(1_000, 1_200)), GREEDY, 4, wants_prompt_logprobs=True)
    scheduler.add(scored)

    step(scheduler)

    assert scored in scheduler.running


def test_a_follower_that_is_aborted_is_forgotten() -> None:
    scheduler = new_scheduler(n_lanes=4, token_budget=50)
    for i in range(2):
        scheduler.add(sequence([*range(200), 900 + i], name=f"r{i}"))
    step(scheduler)
    assert scheduler._leads

    scheduler.abort("r1")

    assert not scheduler._leads


def test_a_follower_goes_on_alone_when_its_leader_is_aborted() -> None:
    scheduler = new_scheduler(n_lanes=4, token_budget=50)
    prefix = list(range(200))
    follower = sequence([*prefix, 901], name="follower")
    scheduler.add(sequence([*prefix, 900], name="leader"))
    scheduler.add(follower)
    step(scheduler)

    scheduler.abort("leader")
    step(scheduler)

    assert follower in scheduler.running
    assert follower.n_cached == 50


def test_of_the_followers_of_an_aborted_leader_one_leads_the_others() -> None:
    scheduler = new_scheduler(n_lanes=4, token_budget=50)
    prefix = list(range(200))
    for i in range(4):
        scheduler.add(sequence([*prefix, 900 + i], name=f"r{i}"))
    step(scheduler)

    scheduler.abort("r0")
    step(scheduler)

    assert [running.request_id for running in scheduler.running] == ["r1"]


def test_an_abort_reaches_a_request_in_every_state() -> None:
    scheduler = new_scheduler(n_lanes=2)
    chatting = decoding(scheduler, "decoding")
    prompt, queued = sequence(100, name="prompt"), sequence(9, name="queued")
    scheduler.add(prompt)
    step(scheduler)
    scheduler.add(queued)

    aborted = [scheduler.abort(name) for name in ("decoding", "prompt", "queued", "unknown")]

    assert aborted == [chatting, prompt, queued, None]
    assert not scheduler.has_work
    assert {s.finish_reason for s in (chatting, prompt, queued)} == {FinishReason.ABORT}


def test_an_abort_during_a_step_beats_the_token_it_sampled() -> None:
    scheduler = new_scheduler()
    chatting = decoding(scheduler, "chatting")
    rows = scheduler.schedule()

    scheduler.abort("chatting")

    assert scheduler.update([(rows[0], sampled(7))]) == []
    assert chatting.n_generated == 1


def test_a_finished_sequence_frees_its_lane_with_what_it_computed() -> None:
    scheduler = new_scheduler(n_lanes=1)
    scheduler.add(sequence([1, 2, 3], name="first", max_new_tokens=2))
    step(scheduler)
    step(scheduler)
    again = sequence([1, 2, 3, 4, 97, 98, 99], name="again")
    scheduler.add(again)

    step(scheduler)

    # The prompt and the first generated token; the second one was never computed.
    assert again.n_cached == 4


def test_a_failed_sequence_ends_and_leaves_nothing_to_reuse() -> None:
    scheduler = new_scheduler(n_lanes=1, token_budget=64)
    scheduler.add(sequence(100, name="failing"))
    step(scheduler)
    rows = scheduler.schedule()

    outputs = scheduler.update([(rows[0], DecodeFailed("x"))])

    assert str(outputs[0].error) == "x"
    after = sequence(100, name="after")
    scheduler.add(after)
    step(scheduler)
    assert after.n_cached == 0
