"""Run a command's event loop so that Ctrl-C and SIGTERM are heard.

Used on the main thread. The first signal cancels the command, which then closes what it opened: the
model stops within a step. A second one ends the process at once, whatever hangs: the handlers are
plain ones, which run where the thread waits for something else than its loop, too. A name server
that does not answer is never waited for at the end.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Coroutine
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


class Loop(asyncio.SelectorEventLoop):
    """asyncio's own, but for names: a look-up that nobody waits for any more holds up no end.

    asyncio's executor is joined when a loop closes, and its threads again when the process ends.
    """

    # What it returns is socket.getaddrinfo's affair.
    async def getaddrinfo(self, host: Any, port: Any, **how: Any) -> Any:
        """Return what socket.getaddrinfo does, which a thread of its own waits for."""
        found = Future[Any]()

        def look_up() -> None:
            try:
                result = socket.getaddrinfo(host, port, **how)
            except (OSError, ValueError, OverflowError) as error:
                found.set_exception(error)
            else:
                found.set_result(result)

        found.set_running_or_notify_cancel()
        threading.Thread(target=look_up, name="look up", daemon=True).start()
        return await asyncio.wrap_future(found)


def run(
    main: Coroutine[Any, Any, _T],
    *,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    timeout_s: float | None = None,
    spent_s: float = 0.0,
) -> _T:
    """Run a coroutine to its end, on a Loop or another one.

    Of its time, spent_s have passed before it.

    Raises:
        DeadlineExceeded: its time ran out, and it has closed everything.
        KeyboardInterrupt, Terminated: a signal ended it, and it has closed everything.
    """
    heard: list[signal.Signals] = []
    try:
        with asyncio.Runner(loop_factory=loop_factory or Loop) as runner:
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
    try:
        async with asyncio.timeout(None if timeout_s is None else timeout_s - spent_s) as limit:
            return await main
    except TimeoutError:
        if not limit.expired():
            raise
        raise DeadlineExceeded(f"it took longer than {timeout_s:g} s (--timeout)") from None
