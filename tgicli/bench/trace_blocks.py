"""Make prompts that begin alike where a trace says that they did.

Used by `datasets`. A trace of Mooncake's kind has no texts; it has, for each prompt, a number for
each block of so many tokens, and prompts whose first numbers are equal began with the same tokens
(Qin et al., "Mooncake: A KVCache-centric Disaggregated Architecture for LLM Serving", 2024). The
size of a block is not in the file. Pure: the same seed gives the same texts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from tgicli.bench.ruler import Ruler

USUAL_TOKENS = 512  # of a block, in Mooncake's own traces


@dataclass(frozen=True, slots=True)
class Opening:
    """The blocks that a prompt begins with as others do."""

    block_ids: tuple[int, ...]
    n_block_tokens: int

    @property
    def n_tokens(self) -> int:
        """Of all its blocks."""
        return len(self.block_ids) * self.n_block_tokens

    def text(self, n_tokens: int, seed: int, ruler: Ruler) -> str:
        """Return the blocks' first n tokens, and the space behind them."""
        return "".join(self._pieces(n_tokens, seed, ruler)) + " "

    def _pieces(self, n_tokens: int, seed: int, ruler: Ruler) -> Iterator[str]:
        size, words = self.n_block_tokens, ruler.opening
        for start, block_id in zip(range(0, n_tokens, size), self.block_ids, strict=False):
            yield words(min(size, n_tokens - start), Random(f"block {block_id} of {seed}"))
            words = ruler.text


@dataclass(slots=True)
class _Node:
    """A block behind those before it."""

    prompts: list[int] = field(default_factory=list)  # the numbers of those that have it there
    following: dict[int, _Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shared:
    """What a trace's prompts have in common."""

    openings: tuple[Opening | None, ...]  # each prompt's; None: it begins like no other
    n_block_tokens: int
    repeated: float  # the share of all prompts' tokens that an earlier prompt has had, too


def find_shared(lengths: Sequence[int], block_ids: Sequence[tuple[int, ...]]) -> Shared | None:
    """Find what prompts of these lengths in tokens share; None: no size of block fits them all."""
    n_block_tokens = block_size(lengths, block_ids)
    if n_block_tokens is None:
        return None
    root = _Node()
    paths = [_path(root, ids, number) for number, ids in enumerate(block_ids)]
    known = [sum(node.prompts[0] < n for node in path) for n, path in enumerate(paths)]
    n_repeated = sum(min(n * n_block_tokens, len_) for n, len_ in zip(known, lengths, strict=True))
    shared = [
        ids[: sum(len(node.prompts) > 1 for node in path)]
        for ids, path in zip(block_ids, paths, strict=True)
    ]
    openings = tuple(Opening(ids, n_block_tokens) if ids else None for ids in shared)
    return Shared(openings, n_block_tokens, n_repeated / sum(lengths))


def _path(root: _Node, ids: Sequence[int], number: int) -> list[_Node]:
    """Note a prompt at each of its blocks; return these."""
    node, path = root, []
    for block_id in ids:
        node = node.following.setdefault(block_id, _Node())
        node.prompts.append(number)
        path.append(node)
    return path


def block_size(lengths: Sequence[int], block_ids: Sequence[Sequence[int]]) -> int | None:
    """Return how many tokens a block has; None: none fits.

    Several sizes may: the usual one comes first, then a power of two, then the smallest.
    """
    least, most = 1, math.inf
    for length, ids in zip(lengths, block_ids, strict=True):
        if ids:  # the last block may be a part of one
            least = max(least, math.ceil(length / len(ids)))
            most = min(most, (length - 1) // (len(ids) - 1) if len(ids) > 1 else math.inf)
    wanted = (USUAL_TOKENS, 1 << (least - 1).bit_length(), least)
    return next((size for size in wanted if least <= size <= most), None)
