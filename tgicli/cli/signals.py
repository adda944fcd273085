"""What Ctrl-C and SIGTERM do while no event loop runs: they end the process at once.

Installed before anything else is imported, and again after a loop. Nothing has to be closed then:
downloads go on where they were cut, and the model's memory is the process's own. No exception is
raised, because Python drops one that is raised inside its import system, or leaves a lock of it
locked for ever. `loop` hears both signals while a command runs.

Ctrl-Z stops the process whatever runs, when nothing half-painted is left to the shell.
"""

from __future__ import annotations

import _thread
import os
import signal
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tgicli.ui.terminal import Painting, Terminal

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


def stop_tidily(terminal: Terminal) -> None:
    """Let Ctrl-Z leave nothing half-painted to the shell; what there was is painted after `fg`."""
    if signal.getsignal(signal.SIGTSTP) is not signal.SIG_DFL:
        return  # whoever started us wants no stopping

    def stop(number: int, _frame: FrameType | None) -> None:
        painted = terminal.wipe()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)  # here it stops, until it goes on
        signal.signal(number, stop)
        # On a thread, as this one may hold the very lock that wakes a painter. And not one of
        # threading's, which have locks of their own.
        _thread.start_new_thread(_paint_again, (painted,))

    signal.signal(signal.SIGTSTP, stop)


def _paint_again(painted: list[Painting]) -> None:
    for one in painted:
        one.paint_again()
