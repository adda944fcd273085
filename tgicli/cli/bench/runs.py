"""Measure load points one after the other: what `tgicli bench TARGET` does.

Lives on the command's event loop; the load itself is made in another process. Points are drawn
here, and summed up between two measurements, never while one runs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tgicli.bench.check import CHECK_NEW, CHECK_PROMPT
from tgicli.bench.plan import Closed, Open, Point, Prompt
from tgicli.bench.recording import Measured, PointRun
from tgicli.bench.result import Floor, PointResult, Remark, Setting
from tgicli.bench.summary import summarize_point
from tgicli.cli.bench.asking import Asking
from tgicli.cli.bench.budget import Budget
from tgicli.cli.bench.flags import OPEN_LANES
from tgicli.cli.bench.jobs import Calibrate, MeasureFloor, MeasurePoint, Opened, OpenTarget
from tgicli.cli.bench.load_process import LoadProcess
from tgicli.cli.bench.options import BenchOptions, Sweeping, Traced, Users
from tgicli.cli.bench.points import FreshPrompts, Times, WantedLoad, drawn_again, point_of
from tgicli.cli.bench.screen import Place, Screen
from tgicli.cli.bench.session import Room
from tgicli.cli.bench.setting import setting_of
from tgicli.cli.bench.single_jobs import PP, TG
from tgicli.cli.bench.sweeping import most_users

if TYPE_CHECKING:
    from tgicli.backends.endpoint import RemoteOptions
    from tgicli.bench.ruler import Ruler

FLOOR_S = 2.0
USUAL_GAP_MS = 20.0  # between tokens, until one was measured
USUAL_ANSWER_S = 2.0
MAX_FLOOR_STREAMS = 128


@dataclass(slots=True, eq=False)
class Bench:
    """What is measured, and what came of it so far."""

    options: BenchOptions
    asking: Asking
    process: LoadProcess
    screen: Screen
    budget: Budget
    fake: RemoteOptions | None  # a server of known times; None: no floor is measured
    opened: list[Opened] = field(default_factory=list)
    setting: Setting | None = None  # None: nobody was found yet
    ruler: Ruler | None = None
    prompts: Sequence[Prompt] = ()
    remarks: tuple[Remark, ...] = ()  # on the prompts
    measured: list[Measured] = field(default_factory=list)
    results: list[PointResult] = field(default_factory=list)

    async def prepare(self) -> None:
        """Open the target, or both, and make prompts.

        Raises:
            TgicliError: a model can't be loaded, or nobody answers.
        """
        options = self.options
        targets = [options.target]
        if options.other is not None and not options.compares_noise:
            targets.append(options.other)
        n_prompt, n_new = self.asking.longest
        if options.measuring.llama_bench_rows:
            n_prompt, n_new = max(n_prompt, PP), max(n_new, TG + 1)
        if options.checks_text:
            n_prompt, n_new = max(n_prompt, CHECK_PROMPT), max(n_new, CHECK_NEW)
        room = Room(n_lanes=_n_lanes(options), n_prompt=n_prompt, n_new=n_new)
        for side, target in enumerate(targets):
            self.screen.says(f"opening {target.shown}")
            job = OpenTarget(side=side, target=target, chat=options.chat, room=room)
            self.opened.append(await self.process.do(job, self.screen.hears))
        self.setting = setting_of(options, self.opened[0], ignores_eos=self.ignores_eos)
        self.screen.says("finding out how long a token is")
        ruler = await self.process.do(Calibrate(side=0))
        n_ctx = min((side.n_ctx for side in self.opened if side.n_ctx), default=0)
        drawn = self.asking.draw(ruler, n_ctx=n_ctx)
        self.ruler, self.prompts, self.remarks = ruler, drawn.prompts, drawn.remarks
        for remark in drawn.remarks:
            self.screen.remarks(remark)

    async def measure_planned(self) -> None:
        """Measure all points, and each as often as it is wanted; until somebody stops it."""
        plan = self.options.plan
        assert not isinstance(plan, Sweeping)
        with self._time_limit():
            for block in range(self.options.measuring.repeat):
                for index, load in enumerate(plan):
                    if self.process.is_stopped:
                        return
                    if block:
                        await self.measure(index, block)
                    else:
                        await self.add(load)

    @contextlib.contextmanager
    def _time_limit(self) -> Iterator[None]:
        """Where nobody says how long to measure, end when the time is up."""
        if not self.options.measuring.is_open_ended:
            yield
            return
        timer = asyncio.get_running_loop().call_later(self.budget.left_s, self.process.stop)
        try:
            yield
        finally:
            timer.cancel()

    async def add(self, load: WantedLoad | Traced) -> None:
        """Measure one more point, unless it was stopped meanwhile."""
        n_users = load.n if isinstance(load, Users) else 1
        point = self.point(load, self.times(n_users))
        floor = await self._floor(point)
        if not self.process.is_stopped:
            self.measured.append(
                Measured(point=point, runs=(), floor=floor, n_around=self.n_around)
            )
            await self.measure(len(self.measured) - 1, 0)

    def times(self, n_users: int) -> Times:
        """Return how long to measure a point."""
        said = self.options.measuring
        return Times(
            warmup_s=said.warmup_s,
            duration_s=self.budget.next_s(n_users) if said.is_open_ended else said.duration_s,
            n_requests=said.requests,
        )

    def point(self, load: WantedLoad | Traced, times: Times) -> Point:
        """Draw a point."""
        options, trace = self.options, self.asking.trace
        if isinstance(load, Traced):
            assert trace is not None
            replayed = trace.to_open(max_in_flight=options.max_in_flight)
            return Point(name=f"trace {load.path.name}", load=replayed, warmup_s=0.0)
        return point_of(load, times, seed=options.seed, max_in_flight=options.max_in_flight)

    async def measure(self, index: int, block: int) -> None:
        """Measure a point, for the first time or again."""
        options, measured = self.options, self.measured[index]
        point = self._of_block(index, block)
        self.screen.begins(self._place_of(index))
        run = await self.process.do(
            MeasurePoint(
                side=0,
                point=point,
                prompts=FreshPrompts(self.prompts, f"{options.seed}/{index}/{block}"),
                index=index,
                block=block,
                ignore_eos=self.ignores_eos,
                reads_counters=True,
            ),
            self.screen.hears,
        )
        if isinstance(point.load, Open) and point is not measured.point:
            run = replace(run, offsets_ns=point.load.offsets_ns)
        runs = (*measured.runs, run)
        self.measured[index] = measured = replace(
            measured, runs=runs, remarks=self._remarks_on(runs)
        )
        result = self.summed_up(measured)
        self.results[index:] = [result, *self.results[index + 1 :]]
        self.budget.took(_answer_s(result), result.concurrency or 1)
        self.screen.ends(result)

    def _of_block(self, index: int, block: int) -> Point:
        """Return a point as a repeat measures it."""
        point, plan = self.measured[index].point, self.options.plan
        if not block or isinstance(plan, Sweeping):
            return point
        load = plan[index]
        if isinstance(load, Traced):
            return point
        return drawn_again(point, load, seed=self.options.seed, block=block)

    def _remarks_on(self, runs: Sequence[PointRun]) -> tuple[Remark, ...]:
        """Return what must be known of a point's prompts."""
        n_requests = sum(len(run.records) for run in runs)
        return (*self.remarks, *self.asking.repetition(len(self.prompts), n_requests))

    @property
    def ignores_eos(self) -> bool:
        """Whether answers go on after the model's end, so that all are equally long."""
        return self.options.ignore_eos and all(side.can_ignore_eos for side in self.opened)

    @property
    def n_around(self) -> int:
        """How many tokens a chat template puts around a prompt."""
        return round(self.ruler.n_overhead) if self.ruler else 0

    def _place_of(self, index: int) -> Place:
        plan = self.options.plan
        n_points = index + 1 if isinstance(plan, Sweeping) else len(plan)
        return self.place(self.measured[index].point, index + 1, n_points)

    def place(self, point: Point, number: int, n_points: int) -> Place:
        """Say what is measured, for showing."""
        options, budget = self.options, self.budget
        is_limited = options.measuring.is_open_ended and not isinstance(options.plan, Sweeping)
        left_s = budget.left_s if options.compares else budget.expected_s
        return Place(
            target=options.target.shown,
            model=self.opened[0].model,
            point=point,
            number=number,
            n_points=n_points,
            total_left_s=left_s if is_limited else None,
        )

    def summed_up(self, measured: Measured) -> PointResult:
        """Return a point's figures."""
        return summarize_point(
            measured,
            slo=self.options.slo,
            is_same_host=self.options.target.is_same_host,
            expects_cache=self.asking.expects_cache,
        )

    async def _floor(self, point: Point) -> Floor | None:
        """Measure what this client adds at the same load, as far as that is known."""
        if self.fake is None:
            return None
        self.screen.says("measuring what this client adds by itself")
        last = self.results[-1] if self.results else None
        job = MeasureFloor(
            fake=self.fake,
            n_streams=_n_streams(point, last),
            gap_ms=_gap_ms(last),
            seconds=FLOOR_S,
        )
        return await self.process.do(job)


def _n_lanes(options: BenchOptions) -> int:
    """Return how many requests a model in the process computes at once."""
    if isinstance(options.plan, Sweeping):
        return most_users(options)
    return max(load.n if isinstance(load, Users) else OPEN_LANES for load in options.plan)


def _answer_s(result: PointResult) -> float:
    """Return how long an answer took, about."""
    found = result.figures.metrics.get("e2e_ms")
    return (found.mean.value or 0.0) / 1000 if found else 0.0


def _gap_ms(last: PointResult | None) -> float:
    found = last.figures.metrics.get("tpot_ms") if last else None
    return found.mean.value or USUAL_GAP_MS if found else USUAL_GAP_MS


def _n_streams(point: Point, last: PointResult | None) -> int:
    """Return how many streams there will be at once, about: rate times time, in an open loop."""
    load = point.load
    if isinstance(load, Closed):
        return min(load.concurrency, MAX_FLOOR_STREAMS)
    answer_s = _answer_s(last) if last else USUAL_ANSWER_S
    return min(max(round(load.rate * answer_s), 1), MAX_FLOOR_STREAMS)
