"""Blocks that a trace's prompts share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgicli.bench.trace_blocks import Opening, block_size, find_shared


@pytest.mark.parametrize(
    ("lengths", "n_blocks", "size"),
    [
        ([6758, 512, 513], [14, 1, 2], 512),
        ([100, 300], [1, 1], 512),
        ([100, 80, 90], [4, 3, 3], 32),
        ([130, 260], [1, 2], 256),
        ([100, 145], [2, 3], 64),
        ([48, 49, 47], [1, 2, 1], 48),
        ([600, 100], [1, 1], 1024),
        ([50, 60], [2, 1], None),
        ([10, 0], [1, 0], 512),
    ],
)
def test_a_block_has_the_size_that_fits_all_lengths(
    lengths: list[int], n_blocks: list[int], size: int | None
):
    assert block_size(lengths, [range(n) for n in n_blocks]) == size


@given(st.lists(st.integers(1, 5000), min_size=1), st.integers(1, 2000))
def test_a_size_is_found_wherever_there_is_one(lengths: list[int], size: int):
    ids = [range(-(-length // size)) for length in lengths]

    found = block_size(lengths, ids)

    assert found is not None
    assert [-(-length // found) for length in lengths] == [len(one) for one in ids]


def test_prompts_share_what_they_begin_with_and_nothing_behind():
    shared = find_shared([512 * 3, 512 * 3, 512, 100], [(1, 2, 3), (1, 4, 3), (5,), (1,)])

    assert shared is not None
    one = Opening((1,), 512)
    assert shared.openings == (one, one, None, one)
    assert shared.repeated == (512 + 100) / (512 * 7 + 100)


def test_where_no_size_fits_nothing_is_shared():
    assert find_shared([50, 60], [(1, 2), (1,)]) is None
