"""Paint on stderr what a function draws, now and then, on a thread of our own.

`changed` and `close` are called by whoever has news, and never wait for the terminal, except
`close` for a moment: a terminal that is held (Ctrl-S) must hold up nobody who reads numbers from a
process that measures. Nothing is painted while nothing changes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence

from rich.text import Text

from tgicli.ui.painting import BEGIN_FRAME, END_FRAME, ERASE_BELOW, painted
from tgicli.ui.rows import ansi, cropped
from tgicli.ui.terminal import Terminal

FRAME_S = 0.25
_PATIENCE_S = 1.0

Draw = Callable[[os.terminal_size], Sequence[Text]]  # no rows: there is nothing to show yet


class Painter:
    """Rows at one place of a terminal, repainted four times a second at most."""

    def __init__(
        self, terminal: Terminal, draw: Draw, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._terminal = terminal
        self._draw = draw
        self._clock = clock
        self._next_s = float("-inf")
        self._painted: tuple[list[str], os.terminal_size] | None = None
        self._has_news = threading.Event()
        self._is_closing = threading.Event()
        self._keeps = False
        # A daemon: a terminal that takes no bytes must not keep the process alive.
        self._thread = threading.Thread(target=self._paint_all, name="painter", daemon=True)

    def start(self) -> Painter:
        """Begin to paint, if stderr can be painted over."""
        if self._terminal.stderr_can_animate:
            self._terminal.painted[self] = self._terminal.stderr
            self._thread.start()
        return self

    def changed(self) -> None:
        """Say that there is something new to draw."""
        self._has_news.set()

    def paint_again(self) -> None:
        """Paint all of it anew: it was taken away."""
        self._painted = None
        self._has_news.set()

    def close(self, *, keeps: bool = False) -> None:
        """Take away what was painted, or leave the last state with the cursor below it."""
        self._keeps = keeps
        self._is_closing.set()
        self._has_news.set()
        if self._thread.ident is None:
            self._end()
        else:  # the thread ends what it painted, as only it may wait for the terminal
            self._thread.join(_PATIENCE_S)

    def tick(self) -> None:
        """Paint a frame, if there is news and a frame may be painted now."""
        if not self._has_news.is_set() or self._rest_s > 0:
            return
        self._has_news.clear()
        self._next_s = self._clock() + FRAME_S
        self._paint()

    @property
    def _rest_s(self) -> float:
        return max(0.0, self._next_s - self._clock())

    def _paint_all(self) -> None:
        while not self._is_closing.is_set():
            self._has_news.wait()
            self._is_closing.wait(self._rest_s)
            if not self._is_closing.is_set():
                self.tick()
        self._end()

    def _end(self) -> None:
        if not self._terminal.stderr_can_animate:
            return
        if self._keeps:
            self._paint()
        self._terminal.painted.pop(self, None)
        if self._painted is not None:
            n_rows = len(self._painted[0])
            end = "\r\n" * n_rows if self._keeps else f"\r{ERASE_BELOW}"
            self._terminal.write_stderr(end.encode())

    def _paint(self) -> None:
        size = self._terminal.stderr_size()
        # One cell and one line less than there are: the last ones make some terminals scroll.
        rows = cropped(self._draw(size), max(size.columns - 1, 1))[: max(size.lines - 1, 1)]
        if not rows:
            return
        has_colour = self._terminal.stderr_has_colour
        picture = [ansi(one, has_colour=has_colour) for one in rows], size
        if picture != self._painted:
            self._painted = picture
            frame = f"{BEGIN_FRAME}{painted(picture[0])}{END_FRAME}"
            self._terminal.write_stderr(frame.encode(errors="replace"))
