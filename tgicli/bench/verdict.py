"""What two sides' blocks say: B's figures over A's, each with its interval and a verdict.

Called by the command on what was run, and on what was read from a file. Pure.

A block is A B B A (or B A A B), so that whatever drifts steadily through it cancels out; it gives
one ratio for each metric. A verdict is drawn from the interval alone, never from the ratio, and all
intervals of a comparison hold together: the error that is allowed is shared out among metrics and
among looks (by the union bound, so no independence is assumed).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from tgicli.bench.bootstrap import mean_interval
from tgicli.bench.named_metric import Metric, parse_metric
from tgicli.bench.sample_statistics import CONFIDENCE

SAME_WITHIN = 0.05
LENGTH = "n_tokens"  # a turn's mean answer, in tokens: not a metric, but what makes them comparable

Figures = Mapping[str, float]
"""What one turn measured, by a metric's label; one that could not be measured is left out."""


class Verdict(enum.StrEnum):
    """What may be said of B, compared with A."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"  # within what was asked for
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Block:
    """What the turns of one block measured."""

    a: tuple[Figures, ...]
    b: tuple[Figures, ...]

    def log_ratio(self, name: str) -> float | None:
        """Return how B differs from A; None where a turn did not measure it."""
        a, b = _logs(self.a, name), _logs(self.b, name)
        return None if a is None or b is None else fmean(b) - fmean(a)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A metric of B over A's: 1.05 is 5 % more."""

    value: float  # geometric mean over blocks
    low: float | None  # its interval; None: one block
    high: float | None
    verdict: Verdict
    is_more_better: bool
    a: float  # geometric means of the sides
    b: float
    per_block: tuple[float, ...]  # ratios, in order


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What comparing two sides gave."""

    metrics: Mapping[str, Ratio]  # by label
    lengths: Ratio | None  # of the answers
    n_blocks: int
    same_within: float  # as a share
    confidence: float  # that all intervals hold
    noise: Mapping[str, float] = field(default_factory=dict)  # by label, of A against A; or none

    @property
    def lengths_differ(self) -> bool:
        """Whether the sides did different work, so that times do not compare."""
        lengths = self.lengths
        return lengths is not None and _excludes_one(lengths.low, lengths.high)

    def said(self, ratio: Ratio) -> str:
        """Return a verdict in words; the same is the same within something."""
        if ratio.verdict is Verdict.SAME:
            return f"{ratio.verdict.value} within {100 * self.same_within:g} %"
        return ratio.verdict.value


def judge(
    low: float | None, high: float | None, *, same_within: float, is_more_better: bool = False
) -> Verdict:
    """Say what an interval of B's figure over A's allows to say.

    The same, if all of it is that close to 1, even where it leaves out 1 itself.
    """
    if low is None or high is None:
        return Verdict.UNDECIDED
    if 1 / (1 + same_within) <= low and high <= 1 + same_within:
        return Verdict.SAME
    if not _excludes_one(low, high):
        return Verdict.UNDECIDED
    return Verdict.FASTER if (low > 1) is is_more_better else Verdict.SLOWER


def compare(
    blocks: Sequence[Block],
    *,
    metrics: Sequence[str],
    share: float = 1.0,
    seed: int = 0,
) -> Comparison:
    """Compare two sides; share is how much of the allowed error this look at the blocks may spend.

    The error is spent in equal parts on the metrics that were measured at all. That of the lengths'
    interval is apart.

    Raises:
        ConfigError: there is no such metric.
    """
    wanted = [
        metric
        for metric in map(parse_metric, metrics)
        if any(block.log_ratio(metric.label) is not None for block in blocks)
    ]
    alpha = share * (1 - CONFIDENCE)
    each = 1 - alpha / max(len(wanted), 1)
    found = {metric.label: _ratio(blocks, metric, each, seed) for metric in wanted}
    return Comparison(
        metrics={label: ratio for label, ratio in found.items() if ratio is not None},
        lengths=_ratio(blocks, Metric(LENGTH), 1 - alpha, seed),
        n_blocks=len(blocks),
        same_within=SAME_WITHIN,
        confidence=CONFIDENCE,
    )


def noise_floor(comparison: Comparison) -> Mapping[str, float]:
    """Return, of a comparison of A with A, how far off 1 each metric may still be, as a share.

    A difference between two sides that is smaller can't be told from this machine's noise by as
    many blocks.
    """
    return {
        label: max(ratio.high, 1 / ratio.low) - 1
        for label, ratio in comparison.metrics.items()
        if ratio.low is not None and ratio.high is not None
    }


def _ratio(blocks: Sequence[Block], metric: Metric, confidence: float, seed: int) -> Ratio | None:
    """Compare one metric over the blocks that measured it; None where none did."""
    name = metric.label
    told = [(block, log) for block in blocks if (log := block.log_ratio(name)) is not None]
    if not told:
        return None
    logs = [log for _, log in told]
    interval = mean_interval(logs, confidence=confidence, seed=seed)
    low, high = (math.exp(interval[0]), math.exp(interval[1])) if interval else (None, None)
    better = metric.is_more_better
    return Ratio(
        value=math.exp(fmean(logs)),
        low=low,
        high=high,
        verdict=judge(low, high, same_within=SAME_WITHIN, is_more_better=better),
        is_more_better=better,
        a=math.exp(fmean(log for block, _ in told for log in _logs(block.a, name) or ())),
        b=math.exp(fmean(log for block, _ in told for log in _logs(block.b, name) or ())),
        per_block=tuple(math.exp(log) for log in logs),
    )


def _logs(turns: Sequence[Figures], name: str) -> list[float] | None:
    """Return the logarithms of a side's figures; None unless every turn has one above 0."""
    values = [turn.get(name, 0.0) for turn in turns]
    return [math.log(value) for value in values] if values and min(values) > 0 else None


def _excludes_one(low: float | None, high: float | None) -> bool:
    return low is not None and high is not None and not low <= 1 <= high
