"""Turns that lie close together, on machines whose noise is known because it is made up."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Sequence

import pytest

from tests.bench import results
from tgicli.bench.paired import (
    A_FIRST,
    B_FIRST,
    Paired,
    Rules,
    Stop,
    blocks_of,
    figures_of,
    orders,
    run_paired,
)
from tgicli.bench.plan import Prompt
from tgicli.bench.verdict import LENGTH, Figures, Verdict, noise_floor
from tgicli.errors import ConfigError

N_RUNS = 200
DECIDING_HERE = ("ttft", "tpot", "output_tps")  # in a closed loop there is no schedule
PROMPTS = [
    Prompt(prompt=f"{n}0000000 tell me of {n}", max_new_tokens=8, nonce=f"{n}0000000")
    for n in range(1, 4)
]


class Machine:
    """Answers turns with figures of a true size, its own noise, and a drift that has no end."""

    def __init__(
        self, seed: int, *, b_slower: float = 1.0, noise: float = 0.03, drift: float = 0.02
    ) -> None:
        self._random = random.Random(seed)
        self._slower = b_slower
        self._noise, self._drift = noise, drift
        self._state = 1.0
        self.now_s = 0.0
        self.asked: list[tuple[int, int, tuple[Prompt, ...]]] = []

    async def turn(self, side: int, block: int, prompts: tuple[Prompt, ...]) -> Figures:
        self.asked.append((side, block, prompts))
        self.now_s += 10
        self._state *= self._random.lognormvariate(0, self._drift)
        slower = self._slower if side else 1.0
        figures = {"ttft": 200.0, "tpot": 20.0, "icl.p95": 30.0, "e2e": 2700.0, LENGTH: 128.0}
        noisy = {
            name: value if name == LENGTH else value * slower * self._state * self._one()
            for name, value in figures.items()
        }
        return noisy | {"output_tps": 400.0 / slower / self._state * self._one()}

    def _one(self) -> float:
        return self._random.lognormvariate(0, self._noise)


def compared(
    machine: Machine, rules: Rules, prompts: Sequence[Prompt] = PROMPTS
) -> Paired[Figures]:
    async def run() -> Paired[Figures]:
        return await run_paired(
            machine.turn, lambda figures: figures, prompts, rules, clock=lambda: machine.now_s
        )

    return asyncio.run(run())


def test_one_server_against_itself_is_the_same_or_undecided_in_95_of_100_runs():
    honest = {Verdict.SAME, Verdict.UNDECIDED}

    runs = [compared(Machine(seed), Rules(seed=seed)) for seed in range(N_RUNS)]

    n_right = sum(
        all(ratio.verdict in honest for ratio in run.comparison.metrics.values()) for run in runs
    )
    assert n_right >= 0.95 * N_RUNS


def test_one_noisy_server_against_itself_is_hardly_ever_said_to_differ():
    honest = {Verdict.SAME, Verdict.UNDECIDED}

    runs = [compared(Machine(seed, noise=0.15), Rules(seed=seed)) for seed in range(N_RUNS)]

    n_right = sum(
        all(ratio.verdict in honest for ratio in run.comparison.metrics.values()) for run in runs
    )
    assert n_right >= 0.95 * N_RUNS


def test_a_server_slowed_by_a_tenth_is_slower_in_95_of_100_runs():
    runs = [compared(Machine(seed, b_slower=1.1), Rules(seed=seed)) for seed in range(N_RUNS)]

    n_found = sum(
        all(run.comparison.metrics[name].verdict is Verdict.SLOWER for name in DECIDING_HERE)
        for run in runs
    )
    n_blocks = sorted(run.comparison.n_blocks for run in runs)
    assert n_found >= 0.95 * N_RUNS
    assert n_blocks[N_RUNS // 2] <= 8


def test_a_calm_server_against_itself_is_the_same_before_all_blocks_are_run():
    runs = [
        compared(Machine(seed, noise=0.01, drift=0.002), Rules(seed=seed)) for seed in range(20)
    ]

    for run in runs:
        assert {run.comparison.metrics[name].verdict for name in DECIDING_HERE} == {Verdict.SAME}
        assert run.comparison.n_blocks < 12


def test_a_clear_difference_ends_it_early_and_a_small_one_late():
    clear = compared(Machine(1, b_slower=1.5), Rules())
    small = compared(Machine(1, b_slower=1.06, noise=0.08), Rules())

    assert (clear.stop, clear.comparison.n_blocks) == (Stop.DECIDED, 5)
    assert (small.stop, small.comparison.n_blocks) == (Stop.BLOCKS, 12)


def test_a_fixed_number_of_blocks_is_run_whatever_they_say():
    found = compared(Machine(1, b_slower=2), Rules(looks=(8,)))

    assert found.comparison.n_blocks == 8
    assert found.stop is Stop.BLOCKS


def test_looking_more_than_once_costs_wider_intervals():
    often = compared(Machine(3, noise=0.1), Rules(looks=(2, 4, 6, 8)))
    once = compared(Machine(3, noise=0.1), Rules(looks=(8,)))

    assert often.comparison.n_blocks == once.comparison.n_blocks == 8
    wide, narrow = (results.width(run.comparison.metrics["ttft"]) for run in (often, once))
    assert wide > narrow


def test_stopping_early_costs_wider_intervals_than_so_few_blocks_would():
    early = compared(Machine(1, b_slower=1.5), Rules())
    planned = compared(Machine(1, b_slower=1.5), Rules(looks=(5,)))

    assert early.comparison.n_blocks == planned.comparison.n_blocks == 5
    wide, narrow = (results.width(run.comparison.metrics["ttft"]) for run in (early, planned))
    assert wide > 1.3 * narrow


def test_of_each_two_blocks_one_begins_with_a():
    drawn = list(itertools.islice(orders(7), 20))

    pairs = zip(drawn[::2], drawn[1::2], strict=True)
    assert all(sorted(pair) == sorted([A_FIRST, B_FIRST]) for pair in pairs)
    assert drawn == list(itertools.islice(orders(7), 20))
    assert len({tuple(itertools.islice(orders(seed), 6)) for seed in range(20)}) > 1


def test_every_turn_asks_the_same_by_nonces_of_its_own():
    machine = Machine(1)

    compared(machine, Rules(looks=(3,)))

    assert len(machine.asked) == 12
    nonces = [prompt.nonce for _, _, prompts in machine.asked for prompt in prompts]
    assert len(set(nonces)) == len(nonces) == 36
    assert {len(nonce) for nonce in nonces} == {8}
    for _, _, prompts in machine.asked:
        rest = [str(prompt.prompt).removeprefix(prompt.nonce) for prompt in prompts]
        assert rest == [f" tell me of {n}" for n in range(1, 4)]


def test_each_block_has_two_turns_of_each_side():
    machine = Machine(1)

    found = compared(machine, Rules(looks=(4,)))

    assert [turn.block for turn in found.turns] == [n for n in range(4) for _ in range(4)]
    for block in blocks_of(found.turns):
        assert (len(block.a), len(block.b)) == (2, 2)


def test_a_block_that_would_end_too_late_is_not_begun():
    machine = Machine(1, noise=0.2)

    found = compared(machine, Rules(max_s=130))

    assert found.stop is Stop.TIME
    assert machine.now_s == 120
    assert found.comparison.n_blocks == 3


def test_when_stopped_the_whole_blocks_are_compared():
    machine = Machine(1)
    stop = asyncio.Event()

    async def turn(side: int, block: int, prompts: tuple[Prompt, ...]) -> Figures:
        if len(machine.asked) == 10:
            stop.set()
        return await machine.turn(side, block, prompts)

    found = asyncio.run(run_paired(turn, lambda f: f, PROMPTS, Rules(), stop=stop))

    assert found.stop is Stop.ASKED
    assert (len(found.turns), found.comparison.n_blocks) == (10, 2)


def test_the_noise_of_a_against_a_is_that_of_the_machine():
    noise = noise_floor(compared(Machine(2), Rules(looks=(6,))).comparison)

    assert 0.005 < noise["tpot"] < 0.2


def test_a_turns_figures_are_those_of_its_result():
    point = results.point(results.closed_records(4))

    figures = figures_of(point, ["ttft", "goodput", "output_tps"])

    assert figures == {
        "ttft": point.figures.metrics["ttft_ms"].quantiles["p50"].value,
        "output_tps": point.figures.output_tps.value,
        LENGTH: 64.0,
    }


@pytest.mark.parametrize("looks", [(), (4, 4), (0, 3)])
def test_looks_that_do_not_ascend_are_refused(looks: tuple[int, ...]):
    with pytest.raises(ConfigError, match="must ascend"):
        Rules(looks=looks)
