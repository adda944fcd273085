"""What a run found: figures with their uncertainty, and whether to believe them. Values only.

Made by the summary from records alone, shown by commands, written as JSON. A figure that could not
be measured is None, never 0.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from tgicli.bench.check import CheckResult

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; None where there are too few samples for one."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def within(self) -> float | None:
        """Half of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    def times(self, factor: float) -> Estimate:
        """Return it in another unit."""
        ends = (self.value, self.low, self.high)
        return Estimate(*(None if end is None else end * factor for end in ends))


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A sample of one metric."""

    n: int
    mean: Estimate
    sd: float | None
    min: float | None
    max: float | None
    mad: float | None  # median absolute deviation
    n_outliers: int  # past Tukey's fences; never taken out
    quantiles: Mapping[str, Estimate]  # "p50" "p90" "p95" "p99" "p99.9"; only those that n supports


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFigures:
    """The figures of one stretch of time."""

    start_s: float  # since the run began
    end_s: float
    measured_s: float | None = None  # of that, without what is between repeats; None: all of it
    n_requests: int  # sent inside, whatever became of them
    n_ok: int
    n_busy: int
    n_errors: int
    n_cut: int
    n_first_wave: int = 0  # of all of these, that were users' first ones, sent at once
    errors: Mapping[str, int]  # by class
    problems: Mapping[str, int]  # of framing, by name
    metrics: Mapping[str, Distribution]  # by JSON name: "ttft_ms", "tpot_ms", "icl_ms", ...
    output_tps: Estimate  # tokens by arrival, a second
    lost_tps: float  # of that, tokens of requests that failed or were cut
    rps_offered: float | None  # None: closed loop
    rps_sent: float
    rps_achieved: float
    rps_within: float | None = None  # half of rps_achieved's 95 % interval
    concurrency_mean: float
    goodput_rps: Estimate | None  # None: no objective was given
    slo_attainment: Estimate | None  # good / (sent + dropped), but for those cut early
    n_undetermined: int  # could not be held against the objective
    finish_reasons: Mapping[str, int]
    token_sources: Mapping[str, int]
    tokens_per_chunk: float | None
    events_per_read: float | None  # with content, of the reads that brought any
    cache_hit_share: float | None  # of prompt tokens, a template's aside; None: not told
    mean_prompt_tokens: float | None
    mean_new_tokens: float | None

    @property
    def duration_s(self) -> float:
        """How long was measured, in all repeats together."""
        return self.end_s - self.start_s if self.measured_s is None else self.measured_s

    @property
    def chunk_gap_name(self) -> str:
        """What to call icl_ms: ITL only where every chunk held one token."""
        per_chunk = self.tokens_per_chunk
        if per_chunk is None:
            return "ICL"
        return "ITL" if per_chunk == 1 else f"ICL ({per_chunk:.1f} tok/chunk)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientHealth:
    """How well the load was made: whether the client was the bottleneck."""

    cpu_share: float  # of one core
    lag_p50_ms: float  # of the event loop, over a 10 ms sleep
    lag_p99_ms: float
    lag_max_ms: float
    gc_ms: float
    n_connections: int  # that were made
    host_load: float | None  # runnable processes on this machine, a minute's mean
    per_second_tokens: tuple[int, ...] = ()  # by arrival, since the point's first send


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What this client adds by itself, against a server of known times, at the same load."""

    n_streams: int
    ttft_added_p50_ms: float
    ttft_added_p99_ms: float
    icl_added_p50_ms: float
    icl_added_p99_ms: float


class Severity(enum.StrEnum):
    """What a remark means for the figures."""

    NOTE = "note"
    WARNING = "warning"
    INVALID = "invalid"  # they tell of the client, or of nothing


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that whoever reads the figures must know."""

    severity: Severity
    text: str

    @property
    def words(self) -> str:
        """What it says, and what that means for the figures."""
        return f"{self.severity.value}: {self.text}"


def note(text: str) -> Remark:
    """Return a remark that only tells."""
    return Remark(Severity.NOTE, text)


def warning(text: str) -> Remark:
    """Return a remark that speaks against the figures."""
    return Remark(Severity.WARNING, text)


def invalid(text: str) -> Remark:
    """Return a remark that forbids to believe them."""
    return Remark(Severity.INVALID, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class PointResult:
    """What one load point gave."""

    name: str
    concurrency: int | None  # closed loop
    rate: float | None  # open loop
    arrival: str | None
    arrival_idc: float | None  # index of dispersion of the planned arrivals; Poisson: 1
    n_dropped: int
    n_late: int  # sent more than 10 ms behind the plan
    full: WindowFigures  # first send to last content; requests count up to the last one
    steady: WindowFigures | None  # at full load, warmed up, before the drain; None: never
    excluded_share: float  # of requests: in full, not in steady
    client: ClientHealth
    floor: Floor | None
    remarks: tuple[Remark, ...]

    @property
    def is_open(self) -> bool:
        """Whether requests were sent when a plan wanted it, whatever became of those before."""
        return self.rate is not None

    @property
    def figures(self) -> WindowFigures:
        """The ones to show: the steady window's where there is one."""
        return self.steady or self.full

    @property
    def is_valid(self) -> bool:
        """Whether the figures may be believed."""
        return all(remark.severity is not Severity.INVALID for remark in self.remarks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What was measured, how, and where: all that is needed to do it again."""

    target: str  # without anything secret
    server: str  # "llama-server", "tgicli", "this process"
    model: str
    command: str  # the command line, without anything secret
    seed: int
    started_at: str  # ISO 8601, UTC; for labels only
    tgicli: str
    python: str
    machine: str
    n_cores: int
    is_same_host: bool  # the server shares this machine with the client
    options: Mapping[str, str | int | float | bool | None]  # those that shape the work


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A whole run."""

    setting: Setting
    points: tuple[PointResult, ...]
    check: CheckResult | None = None  # of the text; None: nobody asked for it
    schema_version: int = SCHEMA_VERSION

    @property
    def is_valid(self) -> bool:
        """Whether all points may be believed."""
        return all(point.is_valid for point in self.points)
