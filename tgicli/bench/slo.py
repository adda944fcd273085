"""What a good request is: an objective, and whether a request keeps to it.

Called by the command, which reads it, and by the summary, which counts. Pure. Never calls a request
good because nothing could be measured.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import fmean

from tgicli.bench import metrics
from tgicli.bench.record import Chunk, Record
from tgicli.errors import ConfigError


def _mean_gap_ms(record: Record) -> float | None:
    gaps = metrics.icl_ms(record)
    return fmean(gaps) if gaps else None


MEASURES: Mapping[str, Callable[[Record], float | None]] = {
    "ttft": metrics.ttft_ms,
    "tpot": metrics.tpot_ms,
    "e2el": metrics.e2e_ms,
    "ttft_sched": metrics.ttft_sched_ms,
    "stall": metrics.stall_max_ms,
    "icl": _mean_gap_ms,
}
"""What can be asked of a request, in milliseconds: the first three as vLLM's --goodput has them;
`stall` is its longest gap between pieces, `icl` its mean one."""
_GROWING = {"ttft", "ttft_sched", "e2el", "stall"}  # the longer, the longer nothing comes


@dataclass(frozen=True, slots=True)
class Slo:
    """A service-level objective: all of its limits must be kept. Valid once built."""

    limits_ms: Mapping[str, float]  # "ttft" -> 200.0

    def __post_init__(self) -> None:
        if not self.limits_ms:
            raise ConfigError("an objective needs a limit, e.g. ttft:200")
        for name, limit in self.limits_ms.items():
            if name not in MEASURES:
                known = ", ".join(MEASURES)
                raise ConfigError(f"there is no objective {name!r}; there are {known}")
            if not 0 < limit < math.inf:
                raise ConfigError(f"the limit of {name} must be > 0 ms, got {limit:g}")

    def is_kept(self, record: Record) -> bool | None:
        """Say whether an answered request is good; None: a limit could not be held against it."""
        values = {name: MEASURES[name](record) for name in self.limits_ms}
        measured = {name: value for name, value in values.items() if value is not None}
        if any(value > self.limits_ms[name] for name, value in measured.items()):
            return False
        return True if len(measured) == len(values) else None

    def is_missed(self, record: Record) -> bool:
        """Say whether a request that we cut had waited past a limit by then."""
        last = Chunk(record.end_ns, 0, 0, is_reasoning=False, read_id=-1)
        seen = replace(record, chunks=(*record.chunks, last))  # no better could have come of it
        waits = {name: MEASURES[name](seen) for name in _GROWING & self.limits_ms.keys()}
        return any(ms is not None and ms > self.limits_ms[name] for name, ms in waits.items())

    def __str__(self) -> str:
        return " ".join(f"{name}:{limit:g}" for name, limit in self.limits_ms.items())


def parse_slo(text: str) -> Slo:
    """Read `ttft:200 tpot:50`, with blanks or commas; milliseconds. Raises ConfigError."""
    limits: dict[str, float] = {}
    for part in re.split(r"[\s,]+", text.strip()):
        match = re.fullmatch(r"(\w+):(\d+(?:\.\d+)?)(?:ms)?", part)
        if match is None:
            raise ConfigError(f"can't read {part!r} in {text!r}; write e.g. ttft:200,tpot:50 (ms)")
        name, limit = match.groups()
        name = "e2el" if name == "e2e" else name  # as the tables have it
        if name in limits:
            raise ConfigError(f"{name} is there twice in {text!r}")
        limits[name] = float(limit)
    return Slo(limits)
