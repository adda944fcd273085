"""Compare two sides by turns that lie close together: A B B A, B A A B, and so on.

Called by the command, on the loop that makes the load; what runs a turn is a callable. Both sides
get the same prompts by the same schedule, but for the nonce that each turn's prompts begin with, so
that no turn is served from what another left in a cache. Never runs two turns at once.

It is looked at the verdicts after the planned numbers of blocks only, and each look spends a part
of the allowed error, early ones little (a power family, as of Kim and DeMets): stopping early costs
wider intervals and no false verdicts. The last look, or that when time is up, spends what is left.
"""

from __future__ import annotations

import asyncio
import enum
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tgicli.bench.named_metric import parse_metric
from tgicli.bench.plan import Prompt
from tgicli.bench.prompts import draw_nonces, with_nonce
from tgicli.bench.result import PointResult
from tgicli.bench.verdict import (
    LENGTH,
    Block,
    Comparison,
    Figures,
    Verdict,
    compare,
)
from tgicli.errors import ConfigError

Run = TypeVar("Run")

HEADLINES = ("ttft_sched", "ttft", "tpot", "icl.p95", "e2e", "output_tps")  # as far as measured
DECIDING = ("ttft_sched", "ttft", "tpot", "output_tps")  # it goes on until each has its verdict
SPENDING = 2  # the allowed error is spent like this power of the share of blocks that were run
A_FIRST, B_FIRST = (0, 1, 1, 0), (1, 0, 0, 1)


class Stop(enum.StrEnum):
    """Why no more blocks were run."""

    DECIDED = "decided"
    BLOCKS = "all blocks run"
    TIME = "time is up"
    ASKED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How long to go on."""

    looks: tuple[int, ...] = (5, 8, 12)  # blocks; (8,): 8 blocks, whatever they say
    max_s: float | None = None  # a block that would end later is not begun
    seed: int = 0

    def __post_init__(self) -> None:
        looks = self.looks
        if not looks or looks[0] < 1 or list(looks) != sorted(set(looks)):
            raise ConfigError(f"the looks must ascend, from 1 block at least, got {looks}")


@dataclass(frozen=True, slots=True)
class Turn(Generic[Run]):
    """One side's turn in a block."""

    side: int  # 0: A, 1: B
    block: int
    run: Run
    figures: Figures


@dataclass(frozen=True, slots=True)
class Paired(Generic[Run]):
    """All turns, those of a block that was not finished too, and what the finished ones say."""

    turns: tuple[Turn[Run], ...]
    comparison: Comparison
    stop: Stop


def orders(seed: int) -> Iterator[tuple[int, ...]]:
    """Yield the sides of each block's turns: of each two blocks one begins with A, drawn by lot."""
    draw = random.Random(f"{seed}/order")
    while True:
        pair = [A_FIRST, B_FIRST]
        draw.shuffle(pair)
        yield from pair


def figures_of(result: PointResult, metrics: Sequence[str]) -> Figures:
    """Return what a turn measured; what it could not measure is left out."""
    found = {metric.label: metric.of(result) for metric in map(parse_metric, metrics)}
    figures = {label: e.value for label, e in found.items() if e is not None and e.value}
    length = result.figures.mean_new_tokens
    return figures | ({LENGTH: length} if length else {})


async def run_paired(
    run_block: Callable[[int, int, tuple[Prompt, ...]], Awaitable[Run]],
    measure: Callable[[Run], Figures],
    prompts: Sequence[Prompt],
    rules: Rules,
    *,
    on_turn: Callable[[Turn[Run]], None] | None = None,
    stop: asyncio.Event | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Paired[Run]:
    """Run turns, given their side, block and prompts, until the verdicts are in.

    Once `stop` is set the turn that is under way is dropped, and its block is not compared.
    """
    turns: list[Turn[Run]] = []
    nonces = draw_nonces(f"{rules.seed}/turns")

    async def run_turns(block: int, order: Sequence[int]) -> None:
        for side in order:
            run = await run_block(side, block, renew(prompts, nonces))
            if stop and stop.is_set():
                return
            turns.append(Turn(side, block, run, measure(run)))
            if on_turn:
                on_turn(turns[-1])

    looks = _Looks(rules)
    began, longest_s = clock(), 0.0
    for block, order in zip(range(rules.looks[-1]), orders(rules.seed), strict=False):
        block_began = clock()
        if rules.max_s is not None and block_began - began + longest_s > rules.max_s:
            return Paired(tuple(turns), looks.last(turns), Stop.TIME)
        await run_turns(block, order)
        if stop and stop.is_set():
            return Paired(tuple(turns), looks.last(turns), Stop.ASKED)
        longest_s = max(longest_s, clock() - block_began)
        if block + 1 in rules.looks[:-1]:
            found = looks.next(turns, block + 1)
            if is_decided(found):
                return Paired(tuple(turns), found, Stop.DECIDED)
    return Paired(tuple(turns), looks.last(turns), Stop.BLOCKS)


class _Looks:
    """Compares what there is, and counts how often it did."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._left = 1.0  # of the allowed error

    def next(self, turns: Sequence[Turn[Run]], n_blocks: int) -> Comparison:
        """Compare, and keep some error for the looks to come, the more the more are to come."""
        looks = self._rules.looks
        share = (n_blocks / looks[-1]) ** SPENDING - (1 - self._left)
        self._left -= share
        return self._compare(turns, share)

    def last(self, turns: Sequence[Turn[Run]]) -> Comparison:
        """Compare, with all the error that is left."""
        return self._compare(turns, self._left)

    def _compare(self, turns: Sequence[Turn[Run]], share: float) -> Comparison:
        seed = self._rules.seed
        return compare(blocks_of(turns), metrics=HEADLINES, share=share, seed=seed)


def renew(prompts: Sequence[Prompt], nonces: Iterator[str]) -> tuple[Prompt, ...]:
    """Return the same prompts with other nonces."""
    return tuple(with_nonce(prompt, next(nonces)) for prompt in prompts)


def is_decided(comparison: Comparison) -> bool:
    """Say whether each metric that decides, where it could be measured, has its verdict."""
    labels = [parse_metric(name).label for name in DECIDING]
    found = [comparison.metrics[label] for label in labels if label in comparison.metrics]
    return bool(found) and all(ratio.verdict is not Verdict.UNDECIDED for ratio in found)


def blocks_of(turns: Sequence[Turn[Run]]) -> list[Block]:
    """Gather turns into blocks; one that lacks a turn is left out."""
    numbers = sorted({turn.block for turn in turns})
    gathered = [[turn for turn in turns if turn.block == number] for number in numbers]
    return [
        Block(
            a=tuple(turn.figures for turn in block if turn.side == 0),
            b=tuple(turn.figures for turn in block if turn.side == 1),
        )
        for block in gathered
        if len(block) == len(A_FIRST)
    ]
