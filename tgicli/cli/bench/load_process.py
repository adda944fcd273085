"""Start the process that makes the load, have it do jobs, and leave nothing of it behind.

Used on the command's event loop, which only paints meanwhile. The first Ctrl-C, or SIGTERM, asks
for an early end, and what was measured comes back; a second one ends the command at once, and with
it the other process, whose pipe is closed then.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, TypeVar, cast

from tgicli.cli.bench.load_process_main import ENDINGS, Done, Failed, Said, Stop, main
from tgicli.cli.bench.status import LoadProcessDied

if TYPE_CHECKING:
    from tgicli.cli.bench.jobs import Job

END_S = 5.0  # for the process to end by itself
MAX_WORDS = 8192  # bytes of what it wrote, the last ones
SHOWN_LINES = 12
_Result = TypeVar("_Result")


@contextlib.asynccontextmanager
async def load_process() -> AsyncGenerator[LoadProcess, None]:
    """Give a process for the length of a block."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    heard, words = context.Pipe(duplex=False)
    process = context.Process(target=main, args=(theirs, words), name="load", daemon=True)
    with _endings_are_ours():
        process.start()
    theirs.close()
    words.close()
    handle = LoadProcess(process, ours, heard)
    try:
        yield handle
    finally:
        await handle.close()


@contextlib.contextmanager
def _endings_are_ours() -> Iterator[None]:
    """Block SIGINT and SIGTERM for whoever is started in this block, for all its life."""
    resource_tracker.ensure_running()  # or start() would do it, and unblock them on the way
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class LoadProcess:
    """The other process, as its parent sees it. Does one job at a time."""

    def __init__(self, process: SpawnProcess, pipe: Connection, heard: Connection) -> None:
        self.interruption: asyncio.CancelledError | None = None  # what asked for an early end
        self._process = process
        self._pipe = pipe
        self._heard = heard
        self._words = deque[int](maxlen=MAX_WORDS)
        self._is_busy = False
        self._is_over = False
        self._death: LoadProcessDied | None = None
        self._waiting: tuple[asyncio.Future[object], Callable[[object], None]] | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(pipe.fileno(), self._read)
        self._loop.add_reader(heard.fileno(), self._hear)

    @property
    def is_stopped(self) -> bool:
        """Whether an early end was asked for."""
        return self._is_over or self.interruption is not None

    def stop(self) -> None:
        """Let what is measured end early, now and from now on."""
        self._is_over = True
        self._send(Stop())

    @property
    def words(self) -> str:
        """What it wrote to its stderr, the last lines."""
        lines = bytes(self._words).decode("utf-8", "replace").strip().splitlines()
        return "\n".join(lines[-SHOWN_LINES:])

    async def do(
        self, job: Job[_Result], on_said: Callable[[object], None] = lambda what: None
    ) -> _Result:
        """Have a job done; on_said is called with what is said about it meanwhile.

        When cancelled while something is measured, it returns what was measured until then, and
        keeps the interruption.

        Raises:
            TgicliError: what the job raised.
            LoadProcessDied: the process ended.
        """
        assert self._waiting is None
        if self._death is not None:
            raise self._death
        future = self._loop.create_future()
        self._waiting = future, on_said
        try:
            self._send(job)
            self._is_busy = True
            return cast("_Result", await self._outcome(job, future))
        finally:
            self._waiting = None

    async def _outcome(self, job: Job[_Result], future: asyncio.Future[object]) -> object:
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError as interruption:
            task = asyncio.current_task()
            if not job.measures or task is None or not task.cancelling():
                raise
            self.interruption = interruption
            task.uncancel()
            self._send(Stop())
            return await future

    def _send(self, message: object) -> None:
        with contextlib.suppress(OSError):  # it has ended; _read will tell
            self._pipe.send(message)

    def _read(self) -> None:
        try:
            while self._pipe.poll():
                self._take(self._pipe.recv())
        except (EOFError, OSError):
            self._loop.remove_reader(self._pipe.fileno())
            self._process.join(END_S)
            self._hear()
            self._death = LoadProcessDied(self._obituary())
            self._end(self._death)

    def _take(self, message: object) -> None:
        self._is_busy = isinstance(message, Said)
        if self._waiting is None:
            return
        future, on_said = self._waiting
        match message:
            case Said(what=what):
                on_said(what)
            case Done(result=result) if not future.done():
                future.set_result(result)
            case Failed(error=error):
                self._end(error)

    def _end(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting[0].done():
            self._waiting[0].set_exception(error)

    def _hear(self) -> None:
        """Take in what it wrote to its stderr, so that it never waits for us."""
        while self._heard.poll():
            data = os.read(self._heard.fileno(), MAX_WORDS)
            if not data:
                self._loop.remove_reader(self._heard.fileno())
                return
            self._words.extend(data)

    def _obituary(self) -> str:
        code = self._process.exitcode
        how = f"with status {code}"
        if code is not None and code < 0:
            how = f"by {signal.Signals(-code).name}"
        words = f"; its last words:\n{self.words}" if self.words else ""
        return f"the process that makes the load ended {how}{words}"

    async def close(self) -> None:
        """End it: by itself within some seconds, at once while it does what nobody waits for."""
        self._send(None)
        try:
            if not self._is_busy:
                await asyncio.to_thread(self._process.join, END_S)
        finally:
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
            for pipe in (self._pipe, self._heard):
                self._loop.remove_reader(pipe.fileno())
                pipe.close()
            self._process.close()
