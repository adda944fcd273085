"""A pseudo-terminal: what the program writes appears in a Window."""

from __future__ import annotations

import contextlib
import os
import termios
import threading
from collections.abc import Iterator, Mapping
from typing import IO

from tests.ui.screen import Window
from tgicli.ui.terminal import Terminal


class PseudoTerminal:
    """One terminal at stdout and stderr. Leaving it waits until all of the output has arrived."""

    def __init__(self, columns: int = 80, lines: int = 24, **environ: str) -> None:
        self.window = Window(columns, lines)
        self.received = bytearray()
        self._environ: Mapping[str, str] = {"TERM": "xterm-256color", **environ}
        self._master, slave = os.openpty()
        termios.tcsetwinsize(slave, (lines, columns))
        self._stream: IO[str] = os.fdopen(slave, "w", encoding="utf-8")
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read)

    @property
    def terminal(self) -> Terminal:
        return Terminal.from_streams(None, self._stream, self._stream, self._environ)

    def __enter__(self) -> PseudoTerminal:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._reader.join()
        os.close(self._master)

    def wait_for(self, text: str, *, behind: int = 0) -> None:
        """Wait until the text has been received, within what a busy machine may need."""
        with self._news:
            assert self._news.wait_for(lambda: text.encode() in self.received[behind:], timeout=30)

    def _read(self) -> None:
        while data := self._read_some():
            with self._news:
                self.received += data
                self.window.write(data)
                self._news.notify_all()

    def _read_some(self) -> bytes:
        try:
            return os.read(self._master, 65536)
        except OSError:  # EIO: the program's side is closed
            return b""


@contextlib.contextmanager
def held_terminal() -> Iterator[Terminal]:
    """Give a terminal on which somebody pressed Ctrl-S, and at the end Ctrl-Q."""
    master, slave = os.openpty()
    with os.fdopen(master), os.fdopen(slave, "w") as stderr:
        termios.tcflow(slave, termios.TCOOFF)
        yield Terminal.from_streams(None, None, stderr, {"TERM": "xterm"})
        termios.tcflow(slave, termios.TCOON)
