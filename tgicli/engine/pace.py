"""How many prompt tokens a step may carry, so that it does not take too long.

Called by the scheduler on the engine thread; told by the engine how long its work took. Pure: knows
no clock.

The budget is a time, because the same number of tokens is nothing on a GPU and a stall on a CPU.
Beside decodes a step may take STRETCH times a step of decodes alone, so nobody's next token is
later than that. While more prompts wait than sequences decode it may take longer, so that a crowd
that arrives at once is not held up by the first of it. A short prompt is computed in pauses, one or
several: each is too short to be seen, and smaller pieces would cost all who wait more than they
spare. Alone, a prompt may take MAX_STEP_S, so that a cancel is heard soon and progress is shown.
All this needs the cost of a token, which is learned.
"""

from __future__ import annotations

import math

from tgicli.engine.chunks import LEAST

STRETCH = 2.5  # chosen from the table of tests/benchmarks/stall.py
PAUSE_S = 0.25  # nobody who reads along sees a pause that short
MAX_PAUSES = 8  # for one prompt: so long its neighbours' answers come slowly
MAX_STEP_S = 1.0
FIRST_PROMPT_TOKENS = 128  # alone, before anything is known
FIRST_TOKENS_BESIDE_DECODES = 8  # the same beside decodes
_WEIGHT = 0.2  # of the newest observation


class Pace:
    """Learn the cost of a step, and say how large the next one may be."""

    def __init__(self, *, max_tokens: int, fixed_tokens: int | None = None) -> None:
        """Allow at most max_tokens; with fixed_tokens, just that many beside decodes."""
        self._max_tokens = max_tokens
        self._fixed_tokens = fixed_tokens
        self._decode_s: float | None = None  # the decodes of one step
        self._chunks = ChunkCost()

    def n_prompt_tokens(self, n_decodes: int, n_prompts: int = 1) -> int:
        """Return how many tokens of n_prompts prompts the next step may carry beside n_decodes."""
        return max(1, min(self._wanted(n_decodes, n_prompts), self._max_tokens - n_decodes))

    @property
    def n_pause_tokens(self) -> int:
        """How many prompt tokens take one pause; 0: none is to be made, or nobody knows."""
        if self._fixed_tokens is not None:
            return 0
        return self._chunks.n_within(PAUSE_S) or 0

    @property
    def n_short_tokens(self) -> int:
        """How long a prompt may be that is computed in pauses, whoever decodes beside it."""
        return MAX_PAUSES * self.n_pause_tokens

    def n_piece_tokens(self, n_pending: int) -> int:
        """Return the next piece of a short prompt: all of it, or pieces of one size."""
        n_pieces = math.ceil(n_pending / max(self.n_pause_tokens, 1))
        return math.ceil(n_pending / n_pieces)

    def _wanted(self, n_decodes: int, n_prompts: int) -> int:
        if n_decodes and self._fixed_tokens is not None:
            return self._fixed_tokens
        if n_decodes == 0:
            return self._within(MAX_STEP_S, FIRST_PROMPT_TOKENS)
        if self._decode_s is None:
            return FIRST_TOKENS_BESIDE_DECODES
        stretch = max(STRETCH, 1 + n_prompts / n_decodes)
        return self._within((stretch - 1) * self._decode_s, FIRST_TOKENS_BESIDE_DECODES)

    def _within(self, budget_s: float, unknown: int) -> int:
        """Return how many prompt tokens fit into a time, or a guess while their cost is unknown."""
        n_tokens = self._chunks.n_within(budget_s)
        return unknown if n_tokens is None else max(LEAST, n_tokens)

    def observe_decodes(self, elapsed_s: float) -> None:
        """Learn from a step's decodes."""
        self._decode_s = _average(self._decode_s, elapsed_s)

    def observe_chunk(self, n_tokens: int, elapsed_s: float) -> None:
        """Learn from a prompt's chunk."""
        self._chunks.observe(n_tokens, elapsed_s)


class ChunkCost:
    """What chunks cost, by their size: the mean of about one size, newer ones weighing more.

    By size, because the cost of three tokens, mostly that of reading the weights, says little about
    that of sixty; and what sixty cost is to be known still after a long prompt in threes. Between
    two sizes the cost lies on a line. Past the largest it is proportional: a line would, through
    sizes that are nearly the same, find by chance that a token costs nothing.
    """

    def __init__(self) -> None:
        self._seen: dict[int, tuple[float, float]] = {}  # size class: mean tokens and seconds

    def observe(self, n_tokens: int, elapsed_s: float) -> None:
        """Learn from one chunk."""
        size_class = n_tokens.bit_length()  # sizes of one are within a factor of two
        mean_n, mean_s = self._seen.get(size_class, (None, None))
        self._seen[size_class] = (
            _average(mean_n, n_tokens),
            _average(mean_s, max(elapsed_s, 1e-9)),
        )

    def n_within(self, budget_s: float) -> int | None:
        """Return how many tokens fit into a time; None while nothing is known."""
        if not self._seen:
            return None
        fewer, least_s = 0.0, 0.0
        for n_tokens, seconds in sorted(self._seen.values()):
            if seconds > budget_s:
                share = (budget_s - least_s) / (seconds - least_s)
                return int(fewer + share * (n_tokens - fewer))
            fewer, least_s = n_tokens, max(seconds, least_s)
        return int(fewer * budget_s / least_s)


def _average(old: float | None, new: float) -> float:
    return new if old is None else old + _WEIGHT * (new - old)
