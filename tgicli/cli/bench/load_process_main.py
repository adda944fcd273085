"""The process that makes the load: does one job after another, for whoever started it.

Started by `load_process` with multiprocessing's spawn, so a key comes through a pipe and not by the
command line or the environment. Signals to end are the parent's business, to whose process group
they are often sent: here SIGINT and SIGTERM are blocked, and a stop is a message. When the parent
is gone, this process ends at once. Never writes to a terminal: stdout and stderr are a pipe to the
parent.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from tgicli.errors import TgicliError

if TYPE_CHECKING:
    from tgicli.cli.bench.jobs import Job
    from tgicli.cli.bench.session import Session


ENDINGS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Ends a measurement early. Sent down the pipe."""


@dataclass(frozen=True, slots=True)
class Said:
    """Something about a job that is still done."""

    what: object


@dataclass(frozen=True, slots=True)
class Done:
    """A job's result."""

    result: object


@dataclass(frozen=True, slots=True)
class Failed:
    """What a job raised."""

    error: TgicliError


def main(pipe: Connection, words: Connection) -> None:
    """Do what comes down the pipe until that is over."""
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    for fd in (1, 2):
        os.dup2(words.fileno(), fd)
    words.close()
    faulthandler.enable()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(pipe))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Choose the loop on which a server of ours would run, too: uvloop's, where there is one."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(pipe: Connection) -> None:
    from tgicli.cli.bench.session import Session

    session, inbox = Session(), asyncio.Queue["Job[object] | None"]()
    listener = threading.Thread(
        target=_listen,
        args=(pipe, asyncio.get_running_loop(), inbox, session.stop),
        name="listen",
        daemon=True,
    )
    listener.start()
    try:
        while (job := await inbox.get()) is not None:
            pipe.send(await _outcome(job, session, pipe))
    finally:
        await session.aclose()


def _listen(
    pipe: Connection,
    loop: asyncio.AbstractEventLoop,
    inbox: asyncio.Queue[Job[object] | None],
    stop: asyncio.Event,
) -> None:
    """Bring what comes to the event loop; a loop that hangs must not outlive the parent."""
    while True:
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            os._exit(1)
        if isinstance(message, Stop):
            loop.call_soon_threadsafe(stop.set)
        else:
            loop.call_soon_threadsafe(inbox.put_nowait, message)
        if message is None:
            return


async def _outcome(job: Job[object], session: Session, pipe: Connection) -> Done | Failed:
    """Do a job. What is none of our errors ends this process; its traceback is its last words."""
    try:
        return Done(await job.run(session, lambda what: pipe.send(Said(what))))
    except TgicliError as error:
        return Failed(error)
