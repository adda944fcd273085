"""Where a prompt may be cut so that the cuts can't be seen in its logits.

Called by the scheduler and the lanes. Pure. On a CPU llama.cpp's flash attention has a kernel for
64 rows and more (tiles), one for fewer, and one for a single row; each rounds in its own way
(ggml/src/ggml-cpu/ops.cpp: ggml_compute_forward_flash_attn_ext). Which one computes a token must
not depend on the moment, or the same prompt would give other answers under load. So either all of
a prompt is computed in small pieces, or its cuts keep every piece large.
"""

from __future__ import annotations

from collections.abc import Callable

TILE = 64  # rows from which on the kernel of tiles is taken (GGML_FA_TILE_Q)
SMALL = TILE - 4  # tokens of a micro-batch in which it never is
MOST_SCORED = 2 * TILE - 1  # the longest chunk that a budget of SMALL can lead to
# The shortest chunk: its last token may be computed beside decodes, and a single row that is left
# then would get another kernel.
LEAST = 3

# (start, n_pending, budget) to a count in [1, n_pending]; it may exceed the budget where it must
Cut = Callable[[int, int, int], int]


def cut_small(start: int, n_pending: int, budget: int) -> int:
    """Return a chunk for micro-batches of SMALL tokens that leaves none of them a single token.

    Neither when its last token is computed apart. Any other cut gives the same bits, so chunks
    beside running answers may be as small as LEAST.
    """
    if n_pending < LEAST:
        return n_pending
    count = min(n_pending, max(budget, LEAST))
    near: tuple[int, ...] = (*range(count, max(count - 5, LEAST - 1), -1), *range(LEAST, 2 * LEAST))
    return next(n for n in near if n % SMALL not in (1, 2) and n_pending - n not in (1, 2))


def cut_into_tiles(start: int, n_pending: int, budget: int, *, micro_batch: int) -> int:
    """Return a chunk that gives each token the kernel it would get in whole micro-batches.

    These lie at multiples of micro_batch, as in llama.cpp's own programs, so the answers are
    theirs. Within one, no piece is smaller than a tile.
    """
    whole = min(n_pending, micro_batch - start % micro_batch)
    if budget >= whole or whole < 2 * TILE:
        return whole
    return max(TILE, min(budget, whole - TILE))
