"""Run a command's event loop so that Ctrl-C and SIGTERM are heard.

Used on the main thread. The first signal cancels the command, which then closes what it opened: the
model stops within a step. A second one ends the process at once, whatever hangs.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tgicli.cli.signals import Terminated, leave_on_signals
from tgicli.errors import ExitStatus

SIGNALS = {
    signal.SIGINT: KeyboardInterrupt(),
    signal.SIGTERM: Terminated(ExitStatus.TERMINATED),
}
_T = TypeVar("_T")


def run(
    main: Coroutine[Any, Any, _T],
    *,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> _T:
    """Run a coroutine to its end, on asyncio's own loop or another one.

    Raises:
        KeyboardInterrupt, Terminated: a signal ended it, and it has closed everything.
    """
    heard: list[signal.Signals] = []
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(_interruptible(main, heard))
    except asyncio.CancelledError:
        raise SIGNALS[heard[0]] from None
    finally:
        leave_on_signals()


async def _interruptible(main: Coroutine[Any, Any, _T], heard: list[signal.Signals]) -> _T:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()

    def interrupt(number: signal.Signals) -> None:
        heard.append(number)
        for other in SIGNALS:
            loop.remove_signal_handler(other)
        leave_on_signals()
        task.cancel()

    for number in SIGNALS:
        loop.add_signal_handler(number, interrupt, number)
    return await main
