from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgicli.bench.distributions import distribution, of_dependent, of_unknown
from tgicli.bench.result import Estimate
from tgicli.bench.sample_statistics import (
    around,
    batches,
    half_width,
    median_deviation,
    min_samples,
    n_outliers,
    quantile,
    quantile_interval,
    quantile_ranks,
    t_quantile,
    wilson,
)

floats = st.floats(min_value=-1e9, max_value=1e9)
samples = st.lists(floats, min_size=1, max_size=60)
shares = st.floats(min_value=0, max_value=1)


def test_quantiles_are_interpolated():
    ordered = [10.0, 20.0, 30.0, 40.0]

    assert quantile(ordered, 0.5) == 25
    assert quantile(ordered, 0.9) == pytest.approx(37)
    assert (quantile(ordered, 0), quantile(ordered, 1)) == (10, 40)


@given(st.lists(floats, min_size=2, max_size=60))
def test_quantiles_are_the_standard_librarys_inclusive_ones(values: list[float]):
    expected = statistics.quantiles(values, n=10, method="inclusive")

    found = [quantile(sorted(values), k / 10) for k in range(1, 10)]

    assert found == pytest.approx(expected, rel=1e-9, abs=1e-5)


@given(samples, shares, shares)
def test_a_quantile_grows_with_p_and_stays_in_the_sample(values: list[float], p: float, q: float):
    ordered = sorted(values)
    low, high = sorted((p, q))

    assert ordered[0] <= quantile(ordered, low) <= quantile(ordered, high) <= ordered[-1]


@pytest.mark.parametrize(
    ("p", "expected"), [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3688)]
)
def test_a_percentile_needs_so_many_samples(p: float, expected: int):
    assert min_samples(p) == expected
    assert quantile_ranks(expected, p) is not None
    assert quantile_ranks(expected - 1, p) is None


def binomial_cdf(k: int, n: int, p: float) -> float:
    return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


@pytest.mark.parametrize("p", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("n", [6, 10, 36, 75, 100, 368, 400])
def test_ranks_are_the_innermost_with_enough_mass(n: int, p: float):
    ranks = quantile_ranks(n, p)

    if ranks is None:
        assert n < min_samples(p)
        return
    low, high = ranks
    assert binomial_cdf(low - 1, n, p) <= 0.025 < binomial_cdf(low, n, p)
    assert binomial_cdf(high - 1, n, p) >= 0.975 > binomial_cdf(high - 2, n, p)


def test_ranks_of_a_large_sample_are_found_too():
    low, high = quantile_ranks(1_000_000, 0.5) or (0, 0)

    assert low == pytest.approx(500_000 - 980, abs=2)
    assert high == pytest.approx(500_000 + 981, abs=2)


def test_the_interval_holds_the_median_19_times_in_20():
    rng = random.Random(5)
    n_held = 0
    for _ in range(1000):
        low, high = quantile_interval(sorted(rng.expovariate(1) for _ in range(50)), 0.5) or (0, 0)
        n_held += low <= math.log(2) <= high

    assert n_held >= 935


def test_too_small_a_sample_has_no_interval():
    assert quantile_interval([1.0, 2.0, 3.0, 4.0, 5.0], 0.5) is None


@pytest.mark.parametrize(  # from printed tables
    ("n_free", "expected"),
    [
        (1, 12.706),
        (2, 4.303),
        (3, 3.182),
        (4, 2.776),
        (9, 2.262),
        (10, 2.228),
        (29, 2.045),
        (30, 2.042),
        (60, 2.000),
        (120, 1.980),
        (100_000, 1.960),
    ],
)
def test_students_t_is_the_tables(n_free: int, expected: float):
    assert t_quantile(0.975, n_free) == pytest.approx(expected, abs=0.0006)


def test_students_t_of_other_confidences():
    assert t_quantile(0.95, 5) == pytest.approx(2.015, abs=0.0006)
    assert t_quantile(0.995, 8) == pytest.approx(3.355, abs=0.0006)
    assert t_quantile(0.5, 3) == pytest.approx(0, abs=1e-9)


def test_the_mean_of_repeats_has_students_interval():
    values = [10.0, 12.0, 14.0]

    half = half_width(values)

    assert half == pytest.approx(4.303 * 2 / math.sqrt(3), abs=0.01)
    assert around(12, half).low == pytest.approx(12 - 4.968, abs=0.01)
    assert half_width([1.0]) is None
    assert around(12, None) == Estimate(12)


def test_batches_are_neighbours_and_leave_nobody_out():
    values = [float(k) for k in range(23)]

    found = batches(values)

    assert [value for batch in found for value in batch] == values
    assert {len(batch) for batch in found} == {2, 3}
    assert len(found) == 10
    assert batches(values[:9]) == []


def test_batches_widen_the_interval_of_a_sample_that_wanders():
    rng = random.Random(3)
    level, wandering = 0.0, []
    for _ in range(400):
        level = 0.95 * level + rng.gauss(0, 1)
        wandering.append(level)

    batched = half_width([statistics.fmean(batch) for batch in batches(wandering)]) or 0
    naive = half_width(wandering) or 0

    assert batched > 2 * naive


@pytest.mark.parametrize(  # Wilson's score interval, from the formula's usual examples
    ("n_good", "n", "low", "high"), [(0, 10, 0, 0.278), (10, 10, 0.722, 1), (8, 10, 0.490, 0.943)]
)
def test_wilsons_interval(n_good: int, n: int, low: float, high: float):
    found = wilson(n_good, n)

    assert found.value == n_good / n
    assert found.low == pytest.approx(low, abs=0.001)
    assert found.high == pytest.approx(high, abs=0.001)


def test_nothing_has_no_share():
    assert wilson(0, 0) == Estimate(None)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_holds_the_share_and_stays_in_0_to_1(counts: tuple[int, int]):
    found = wilson(*counts)

    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_outliers_are_past_tukeys_fences():
    ordered = [1.0, 2.0, 3.0, 4.0, 5.0, 100.0]

    assert n_outliers(ordered) == 1
    assert n_outliers(ordered[:-1]) == 0
    assert n_outliers([1.0, 1000.0]) == 0


def test_the_median_deviation_is_not_moved_by_an_outlier():
    assert median_deviation([1.0, 2.0, 3.0, 4.0, 1e9]) == 1


def test_a_distribution_leaves_outliers_in():
    found = distribution([[1.0, 2.0, 3.0, 4.0, 5.0, 94.0]])

    assert found is not None
    assert (found.n, found.n_outliers, found.max, found.mad) == (6, 1, 94, 1.5)
    assert found.mean.value == pytest.approx(109 / 6)


def test_a_distribution_shows_only_the_percentiles_that_it_supports():
    few = distribution([[float(k) for k in range(50)]])
    many = distribution([[float(k) for k in range(400)]])

    assert few is not None
    assert many is not None
    assert list(few.quantiles) == ["p50", "p90"]
    assert list(many.quantiles) == ["p50", "p90", "p95", "p99"]
    assert many.quantiles["p99"].value == pytest.approx(395.01)


def test_a_small_sample_has_a_median_without_interval():
    found = distribution([[3.0, 1.0, 2.0]])

    assert found is not None
    assert found.quantiles == {"p50": Estimate(2)}
    assert found.mean == Estimate(2)


def test_an_empty_sample_has_no_distribution():
    assert distribution([[], []]) is None


def test_repeats_give_the_interval_between_runs():
    """Within each run all is the same; the runs differ."""
    found = distribution([[10.0] * 50, [12.0] * 50, [14.0] * 50])

    assert found is not None
    assert found.mean == around(12, half_width([10, 12, 14]))
    assert found.quantiles["p90"].low == pytest.approx(14 - 4.968, abs=0.01)


def test_quantiles_of_values_that_hang_together_are_as_sure_as_their_batches():
    levels = [10.0, 10.4, 9.8, 10.1, 10.3, 9.7, 10.2, 9.9, 10.5, 9.6]
    gaps = [level + 0.001 * (k % 7) for level in levels for k in range(400)]
    few = gaps[::80]

    found, surest = distribution([gaps], estimate=of_dependent), distribution([gaps])
    small = distribution([few], estimate=of_dependent)

    assert found is not None
    assert surest is not None
    assert small is not None
    medians = [level + 0.003 for level in levels]
    value = statistics.median(gaps)
    assert found.quantiles["p50"].value == pytest.approx(value)
    assert found.quantiles["p50"].within == pytest.approx(half_width(medians))
    assert (surest.quantiles["p50"].within or 0) < 0.5 * (found.quantiles["p50"].within or 0)
    assert small.quantiles["p50"].within is None  # five values tell no median


def test_quantiles_of_values_whose_times_nobody_tells_have_no_interval():
    found = distribution([[float(k) for k in range(400)]], estimate=of_unknown)

    assert found is not None
    assert {estimate.within for estimate in found.quantiles.values()} == {None}
    assert found.quantiles["p50"].value == 199.5


@given(st.lists(st.lists(floats, max_size=50), min_size=1, max_size=5))
def test_every_interval_holds_its_value(repeats: list[list[float]]):
    found = distribution(repeats)

    for estimate in [] if found is None else [found.mean, *found.quantiles.values()]:
        assert estimate.value is not None
        if estimate.low is not None and estimate.high is not None:
            assert estimate.low <= estimate.value <= estimate.high
