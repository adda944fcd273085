"""The pace: how large a prompt chunk may be."""

from __future__ import annotations

import pytest

from tgicli.engine import pace
from tgicli.engine.chunks import LEAST
from tgicli.engine.pace import Pace


def test_a_first_chunk_is_small_while_nothing_is_known() -> None:
    learning = Pace(max_tokens=512)

    assert learning.n_prompt_tokens(0) == pace.FIRST_PROMPT_TOKENS
    assert learning.n_prompt_tokens(4) == pace.FIRST_TOKENS_BESIDE_DECODES


def test_a_chunk_beside_decodes_stretches_the_step_as_much_as_allowed() -> None:
    learning = Pace(max_tokens=512)
    learning.observe_decodes(0.030)
    learning.observe_chunk(10, 0.030)

    chunk = learning.n_prompt_tokens(4)

    assert 0.030 + chunk * 0.003 == pytest.approx(pace.STRETCH * 0.030, abs=0.003)


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


def test_a_fixed_number_beside_decodes_is_kept() -> None:
    fixed = Pace(max_tokens=512, fixed_tokens=48)
    fixed.observe_decodes(0.030)
    fixed.observe_chunk(10, 9)

    assert fixed.n_prompt_tokens(4) == 48
