"""How much of two lists is equal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tgicli.engine.prefix import common_prefix_length


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)))
def test_the_common_prefix_is_what_a_loop_finds(a: list[int], b: list[int]) -> None:
    expected = next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )

    assert common_prefix_length(a, b) == expected
