"""How much of two lists of tokens is equal from the start on. Pure."""

from __future__ import annotations

LITTLE_TOKENS = 32  # fewer than this are computed again: copying them is not worth it


def common_prefix_length(a: list[int], b: list[int]) -> int:
    """Return how many leading items are equal.

    Bisects on slices, which are compared in C: a thousand times faster on long prompts than a loop.
    """
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
