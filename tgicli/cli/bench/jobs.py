"""What the process that makes the load can be asked to do. Values, which are pickled into it.

Made by the parent; `run` is called in the other process, on its event loop, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar

from tgicli.backends.endpoint import RemoteOptions
from tgicli.bench.plan import Point, Prompt
from tgicli.bench.result import Floor
from tgicli.cli.bench.target import LocalTarget, Target

if TYPE_CHECKING:
    from tgicli.bench.recording import PointRun
    from tgicli.bench.ruler import Ruler
    from tgicli.cli.bench.session import Room, Session

Say = Callable[[object], None]
ResultT = TypeVar("ResultT", covariant=True)


class Job(Protocol[ResultT]):
    """Something to do."""

    @property
    def measures(self) -> bool:
        """Whether a stop gives what was measured until then."""
        ...

    async def run(self, session: Session, say: Say) -> ResultT:
        """Do it; what is said on the way is shown."""
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """How much of a model is in memory. Said by OpenTarget."""

    fraction: float


@dataclass(frozen=True, slots=True)
class Noted:
    """What a user should know about how a model was loaded. Said by OpenTarget."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a target is, as far as it tells."""

    server: str
    model: str
    chats: bool
    n_ctx: int  # 0: not told
    can_ignore_eos: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTarget:
    """Make ready what is measured: a model is loaded, a server is asked what it is."""

    measures: ClassVar[bool] = False

    side: int
    target: Target
    chat: bool | None
    room: Room

    async def run(self, session: Session, say: Say) -> Opened:
        """Do it. Raises TgicliError when there is no such model, or nobody answers."""
        target = self.target
        if isinstance(target, LocalTarget):
            side = await session.open_local(
                self.side,
                target,
                self.room,
                chat=self.chat,
                on_progress=lambda fraction: say(Loaded(fraction)),
                on_note=lambda text: say(Noted(text)),
            )
            server = "this process"
        else:
            options = target.options
            chats = options.prefers_chat if self.chat is None else self.chat
            side = await session.open_remote(self.side, options, chats=chats)
            server = ""
        info = await side.backend.info()
        return Opened(
            server=server or info.description.partition(" at ")[0],
            model=info.name,
            chats=side.chats,
            n_ctx=info.n_ctx,
            can_ignore_eos=side.can_ignore_eos,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrate:
    """Find out how long texts are at a target, by some short requests if need be."""

    measures: ClassVar[bool] = False

    side: int

    async def run(self, session: Session, say: Say) -> Ruler:
        """Do it. Raises TgicliError when the target does not answer."""
        from tgicli.bench.ruler import calibrate

        side = session.sides[self.side]
        return await calibrate(side.backend, chats=side.chats)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurePoint:
    """Hold one load for a while. Says how it goes, a few times a second."""

    measures: ClassVar[bool] = True

    side: int
    point: Point
    prompts: Sequence[Prompt]
    index: int  # of the point
    block: int  # of the repeat
    ignore_eos: bool
    reads_counters: bool = False  # of the server, before and after

    async def run(self, session: Session, say: Say) -> PointRun:
        """Do it."""
        if not self.reads_counters:
            return await self._attack(session, say)
        from tgicli.bench.counters import Counted, grown

        side, n_before = session.sides[self.side], session.recorder.n_asked
        before = await side.counters()
        run = await self._attack(session, say)
        counts = grown(before, await side.counters())
        return replace(run, counted=Counted(session.recorder.n_asked - n_before, counts))

    async def _attack(self, session: Session, say: Say) -> PointRun:
        from tgicli.bench.ask_options import AskOptions
        from tgicli.bench.attack import attack

        side = session.sides[self.side]
        return await attack(
            side.backend,
            self.point,
            self.prompts,
            session.recorder,
            on_progress=say,
            stop=session.stop,
            options=AskOptions(
                chats=side.chats,
                ignore_eos=self.ignore_eos,
                point=self.index,
                side=self.side,
                block=self.block,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureFloor:
    """Measure what this process adds by itself, against a fake server."""

    measures: ClassVar[bool] = False

    fake: RemoteOptions
    n_streams: int
    gap_ms: float
    seconds: float

    async def run(self, session: Session, say: Say) -> Floor:
        """Do it."""
        from tgicli.bench.floor import measure_floor
        from tgicli.cli.bench.session import observed

        async with observed(self.fake, session.recorder) as backend:
            return await measure_floor(
                backend,
                recorder=session.recorder,
                n_streams=self.n_streams,
                gap_ms=self.gap_ms,
                seconds=self.seconds,
            )
