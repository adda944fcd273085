"""A line of progress that waits while something else has the screen's last line.

Shown from the thread that loads a model, held and released on the main thread: while a question is
typed, nothing may be painted over it.
"""

from __future__ import annotations

import threading

from tgicli.ui.status import Status
from tgicli.ui.terminal import Terminal


class HeldStatus(Status):
    """One line of progress, dropped while it is held; not held at first."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal)
        self._lock = threading.Lock()  # of the line
        self._is_held = False

    def hold(self) -> None:
        """Take the line away, and drop what comes until `release`."""
        with self._lock:
            self._is_held = True
            super().clear()

    def release(self) -> None:
        """Let progress be seen."""
        with self._lock:
            self._is_held = False

    def show(self, text: str) -> None:
        """Replace the line, unless it is held."""
        with self._lock:
            if not self._is_held:
                super().show(text)

    def clear(self) -> None:
        """Take the line away, if there is one."""
        with self._lock:
            super().clear()
