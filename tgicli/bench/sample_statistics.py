"""Quantiles, intervals and outliers, with the standard library alone.

Called by the summary and by comparisons. Pure. All intervals are two-sided. Never takes a value
out of a sample.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from tgicli.bench.result import Estimate

CONFIDENCE = 0.95
N_BATCHES = 10  # the fewest that batch means are made of
MIN_REPEATS = 3  # fewer tell no spread worth an interval
_TUKEY = 1.5
_MANY = 1000  # degrees of freedom past which Student's t is a normal distribution to 4 digits
_FAR = 12  # standard deviations from the mean past which a binomial has no mass worth adding


def quantile(ordered: Sequence[float], p: float) -> float:
    """Interpolate the p-quantile (0 <= p <= 1) of an ascending sample that is not empty: type 7."""
    position = p * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    low, high = ordered[below], ordered[above]
    return min(max(low + (position - below) * (high - low), low), high)  # rounding stays between


def min_samples(p: float) -> int:
    """Return how many samples the p-quantile needs for an interval: 368 for p = 0.99."""
    tail = max(p, 1 - p)
    return math.ceil(math.log((1 - CONFIDENCE) / 2) / math.log(tail))


def quantile_interval(ordered: Sequence[float], p: float) -> tuple[float, float] | None:
    """Return two values of an ascending sample between which the p-quantile is, whatever its shape.

    None where the sample is too small. Holds for independent values.
    """
    if len(ordered) < min_samples(p):
        return None
    ranks = quantile_ranks(len(ordered), p)
    return None if ranks is None else (ordered[ranks[0] - 1], ordered[ranks[1] - 1])


@lru_cache(maxsize=256)
def quantile_ranks(n: int, p: float) -> tuple[int, int] | None:
    """Return the ranks in [1, n] of the interval's ends: the innermost with alpha / 2 outside each.

    P(X <= low - 1) <= alpha / 2 and P(X <= high - 1) >= 1 - alpha / 2, with X binomial (n, p).
    """
    half_alpha = (1 - CONFIDENCE) / 2
    spread = _FAR * math.sqrt(n * p * (1 - p)) + 1
    count = max(0, math.floor(n * p - spread))
    mass = math.exp(_log_binomial(n, count, p))
    below, low, high = mass, 0, None
    while count < n:  # below is P(X <= count)
        if below <= half_alpha:
            low = count + 1
        if below >= 1 - half_alpha:
            high = count + 1
            break
        mass *= (n - count) / (count + 1) * p / (1 - p)
        count += 1
        below += mass
    return (low, high) if low and high else None


def _log_binomial(n: int, k: int, p: float) -> float:
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return ways + k * math.log(p) + (n - k) * math.log(1 - p)


@lru_cache(maxsize=256)
def t_quantile(p: float, n_free: int) -> float:
    """Return the p-quantile (0.5 <= p < 1) of Student's t with n_free degrees of freedom."""
    if n_free > _MANY:
        return statistics.NormalDist().inv_cdf(p)
    low, high = 0.0, 1.0
    while _t_inside(high, n_free) < 2 * p - 1:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        if _t_inside(middle, n_free) < 2 * p - 1:
            low = middle
        else:
            high = middle
    return high


def _t_inside(t: float, n_free: int) -> float:
    """P(-t <= T <= t), by the finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(n_free))
    sine, cosine = math.sin(angle), math.cos(angle)
    is_odd = n_free % 2 == 1
    term = total = cosine if is_odd else 1.0
    for k in range(3 if is_odd else 2, n_free, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    if not is_odd:
        return sine * total
    return 2 / math.pi * (angle + (sine * total if n_free > 1 else 0.0))


def half_width(values: Sequence[float], *, confidence: float = CONFIDENCE) -> float | None:
    """Return half of Student's interval of the mean of independent values; None under two."""
    if len(values) < 2:
        return None
    error = statistics.stdev(values) / math.sqrt(len(values))
    return t_quantile((1 + confidence) / 2, len(values) - 1) * error


def around(value: float, half: float | None) -> Estimate:
    """Make an estimate of a value and half of its interval."""
    return Estimate(value) if half is None else Estimate(value, value - half, value + half)


def batches(values: Sequence[float]) -> list[Sequence[float]]:
    """Return N_BATCHES runs of neighbours, of equal size but for one; [] if there are too few.

    For values in the order of time: neighbours that depend on each other end up in one batch.
    """
    n = len(values)
    if n < N_BATCHES:
        return []
    edges = [k * n // N_BATCHES for k in range(N_BATCHES + 1)]
    return [values[a:b] for a, b in pairwise(edges)]


def wilson(n_good: int, n: int) -> Estimate:
    """Return a share and its interval; no value where n is 0."""
    if not n:
        return Estimate(None)
    z = statistics.NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, weight = n_good / n, z * z / n
    middle = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / n + weight / n / 4) / (1 + weight)
    low, high = max(middle - half, 0.0), min(middle + half, 1.0)
    return Estimate(share, min(low, share), max(high, share))


def n_outliers(ordered: Sequence[float]) -> int:
    """Count the values of an ascending sample past Tukey's fences."""
    if len(ordered) < 4:
        return 0
    q1, q3 = quantile(ordered, 0.25), quantile(ordered, 0.75)
    reach = _TUKEY * (q3 - q1)
    return sum(value < q1 - reach or value > q3 + reach for value in ordered)


def median_deviation(ordered: Sequence[float]) -> float:
    """Return the median distance from the median of an ascending sample that is not empty."""
    middle = quantile(ordered, 0.5)
    return statistics.median(abs(value - middle) for value in ordered)
