"""Run a command's event loop so that Ctrl-C and SIGTERM are heard.

Used on the main thread. The first signal cancels the command, which then closes what it opened: the
model stops within a step. A second one ends the process at once, whatever hangs: the handlers are
plain ones, which run where the thread waits for something else than its loop, too. A name server
that does not answer is never waited for at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import Future
from types import FrameType
from typing import Any, TypeVar

from tgicli.cli.signals import Terminated, leave_on_signals
from tgicli.errors import DeadlineExceeded, ExitStatus

SIGNALS = {
    signal.SIGINT: KeyboardInterrupt(),
    signal.SIGTERM: Terminated(ExitStatus.TERMINATED),
}
_T = TypeVar("_T")


def _new_loop(
    factory: Callable[[], asyncio.AbstractEventLoop] | None,
) -> asyncio.AbstractEventLoop:
    """Return a loop, asyncio's own or another one, that looks names up in threads of their own.

    Those of its executor are joined when it closes, and again when the process ends.
    """
    loop = asyncio.new_event_loop() if factory is None else factory()
    running: dict[object, Future[Any]] = {}  # who asks for the same waits for the same thread

    async def getaddrinfo(host: Any, port: Any, **how: Any) -> Any:
        asked = host, port, *how.items()
        found = running.get(asked)
        if found is None:
            found = running[asked] = _look_up(host, port, how)
            found.add_done_callback(lambda _: running.pop(asked))
        return await asyncio.wrap_future(found)

    loop.getaddrinfo = getaddrinfo  # type: ignore[method-assign]  # uvloop's is of another class
    return loop


def _look_up(host: Any, port: Any, how: dict[str, Any]) -> Future[Any]:
    """Begin to ask socket.getaddrinfo, whose answer is its own affair; the end waits for no one."""
    found = Future[Any]()

    def look_up() -> None:
        try:
            result = socket.getaddrinfo(host, port, **how)
        except (OSError, ValueError, OverflowError) as error:
            found.set_exception(error)
        else:
            found.set_result(result)

    found.set_running_or_notify_cancel()  # so that nobody who goes ends it for others
    threading.Thread(target=look_up, name="look up", daemon=True).start()
    return found


def run(
    main: Coroutine[Any, Any, _T],
    *,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    timeout_s: float | None = None,
    spent_s: float = 0.0,
) -> _T:
    """Run a coroutine to its end, on asyncio's own loop or another one.

    Of its time, spent_s have passed before it.

    Raises:
        DeadlineExceeded: its time ran out, and it has closed everything.
        KeyboardInterrupt, Terminated: a signal ended it, and it has closed everything.
    """
    heard: list[signal.Signals] = []
    try:
        with asyncio.Runner(loop_factory=lambda: _new_loop(loop_factory)) as runner:
            return runner.run(_interruptible(_within(timeout_s, main, spent_s), heard))
    except asyncio.CancelledError:
        raise SIGNALS[heard[0]] from None


async def _interruptible(main: Coroutine[Any, Any, _T], heard: list[signal.Signals]) -> _T:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()

    def interrupt(number: int, _frame: FrameType | None) -> None:
        heard.append(signal.Signals(number))
        leave_on_signals()
        loop.call_soon_threadsafe(task.cancel)

    for number in SIGNALS:
        signal.signal(number, interrupt)
    try:
        return await main
    finally:
        leave_on_signals()


async def _within(timeout_s: float | None, main: Coroutine[Any, Any, _T], spent_s: float) -> _T:
    async with time_limit(timeout_s, spent_s=spent_s):
        return await main


@contextlib.asynccontextmanager
async def time_limit(
    timeout_s: float | None, *, spent_s: float = 0.0
) -> AsyncGenerator[None, None]:
    """Cancel a block that takes longer; None: it may take as long as it takes.

    Of its time, spent_s have passed before it.

    Raises:
        DeadlineExceeded: it did.
    """
    try:
        async with asyncio.timeout(None if timeout_s is None else timeout_s - spent_s) as limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise DeadlineExceeded(f"it took longer than {timeout_s:g} s", aside="--timeout") from None
