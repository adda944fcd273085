"""The pace: how large a prompt chunk may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgicli.engine import pace
from tgicli.engine.chunks import LEAST
from tgicli.engine.pace import ChunkCost, Pace


def test_a_first_chunk_is_small_while_nothing_is_known() -> None:
    learning = Pace(max_tokens=512)

    assert learning.n_prompt_tokens(0) == pace.FIRST_PROMPT_TOKENS
    assert learning.n_prompt_tokens(4) == pace.FIRST_TOKENS_BESIDE_DECODES

    learning.observe_decodes(0.030)

    assert learning.n_prompt_tokens(4) == pace.FIRST_TOKENS_BESIDE_DECODES


def test_one_slow_step_of_decodes_counts_for_little_and_many_count() -> None:
    learning = Pace(max_tokens=512)
    learning.observe_chunk(10, 0.010)
    learning.observe_decodes(0.010)

    learning.observe_decodes(0.100)
    after_one = learning.n_prompt_tokens(4)
    for _ in range(30):
        learning.observe_decodes(0.100)

    assert after_one == pytest.approx(1.5 * 28, abs=1)
    assert learning.n_prompt_tokens(4) == pytest.approx(1.5 * 100, abs=1)


def test_a_chunk_beside_decodes_stretches_the_step_as_much_as_allowed() -> None:
    learning = Pace(max_tokens=512)
    learning.observe_decodes(0.030)
    learning.observe_chunk(10, 0.030)

    chunk = learning.n_prompt_tokens(4)

    assert 0.030 + chunk * 0.003 == pytest.approx(pace.STRETCH * 0.030, abs=0.003)


def test_a_crowd_of_prompts_gets_its_share_of_the_time() -> None:
    learning = Pace(max_tokens=512)
    learning.observe_decodes(0.010)
    learning.observe_chunk(10, 0.010)

    assert learning.n_prompt_tokens(1, 7) == 70
    assert learning.n_prompt_tokens(4, 4) == learning.n_prompt_tokens(4, 1)


def test_what_is_short_depends_on_the_device() -> None:
    learning = Pace(max_tokens=512)
    assert learning.n_short_tokens == 0

    learning.observe_chunk(100, 0.5)

    assert learning.n_pause_tokens == pytest.approx(pace.PAUSE_S / 0.005, abs=1)
    assert learning.n_short_tokens == pace.MAX_PAUSES * learning.n_pause_tokens


@given(n_pending=st.integers(1, 1000), token_s=st.floats(1e-6, 1))
def test_pieces_are_of_one_size_and_none_is_longer_than_a_pause(
    n_pending: int, token_s: float
) -> None:
    learning = Pace(max_tokens=512)
    learning.observe_chunk(100, 100 * token_s)
    pause, sizes = max(learning.n_pause_tokens, 1), []

    while n_pending:
        sizes.append(learning.n_piece_tokens(n_pending))
        n_pending -= sizes[-1]

    assert max(sizes) <= pause
    assert max(sizes) - min(sizes) <= 1


def test_small_chunks_do_not_make_tokens_look_dear() -> None:
    learning = Pace(max_tokens=512)
    learning.observe_chunk(60, 0.015 + 60 * 0.003)
    for _ in range(20):
        learning.observe_chunk(3, 0.015 + 3 * 0.003)

    assert learning.n_pause_tokens == pytest.approx((pace.PAUSE_S - 0.015) / 0.003, abs=3)


def test_chunks_of_nearly_one_size_do_not_make_tokens_look_cheap() -> None:
    """A line through 12 and 13 tokens that took as long would say that a token costs nothing."""
    learning = Pace(max_tokens=512)
    for k in range(20):
        learning.observe_chunk(12 + k % 2, 0.050)

    assert learning.n_pause_tokens == pytest.approx(pace.PAUSE_S / 0.050 * 12.5, abs=1)


def test_between_two_sizes_and_beyond_them_the_cost_lies_on_a_line() -> None:
    cost = ChunkCost()
    cost.observe(10, 0.125)
    cost.observe(90, 0.625)

    assert [cost.n_within(s) for s in (0.0625, 0.375, 1.25)] == [5, 50, 180]


def test_a_chunk_that_was_faster_than_a_smaller_one_does_not_make_tokens_look_cheap() -> None:
    cost = ChunkCost()
    cost.observe(10, 0.5)
    cost.observe(100, 0.125)

    assert cost.n_within(1.0) == 200


def test_a_chunk_grows_until_it_takes_its_time() -> None:
    """From a single one of 3 tokens on, each as large as was learned until then."""
    learning = Pace(max_tokens=512)
    learning.observe_decodes(0.030)
    n_tokens = 3
    for _ in range(30):
        learning.observe_chunk(n_tokens, 0.007 + 0.0028 * n_tokens)
        n_tokens = learning.n_prompt_tokens(4)

    assert n_tokens == pytest.approx((1.5 * 0.030 - 0.007) / 0.0028, abs=1)


@given(
    chunks=st.lists(st.tuples(st.integers(1, 512), st.floats(0, 10)), min_size=1, max_size=30),
    budget_s=st.floats(0, 10),
)
def test_whatever_was_seen_a_longer_time_holds_no_fewer_tokens(
    chunks: list[tuple[int, float]], budget_s: float
) -> None:
    cost = ChunkCost()
    for n_tokens, elapsed_s in chunks:
        cost.observe(n_tokens, elapsed_s)

    fewer, more = cost.n_within(budget_s), cost.n_within(2 * budget_s)
    assert fewer is not None
    assert more is not None
    assert 0 <= fewer <= more


def test_a_chunk_alone_is_limited_by_time() -> None:
    learning = Pace(max_tokens=100_000)
    learning.observe_chunk(100, 0.1)

    assert learning.n_prompt_tokens(0) == pytest.approx(pace.MAX_STEP_S / 0.001, abs=1)


def test_a_chunk_and_the_decodes_together_fit_the_batch() -> None:
    learning = Pace(max_tokens=64)
    learning.observe_chunk(64, 1e-6)
    learning.observe_decodes(1)

    assert learning.n_prompt_tokens(8) == 56


def test_a_slow_device_still_makes_progress() -> None:
    learning = Pace(max_tokens=64)
    learning.observe_chunk(1, 100)

    assert learning.n_prompt_tokens(0) == LEAST


def test_beside_decodes_that_fill_the_batch_a_prompt_goes_on() -> None:
    assert Pace(max_tokens=8).n_prompt_tokens(8) == 1


def test_a_fixed_number_beside_decodes_is_kept() -> None:
    fixed = Pace(max_tokens=512, fixed_tokens=48)
    fixed.observe_decodes(0.030)
    fixed.observe_chunk(10, 0.010)

    assert fixed.n_prompt_tokens(4, 9) == 48
    assert fixed.n_prompt_tokens(0) == 512
    assert fixed.n_short_tokens == 0
