"""Show one line of progress on stderr, and take it away again.

Called by commands while a model loads or a long prompt is computed. Never leaves a trace, never
writes to a file or a pipe. The line is where the answer will be when stdout is the same terminal:
`clear()` before the answer's first token.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tgicli.ui.pace import Pace
from tgicli.ui.painting import ERASE_BELOW
from tgicli.ui.terminal import Terminal, harmless

# The cursor rests at the line's start, so erasing all below takes all of it away, also when the
# window got narrower and the terminal wrapped the line.
_ERASE = f"\r{ERASE_BELOW}"
_LINE = _ERASE + "\x1b[?7l{}\x1b[?7h\r"


class Status:
    """One line of progress; silent unless stderr is a terminal that can be painted over."""

    def __init__(self, terminal: Terminal, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal = terminal
        self._pace = Pace(clock)
        self._is_shown = False
        self._is_closed = False

    def show(self, text: str) -> None:
        """Replace the line; dropped when the last one is younger than a frame."""
        if self._is_closed or not self._terminal.stderr_can_animate or self._pace.rest_s > 0:
            return
        with self._pace.frame():
            line = _LINE.format(harmless(text).replace("\n", " "))
            self._terminal.write_stderr(line.encode("utf-8", errors="replace"))
        self._is_shown = True
        self._terminal.painted[self] = self._terminal.stderr

    def clear(self) -> None:
        """Take the line away, if there is one."""
        if self._is_shown:
            self._terminal.write_stderr(_ERASE.encode())
            self._terminal.painted.pop(self, None)
        self._is_shown = False

    def paint_again(self) -> None:
        """Leave it to the next line."""

    def close(self) -> None:
        """Take the line away for good, whoever still has something to show."""
        self._is_closed = True
        self.clear()
