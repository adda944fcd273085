"""Everything that a run left behind, and from which all of its figures can be computed again.

Values only. Built by the attack, and by the command once a run has ended; written and read by
`files`, turned into a Result by `summary.summarize_recording`.
"""

from __future__ import annotations

from dataclasses import dataclass

from tgicli.bench.check import CheckResult
from tgicli.bench.counters import Counted
from tgicli.bench.plan import Point
from tgicli.bench.record import Record
from tgicli.bench.result import ClientHealth, Floor, Remark, Setting
from tgicli.bench.slo import Slo


@dataclass(frozen=True, slots=True, kw_only=True)
class PointRun:
    """What one load point left behind; times in nanoseconds since the run began."""

    records: tuple[Record, ...]
    warm_ns: int  # measuring began
    end_ns: int  # and ended: later requests only held the load
    n_dropped: int  # for Open.max_in_flight
    n_late: int  # sent late, as the attack has it
    client: ClientHealth
    counted: Counted | None = None  # by the server itself, meanwhile; None: it does not tell
    offsets_ns: tuple[int, ...] = ()  # of a repeat's own schedule; empty: it was the point's


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
