"""Choose one load after the other: `--sweep` and `--find-max`. On the command's event loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tgicli.bench.result import PointResult
from tgicli.bench.sweep import MAX_USERS, FindMax, Step, Sweep
from tgicli.cli.bench.options import BenchOptions, Users

if TYPE_CHECKING:
    from tgicli.cli.bench.runs import Bench

SLO_SHARE = 0.99  # of the requests, that must keep to an objective
SWEEP_LANES = 32  # of a model in this process


async def sweep(bench: Bench) -> str:
    """Measure until more users bring nothing more; say where the knee is."""
    sweep = Sweep(largest=most_users(bench.options))
    while (n_users := sweep.next(steps_of(bench.results))) is not None:
        await bench.add(Users(n_users))
        if bench.process.is_stopped:
            break
    knee = sweep.knee(steps_of(bench.results))
    return "no load was good enough" if knee is None else knee.text


async def find_max(bench: Bench) -> str:
    """Measure until the largest concurrency is known that meets the objective; say which."""
    search = FindMax(largest=most_users(bench.options))
    while (n_users := search.next(steps_of(bench.results))) is not None:
        await bench.add(Users(n_users))
        if bench.process.is_stopped:
            break
    best, slo = search.best(steps_of(bench.results)), bench.options.slo
    if best is None:
        return f"no concurrency meets {slo}"
    return f"concurrency {best} is the largest that was found to meet {slo}"


def most_users(options: BenchOptions) -> int:
    """Return how many users a search goes up to."""
    most = MAX_USERS if options.target.is_remote else SWEEP_LANES
    return min(most, options.max_in_flight or most)


def steps_of(results: Sequence[PointResult]) -> list[Step]:
    """Return what the search needs to know."""
    return [
        Step(
            load=result.concurrency or 0,
            output_tps=result.figures.output_tps.value or 0.0,
            low=result.figures.output_tps.low,
            high=result.figures.output_tps.high,
            meets=meets_slo(result),
        )
        for result in results
    ]


def meets_slo(result: PointResult) -> bool | None:
    """Say whether a load point is good enough; None: there is no objective, or nobody can tell."""
    share = result.figures.slo_attainment
    return None if share is None or share.value is None else share.value >= SLO_SHARE
