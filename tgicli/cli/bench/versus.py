"""Compare two targets in turns, or a target's streams with its whole answers.

Used by `job` on the command's event loop; the turns are made in the other process.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

from tgicli.bench.paired import (
    DECIDING,
    HEADLINES,
    Paired,
    Rules,
    Stop,
    Turn,
    figures_of,
    is_decided,
    run_paired,
)
from tgicli.bench.plan import Prompt
from tgicli.bench.recording import Measured, PointRun
from tgicli.bench.stream_vs_full import StreamVsFull, compare_pairs
from tgicli.bench.verdict import Comparison, Figures
from tgicli.cli.bench.jobs import MeasurePoint
from tgicli.cli.bench.options import Sweeping, Users
from tgicli.cli.bench.points import FreshPrompts, Times
from tgicli.cli.bench.single_jobs import StreamVsFullJob

if TYPE_CHECKING:
    from tgicli.cli.bench.runs import Bench

TOTAL_S = 174.0  # for all turns, where nobody says how long one is
ANSWERS_PER_USER = 4  # in a turn
N_PROMPTS = 64  # of a turn; further ones are these with other nonces
MAX_PAIRS = 32


async def compare_targets(bench: Bench) -> Paired[PointRun]:
    """Measure both in turns until the verdicts are in, or the time is up."""
    options, stop = bench.options, asyncio.Event()
    plan = options.plan
    assert not isinstance(plan, Sweeping)
    point, turns = bench.point(plan[0], turn_times(bench)), count()

    async def run_turn(side: int, block: int, prompts: tuple[Prompt, ...]) -> PointRun:
        shown = dataclasses.replace(point, name=f"{point.name}, {'AB'[side]} in block {block + 1}")
        bench.screen.begins(bench.place(shown, 1, 1))
        run = await bench.process.do(
            MeasurePoint(
                side=0 if options.compares_noise else side,
                point=point,
                prompts=FreshPrompts(prompts, f"{options.seed}/turn {next(turns)}"),
                index=0,
                block=block,
                ignore_eos=bench.ignores_eos,
            ),
            bench.screen.hears,
        )
        if bench.process.is_stopped:
            stop.set()
        return run

    def measure(run: PointRun) -> Figures:
        result = bench.summed_up(Measured(point=point, runs=(run,)))
        return figures_of(result, HEADLINES)

    return await run_paired(
        run_turn,
        measure,
        bench.prompts[:N_PROMPTS],
        _rules(bench),
        on_turn=lambda turn: _tell(bench, turn),
        stop=stop,
    )


def _tell(bench: Bench, turn: Turn[PointRun]) -> None:
    """Say what a turn gave."""
    found = ", ".join(
        f"{name} {turn.figures[name]:,.1f}" for name in DECIDING if name in turn.figures
    )
    bench.screen.tells(f"block {turn.block + 1}, {'AB'[turn.side]}: {found}")


def turn_times(bench: Bench) -> Times:
    """Return how long a turn is."""
    said, plan = bench.options.measuring, bench.options.plan
    assert not isinstance(plan, Sweeping)
    load, n_requests = plan[0], said.requests
    if said.is_open_ended:
        n_requests = ANSWERS_PER_USER * (load.n if isinstance(load, Users) else 4)
    return Times(
        warmup_s=said.warmup_s,
        duration_s=said.duration_s,
        n_requests=n_requests,
    )


def _rules(bench: Bench) -> Rules:
    options = bench.options
    max_s = min(TOTAL_S, bench.budget.left_s) if options.measuring.is_open_ended else None
    if options.measuring.repeat > 1:
        return Rules(looks=(options.measuring.repeat,), max_s=max_s, seed=options.seed)
    return Rules(max_s=max_s, seed=options.seed)


def is_undecided(comparison: Comparison) -> bool:
    """Whether a verdict that matters is missing, or means nothing."""
    return comparison.lengths_differ or not is_decided(comparison)


async def compare_streaming(bench: Bench) -> StreamVsFull:
    """Ask everything twice, streamed and whole."""
    options, said = bench.options, bench.options.measuring
    n_pairs = said.requests or MAX_PAIRS
    job = StreamVsFullJob(
        prompts=tuple(bench.prompts[:N_PROMPTS]),
        seed=options.seed,
        max_pairs=n_pairs,
        max_s=bench.budget.left_s if said.is_open_ended else said.duration_s,
        ignore_eos=bench.ignores_eos,
    )
    with bench.screen.pairs(options.target.shown, n_pairs) as hears:
        pairs = await bench.process.do(job, hears)
    return compare_pairs(pairs, seed=options.seed)


def paired_words(comparison: Comparison, why: Stop) -> Iterator[str]:
    """Say what must be known beside the verdicts."""
    yield f"{comparison.n_blocks} blocks of A B B A; {why.value}"
    lengths = comparison.lengths
    if lengths is not None and comparison.lengths_differ:
        yield (
            f"the answers' lengths differ, so the times do not compare: {lengths.a:,.1f} tokens "
            f"of A's, {lengths.b:,.1f} of B's"
        )
    if comparison.noise:
        floor = ", ".join(f"{name} {100 * share:.1f} %" for name, share in comparison.noise.items())
        yield f"noise floor: {floor}: so many blocks can't tell less from no difference"
