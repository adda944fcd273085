"""A sample of one metric, summed up.

Called by the summary and by comparisons. Pure. A sample comes as one sequence of values for each
repeat, in the order of time. With three repeats or more an interval tells how they differ; with
fewer it is made of batches within the run, which is narrower than the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, stdev

from tgicli.bench.result import Distribution, Estimate
from tgicli.bench.sample_statistics import (
    MIN_REPEATS,
    around,
    batches,
    half_width,
    median_deviation,
    min_samples,
    n_outliers,
    quantile,
    quantile_interval,
)

QuantileEstimate = Callable[[Sequence[float], Sequence[Sequence[float]], float], Estimate]
"""Of a sample in order, and of its repeats, each in the order of time, to its p-quantile."""

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


def of_independent(
    ordered: Sequence[float], repeats: Sequence[Sequence[float]], p: float
) -> Estimate:
    """Estimate a quantile of values that know nothing of each other, as one for each request."""
    value = quantile(ordered, p)
    if (half := _half_width(repeats, p)) is not None:
        return around(value, half)
    interval = quantile_interval(ordered, p)
    if interval is None:
        return Estimate(value)
    return Estimate(value, min(interval[0], value), max(interval[1], value))


def of_dependent(
    ordered: Sequence[float], repeats: Sequence[Sequence[float]], p: float
) -> Estimate:
    """Estimate a quantile of values that hang together with those before, as an answer's gaps."""
    half = _half_width(repeats, p)
    if half is None:
        half = _half_width(batches([value for values in repeats for value in values]), p)
    return around(quantile(ordered, p), half)


def of_unknown(ordered: Sequence[float], _: Sequence[Sequence[float]], p: float) -> Estimate:
    """Estimate a quantile of dependent values of which nobody tells when they were measured."""
    return Estimate(quantile(ordered, p))


def distribution(
    repeats: Sequence[Sequence[float]],
    *,
    missing_share: float = 0.0,
    estimate: QuantileEstimate = of_independent,
) -> Distribution | None:
    """Sum a sample up; None where it is empty.

    missing_share: of what was to be measured, that is not there as it took too long. Quantiles that
    lie there, but for the median, are left out.
    """
    repeats = [values for values in repeats if values]
    in_time = [value for values in repeats for value in values]
    if not in_time:
        return None
    ordered = sorted(in_time)
    return Distribution(
        n=len(ordered),
        mean=mean_estimate(repeats),
        sd=stdev(ordered) if len(ordered) > 1 else None,
        min=ordered[0],
        max=ordered[-1],
        mad=median_deviation(ordered),
        n_outliers=n_outliers(ordered),
        quantiles={
            name: estimate(ordered, repeats, p)
            for name, p in QUANTILES.items()
            if p == 0.5 or (len(ordered) >= min_samples(p) and p <= 1 - missing_share)
        },
    )


def mean_estimate(repeats: Sequence[Sequence[float]]) -> Estimate:
    """Return the mean of all values, with its interval; at least one value is there."""
    in_time = [value for values in repeats for value in values]
    if len(repeats) >= MIN_REPEATS:
        return around(fmean(in_time), half_width([fmean(values) for values in repeats]))
    return around(fmean(in_time), half_width([fmean(batch) for batch in batches(in_time)]))


def _half_width(groups: Sequence[Sequence[float]], p: float) -> float | None:
    """Half of a quantile's interval, by how groups of values differ; None where they can't tell."""
    if len(groups) < MIN_REPEATS or any(len(values) < min_samples(p) for values in groups):
        return None
    return half_width([quantile(sorted(values), p) for values in groups])
