"""Compare two targets in turns, or a target's streams with its whole answers.

Used by `job` on the command's event loop; the turns are made in the other process.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator, Sequence
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
from tgicli.bench.result import Remark, Severity
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


async def compare_targets(bench: Bench) -> Paired[Measured]:
    """Measure both in turns until the verdicts are in, or the time is up."""
    options, stop = bench.options, asyncio.Event()
    plan = options.plan
    assert not isinstance(plan, Sweeping)
    point, turns = bench.point(plan[0], turn_times(bench)), count()

    async def run_turn(side: int, block: int, prompts: tuple[Prompt, ...]) -> Measured:
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
        return Measured(point=point, runs=(run,), n_around=bench.n_around)

    def measure(turn: Measured) -> Figures:
        return figures_of(bench.summed_up(turn), HEADLINES)

    return await run_paired(
        run_turn,
        measure,
        bench.prompts[:N_PROMPTS],
        _rules(bench),
        on_turn=lambda turn: _tell(bench, turn),
        stop=stop,
    )


def _tell(bench: Bench, turn: Turn[Measured]) -> None:
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


def remarks_on_sides(bench: Bench, paired: Paired[Measured]) -> list[Remark]:
    """Return what speaks against either side's turns, the gravest first.

    All turns of a side are taken together, like repeats. Notes are left out: they are on intervals
    and percentiles that nobody sees here.
    """
    found: list[Remark] = []
    for side, name in enumerate("AB"):
        turns = [turn.run for turn in paired.turns if turn.side == side]
        if turns:
            runs = by_usual_client([run for turn in turns for run in turn.runs])
            result = bench.summed_up(dataclasses.replace(turns[0], runs=runs))
            found += (Remark(one.severity, f"{name}: {one.text}") for one in result.remarks)
    grave = [one for one in found if one.severity is not Severity.NOTE]
    return sorted(grave, key=lambda one: one.severity is not Severity.INVALID)


def by_usual_client(runs: Sequence[PointRun]) -> tuple[PointRun, ...]:
    """Return the runs as if the client had been as late in each as it usually was.

    One turn that this machine disturbed widens the intervals; it spoils nothing by itself.
    """
    clients = sorted((run.client for run in runs), key=lambda client: client.lag_p99_ms)
    usual = clients[len(clients) // 2]
    return tuple(dataclasses.replace(run, client=usual) for run in runs)


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
