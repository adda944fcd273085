"""How many prompt tokens a step may carry, so that it does not take too long.

Called by the scheduler on the engine thread; told by the engine how long its work took. Pure: knows
no clock.

The budget is a time, because the same number of tokens is nothing on a GPU and a stall on a CPU.
Beside decodes a step may take `stretch` times a step of decodes alone, so nobody's next token is
later than that. Alone, a prompt may take `max_step_s`, so that a cancel is heard soon and progress
is shown. Both need the cost of a token, which is learned.
"""

from __future__ import annotations

from tgicli.engine.chunks import LEAST

STRETCH = 2.5  # chosen from the table of tests/benchmarks/stall.py
MAX_STEP_S = 1.0
FIRST_PROMPT_TOKENS = 128  # alone, before anything is known
FIRST_TOKENS_BESIDE_DECODES = 8  # the same beside decodes
_WEIGHT = 0.3  # of the newest observation in a moving average


class Pace:
    """Learn the cost of a step, and say how large the next one may be."""

    def __init__(self, *, max_tokens: int, fixed_tokens: int | None = None) -> None:
        """Allow at most max_tokens; with fixed_tokens, just that many beside decodes."""
        self._max_tokens = max_tokens
        self._fixed_tokens = fixed_tokens
        self._decode_s: float | None = None  # the decodes of one step
        self._token_s: float | None = None  # one prompt token

    def n_prompt_tokens(self, n_decodes: int) -> int:
        """Return how many prompt tokens the next step may carry beside n_decodes decodes."""
        return max(1, min(self._wanted(n_decodes), self._max_tokens - n_decodes))

    def _wanted(self, n_decodes: int) -> int:
        if n_decodes and self._fixed_tokens is not None:
            return self._fixed_tokens
        if n_decodes == 0:
            return self._within(MAX_STEP_S, FIRST_PROMPT_TOKENS)
        if self._decode_s is None:
            return FIRST_TOKENS_BESIDE_DECODES
        return self._within((STRETCH - 1) * self._decode_s, FIRST_TOKENS_BESIDE_DECODES)

    def _within(self, budget_s: float, unknown: int) -> int:
        """Return how many prompt tokens fit into a time, or a guess while their cost is unknown."""
        if self._token_s is None:
            return unknown
        return max(LEAST, int(budget_s / self._token_s))

    def observe_decodes(self, elapsed_s: float) -> None:
        """Learn from a step's decodes."""
        self._decode_s = _average(self._decode_s, elapsed_s)

    def observe_chunk(self, n_tokens: int, elapsed_s: float) -> None:
        """Learn from a prompt's chunk; its fixed cost counts as its tokens'."""
        self._token_s = _average(self._token_s, max(elapsed_s, 1e-9) / n_tokens)


def _average(old: float | None, new: float) -> float:
    return new if old is None else old + _WEIGHT * (new - old)
