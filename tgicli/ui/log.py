"""Write lines to stderr without ever waiting for who reads it.

`write` is called from any thread, the event loop's above all; a thread of our own writes. What the
reader is too slow for is dropped, and how much that was stands where it is missing: a full pipe
must not hold up those who are served.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from tgicli.ui.terminal import Terminal

MAX_LINES = 1000  # that wait for their reader
_BREATH_S = 0.02  # what comes meanwhile is written together
_PATIENCE_S = 1.0  # a reader that takes nothing must not hold up the end of the process


class Log:
    """Lines on their way to stderr, in order."""

    def __init__(self, terminal: Terminal, to_note: Callable[[int], str]) -> None:
        """Take what writes the line that stands for so many dropped ones."""
        self._terminal = terminal
        self._to_note = to_note
        self._lines: deque[str] = deque()
        self._n_dropped = 0
        self._lock = threading.Lock()  # of the two above
        self._has_news = threading.Event()
        self._is_closing = threading.Event()
        # A daemon: a reader that takes no bytes must not keep the process alive.
        self._writer = threading.Thread(target=self._write_all, name="log", daemon=True)

    def start(self) -> Log:
        """Begin to write."""
        self._writer.start()
        return self

    def write(self, line: str) -> None:
        """Add a line, given without its newline; drop it when too many wait."""
        with self._lock:
            if len(self._lines) >= MAX_LINES:
                self._n_dropped += 1
                return
            self._lines.append(line)
        self._has_news.set()

    def close(self) -> None:
        """Write what waits, as far as that takes a moment only."""
        self._is_closing.set()
        self._has_news.set()
        self._writer.join(_PATIENCE_S)

    def _write_all(self) -> None:
        while not self._is_closing.is_set():
            self._has_news.wait()
            self._is_closing.wait(_BREATH_S)
            self._has_news.clear()
            self._terminal.write_stderr(self._take())
        self._terminal.write_stderr(self._take())

    def _take(self) -> bytes:
        """Return what waits, and how much was dropped after it."""
        with self._lock:
            lines, n_dropped = [*self._lines], self._n_dropped
            self._lines.clear()
            self._n_dropped = 0
        if n_dropped:
            lines.append(self._to_note(n_dropped))
        return "".join(f"{line}\n" for line in lines).encode(errors="replace")
