"""What a comparison of two files looks at: figures, and the work that they are of.

Made of our own results here, and of other load generators' by `foreign`; read by the gate. Values
only. What a tool does not tell is left out or None, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tgicli.bench.named_metric import METRICS
from tgicli.bench.result import Estimate, PointResult, Remark, Result

OUR_TOOL = "tgicli bench"

Fact = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFigures:
    """One load point."""

    name: str  # points of the same name are compared: "concurrency 8"
    load: str  # in words: must be the same, too
    figures: Mapping[str, Estimate]  # by Metric.key: "ttft_ms.p50", "output_tps"
    mean_prompt_tokens: float | None = None
    mean_new_tokens: float | None = None
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparable:
    """A measurement."""

    tool: str  # that made it: "tgicli bench", "guidellm"
    model: str
    options: Mapping[str, Fact]  # those that shape the work
    surroundings: Mapping[str, Fact]  # from which a difference may come; as far as told
    points: tuple[LoadFigures, ...]
    meanings: tuple[str, ...] = ()  # where the tool's figures are not what ours are


def from_result(result: Result) -> Comparable:
    """Return a result of our own as a comparison sees it."""
    setting = result.setting
    return Comparable(
        tool=OUR_TOOL,
        model=setting.model,
        options=setting.options,
        surroundings={
            "server": setting.server,
            "machine": setting.machine,
            "cores": setting.n_cores,
            "server on the client's machine": setting.is_same_host,
            "tgicli": setting.tgicli,
            "Python": setting.python,
        },
        points=tuple(map(_from_point, result.points)),
    )


def _from_point(point: PointResult) -> LoadFigures:
    load = f"concurrency {point.concurrency}"
    if point.rate is not None:
        load = f"{point.rate:g} requests/s ({point.arrival})"
    return LoadFigures(
        name=point.name,
        load=load,
        figures={metric.key: found for metric in METRICS if (found := metric.of(point))},
        mean_prompt_tokens=point.figures.mean_prompt_tokens,
        mean_new_tokens=point.figures.mean_new_tokens,
        remarks=point.remarks,
    )
