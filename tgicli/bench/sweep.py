"""Decide which load to measure next: until more of it brings no more, or is no longer good enough.

Called by the bench's command between load points. Pure: the answer follows from the steps measured
so far, in the order they were made, so a decision can be repeated from a result. Knows no clock and
no records.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

MIN_GAIN = 0.05  # of throughput, for twice the load
FIRST_USERS = 1  # that a search begins with
MAX_USERS = 1024  # that a search goes up to, where nobody says
N_REFINEMENTS = 2
PRECISION = 0.05  # of the largest load that meets an objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one load gave."""

    load: int  # users
    output_tps: float
    low: float | None = None  # its 95 % interval; None: not known
    high: float | None = None
    meets: bool | None = None  # the objective; None: there is none, or it could not be told


@dataclass(frozen=True, slots=True)
class Knee:
    """The load beyond which there is little to win."""

    load: int
    output_tps: float
    best_load: int  # of those that were measured and good enough
    best_tps: float
    is_limited_by_slo: bool  # a larger load would have given more, too late

    @property
    def text(self) -> str:
        """Name it, and say why it is the one."""
        if self.is_limited_by_slo and self.load == self.best_load:
            return f"knee at {self.load} users: the most that the objective allows"
        share = f"{self.output_tps / self.best_tps:.0%}" if self.best_tps else "all"
        limit = ", within the objective" if self.is_limited_by_slo else ""
        return f"knee at {self.load} users: {share} of the throughput of {self.best_load}{limit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Doubles the users of a closed loop, then looks more closely around the knee."""

    largest: int = MAX_USERS
    n_refinements: int = N_REFINEMENTS

    def next(self, steps: Sequence[Step]) -> int | None:
        """Return the number of users to measure next; None: all is known.

        Doubling ends when throughput surely grows by less than MIN_GAIN (its interval's good end
        over the other's bad end), when it seems to for the second time, or when the objective is
        missed.
        """
        doublings = self._doublings(steps)
        if not doublings:
            return FIRST_USERS
        last = doublings[-1].load
        if not self._is_saturated(doublings) and last < self.largest:
            return min(2 * last, self.largest)
        n_refined = len(steps) - len(doublings)
        return self._between(steps) if n_refined < self.n_refinements else None

    def knee(self, steps: Sequence[Step]) -> Knee | None:
        """Name the least load with nearly the best throughput; None: none was good enough."""
        good = _good(steps)
        if not good:
            return None
        best = max(good, key=lambda step: step.output_tps)
        enough = (1 - MIN_GAIN) * best.output_tps
        knee = next(step for step in good if step.output_tps >= enough)
        is_limited = len(good) < len(steps) and max(steps, key=_tps).load > good[-1].load
        return Knee(knee.load, knee.output_tps, best.load, best.output_tps, is_limited)

    def _doublings(self, steps: Sequence[Step]) -> list[Step]:
        """Return the steps up to the first that did not go beyond all before."""
        rising: list[Step] = []
        for step in steps:
            if rising and step.load <= rising[-1].load:
                break
            rising.append(step)
        return rising

    def _is_saturated(self, rising: Sequence[Step]) -> bool:
        if rising[-1].meets is False:
            return True
        pairs = list(pairwise(rising))
        if pairs and _surest_gain(*pairs[-1]) < MIN_GAIN:
            return True
        return len(pairs) >= 2 and all(_gain(*pair) < MIN_GAIN for pair in pairs[-2:])

    def _between(self, steps: Sequence[Step]) -> int | None:
        """Return a load between the knee and the one below it, or between good and too much."""
        ordered = sorted(steps, key=lambda step: step.load)
        good = _good(steps)
        missed = [step for step in ordered if step.meets is False]
        if missed and good:
            return _middle(good[-1].load, missed[0].load)
        knee = self.knee(steps)
        if knee is None:
            return None
        below = [step.load for step in ordered if step.load < knee.load]
        return _middle(below[-1], knee.load) if below else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindMax:
    """Looks for the most users who meet the objective: doubles, then halves the interval.

    A load is taken for too much when it, or a lesser one, missed the objective, or could not be
    told to meet it.
    """

    largest: int = MAX_USERS
    precision: float = PRECISION

    def next(self, steps: Sequence[Step]) -> int | None:
        """Return the number of users to measure next; None: it is found, or there is none."""
        if not steps:
            return FIRST_USERS
        best, too_much = self.best(steps), self._too_much(steps)
        if too_much is None:
            assert best is not None
            return min(2 * best, self.largest) if best < self.largest else None
        if best is None:
            return too_much // 2 or None
        is_close = too_much - best <= max(1, self.precision * best)
        return None if is_close else (best + too_much) // 2

    def best(self, steps: Sequence[Step]) -> int | None:
        """Return the largest load that met the objective, below all that did not; None: none."""
        too_much = self._too_much(steps)
        limit = math.inf if too_much is None else too_much
        return max((step.load for step in steps if step.meets and step.load < limit), default=None)

    def _too_much(self, steps: Sequence[Step]) -> int | None:
        return min((step.load for step in steps if not step.meets), default=None)


def _good(steps: Sequence[Step]) -> list[Step]:
    """Return the steps below the first that missed the objective, by load."""
    limit = min((step.load for step in steps if step.meets is False), default=math.inf)
    return sorted((step for step in steps if step.load < limit), key=lambda step: step.load)


def _tps(step: Step) -> float:
    return step.output_tps


def _gain(before: Step, after: Step) -> float:
    return _ratio(after.output_tps, before.output_tps)


def _surest_gain(before: Step, after: Step) -> float:
    """Return the gain if all uncertainty were in its favour."""
    high = after.output_tps if after.high is None else after.high
    low = before.output_tps if before.low is None else before.low
    return _ratio(high, low)


def _ratio(after: float, before: float) -> float:
    if before > 0:
        return after / before - 1
    return math.inf if after > 0 else 0.0


def _middle(low: int, high: int) -> int | None:
    """Return the geometric middle of two numbers of users; None: there is nothing between."""
    middle = round(math.sqrt(low * high))
    return middle if low < middle < high else None
