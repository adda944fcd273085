"""Jobs that ask one request after the other: streamed against whole, the text's check, llama-bench.

Values, which are pickled into the process that makes the load; `run` is called there.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tgicli.bench.plan import Prompt
from tgicli.bench.record import Outcome, Record
from tgicli.cli.bench.jobs import Say
from tgicli.errors import RequestError

if TYPE_CHECKING:
    from tgicli.bench.check import Stage
    from tgicli.bench.ruler import Ruler
    from tgicli.bench.stream_vs_full import Pair
    from tgicli.cli.bench.session import Session

ROW_REPEATS = 5  # as llama-bench's -r
PP, TG = 512, 128  # tokens of its two usual tests


@dataclass(frozen=True, slots=True)
class Counted:
    """How many requests are answered. Said while a job runs."""

    n: int
    words: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One half of a pair is asked now."""

    streams: bool


@dataclass(frozen=True, slots=True)
class Typed:
    """Its answer so far."""

    streams: bool
    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """All of its answer."""

    streams: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTimes:
    """What a pair gave; None: one half failed."""

    number: int  # the first is 0
    ttft_ms: float | None = None  # until the stream's first words
    e2e_ms: float | None = None
    full_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamVsFullJob:
    """Ask everything twice, streamed and whole, for so long at most."""

    measures: ClassVar[bool] = True

    prompts: Sequence[Prompt]
    seed: int
    max_pairs: int
    max_s: float | None
    ignore_eos: bool

    async def run(self, session: Session, say: Say) -> tuple[Pair, ...]:
        """Do it."""
        from tgicli.bench.stream_vs_full import run_stream_vs_full

        asking = _ReadAlong(session, say, ignore_eos=self.ignore_eos)
        with _time_limit(session.stop, self.max_s) as stop:
            return await run_stream_vs_full(
                asking.ask,
                self.prompts,
                seed=self.seed,
                max_pairs=self.max_pairs,
                on_pair=asking.ended,
                stop=stop,
            )


class _ReadAlong:
    """Asks pairs, and says what comes of them; not of a third question, which is not timed."""

    def __init__(self, session: Session, say: Say, *, ignore_eos: bool) -> None:
        self._side = session.sides[0]
        self._recorder = session.recorder
        self._say = say
        self._ignore_eos = ignore_eos
        self._n_asked = 0

    async def ask(self, prompt: Prompt, streams: bool) -> Record:
        from tgicli.bench.ask_options import AskOptions
        from tgicli.bench.attack import ask
        from tgicli.cli.bench.overheard import Overheard

        side, self._n_asked = self._side, self._n_asked + 1
        options = AskOptions(chats=side.chats, ignore_eos=self._ignore_eos, streams=streams)
        if self._n_asked > 2:
            return await ask(side.backend, prompt, self._recorder, options=options)
        self._say(Asked(streams))
        backend = Overheard(side.backend, lambda text: self._say(Typed(streams, text)))
        record = await ask(backend, prompt, self._recorder, options=options)
        self._say(Answered(streams, record.text))
        return record

    def ended(self, pair: Pair) -> None:
        """Say what a pair gave."""
        self._n_asked = 0
        times = pair.times_ms
        if times is None:
            self._say(PairTimes(number=pair.number))
            return
        ttft, e2e, full = times
        self._say(PairTimes(number=pair.number, ttft_ms=ttft, e2e_ms=e2e, full_ms=full))


@contextlib.contextmanager
def _time_limit(stop: asyncio.Event, seconds: float | None) -> Iterator[asyncio.Event]:
    """Give the event that is set when a stop is asked for, or when the time is up."""
    if seconds is None:
        yield stop
        return
    timer = asyncio.get_running_loop().call_later(seconds, stop.set)
    try:
        yield stop
    finally:
        timer.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckJob:
    """Ask for code words, alone and all at once."""

    measures: ClassVar[bool] = True

    prompts: Sequence[Prompt]

    async def run(self, session: Session, say: Say) -> Mapping[Stage, tuple[Record, ...]]:
        """Do it."""
        from tgicli.bench.ask_options import AskOptions
        from tgicli.bench.attack import ask
        from tgicli.bench.check import run_check

        side, n_records = session.sides[0], 0

        async def ask_one(prompt: Prompt, streams: bool) -> Record:
            options = AskOptions(chats=side.chats, ignore_eos=False, streams=streams)
            return await ask(side.backend, prompt, session.recorder, options=options)

        def on_record(stage: Stage, record: Record) -> None:
            nonlocal n_records
            n_records += 1
            say(Counted(n_records, f"answers, {stage.value}"))

        return await run_check(ask_one, self.prompts, on_record=on_record, stop=session.stop)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of llama-bench's table."""

    test: str  # "pp512"
    mean_tps: float
    sd_tps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsJob:
    """Measure what llama-bench does, with sampling, detokenising and Python."""

    measures: ClassVar[bool] = False

    ruler: Ruler
    seed: int

    async def run(self, session: Session, say: Say) -> tuple[Row, ...]:
        """Do it."""
        from tgicli.bench.metrics import tpot_ms, ttft_ms

        prefill = await self._speeds(
            session, say, PP, 1, lambda record: _per_second(record.n_prompt_tokens, ttft_ms(record))
        )
        decode = await self._speeds(
            session, say, 16, TG + 1, lambda record: _per_second(1, tpot_ms(record))
        )
        return (_row(f"pp{PP}", prefill), _row(f"tg{TG}", decode))

    async def _speeds(
        self,
        session: Session,
        say: Say,
        n_prompt: int,
        n_new: int,
        speed: Callable[[Record], float],
    ) -> list[float]:
        from tgicli.bench.ask_options import AskOptions
        from tgicli.bench.attack import ask
        from tgicli.bench.prompts import Length, synthetic

        prompts = synthetic(
            ROW_REPEATS + 1,  # the first one warms up
            prompt_tokens=Length(n_prompt, n_prompt),
            output_tokens=Length(n_new, n_new),
            shared_prefix=0,
            seed=self.seed + n_prompt,
            ruler=self.ruler,
        )
        options = AskOptions(chats=False)
        records = []
        for number, prompt in enumerate(prompts):
            say(Counted(number, f"of {len(prompts)} runs of llama-bench's rows"))
            backend = session.sides[0].backend
            record = await ask(backend, prompt, session.recorder, options=options)
            if record.outcome is not Outcome.OK:
                raise RequestError(
                    f"llama-bench's rows can't be measured: {record.message}; "
                    f"leave out --llama-bench-rows"
                )
            records.append(record)
        return [speed(record) for record in records[1:]]


def _per_second(n: int, milliseconds: float | None) -> float:
    return 1000 * n / milliseconds if milliseconds else 0.0


def _row(test: str, speeds: Sequence[float]) -> Row:
    return Row(test, statistics.fmean(speeds), statistics.stdev(speeds))
