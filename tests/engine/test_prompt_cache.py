"""What is kept in RAM of conversations whose lanes went to others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import FakeRunner, sequence
from tgicli.core import Finish
from tgicli.engine.engine import Emitted, Engine
from tgicli.engine.lanes import LaneEdit, LanePool
from tgicli.engine.prefix import LITTLE_TOKENS
from tgicli.engine.prompt_cache import N_ASKED, PromptCache
from tgicli.engine.sequence import Sequence

NOBODY = ("", None)


def conversation(number: int, n_tokens: int = 100) -> list[int]:
    """Return tokens that begin like no other conversation's."""
    return list(range(1_000 * number, 1_000 * number + n_tokens))


def taking_turns(pool: LanePool, *prompts: list[int], is_turn: bool = True) -> list[LaneEdit]:
    """Let each prompt have a lane and leave it, one after the other."""
    edits = []
    for prompt in prompts:
        one = sequence(prompt, is_turn=is_turn)
        edits.append(pool.acquire(one))
        pool.release(one, n_valid=len(prompt))
    return edits


def test_what_makes_room_is_saved_and_comes_back() -> None:
    pool = LanePool(1, n_cells=4096, reuse=True, max_saved_tokens=1_000)
    first, second = conversation(1), conversation(2)

    edits = taking_turns(pool, first, second, [*first, 7, 8, 9])

    assert edits == [
        LaneEdit(0, 0, 0),
        LaneEdit(0, 0, 0, saved=1, n_saved=100),
        LaneEdit(0, 0, 100, saved=2, n_saved=100, restored=1, dropped=(1,)),
    ]


def test_without_room_in_ram_nothing_is_saved() -> None:
    pool = LanePool(1, n_cells=4096, reuse=True)

    edits = taking_turns(pool, conversation(1), conversation(2))

    assert [edit.saved for edit in edits] == [None, None]


def test_without_reuse_nothing_is_saved() -> None:
    pool = LanePool(1, n_cells=4096, reuse=False, max_saved_tokens=1_000)

    edits = taking_turns(pool, conversation(1), conversation(2), conversation(1))

    assert edits == [LaneEdit(0, 0, 0)] * 3


def test_a_turn_that_goes_on_in_its_lane_saves_nothing() -> None:
    pool = LanePool(1, n_cells=4096, reuse=True, max_saved_tokens=1_000)
    first = conversation(1)

    edits = taking_turns(pool, first, [*first, 7, 8, 9])

    assert edits[1] == LaneEdit(0, 0, 100)


def test_what_a_copy_from_another_lane_takes_the_place_of_is_saved() -> None:
    pool = LanePool(2, n_cells=4096, reuse=True, max_saved_tokens=1_000)
    running = sequence(conversation(2))
    one = sequence(conversation(1), is_turn=True)
    pool.acquire(one)
    pool.acquire(running)
    running.n_computed = 100
    pool.release(one, n_valid=100)

    edit = pool.acquire(sequence([*conversation(2)[:80], 7, 8, 9]))

    assert edit == LaneEdit(0, 1, 80, saved=1, n_saved=100)


def test_what_a_lane_holds_does_not_come_from_ram() -> None:
    pool = LanePool(1, n_cells=4096, reuse=True, max_saved_tokens=1_000)
    first = conversation(1)
    branch = [*first[:60], 7, 8, 9]
    taking_turns(pool, first, conversation(2), branch)

    [edit] = taking_turns(pool, [*branch, 4, 5, 6])

    assert edit == LaneEdit(0, 0, len(branch))


def test_the_rest_of_a_lane_of_which_little_is_used_again_is_saved() -> None:
    pool = LanePool(1, n_cells=4096, reuse=True, max_saved_tokens=1_000)
    first = conversation(1)

    edits = taking_turns(pool, first, [*first[:40], 7, 8, 9, *range(50)], [*first, 7, 8, 9])

    assert edits[1] == LaneEdit(0, 0, 40, saved=1, n_saved=100)
    assert (edits[2].restored, edits[2].n_keep) == (1, 100)


def test_what_another_lane_holds_is_not_saved() -> None:
    pool = LanePool(2, n_cells=4096, reuse=True, max_saved_tokens=1_000)
    first = conversation(1)
    running = sequence([*first, 7, 8, 9])
    taking_turns(pool, first)
    running.token_ids += [5] * 50
    pool.acquire(running)
    running.n_computed = len(running.token_ids)
    copied = sequence([*first, 4, 4, 4])
    pool.acquire(copied)
    pool.release(copied, n_valid=103)

    edit = pool.acquire(sequence(conversation(2)))

    assert edit.lane == 1
    assert edit.saved is None


def test_a_copy_that_has_more_to_give_stays() -> None:
    pool = LanePool(1, n_cells=4096, reuse=True, max_saved_tokens=1_000)
    first = conversation(1)
    taking_turns(pool, first, conversation(2))

    edits = taking_turns(pool, [*first[:60], 7, 8, 9], [*first, 7, 8, 9])

    assert [(edit.restored, edit.n_keep, edit.dropped) for edit in edits] == [
        (1, 60, ()),
        (1, 100, (1,)),
    ]


def test_a_prompt_that_came_once_is_not_saved() -> None:
    pool = LanePool(1, n_cells=4096, reuse=True, max_saved_tokens=1_000)

    edits = taking_turns(pool, *(conversation(number) for number in range(5)), is_turn=False)

    assert [edit.saved for edit in edits] == [None] * 5


def test_what_has_come_back_once_is_saved() -> None:
    pool = LanePool(1, n_cells=4096, reuse=True, max_saved_tokens=1_000)
    first, second = conversation(1), conversation(2)
    turns = [first, second, [*first, 7, 8, 9], second, [*first, 7, 8, 9, 10]]

    edits = taking_turns(pool, *turns, is_turn=False)

    assert [(edit.saved, edit.restored) for edit in edits] == [
        (None, None),
        (None, None),
        (None, None),
        (1, None),
        (2, 1),
    ]


def test_a_prompt_that_only_begins_like_an_earlier_one_does_not_come_back() -> None:
    cache = PromptCache(1_000)
    first = conversation(1)
    cache.comes_back(first, NOBODY)

    assert not cache.comes_back([*first[:-1], 7, 8, 9], NOBODY)
    assert not cache.comes_back([*first, 7], ("another's key", None))
    assert cache.comes_back([*first, 7], NOBODY)
    assert cache.comes_back(first, NOBODY)


def test_of_many_prompts_only_the_last_ones_are_remembered() -> None:
    cache = PromptCache(1_000)
    for number in range(1, N_ASKED + 2):
        cache.comes_back(conversation(number), NOBODY)

    assert not cache.comes_back(conversation(1), NOBODY)
    assert cache.comes_back(conversation(N_ASKED), NOBODY)


def test_what_begins_with_a_little_prompt_does_not_come_back() -> None:
    cache = PromptCache(1_000)

    cache.comes_back(conversation(1, LITTLE_TOKENS - 1), NOBODY)

    assert not cache.comes_back(conversation(1), NOBODY)


@pytest.mark.parametrize("n_used", [60, 100])
def test_what_came_from_ram_goes_back_there(n_used: int) -> None:
    pool = LanePool(1, n_cells=4096, reuse=True, max_saved_tokens=1_000)
    first = conversation(1)
    taking_turns(pool, first, conversation(2))

    edits = taking_turns(pool, [*first[:n_used], *range(50)], conversation(3), is_turn=False)

    assert edits[0].restored == 1
    assert edits[1].saved == 3


def test_what_was_used_last_stays_longest() -> None:
    cache = PromptCache(250)
    for number in (1, 2):
        cache.save(conversation(number), NOBODY)
    saved, n_used = cache.find(conversation(1, 50), NOBODY)
    assert saved is not None
    cache.use(saved.number, n_used)

    assert cache.save(conversation(3), NOBODY) == (3, (2,))


def test_a_longer_turn_takes_the_place_of_the_one_before() -> None:
    cache = PromptCache(1_000)
    first = conversation(1)
    cache.save(first, NOBODY)

    assert cache.save([*first, *range(90)], NOBODY) == (2, (1,))
    assert cache.save(first, NOBODY) == (None, ())


def test_neither_a_few_tokens_nor_more_than_there_is_room_for_are_saved() -> None:
    cache = PromptCache(100)

    assert cache.save(conversation(1, LITTLE_TOKENS - 1), NOBODY) == (None, ())
    assert cache.save(conversation(1, 101), NOBODY) == (None, ())
    assert cache.save(conversation(1), NOBODY) == (1, ())


def test_another_s_copies_are_not_found() -> None:
    cache = PromptCache(1_000)
    cache.save(conversation(1), ("her key", None))

    assert cache.find(conversation(1), NOBODY) == (None, 0)
    assert cache.find(conversation(1), ("her key", "sql")) == (None, 0)
    assert cache.find(conversation(1), ("her key", None))[1] == 100


def test_nobody_waits_for_a_prefix_that_is_in_ram() -> None:
    pool = LanePool(1, n_cells=4096, reuse=True, max_saved_tokens=1_000)
    taking_turns(pool, conversation(1), conversation(2))

    assert pool.longest_prefix_length(conversation(1), NOBODY) == 100


def test_a_lane_that_is_still_to_be_copied_is_not_written_over() -> None:
    pool = LanePool(2, n_cells=4096, reuse=True, max_saved_tokens=1_000)
    first, second = conversation(1), conversation(2)
    taking_turns(pool, first, conversation(3), second)
    copied, restored = sequence([*second[:60], 7, 8, 9]), sequence([*first, 7, 8, 9])

    edit = pool.acquire(copied)
    assert (edit.source, edit.lane) == (0, 1)
    assert pool.must_wait(restored)
    pool.note_decode()

    assert not pool.must_wait(restored)
    assert pool.acquire(restored).restored == 1


def test_a_copy_that_could_not_be_made_is_not_asked_for_twice() -> None:
    pool = LanePool(1, n_cells=4096, reuse=True, max_saved_tokens=1_000)
    first = conversation(1)
    taking_turns(pool, first, conversation(2))
    again = sequence([*first[:60], 7, 8, 9])

    pool.place(pool.acquire(again), n_kept=0)
    pool.release(again, n_valid=0)

    assert again.n_cached == 0
    assert pool.acquire(sequence([*first, 7, 8, 9])).restored is None


@given(
    saves=st.booleans(),
    turns=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 150)), max_size=24),
    n_lanes=st.integers(1, 3),
    max_saved_tokens=st.sampled_from([0, 120, 400, 2_000]),
)
def test_everybody_gets_an_answer_whatever_left_its_lane(
    turns: list[tuple[int, int]], n_lanes: int, max_saved_tokens: int, *, saves: bool
) -> None:
    runner = FakeRunner(
        n_lanes, max_saved_tokens=max_saved_tokens, saves=saves
    )  # checks what each lane holds
    told: list[Emitted] = []
    engine = Engine(runner, told.extend, clock=lambda: 0.0)
    for index, (number, n_tokens) in enumerate(turns):
        prompt = conversation(number, n_tokens)
        asked: Sequence = sequence(prompt, name=str(index), is_turn=index % 2 == 0)
        engine.submit(asked)
        if index % 3:
            continue
        engine._read_inbox(block=False)
        while engine._scheduler.has_work:
            for emitted in engine.step():
                told += emitted
    engine._read_inbox(block=False)
    while engine._scheduler.has_work:
        for emitted in engine.step():
            told += emitted

    finished = [item.request_id for item in told if isinstance(item.event, Finish)]
    assert sorted(finished) == sorted(str(index) for index in range(len(turns)))
