"""Questions from where nobody edits: a pipe, a file, a terminal that can't move its cursor.

Used by `loop` on its event loop, in the place of an editor. One line is one question, unless
it goes on as it would in the editor; empty lines are none.
"""

from __future__ import annotations

import asyncio
import os

from tgicli.errors import RequestError
from tgicli.ui.multiline import goes_on, next_line
from tgicli.ui.terminal import Terminal

_PROMPT, _CONTINUATION = b"> ", b"  "
_CHUNK_BYTES = 1 << 16


class LineReader:
    """Reads questions from stdin, when they come."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._prompts = terminal.stdin_is_terminal and terminal.stdout_is_terminal
        self._fd = None if terminal.stdin is None else terminal.stdin.fileno()
        self._unread = b""
        self._has_ended = self._fd is None
        self._n_lines = 0
        self._question = ""  # its lines so far

    async def read(self, beginning: str = "") -> str | None:
        """Return the next question; None at the end. What it begins with can't be edited here.

        Raises:
            RequestError: a line is not UTF-8.
        """
        self._question = ""
        while True:
            self._prompt()
            line = await self._line()
            if line is None:
                return self._question.rstrip() or None
            self._question += line
            if goes_on(self._question):
                self._question = next_line(self._question)
            elif self._question.strip():
                return self._question
            else:
                self._question = ""

    def clear(self) -> None:
        """Forget the lines of a question that goes on; Ctrl-C has cleared the last one."""
        self._question = ""
        if self._prompts:
            self._terminal.write_stdout(b"\n")
            self._prompt()

    def _prompt(self) -> None:
        if self._prompts:
            self._terminal.write_stdout(_CONTINUATION if self._question else _PROMPT)

    async def _line(self) -> str | None:
        while b"\n" not in self._unread and not self._has_ended:
            chunk = await self._chunk()
            self._unread += chunk
            self._has_ended = not chunk
        data, newline, self._unread = self._unread.partition(b"\n")
        if not data and not newline:
            # A terminal's end is one Ctrl-D; it may be read again after a question.
            return None
        self._n_lines += 1
        try:
            return data.removesuffix(b"\r").decode()
        except UnicodeDecodeError as error:
            raise RequestError(
                f"line {self._n_lines} of stdin is not UTF-8: byte 0x{data[error.start]:02x}; "
                "convert it first"
            ) from None

    async def _chunk(self) -> bytes:
        """Wait for bytes, and read them; empty at the end."""
        assert self._fd is not None
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        try:
            loop.add_reader(self._fd, ready.set)
        except PermissionError:  # of epoll, for a file: that is ready always
            return os.read(self._fd, _CHUNK_BYTES)
        try:
            await ready.wait()
            return os.read(self._fd, _CHUNK_BYTES)
        finally:
            loop.remove_reader(self._fd)
