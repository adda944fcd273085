"""`tgicli chat` in a terminal: a real process on a pseudo-terminal, keys in, a Window out.

Or another program.
"""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.ui.screen import Window

CHAT = [sys.executable, "-m", "tgicli", "chat"]
ENTER, ALT_ENTER, TAB, UP = "\r", "\x1b\r", "\t", "\x1b[A"
CTRL_C, CTRL_D, CTRL_R, CTRL_Z = "\x03", "\x04", "\x12", "\x1a"
PATIENCE_S = 60  # a busy machine is no failure


def environment(state: Path, **variables: str) -> dict[str, str]:
    """Return the variables of a user who has set nothing."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("TGICLI_")}
    ours = {"TGICLI_CONFIG": os.devnull, "XDG_STATE_HOME": str(state), "TERM": "xterm-256color"}
    return {**others, **ours, **variables}


class Chatting:
    """A person at a terminal. Leaving it ends the program, if that has not ended by itself."""

    def __init__(
        self,
        *args: str,
        state: Path,
        lines: int = 24,
        program: Sequence[str] = CHAT,
        **variables: str,
    ) -> None:
        self.window = Window(80, lines)
        self.received = bytearray()
        self._news = threading.Condition()
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (lines, 80))
        self.process = subprocess.Popen(
            [*program, *args],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment(state, **variables),
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> Chatting:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._reader.join()
        os.close(self._master)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def rows(self) -> list[str]:
        """Return all that is and was on the screen."""
        with self._news:
            return self.window.everything()

    def wait_until(self, condition: Callable[[list[str]], bool]) -> list[str]:
        """Wait until the rows are as they should be; return them."""
        with self._news:
            is_so = self._news.wait_for(lambda: condition(self.window.everything()), PATIENCE_S)
            rows = self.window.everything()
        assert is_so, "\n".join(rows)
        return rows

    def wait_for(self, text: str) -> list[str]:
        """Wait until a text stands in a row."""
        return self.wait_until(lambda rows: any(text in row for row in rows))

    def wait_for_prompt(self, number: int) -> list[str]:
        """Wait until the n-th question can be typed, and nothing has been."""
        return self.wait_until(
            lambda rows: (
                len([row for row in rows if row.startswith(">")]) == number
                and rows[-1] in (">", "> a question, or /help")
            )
        )

    def end(self) -> int:
        """Wait for the program's end; return its status."""
        status = self.process.wait(PATIENCE_S)
        self._reader.join()
        return status

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


def _take_terminal() -> None:
    """Make stdin the terminal that sends Ctrl-C to this process. Runs in the child."""
    import fcntl

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
