"""Intervals of a mean from few blocks, of which each is one independent value.

Called by comparisons. Pure, seeded. What is resampled is blocks, never requests: those of one
block share its batches, its queue and its moment, so they are not independent. Ratios go in as
logarithms.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from statistics import NormalDist, fmean

from tgicli.bench.sample_statistics import half_width, t_quantile

MIN_BLOCKS = 2
MIN_RESAMPLED = 12  # with 4, 8, 12 blocks it covers 87, 94, 95 % of what t covers 95 % of
MIN_TAIL = 20  # resampled means outside each end; fewer do not place the end
N_RESAMPLES = 4000


def mean_interval(
    values: Sequence[float], *, confidence: float, seed: int
) -> tuple[float, float] | None:
    """Return where the mean of such values is; None for fewer than two.

    Student's t where there are few values, or where the confidence asks for ends that resampling
    does not reach; else the bootstrap, whose ends need not be equally far from the mean.
    """
    if len(values) < MIN_BLOCKS:
        return None
    tail = resampled_tail(len(values), confidence)
    if len(values) < MIN_RESAMPLED or tail * N_RESAMPLES < MIN_TAIL:
        return t_interval(values, confidence=confidence)
    return bootstrap_interval(values, confidence=confidence, seed=seed)


def t_interval(values: Sequence[float], *, confidence: float) -> tuple[float, float]:
    """Return Student's interval of the mean of at least two values."""
    middle, half = fmean(values), half_width(values, confidence=confidence)
    assert half is not None
    return middle - half, middle + half


def bootstrap_interval(
    values: Sequence[float], *, confidence: float, seed: int, n_resamples: int = N_RESAMPLES
) -> tuple[float, float]:
    """Return the percentile bootstrap's interval of the mean, expanded as small samples need."""
    draw, n = random.Random(seed), len(values)
    means = sorted(fmean(draw.choices(values, k=n)) for _ in range(n_resamples))
    outside = int(resampled_tail(n, confidence) * n_resamples)
    return means[outside], means[-1 - outside]


def resampled_tail(n: int, confidence: float) -> float:
    """Return the share of resampled means to leave outside each end.

    Smaller than (1 - confidence) / 2: the plain percentiles are too narrow by sqrt((n - 1) / n) and
    by what t has over the normal distribution (Hesterberg, arXiv:1411.5279).
    """
    reach = math.sqrt(n / (n - 1)) * t_quantile((1 + confidence) / 2, n - 1)
    return NormalDist().cdf(-reach)
