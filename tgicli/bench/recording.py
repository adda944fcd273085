"""Everything that a run left behind, and from which all of its figures can be computed again.

Values only. Built by the command once a run has ended, written and read by `lines`, turned into a
Result by `summary.summarize_recording`.
"""

from __future__ import annotations

from dataclasses import dataclass

from tgicli.bench.attack import PointRun
from tgicli.bench.check import CheckResult
from tgicli.bench.plan import Point
from tgicli.bench.result import Floor, Remark, Setting
from tgicli.bench.slo import Slo


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One load point as it was run."""

    point: Point
    runs: tuple[PointRun, ...]  # its repeats, in order; one where it was not repeated
    floor: Floor | None = None
    remarks: tuple[Remark, ...] = ()  # on its prompts, which no record tells
    n_around: int = 0  # tokens that a chat template puts around each prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A whole run."""

    setting: Setting
    points: tuple[Measured, ...]
    slo: Slo | None = None
    check: CheckResult | None = None
    expects_cache: bool = False  # prompts share a prefix because somebody asked for it
