"""What Ctrl-C and SIGTERM do while no event loop runs: they end the process at once.

Installed before anything else is imported, and again after a loop. Nothing has to be closed then:
downloads go on where they were cut, and the model's memory is the process's own. No exception is
raised, because Python drops one that is raised inside its import system, or leaves a lock of it
locked for ever. `loop` hears both signals while a command runs.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

ERASE_LINE = b"\r\x1b[K"


class Terminated(SystemExit):
    """SIGTERM ended the command, which has closed everything."""


def leave_on_signals() -> None:
    """Let both signals end the process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)


def leave(number: int, _frame: FrameType | None) -> None:
    """End the process with the shell's status for a signal, without its line of progress."""
    if os.isatty(2):
        os.write(2, ERASE_LINE)
    os._exit(128 + number)
