"""Show an answer's Markdown rendered, while it streams.

`append` and `close` are called by the command's thread; painting is pulled by a thread of our own.
Why a thread: a terminal may be slow (ssh) or stopped (Ctrl-S) and must not hold up who reads
tokens; Rich loads while the model computes; and the last words show in time also when no token
follows that could trigger a frame.

Invariants
    the region belongs to the painter until it is joined, then to close()
    append never waits for the terminal
    the answer is shown whole: what Rich, Pygments or markdown-it fails at, as it is
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from tgicli.errors import StreamBroken
from tgicli.ui.live import PlainView
from tgicli.ui.pace import Pace
from tgicli.ui.painting import ERASE_BELOW
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.ui.region import LiveRegion


class MarkdownView:
    """Finished blocks go to the scrollback, the unfinished one is repainted below them."""

    def __init__(self, terminal: Terminal, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal = terminal
        self._pace = Pace(clock)
        self._arrived: list[str] = []
        self._arrived_lock = threading.Lock()
        self._has_news = threading.Event()
        self._is_closing = threading.Event()
        self._is_wiped = False
        self._unpainted = ""  # by the frames before the last one
        self._failure: Exception | None = None
        # A daemon: a terminal that takes no bytes must not keep the process alive.
        self._painter = threading.Thread(target=self._paint_all, name="painter", daemon=True)

    def start(self) -> MarkdownView:
        """Begin to paint."""
        self._terminal.painted[self] = self._terminal.stdout
        self._painter.start()
        return self

    def append(self, text: str) -> None:
        """Take the text for the next frame."""
        self._raise_if_gone()
        with self._arrived_lock:
            self._arrived.append(text)
        self._has_news.set()

    def close(self) -> None:
        """Print the rest for good."""
        self._is_closing.set()
        self._has_news.set()
        if self._painter.is_alive():
            self._painter.join()
        if self._failure is None:
            self._try(lambda: self._paint(self._region.last_frame))
        self._terminal.painted.pop(self, None)
        self._raise_if_gone()
        if self._failure is not None:
            self._print_plain(self._failure)

    def paint_again(self) -> None:
        """Paint the unfinished part anew: it was taken away."""
        self._is_wiped = True
        self._has_news.set()

    def tick(self) -> None:
        """Paint a frame, if there is news and a frame may be painted now."""
        if not self._has_news.is_set() or self._pace.rest_s > 0:
            return
        self._has_news.clear()
        with self._pace.frame():
            self._paint(self._region.frame)

    @cached_property
    def _region(self) -> LiveRegion:
        from tgicli.ui.region import LiveRegion

        return LiveRegion(has_colour=self._terminal.stdout_has_colour)

    def _take(self) -> str:
        with self._arrived_lock:
            arrived, self._arrived = self._arrived, []
        return "".join(arrived)

    def _paint(self, to_frame: Callable[[str, os.terminal_size], bytes]) -> None:
        if self._is_wiped:
            self._is_wiped = False
            self._region.forget()
        arrived = self._take()
        self._unpainted = self._region.unfinished + arrived
        self._terminal.write_stdout(to_frame(arrived, self._terminal.size()))

    def _print_plain(self, failure: Exception) -> None:
        """Print what can't be drawn as it is, in the place of what was painted of it."""
        plain = PlainView(self._terminal)
        self._terminal.write_stdout(f"\r{ERASE_BELOW}".encode())
        plain.append(self._unpainted + self._take())
        plain.close()
        self._unpainted = ""
        self._terminal.say(f"this answer can't be drawn: {type(failure).__name__}: {failure}")

    def _paint_all(self) -> None:
        self._try(self._paint_until_closed)

    def _paint_until_closed(self) -> None:
        _ = self._region  # Rich loads here, while the model computes
        while not self._is_closing.is_set():
            self._has_news.wait()
            self._is_closing.wait(self._pace.rest_s)
            self.tick()

    def _try(self, paint: Callable[[], None]) -> None:
        try:
            paint()
        except Exception as error:  # also a bug in a library: it must not cost the answer
            self._failure = error

    def _raise_if_gone(self) -> None:
        """Raise, on the thread that can act on it, that the terminal takes nothing more."""
        if isinstance(self._failure, (BrokenPipeError, StreamBroken)):
            raise self._failure
