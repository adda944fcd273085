"""Pick values out of what another tool wrote, and make figures of them. For this package.

Pure. A value that is missing, or that is no number, was not told: None, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from tgicli.bench.distributions import QuantileEstimate, distribution, of_independent
from tgicli.bench.result import Estimate, Remark, invalid, warning
from tgicli.bench.sample_statistics import CONFIDENCE, around, t_quantile
from tgicli.bench.validity import BAD_ERROR_SHARE


def at(told: object, *names: str | int) -> object:
    """Return what is under these names and numbers, one after the other; None: nothing."""
    for name in names:
        if isinstance(told, Mapping):
            told = told.get(name)
        elif isinstance(told, list) and isinstance(name, int) and name < len(told):
            told = told[name]
        else:
            return None
    return told


def number(told: object, *names: str | int) -> float | None:
    """Return the number under these names."""
    found = at(told, *names)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        return None
    return float(found)


def text(told: object, *names: str | int) -> str:
    """Return the text under these names; empty: there is none."""
    found = at(told, *names)
    return found if isinstance(found, str) else ""


def numbers(told: object) -> list[float]:
    """Return the numbers of a list."""
    found = map(number, told) if isinstance(told, list) else ()
    return [one for one in found if one is not None]


def ratio(part: float | None, whole: float | None) -> float | None:
    """Return part / whole, if both were told."""
    return part / whole if part is not None and whole else None


def closed(n_users: float) -> tuple[str, str]:
    """Return the name of a load point, as ours have it, and its load."""
    name = f"concurrency {n_users:.0f}"
    return name, name


def opened(rate: float, arrival: str) -> tuple[str, str]:
    """Return the name of a load point at a rate, as ours have it, and its load."""
    name = f"{rate:g} requests/s"
    return name, f"{name} ({arrival})"


def single(name: str, value: float | None) -> dict[str, Estimate]:
    """Return a figure that is one number, by its name; nothing, if it was not told."""
    return {} if value is None else {name: Estimate(value)}


def of_values(
    name: str, values: Sequence[float], *, estimate: QuantileEstimate = of_independent
) -> dict[str, Estimate]:
    """Return the figures of a metric that was told request by request, with their intervals."""
    found = distribution([values], estimate=estimate)
    return {} if found is None else _named(name, {"mean": found.mean, **found.quantiles})


def of_summary(
    name: str,
    *,
    mean: Estimate,
    quantiles: Mapping[str, Estimate],
) -> dict[str, Estimate]:
    """Return the figures of a metric of which only so much was told."""
    known = {key: one for key, one in {"mean": mean, **quantiles}.items() if one.value is not None}
    return _named(name, known)


def mean_of(mean: float | None, sd: float | None, n: float | None) -> Estimate:
    """Return a mean with its t interval, as far as the sample's spread and size are known."""
    if mean is None or sd is None or n is None or n < 2:
        return Estimate(mean)
    return around(mean, t_quantile((1 + CONFIDENCE) / 2, int(n) - 1) * sd / math.sqrt(n))


def quantiles_of(told: object, spelled: Mapping[str, str]) -> dict[str, Estimate]:
    """Return quantiles by our names, given what the tool calls each of them."""
    return {ours: Estimate(number(told, theirs)) for ours, theirs in spelled.items()}


def failures(n_ok: float | None, n_failed: float | None) -> Iterator[Remark]:
    """Say how many requests failed, as a measurement of ours would."""
    if not n_failed:
        return
    n_all = n_failed + (n_ok or 0)
    share = n_failed / n_all
    remark = invalid if share > BAD_ERROR_SHARE else warning
    yield remark(f"{n_failed:.0f} of {n_all:.0f} requests failed ({share:.1%})")


def _named(name: str, figures: Mapping[str, Estimate]) -> dict[str, Estimate]:
    return {f"{name}.{statistic}": one for statistic, one in figures.items()}
