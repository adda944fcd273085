"""When a load is warmed up. Pure; asked by the attack after each answer.

A server that has just been found, or just loaded, answers its first requests unlike all others, and
so does one on which all users fall at once. Warming up happens at the load that is measured, and
measuring begins without a pause between.
"""

from __future__ import annotations

import statistics
from collections import deque

STEADY_SPREAD = 0.05  # standard deviation by mean, of the latest answers' times
MIN_ANSWERS = 4  # that a spread is taken of
MAX_ANSWERS = 16
MAX_ROUNDS = 3  # of answers for each user: steadier it will not get
MAX_S = 10.0  # the same, once each user has been answered


class Warmup:
    """Watches a load until it is steady: then its latest answers took about the same time.

    Each user's first answer is not among them, for it fell on an idle server.
    """

    def __init__(self, n_users: int) -> None:
        self._n_users = n_users
        self._n_answers = 0
        self._answered: set[int] = set()
        n_latest = min(max(n_users, MIN_ANSWERS), MAX_ANSWERS)
        self._latest_s: deque[float] = deque(maxlen=n_latest)

    def answered(self, user: int, seconds: float) -> None:
        """Take in an answer, whatever became of it: how long it took, or a token of it."""
        self._n_answers += 1
        if user in self._answered:
            self._latest_s.append(seconds)
        self._answered.add(user)

    def is_over(self, elapsed_s: float) -> bool:
        """Whether measuring may begin, so long after the load began."""
        if len(self._answered) < self._n_users:
            return False
        if self._n_answers >= MAX_ROUNDS * self._n_users or elapsed_s >= MAX_S:
            return True
        return len(self._latest_s) == self._latest_s.maxlen and self._spread() < STEADY_SPREAD

    def _spread(self) -> float:
        mean = statistics.fmean(self._latest_s)
        return statistics.pstdev(self._latest_s) / mean if mean > 0 else float("inf")
