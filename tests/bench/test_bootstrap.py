"""Whether intervals from few blocks hold what they promise."""

from __future__ import annotations

import math
import random
from statistics import fmean

import pytest

from tgicli.bench.bootstrap import (
    MIN_RESAMPLED,
    bootstrap_interval,
    mean_interval,
    resampled_tail,
    t_interval,
)

N_RUNS = 400


def coverage(n: int, interval: str) -> float:
    """Return how often an interval of n values of mean 0 has 0 in it."""
    draw, hits = random.Random(5), 0
    for run in range(N_RUNS):
        values = [draw.gauss(0, 0.03) for _ in range(n)]
        low, high = (
            bootstrap_interval(values, confidence=0.95, seed=run, n_resamples=400)
            if interval == "bootstrap"
            else t_interval(values, confidence=0.95)
        )
        hits += low <= 0 <= high
    return hits / N_RUNS


def test_students_interval_is_the_tables():
    low, high = t_interval([1.0, 2.0, 3.0, 4.0], confidence=0.95)

    half = 3.182446 * math.sqrt(5 / 3) / 2
    assert low == pytest.approx(2.5 - half, abs=1e-5)
    assert high == pytest.approx(2.5 + half, abs=1e-5)


@pytest.mark.parametrize("n", [4, 8, 12])
def test_students_interval_misses_as_often_as_it_promises(n: int):
    assert 0.92 <= coverage(n, "t") <= 0.98


def test_the_bootstrap_is_used_only_where_it_holds_its_promise():
    enough, too_few = coverage(MIN_RESAMPLED, "bootstrap"), coverage(4, "bootstrap")

    assert 0.91 <= enough <= 0.98
    assert too_few < 0.91


def test_few_blocks_get_students_interval():
    values = [0.01, 0.03, -0.02, 0.04]

    assert mean_interval(values, confidence=0.95, seed=1) == t_interval(values, confidence=0.95)


def test_ends_that_resampling_does_not_reach_are_students():
    values = [random.Random(k).gauss(0, 1) for k in range(MIN_RESAMPLED)]

    assert mean_interval(values, confidence=0.9999, seed=1) == t_interval(values, confidence=0.9999)


def test_many_blocks_are_resampled_and_may_lean_to_one_side():
    values = [0.0] * 36 + [1.0, 1.5, 2.0, 4.0]

    low, high = mean_interval(values, confidence=0.95, seed=1) or (0.0, 0.0)

    middle = fmean(values)
    assert high - middle > 1.2 * (middle - low)


def test_the_same_seed_gives_the_same_interval():
    values = [random.Random(k).gauss(0, 1) for k in range(30)]

    first, again, other = (mean_interval(values, confidence=0.95, seed=seed) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_one_value_has_no_interval():
    assert mean_interval([1.0], confidence=0.95, seed=0) is None


def test_values_without_spread_leave_no_doubt():
    assert mean_interval([0.5] * 6, confidence=0.95, seed=0) == (0.5, 0.5)


def test_small_samples_leave_less_outside():
    assert resampled_tail(6, 0.95) < resampled_tail(12, 0.95) < resampled_tail(1000, 0.95) < 0.0251
