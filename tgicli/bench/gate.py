"""Hold a new result against an earlier one: `--fail-on 'tpot>5%,output_tps<-5%'`.

Called by `bench compare`. Pure: two measurements in, rows and a status out. Fails only where all of
the interval is past the threshold, never on the figure alone; refuses to compare what can't be.
"""

from __future__ import annotations

import enum
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tgicli.bench.comparable import Comparable, LoadFigures
from tgicli.bench.named_metric import Metric, parse_metric
from tgicli.bench.result import Estimate, Severity
from tgicli.errors import ConfigError

DEFAULT_CONDITIONS = "ttft>10%,tpot>5%,output_tps<-5%"
MAX_LENGTH_DIFFERENCE = 0.05  # of the prompts' and answers' mean lengths: more is other work
_CONDITION = re.compile(r"([\w.]+)\s*([<>])\s*([+-]?\d+(?:\.\d+)?)\s*%")
_HOW_LONG = {"duration", "duration_s", "requests", "n_requests", "repeat", "warmup", "warmup_s"}
_SLO = "slo"  # the option: what a good request is, for who asks how many were good
_COUNT_GOOD = {"goodput_rps", "slo_attainment"}


class Standing(enum.StrEnum):
    """How a figure stands to its condition."""

    PASSED = "passed"
    REGRESSION = "regression"
    UNDECIDED = "undecided"  # the interval is on both sides of the threshold
    MISSING = "not measured"


class GateStatus(enum.StrEnum):
    """What the gate found, all conditions together."""

    PASSED = "passed"
    NOT_COMPARABLE = "not comparable"  # the files do not belong together
    REGRESSION = "regression"
    INVALID = "invalid"  # a measurement that can't be believed
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Condition:
    """What must not happen to a metric."""

    metric: Metric
    is_above: bool  # it must not grow past the threshold; False: not fall below it
    threshold: float  # as a ratio of new to base: 1.05 for 5 %

    def __str__(self) -> str:
        return (
            f"{self.metric.label}{'>' if self.is_above else '<'}{(self.threshold - 1) * 100:.4g}%"
        )

    def judge(self, low: float | None, high: float | None) -> Standing:
        """Say how an interval of the ratio stands."""
        if low is None or high is None:
            return Standing.UNDECIDED
        good, bad = (low, high) if self.is_above else (high, low)
        if self._is_past(good):
            return Standing.REGRESSION
        return Standing.UNDECIDED if self._is_past(bad) else Standing.PASSED

    def _is_past(self, ratio: float) -> bool:
        return ratio > self.threshold if self.is_above else ratio < self.threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A condition at a load point."""

    point: str
    condition: Condition
    base: float | None
    new: float | None
    ratio: float | None  # new / base, with its interval
    low: float | None
    high: float | None
    standing: Standing


@dataclass(frozen=True, slots=True)
class GateResult:
    """What the gate found. Where it refuses there may be no rows."""

    status: GateStatus
    rows: tuple[Row, ...]
    reasons: tuple[str, ...]  # why it refuses, in plain words
    notes: tuple[str, ...]  # what else differs


def parse_conditions(text: str) -> tuple[Condition, ...]:
    """Read `tpot>5%, output_tps<-5%`.

    Raises:
        ConfigError: something in it is no condition; says what one looks like.
    """
    return tuple(_parse(part.strip()) for part in text.split(","))


def gate(
    base: Comparable,
    new: Comparable,
    conditions: Sequence[Condition],
    *,
    allows_differences: bool = False,
) -> GateResult:
    """Compare two measurements, load point by load point, which are matched by name.

    Different work is refused unless allows_differences; then it is only noted.
    """
    differences = (*_differences(base, new), *_objective_difference(base, new, conditions))
    warnings = (*_remarks("base", base, Severity.WARNING), *_remarks("new", new, Severity.WARNING))
    notes = (*_surroundings(base, new), *_meanings(base, new), *warnings)
    pairs = _pairs(base, new)
    if not pairs or (differences and not allows_differences):
        reasons = differences or ("base has no load point",)
        return GateResult(GateStatus.NOT_COMPARABLE, (), reasons, notes)
    rows = tuple(_row(a, b, condition) for a, b in pairs for condition in conditions)
    doubts = (*_remarks("base", base, Severity.INVALID), *_remarks("new", new, Severity.INVALID))
    if doubts:
        return GateResult(GateStatus.INVALID, rows, doubts, (*differences, *notes))
    return GateResult(_status(rows), rows, (), (*differences, *notes))


def ratio_of(base: Estimate, new: Estimate) -> tuple[float, float | None, float | None] | None:
    """Return new / base and where it is, from two estimates that know nothing of each other.

    Distances of the ends are added like those of independent errors, as logarithms (MOVER: Zou and
    Donner, doi:10.1002/sim.3095). A new figure of 0 is 0 times base's, whatever that was. None:
    base is not above 0, or a figure is below, so there is no ratio.
    """
    if not base.value or base.value < 0 or new.value is None or new.value < 0:
        return None
    if not new.value:
        return 0.0, 0.0, _most_of_none(base, new)
    ratio = new.value / base.value
    below, above = _distance(new.low, new.value), _distance(new.value, new.high)
    base_below, base_above = _distance(base.low, base.value), _distance(base.value, base.high)
    if below is None or above is None or base_below is None or base_above is None:
        return ratio, None, None
    low = ratio * math.exp(-math.hypot(below, base_above))
    return ratio, low, ratio * math.exp(math.hypot(above, base_below))


def _most_of_none(base: Estimate, new: Estimate) -> float | None:
    """Return how large the ratio may be where the new figure is 0; None: not known."""
    if not new.high:
        return 0.0
    return new.high / base.low if base.low is not None and base.low > 0 else None


def _parse(text: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"{text!r} is no condition; one says a metric, < or >, and how many per cent: "
            "tpot>5% or output_tps<-5%"
        )
    name, sign, percent = match.groups()
    threshold = 1 + float(percent) / 100
    if threshold <= 0:
        raise ConfigError(f"{text!r} never holds: nothing falls by 100 % or more")
    return Condition(parse_metric(name), sign == ">", threshold)


def _pairs(base: Comparable, new: Comparable) -> list[tuple[LoadFigures, LoadFigures]]:
    """Pair the points of one name, first with first: a file may hold several runs of a load."""
    was, now = _by_run(base.points), _by_run(new.points)
    return [(point, now[name]) for name, point in was.items() if name in now]


def _by_run(points: Sequence[LoadFigures]) -> dict[str, LoadFigures]:
    """Return points by their names; a further run of the same load has its number there."""
    found: dict[str, LoadFigures] = {}
    n_runs: Counter[str] = Counter()
    for point in points:
        n_runs[point.name] += 1
        n = n_runs[point.name]
        name = point.name if n == 1 else f"{point.name} (run {n})"
        found[name] = replace(point, name=name)
    return found


def _row(base: LoadFigures, new: LoadFigures, condition: Condition) -> Row:
    a, b = (side.figures.get(condition.metric.key) for side in (base, new))
    found = ratio_of(a, b) if a and b else None
    ratio, low, high = found or (None, None, None)
    return Row(
        point=base.name,
        condition=condition,
        base=a.value if a else None,
        new=b.value if b else None,
        ratio=ratio,
        low=low,
        high=high,
        standing=condition.judge(low, high) if found else Standing.MISSING,
    )


def _status(rows: Sequence[Row]) -> GateStatus:
    standings = {row.standing for row in rows}
    if Standing.REGRESSION in standings:
        return GateStatus.REGRESSION
    return GateStatus.UNDECIDED if standings - {Standing.PASSED} else GateStatus.PASSED


def _differences(base: Comparable, new: Comparable) -> Iterator[str]:
    """Say where the two did different work."""
    if base.model != new.model:
        yield f"the model was {base.model!r} and is {new.model!r}"
    if base.tool != new.tool:
        yield (
            f"base is {base.tool}'s and new is {new.tool}'s: whether they asked the same can't be"
            " told"
        )
    else:
        yield from _option_differences(base, new)
    n_base, n_new = (Counter(point.name for point in side.points) for side in (base, new))
    for name, n_runs in n_base.items():
        if name not in n_new:
            yield f"{name!r} was measured in base only; new has {', '.join(n_new) or 'nothing'}"
        elif n_runs != n_new[name]:
            yield f"{name!r} was measured {n_runs}x in base and {n_new[name]}x in new"
    for a, b in _pairs(base, new):
        if a.load != b.load:
            yield f"{a.name!r} is not the same load in both: {a.load} and {b.load}"
        yield from _length_differences(a, b)


def _option_differences(base: Comparable, new: Comparable) -> Iterator[str]:
    was, now = base.options, new.options
    for name in sorted({*was, *now} - _HOW_LONG - {_SLO}):
        if was.get(name) != now.get(name):
            yield f"{name} was {was.get(name)!r} and is {now.get(name)!r}"


def _objective_difference(
    base: Comparable, new: Comparable, conditions: Sequence[Condition]
) -> Iterator[str]:
    """Say whether a condition is on good requests, and other ones are good."""
    was, now = (side.options.get(_SLO) or "not told" for side in (base, new))
    if was != now and any(condition.metric.name in _COUNT_GOOD for condition in conditions):
        yield f"what a good request is was {was} and is {now}"


def _length_differences(base: LoadFigures, new: LoadFigures) -> Iterator[str]:
    lengths = {
        "prompts": (base.mean_prompt_tokens, new.mean_prompt_tokens),
        "answers": (base.mean_new_tokens, new.mean_new_tokens),
    }
    for whose, (was, now) in lengths.items():
        if was and now and abs(math.log(now / was)) > math.log1p(MAX_LENGTH_DIFFERENCE):
            yield f"{base.name!r}: the {whose}' lengths differ: {was:.1f} and {now:.1f} tokens"


def _surroundings(base: Comparable, new: Comparable) -> Iterator[str]:
    """Say what else differs, from which a difference may come; of what both tell."""
    for name, was in base.surroundings.items():
        now = new.surroundings.get(name, was)
        if was != now:
            yield f"{name}: {was} in base, {now} in new"


def _meanings(base: Comparable, new: Comparable) -> Iterator[str]:
    """Say where figures of the same name are not the same thing."""
    if base.tool != new.tool:
        yield from (f"{side.tool}: {words}" for side in (base, new) for words in side.meanings)


def _remarks(which: str, measured: Comparable, severity: Severity) -> Iterator[str]:
    for point in measured.points:
        for remark in point.remarks:
            if remark.severity is severity:
                yield f"{which}, {point.name!r}: {remark.text}"


def _distance(low: float | None, high: float | None) -> float | None:
    """Return how far apart two figures are, as logarithms; None: not known, or down to 0."""
    if low is None or high is None or low <= 0:
        return None
    return math.log(high / low)
