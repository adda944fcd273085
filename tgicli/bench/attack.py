"""Hold one load on a backend for a while, and record what becomes of each request.

Called on the event loop, by whoever runs a load point; `ask` is the same for one request.

The rules of a point
    warming up, measuring and ending follow each other without a pause; the load never falls
    measuring begins after Point.warmup_s, or once so many users' load is steady (see Warmup)
    it ends after Point.duration_s, after Point.n_requests, or, where nobody says, with the last
        answer to what the schedule sent
    what was sent until then is waited for under the same load: users go on asking, and what was
        planned for later is sent; those further requests are cut in the end, and not recorded
    whoever takes longer than three times the slowest answer so far is not waited for: it is cut in
        the end, and recorded as such
    a schedule is kept, whatever becomes of earlier requests: nothing in here limits their number
Prompts are taken in order, and again from the first one when there are no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import count

from tgicli.bench.ask_options import Answering, AskOptions
from tgicli.bench.client_watch import ClientWatch, quiet_gc
from tgicli.bench.meter import Meter, Phase, Progress, tokens_by_second
from tgicli.bench.metrics import done_ns
from tgicli.bench.plan import Closed, Open, Point, Prompt
from tgicli.bench.record import NS_PER_S, Outcome, Record
from tgicli.bench.recorder import Note, Recorder
from tgicli.bench.recording import PointRun
from tgicli.bench.warmup import MAX_S, Warmup
from tgicli.errors import TgicliError

STAGGER_S = 0.02  # between two users' first requests ...
MAX_STAGGER_S = 1.0  # ... but no longer than this for all
LATE_NS = 10_000_000  # a request that is sent so long after its time is late
GRACE_FACTOR = 3.0  # times the slowest answer, for those under way at the end
MIN_GRACE_S = 5.0
BREATH_S = 0.05  # that a user takes after a failure, which may have come at once
PROGRESS_S = 0.25


async def attack(
    backend: Answering,
    point: Point,
    prompts: Sequence[Prompt],
    recorder: Recorder,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    stop: asyncio.Event | None = None,
    options: AskOptions,
) -> PointRun:
    """Run a load point. Once `stop` is set it ends at once, with what was measured so far.

    The backend should have been asked for its info before: the first requests would wait for that.
    on_progress is called on the event loop, four times a second; it must not block.
    """
    return await _Attack(backend, point, prompts, recorder, options).run(on_progress, stop)


async def ask(
    backend: Answering,
    prompt: Prompt,
    recorder: Recorder,
    *,
    options: AskOptions,
) -> Record:
    """Ask one prompt and record the answer, whatever becomes of it."""
    note = recorder.begin(options.to_asked(prompt, recorder.new_id(), index=0))
    await _listen(backend, note)
    return recorder.end(note)


async def _listen(backend: Answering, note: Note) -> None:
    """Read an answer to its end; what ends it early is noted."""
    try:
        async with aclosing(backend.generate(note.asked.request)) as events:
            async for event in events:
                note.heard(event)
    except TgicliError as error:
        note.failed(error)
    except asyncio.CancelledError:
        note.cut()
        raise


class _Attack:
    """One load point while it runs."""

    def __init__(
        self,
        backend: Answering,
        point: Point,
        prompts: Sequence[Prompt],
        recorder: Recorder,
        options: AskOptions,
    ) -> None:
        self._backend = backend
        self._point = point
        self._prompts = prompts
        self._recorder = recorder
        self._options = options
        self._numbers = count()  # of prompts, as they are taken
        self._records: list[Record] = []
        self._began_ns = recorder.now_ns
        self._warm_ns: int | None = None
        self._end_ns: int | None = None
        self._n_measured = 0  # requests begun since measuring began
        self._n_open = 0  # requests under way whose records are wanted
        self._slowest_ns = 0
        self._due_ns = math.inf  # when the schedule wants its next request sent
        self._is_through = False  # the schedule has nothing more
        self._changed = asyncio.Event()
        load = point.load
        self._warmup = Warmup(load.concurrency if isinstance(load, Closed) else 1)
        self._meter = Meter(recorder)
        self._client = ClientWatch()

    async def run(
        self, on_progress: Callable[[Progress], None] | None, stop: asyncio.Event | None
    ) -> PointRun:
        n_connections = self._recorder.n_connections
        with quiet_gc(), self._client.hearing_gc():
            self._began_ns = self._recorder.now_ns
            async with _helpers(self._client.measure_lag(), self._report(on_progress)):
                await self._run(stop)
        assert self._end_ns is not None
        records = tuple(sorted(self._records, key=lambda record: record.send_ns))
        return PointRun(
            records=records,
            warm_ns=self._end_ns if self._warm_ns is None else self._warm_ns,
            end_ns=self._end_ns,
            n_dropped=self._meter.n_dropped,
            n_late=sum(1 for record in records if _is_late(record)),
            client=self._client.health(
                computes=not self._recorder.is_observing,
                n_connections=self._recorder.n_connections - n_connections,
                per_second_tokens=tokens_by_second(records),
            ),
        )

    async def _run(self, stop: asyncio.Event | None) -> None:
        """Run the load until its conductor, or somebody else, has had enough of it."""
        async with asyncio.TaskGroup() as group:
            conductor = group.create_task(self._conduct())  # begins before any request does
            load = group.create_task(self._load())
            enough = [conductor] if stop is None else [conductor, group.create_task(_set(stop))]
            await asyncio.wait(enough, return_when=asyncio.FIRST_COMPLETED)
            self._ends()
            for task in (load, *enough):
                task.cancel()

    async def _conduct(self) -> None:
        """Pass through the phases."""
        await self._warm_up()
        self._client.begin()
        await self._measure()
        if self._is_through and self._point.duration_s is None and self._end_ns is None:
            await self._end_with_answers()
        else:
            self._ends()
            await self._drain()

    async def _warm_up(self) -> None:
        at_ns = self._warm_at_ns()
        if at_ns is None:
            await self._until_steady()
        else:
            await self._until(lambda: self._is_through, at_ns=at_ns)
        now_ns = self._recorder.now_ns
        # What is due at that very moment is measured, however late a timer was.
        self._warm_ns = now_ns if at_ns is None else min(now_ns, at_ns)

    async def _until_steady(self) -> None:
        """Wait for users' load to be steady, but not for who takes far longer than all before."""
        await self._until(lambda: bool(self._records), at_ns=None)
        while not self._is_steady() and self._recorder.now_ns < self._steady_at_ns():
            await self._until(self._is_steady, at_ns=self._steady_at_ns())

    async def _measure(self) -> None:
        """Wait for the end that somebody has said, or for the schedule's."""
        duration_s = self._point.duration_s
        if duration_s is None:
            await self._until(lambda: self._end_ns is not None or self._is_through, at_ns=None)
        else:
            assert self._warm_ns is not None
            at_ns = self._warm_ns + round(duration_s * NS_PER_S)
            await self._until(lambda: self._end_ns is not None, at_ns=at_ns)

    async def _end_with_answers(self) -> None:
        """Measure until the last content of what a schedule sent that has ended by itself."""
        through_ns = self._recorder.now_ns
        await self._drain()
        self._ends(max([through_ns, *map(done_ns, self._records)]))

    async def _drain(self) -> None:
        """Wait for what is under way, but not for what takes far longer than all before."""
        await self._until(self._is_done, at_ns=self._recorder.now_ns + self._grace_ns(MIN_GRACE_S))

    def _grace_ns(self, least_s: float) -> int:
        """Return how long an answer may take, by those so far."""
        return max(round(GRACE_FACTOR * self._slowest_ns), round(least_s * NS_PER_S))

    async def _until(self, is_so: Callable[[], bool], *, at_ns: int | None) -> None:
        """Wait for something to be so, but no longer than until a time of the recorder's."""
        rest_s = None if at_ns is None else (at_ns - self._recorder.now_ns) / NS_PER_S
        if rest_s is not None and rest_s <= 0:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(rest_s):
                while not is_so():
                    self._changed.clear()
                    await self._changed.wait()

    def _is_steady(self) -> bool:
        return self._warmup.is_over(self._elapsed_s)

    def _steady_at_ns(self) -> int:
        """Return until when that is waited for, where somebody is not answered at all."""
        return self._began_ns + self._grace_ns(MAX_S)

    def _warm_at_ns(self) -> int | None:
        """Return when measuring begins at the latest; None: once the load is steady."""
        warmup_s = self._point.warmup_s
        if warmup_s is None and isinstance(self._point.load, Closed):
            return None
        return self._began_ns + round((warmup_s or 0.0) * NS_PER_S)

    @property
    def _elapsed_s(self) -> float:
        return (self._recorder.now_ns - self._began_ns) / NS_PER_S

    def _is_done(self) -> bool:
        """Whether all that was to be sent until the end has been, and was answered."""
        return not self._n_open and self._due_ns >= self._end

    @property
    def _end(self) -> float:
        return math.inf if self._end_ns is None else self._end_ns

    def _ends(self, at_ns: int | None = None) -> None:
        """Measure no further, from now or from a moment just passed; once."""
        if self._end_ns is None:
            self._end_ns = self._recorder.now_ns if at_ns is None else at_ns
            self._client.end()
            self._changed.set()

    async def _load(self) -> None:
        match self._point.load:
            case Closed(concurrency=n_users):
                stagger_s = min(STAGGER_S, MAX_STAGGER_S / n_users)
                async with asyncio.TaskGroup() as group:
                    for user in range(n_users):
                        group.create_task(self._be(user, n_users, wait_s=user * stagger_s))
            case Open() as load:
                async with asyncio.TaskGroup() as group:
                    await self._pace(load, group)

    async def _be(self, user: int, n_users: int, *, wait_s: float) -> None:
        """Be a user: ask again as soon as there is an answer; a failure takes a breath."""
        await asyncio.sleep(wait_s)
        is_first = n_users > 1  # one that is alone meets an idle server every time
        while True:
            number, is_wanted = next(self._numbers), self._begin_one()
            record = await self._ask(number, user=user, is_wanted=is_wanted, is_first_wave=is_first)
            is_first = False
            if record.outcome is not Outcome.OK:
                await asyncio.sleep(BREATH_S)

    async def _pace(self, load: Open, group: asyncio.TaskGroup) -> None:
        """Send each request at its time, whatever has become of those before."""
        for number, offset_ns in enumerate(load.offsets_ns):
            self._due_ns = sched_ns = self._began_ns + offset_ns
            await asyncio.sleep(max(0.0, (sched_ns - self._recorder.now_ns) / NS_PER_S))
            if load.max_in_flight is None or self._meter.n_in_flight < load.max_in_flight:
                is_wanted = self._begin_one(sched_ns)
                group.create_task(
                    self._ask(number, user=number, is_wanted=is_wanted, sched_ns=sched_ns)
                )
            elif sched_ns < self._end:
                self._meter.n_dropped += 1
            self._changed.set()
        self._due_ns, self._is_through = math.inf, True
        self._changed.set()

    def _begin_one(self, sched_ns: int | None = None) -> bool:
        """Say whether a request that begins now is wanted; the first that is not ends it all.

        One that was to be sent before the end, and is late, is wanted.
        """
        n_requests = self._point.n_requests
        if self._is_measuring(sched_ns):
            if n_requests is not None and self._n_measured >= n_requests:
                # It was due behind the end, though it may be sent in the same moment.
                self._ends(None if sched_ns is None else sched_ns - 1)
            self._n_measured += 1
        is_wanted = self._end_ns is None or (sched_ns is not None and sched_ns < self._end_ns)
        self._n_open += is_wanted
        return is_wanted

    def _is_measuring(self, sched_ns: int | None) -> bool:
        """Say whether a request that begins now is measured; one that is due is, from that time."""
        if self._warm_ns is not None or self._end_ns is not None:
            return self._end_ns is None
        warm_at_ns = self._warm_at_ns()
        return sched_ns is not None and warm_at_ns is not None and sched_ns >= warm_at_ns

    async def _ask(
        self,
        number: int,
        *,
        user: int,
        is_wanted: bool,
        sched_ns: int | None = None,
        is_first_wave: bool = False,
    ) -> Record:
        """Ask, and keep the record if it is wanted."""
        index = number % len(self._prompts)
        asked = self._options.to_asked(
            self._prompts[index],
            self._recorder.new_id(),
            index=index,
            sched_ns=sched_ns,
            is_first_wave=is_first_wave,
        )
        note = self._recorder.begin(asked)
        self._meter.n_in_flight += 1
        try:
            await _listen(self._backend, note)
        finally:
            record = self._recorder.end(note)
            self._meter.n_in_flight -= 1
            self._n_open -= is_wanted
            if is_wanted:
                self._keep(record, note, user)
        return record

    def _keep(self, record: Record, note: Note, user: int) -> None:
        self._records.append(record)
        self._meter.ended(note, record)
        took_ns = record.end_ns - record.send_ns
        if record.outcome is Outcome.OK:
            self._slowest_ns = max(self._slowest_ns, took_ns)
        self._warmup.answered(user, took_ns / NS_PER_S / max(1, record.n_tokens))
        self._changed.set()

    async def _report(self, on_progress: Callable[[Progress], None] | None) -> None:
        if on_progress is None:
            return
        while True:
            await asyncio.sleep(PROGRESS_S)
            on_progress(self._progress())

    def _progress(self) -> Progress:
        phase = Phase.ENDING if self._end_ns is not None else Phase.MEASURING
        if self._warm_ns is None:
            phase = Phase.WARMING
        return self._meter.progress(phase, elapsed_s=self._elapsed_s, share=self._share())

    def _share(self) -> float | None:
        """Return how much of measuring is done."""
        if self._warm_ns is None or self._end_ns is not None:
            return None if self._end_ns is None else 1.0
        shares = []
        if self._point.duration_s:
            measured_s = (self._recorder.now_ns - self._warm_ns) / NS_PER_S
            shares.append(measured_s / self._point.duration_s)
        if self._point.n_requests:
            shares.append(self._n_measured / self._point.n_requests)
        return min(1.0, max(shares)) if shares else None


@asynccontextmanager
async def _helpers(*coroutines: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run coroutines beside a block, and end them with it."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in coroutines]
        yield
        for task in tasks:
            task.cancel()


async def _set(event: asyncio.Event) -> None:
    await event.wait()


def _is_late(record: Record) -> bool:
    return record.sched_ns is not None and record.send_ns - record.sched_ns > LATE_NS
