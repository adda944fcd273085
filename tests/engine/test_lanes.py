"""Lanes: who gets which, and with what prefix."""

from __future__ import annotations

import pytest

from tests.fakes import sequence
from tgicli.engine.chunks import LEAST
from tgicli.engine.lanes import CELLS_PER_TOKEN, LaneEdit, LanePool
from tgicli.engine.prefix import LITTLE_TOKENS

N_CELLS = 4096
SHARED = list(range(500, 500 + LITTLE_TOKENS))


def test_the_lowest_free_lane_is_taken_so_that_busy_lanes_lie_densely() -> None:
    pool = LanePool(3, n_cells=N_CELLS, reuse=True)
    first, second = sequence([1, 2, 3]), sequence([4, 5, 6])

    edits = [pool.acquire(first), pool.acquire(second)]

    assert edits == [LaneEdit(0, 0, 0), LaneEdit(1, 1, 0)]
    assert pool.n_free == 1


def test_an_idle_lane_with_the_prefix_is_taken_over() -> None:
    pool = LanePool(3, n_cells=N_CELLS, reuse=True)
    other, before = sequence([9, 9]), sequence([1, 2, 3, 4])
    pool.acquire(other)
    pool.acquire(before)
    pool.release(before, n_valid=4)

    after = sequence([1, 2, 3, 7, 8, 9])
    edit = pool.acquire(after)
    pool.place(edit, n_kept=edit.n_keep)

    assert edit == LaneEdit(1, 1, 3)
    assert after.n_computed == after.n_cached == 3


def test_an_idle_lane_that_would_lose_much_is_copied_and_keeps_it() -> None:
    pool = LanePool(3, n_cells=N_CELLS, reuse=True)
    before = sequence([*SHARED, *range(100)])
    pool.acquire(before)
    pool.release(before, n_valid=len(before.token_ids))

    edit = pool.acquire(sequence([*SHARED, 7, 8, 9]))

    assert edit == LaneEdit(1, 0, len(SHARED))
    assert pool.acquire(sequence([*before.token_ids, 7, 8, 9])).n_keep == len(before.token_ids)


def test_a_conversation_outlives_another_that_begins_with_the_same_few_tokens() -> None:
    pool = LanePool(2, n_cells=N_CELLS, reuse=True)
    first, second = sequence([1, 2, *range(100)]), sequence([1, 2, *range(200, 300)])
    for one in (first, second):
        pool.acquire(one)
        pool.release(one, n_valid=len(one.token_ids))

    edit = pool.acquire(sequence([*first.token_ids, 7, 8, 9]))

    assert edit == LaneEdit(0, 0, len(first.token_ids))


def test_what_was_left_alone_the_longest_makes_room() -> None:
    pool = LanePool(3, n_cells=N_CELLS, reuse=True)
    held = [sequence(list(range(start, start + 50))) for start in (100, 200, 300)]
    for one in held:
        pool.acquire(one)
    for one in (held[1], held[0], held[2]):
        pool.release(one, n_valid=50)

    assert [pool.acquire(sequence([1, 2, 3])).lane for _ in range(3)] == [1, 0, 2]


def test_a_lane_in_which_nothing_is_left_goes_before_those_that_hold_something() -> None:
    pool = LanePool(2, n_cells=N_CELLS, reuse=True)
    kept, failed = sequence([1, 2, 3]), sequence([4, 5, 6])
    for one in (kept, failed):
        pool.acquire(one)
    pool.release(kept, n_valid=3)
    pool.release(failed, n_valid=0)

    assert pool.acquire(sequence([7, 8, 9])).lane == 1


def test_beside_busy_lanes_the_next_one_is_a_neighbour() -> None:
    pool = LanePool(6, n_cells=N_CELLS, reuse=True)
    held = [sequence([n, 2, 3]) for n in range(6)]
    for one in held:
        pool.acquire(one)
    for n in (0, 1, 3, 4, 5):  # 0 was left alone the longest
        pool.release(held[n], n_valid=3)

    lanes = [pool.acquire(sequence([9, 9, 9])).lane for _ in range(5)]

    assert lanes == [1, 0, 3, 4, 5]


def test_an_idle_lane_with_much_of_the_prompt_is_taken_even_if_it_is_no_neighbour() -> None:
    pool = LanePool(5, n_cells=N_CELLS, reuse=True)
    held = [sequence([n] * 50) for n in range(5)]
    for one in held:
        pool.acquire(one)
    for one in held[1:]:
        pool.release(one, n_valid=50)

    assert pool.acquire(sequence([*held[4].token_ids, 7, 8, 9])) == LaneEdit(4, 4, 50)


def test_a_gap_between_busy_lanes_is_filled_first() -> None:
    pool = LanePool(4, n_cells=N_CELLS, reuse=True)
    held = [sequence([n, 2, 3]) for n in range(3)]
    for one in held:
        pool.acquire(one)
    pool.release(held[1], n_valid=3)

    assert pool.acquire(sequence([9, 9, 9])).lane == 1


def test_a_busy_lane_with_the_prefix_is_copied() -> None:
    pool = LanePool(3, n_cells=N_CELLS, reuse=True)
    running = sequence([*SHARED, 4])
    pool.acquire(running)
    running.n_computed = len(SHARED) + 1

    edit = pool.acquire(sequence([*SHARED, 7, 8, 9]))

    assert edit == LaneEdit(1, 0, len(SHARED))


def test_an_idle_lane_goes_before_a_busy_one_with_the_same_prefix() -> None:
    pool = LanePool(3, n_cells=N_CELLS, reuse=True)
    busy, idle = sequence([*SHARED, 1, 2, 3]), sequence([*SHARED, 1, 2, 3])
    for one in (busy, idle):
        pool.acquire(one)
        one.n_computed = len(one.token_ids)
    pool.release(idle, n_valid=len(idle.token_ids))

    assert pool.acquire(sequence([*SHARED, 4, 5, 6])) == LaneEdit(1, 1, len(SHARED))


@pytest.mark.parametrize(("n_shared", "n_kept"), [(8, 0), (9, 9)])
def test_a_prefix_is_copied_where_that_is_faster_than_computing_it(
    n_shared: int, n_kept: int
) -> None:
    assert 8 * CELLS_PER_TOKEN == N_CELLS
    pool = LanePool(3, n_cells=N_CELLS, reuse=True)
    running = sequence([*SHARED[:n_shared], 1, 2, 3])
    pool.acquire(running)
    running.n_computed = n_shared + 3

    edit = pool.acquire(sequence([*SHARED[:n_shared], 7, 8, 9]))

    assert edit == LaneEdit(1, 0 if n_kept else 1, n_kept)


def test_only_what_is_computed_of_a_busy_lane_is_copied() -> None:
    pool = LanePool(2, n_cells=N_CELLS, reuse=True)
    running = sequence([*SHARED, 3, 4])
    pool.acquire(running)
    running.n_computed = len(SHARED)

    assert pool.acquire(sequence([*SHARED, 3, 4, 5, 6])).n_keep == len(SHARED)


@pytest.mark.parametrize("n_prompt", range(1, LEAST + 3))
def test_the_last_prompt_tokens_are_always_computed(n_prompt: int) -> None:
    pool = LanePool(1, n_cells=N_CELLS, reuse=True)
    before = sequence(9)
    pool.acquire(before)
    pool.release(before, n_valid=9)

    assert pool.acquire(sequence(n_prompt)).n_keep == max(0, n_prompt - LEAST)


def test_a_prompt_that_is_to_be_scored_is_computed_anew() -> None:
    pool = LanePool(1, n_cells=N_CELLS, reuse=True)
    before, scored = sequence(9), sequence(9)
    scored.wants_prompt_logprobs = True
    pool.acquire(before)
    pool.release(before, n_valid=9)

    assert pool.acquire(scored) == LaneEdit(0, 0, 0)


def test_nothing_is_reused_when_reuse_is_off() -> None:
    pool = LanePool(2, n_cells=N_CELLS, reuse=False)
    before = sequence(9)
    pool.acquire(before)
    pool.release(before, n_valid=9)

    assert pool.acquire(sequence(9)) == LaneEdit(0, 0, 0)


def test_cells_that_are_not_valid_are_never_reused() -> None:
    pool = LanePool(1, n_cells=N_CELLS, reuse=True)
    failed = sequence(9)
    pool.acquire(failed)
    failed.n_computed = 9
    pool.release(failed, n_valid=2)

    assert pool.acquire(sequence(9)).n_keep == 2


def test_a_prefix_is_not_shared_with_another_key() -> None:
    pool = LanePool(2, n_cells=N_CELLS, reuse=True)
    before = sequence([1, 2, 3, 4, 5, 6])
    before.reuse_key = "mine"
    pool.acquire(before)
    pool.release(before, n_valid=6)
    other, again = sequence([1, 2, 3, 4, 5, 6]), sequence([1, 2, 3, 4, 5, 6])
    other.reuse_key, again.reuse_key = "yours", "mine"

    assert pool.longest_prefix_length([1, 2, 3], other.owner) == 0
    assert pool.acquire(again).n_keep == 3
    assert pool.acquire(other).n_keep == 0


def test_a_prefix_is_not_shared_with_another_adapter() -> None:
    pool = LanePool(2, n_cells=N_CELLS, reuse=True)
    before, again = (sequence([1, 2, 3, 4, 5, 6], adapter="red") for _ in range(2))
    other = sequence([1, 2, 3, 4, 5, 6])
    pool.acquire(before)
    pool.release(before, n_valid=6)

    assert pool.longest_prefix_length([1, 2, 3], other.owner) == 0
    assert pool.acquire(other).n_keep == 0
    assert pool.acquire(again).n_keep == 3


def test_lanes_with_an_adapter_lie_densely_beside_those_without() -> None:
    pool = LanePool(6, n_cells=N_CELLS, reuse=True)
    lanes = dict[str | None, list[int]]()

    for adapter in (None, "red", None, "red", None):
        edit = pool.acquire(sequence([1, 2, 3], adapter=adapter))
        lanes.setdefault(adapter, []).append(edit.lane)

    assert lanes == {None: [0, 1, 2], "red": [5, 4]}


def test_beside_one_with_an_adapter_those_without_lie_at_the_low_end() -> None:
    pool = LanePool(6, n_cells=N_CELLS, reuse=True)
    pool.acquire(sequence([1, 2, 3], adapter="red"))

    assert [pool.acquire(sequence([1, 2, 3])).lane for _ in range(2)] == [0, 1]
