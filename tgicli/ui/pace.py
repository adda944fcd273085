"""Say when the next frame may be painted.

Asked by the live answer on its painter thread and by the status line on the caller's. Reads its
clock, never waits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

FRAME_S = 1 / 12  # more than twelve frames a second nobody sees, and a slow connection can't carry
_LONGEST_REST_S = 1.0


class Pace:
    """At most twelve frames a second, and no more than a fifth of the time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._next_s = float("-inf")

    @property
    def rest_s(self) -> float:
        """Seconds until a frame may be painted; 0 when one may be now."""
        return max(0.0, self._next_s - self._clock())

    @contextlib.contextmanager
    def frame(self) -> Iterator[None]:
        """Surround the painting of one frame."""
        began_s = self._clock()
        yield
        ended_s = self._clock()
        # A costly frame (a long table) earns a long rest: the same processor computes the tokens.
        rest_s = min(4 * (ended_s - began_s), _LONGEST_REST_S)
        self._next_s = max(began_s + FRAME_S, ended_s + rest_s)
