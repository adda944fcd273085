"""Share three minutes out among load points, where nobody says how long to measure.

Used by `runs`. Pure but for the clock it is given.
"""

from __future__ import annotations

import time
from collections.abc import Callable

TOTAL_S = 180.0
LAST_S = 6.0  # of that, to sum up and to show
FLOOR_S = 3.0  # of a point, for the client's floor
MOST_S, LEAST_S = 30.0, 8.0  # of measuring a point
WAITS = 3.0  # answers that each user gives while nothing is measured: first, warm-up, last
MOST_GROWTH = 4.0  # of an answer's time, from one concurrency to a larger one


class Budget:
    """How long each point may take."""

    def __init__(
        self, began_s: float, n_points: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin at a time of the clock, for so many points."""
        self._ends_s = began_s + TOTAL_S - LAST_S
        self._n_left = n_points
        self._clock = clock
        self._answer_s = 0.0  # how long an answer took at the point before
        self._n_users = 1

    @property
    def left_s(self) -> float:
        """Seconds until all must be over."""
        return max(0.0, self._ends_s - self._clock())

    @property
    def expected_s(self) -> float:
        """How long all of it goes on, about, from when a point is begun."""
        longest_s = FLOOR_S + WAITS * self._answer_s * MOST_GROWTH + MOST_S
        return min(self.left_s, self._n_left * longest_s)

    def next_s(self, n_users: int) -> float:
        """Return how long to measure the next point."""
        growth = min(max(n_users / self._n_users, 1.0), MOST_GROWTH)
        share_s = self.left_s / max(self._n_left, 1)
        free_s = share_s - FLOOR_S - WAITS * self._answer_s * growth
        return min(MOST_S, max(LEAST_S, free_s))

    def took(self, answer_s: float, n_users: int) -> None:
        """Count a point that is over, and remember how long an answer took at it."""
        self._n_left -= 1
        self._answer_s, self._n_users = answer_s, max(n_users, 1)
