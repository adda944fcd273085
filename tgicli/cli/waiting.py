"""Wait for blocking work no longer than a time limit says.

Used on the main thread, before a command's event loop runs: a look-up of a name, or a storage that
sends nothing, can't be interrupted. Never ends the work, only the waiting: it is for what may be
left alone when the process ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from tgicli.errors import DeadlineExceeded

_T = TypeVar("_T")


def wait_for(work: Callable[[], _T], timeout_s: float) -> _T:
    """Do work on another thread and return what it does.

    Raises:
        DeadlineExceeded: it goes on, and nobody waits for it any more.
    """
    done: Future[_T] = Future()

    def do() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # carried to whoever waits
            done.set_exception(error)

    threading.Thread(target=do, name="work", daemon=True).start()
    try:
        return done.result(timeout_s)
    except TimeoutError:
        if done.done():  # the error is the work's own, or it ended just now
            return done.result()
        raise DeadlineExceeded(f"it took longer than {timeout_s:g} s", aside="--timeout") from None
