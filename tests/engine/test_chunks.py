"""Cuts of a prompt: none may be seen by the kernels that compute it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tgicli.engine.chunks import LEAST, SMALL, TILE, Cut, cut_into_tiles, cut_small

MICRO_BATCH = 512

budgets = st.lists(st.integers(1, 600), min_size=1, max_size=9)


def ends(cut: Cut, n_tokens: int, budgets: list[int]) -> list[int]:
    """Return where a prompt is cut, the budgets taken by turns."""
    positions = [0]
    while positions[-1] < n_tokens:
        start = positions[-1]
        count = cut(start, n_tokens - start, budgets[len(positions) % len(budgets)])
        assert 1 <= count <= n_tokens - start
        positions.append(start + count)
    return positions


def tiles(start: int, n_pending: int, budget: int) -> int:
    return cut_into_tiles(start, n_pending, budget, micro_batch=MICRO_BATCH)


@given(st.integers(3, 1500), budgets)
def test_small_chunks_leave_no_single_token_for_a_micro_batch(n_tokens, budgets):
    for start, end in pairwise(ends(cut_small, n_tokens, budgets)):
        assert (end - start) % SMALL != 1
        assert (end - start - 1) % SMALL != 1, "the rest, when the last token is computed apart"


@given(st.integers(1, 1500), st.integers(1, 600))
def test_a_small_chunk_keeps_to_its_budget_but_for_its_least_size(n_pending, budget):
    assert cut_small(0, n_pending, budget) <= max(budget, 2 * LEAST - 1)


@given(st.integers(1, 3000), budgets)
def test_each_token_gets_the_kernel_that_a_whole_micro_batch_would_get(n_tokens, budgets):
    for start, end in pairwise(ends(tiles, n_tokens, budgets)):
        whole = min(MICRO_BATCH, n_tokens - start // MICRO_BATCH * MICRO_BATCH)

        assert start // MICRO_BATCH == (end - 1) // MICRO_BATCH, "a chunk crosses a micro-batch"
        assert (end - start >= TILE) == (whole >= TILE)
        assert (end - start == 1) == (whole == 1)


def test_a_whole_micro_batch_is_not_cut_where_the_budget_holds_it():
    assert tiles(0, 2000, 512) == 512
    assert tiles(512, 300, 600) == 300


def test_a_chunk_of_tiles_keeps_to_its_budget_where_it_can():
    assert tiles(0, 2000, 200) == 200
    assert tiles(200, 1800, 300) == 248  # the rest of the micro-batch is a tile of 64
    assert tiles(448, 1552, 10) == 64
    assert tiles(512, 30, 5) == 30
