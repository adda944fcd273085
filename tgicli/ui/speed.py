"""How fast something goes now: tokens a second over the last seconds.

Used by the server's panel and by a batch's bar, on whichever thread hands in their numbers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tgicli.ui.painter import FRAME_S

SPEED_WINDOW_S = 5.0


class Speed:
    """Tokens a second, over the last seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._past: deque[tuple[float, int]] = deque()  # (when, how many there were), FRAME_S apart

    def measure(self, n_tokens: int) -> float:
        """Return the speed, given how many tokens there are now."""
        now_s = self._clock()
        while len(self._past) > 1 and self._past[1][0] <= now_s - SPEED_WINDOW_S:
            self._past.popleft()
        if not self._past or now_s - self._past[-1][0] >= FRAME_S:
            self._past.append((now_s, n_tokens))
        first_s, n_first = self._past[0]
        return (n_tokens - n_first) / (now_s - first_s) if now_s > first_s else 0.0
