"""Run a command's event loop so that Ctrl-C is heard.

Used on the main thread. The first Ctrl-C cancels the command, which then closes what it opened: the
model stops within a step. A second one ends the process at once, whatever hangs.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

from tgicli.errors import ExitStatus

_T = TypeVar("_T")


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end.

    Raises:
        KeyboardInterrupt: it was interrupted, and has closed everything.
    """
    try:
        return asyncio.run(_interruptible(main))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


async def _interruptible(main: Coroutine[Any, Any, _T]) -> _T:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, _leave)
        task.cancel()

    loop.add_signal_handler(signal.SIGINT, interrupt)
    return await main


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(ExitStatus.INTERRUPTED)
