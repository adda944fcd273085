"""A sample of one metric, summed up.

Called by the summary and by comparisons. Pure. A sample comes as one sequence of values for each
repeat, in the order of time. With three repeats or more an interval tells how they differ; with
fewer it is made of batches within the run, which is narrower than the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
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

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


def distribution(
    repeats: Sequence[Sequence[float]], *, missing_share: float = 0.0
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
            name: _quantile_estimate(ordered, repeats, p)
            for name, p in QUANTILES.items()
            if p == 0.5 or (len(ordered) >= min_samples(p) and p <= 1 - missing_share)
        },
    )


def mean_estimate(repeats: Sequence[Sequence[float]]) -> Estimate:
    """Return the mean of all values, with its interval; at least one value is there."""
    in_time = [value for values in repeats for value in values]
    if len(repeats) >= MIN_REPEATS:
        return around(fmean(in_time), half_width([fmean(values) for values in repeats]))
    return around(fmean(in_time), half_width(batches(in_time)))


def _quantile_estimate(
    ordered: Sequence[float], repeats: Sequence[Sequence[float]], p: float
) -> Estimate:
    value = quantile(ordered, p)
    if len(repeats) >= MIN_REPEATS and all(len(v) >= min_samples(p) for v in repeats):
        return around(value, half_width([quantile(sorted(values), p) for values in repeats]))
    interval = quantile_interval(ordered, p)
    if interval is None:
        return Estimate(value)
    return Estimate(value, min(interval[0], value), max(interval[1], value))
