"""Say what the process's streams are, and write to them.

Built once at the edge of the program (`from_process`) and handed down; tests build their own.
Never looked up elsewhere: nobody else reads `sys.stdout`, `isatty` or NO_COLOR. Safe to use from
any thread.

stdout carries the answer: a write that fails raises. stderr carries the talk about it: a write
that fails is nobody's business, because there is no place left to say so.

Whoever writes on an event loop offers, and drains: a reader that takes nothing must not keep the
loop from turning.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Protocol

from tgicli.errors import StreamBroken
from tgicli.ui.painting import ERASE_BELOW

_READER_IS_GONE = frozenset({errno.EPIPE, errno.EBADF, errno.EIO, errno.ECONNRESET})
_USUAL_SIZE = os.terminal_size((80, 24))

# C0 and DEL have pictures; C1, which some terminals obey like ESC sequences, has none.
_PICTURES = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"}
_OVERRIDES = (0x202D, 0x202E)  # show characters in another order than the one they are read in
_HARMLESS = (
    _PICTURES | {0x7F: "\u2421"} | dict.fromkeys([*range(0x80, 0xA0), *_OVERRIDES], "\ufffd")
)


def harmless(text: str) -> str:
    """Return the text with what could drive a terminal, or turn its order around, made visible."""
    return text.translate(_HARMLESS)


class Painting(Protocol):
    """Something that is painted over and over where a cursor rests."""

    def paint_again(self) -> None:
        """Paint all of it anew: it was taken away."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """The three streams and what they can do."""

    stdin: IO[str] | None  # None: closed before the process began
    stdout: IO[str] | None
    stderr: IO[str] | None
    stdin_is_terminal: bool = False
    stdout_is_terminal: bool = False
    stderr_is_terminal: bool = False
    is_dumb: bool = False  # no colour, no cursor movement
    wants_colour: bool | None = None  # None: where a terminal shows it
    # Offered to stdout, and not taken yet.
    _offered: bytearray = field(default_factory=bytearray, init=False, compare=False)
    # What would end the answer's last line, if that is unfinished.
    _line_end: bytearray = field(default_factory=bytearray, init=False, compare=False)
    # What is painted, and on which stream.
    painted: dict[Painting, IO[str] | None] = field(default_factory=dict, init=False, compare=False)

    @classmethod
    def from_process(cls) -> Terminal:
        """Describe the streams and the environment of this process."""
        return cls.from_streams(sys.stdin, sys.stdout, sys.stderr, os.environ)

    @classmethod
    def from_streams(
        cls,
        stdin: IO[str] | None,
        stdout: IO[str] | None,
        stderr: IO[str] | None,
        environ: Mapping[str, str],
    ) -> Terminal:
        """Describe these streams; NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE, TERM decide on colour."""
        return cls(
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            stdin_is_terminal=_is_terminal(stdin),
            stdout_is_terminal=_is_terminal(stdout),
            stderr_is_terminal=_is_terminal(stderr),
            is_dumb=environ.get("TERM", "dumb") in ("", "dumb", "unknown"),
            wants_colour=_wants_colour(environ),
        )

    @property
    def stdout_has_colour(self) -> bool:
        """Whether what is rendered on stdout is coloured; the raw answer never is."""
        return self._has_colour(self.stdout_is_terminal)

    @property
    def stderr_has_colour(self) -> bool:
        """Whether messages on stderr are coloured."""
        return self._has_colour(self.stderr_is_terminal)

    @property
    def stdout_can_animate(self) -> bool:
        """Whether text on stdout can be painted over."""
        return self.stdout_is_terminal and not self.is_dumb

    @property
    def stderr_can_animate(self) -> bool:
        """Whether text on stderr can be painted over."""
        return self.stderr_is_terminal and not self.is_dumb

    def size(self) -> os.terminal_size:
        """Return columns and lines of the terminal at stdout now; 80 x 24 when unknown."""
        return _size(self.stdout)

    def stderr_size(self) -> os.terminal_size:
        """Return the same of the terminal at stderr."""
        return _size(self.stderr)

    def write_stdout(self, data: bytes) -> None:
        """Write all bytes now, past any buffer; waits for a slow reader.

        Raises:
            BrokenPipeError: the reader is gone, or stdout was closed.
            StreamBroken: the bytes can't be written for another reason, such as a full disk.
        """
        with _failing():
            _write(self.stdout, data)

    def offer_stdout(self, data: bytes) -> None:
        """Write what the reader takes now, and keep the rest for `drain_stdout`.

        Called on the event loop only. Raises as write_stdout does.
        """
        if data:
            self._line_end[:] = b"" if data.endswith(b"\n") else b"\n"
        fd = _fileno(self.stdout)
        if self.stdout is None or fd is None:
            self.write_stdout(data)
            return
        self._offered.extend(data)
        with _failing():
            self.stdout.flush()
            _write_some(fd, self._offered)

    async def drain_stdout(self) -> None:
        """Wait until all that was offered is written. Cancelled, forget what nobody took.

        Raises as write_stdout does.
        """
        fd = _fileno(self.stdout)
        try:
            while fd is not None and self._offered:
                await _until_writable(fd)
                with _failing():
                    _write_some(fd, self._offered)
        finally:
            self._offered.clear()

    def write_stderr(self, data: bytes) -> None:
        """Write all bytes now; a stderr that takes none gets none.

        Where stdout goes to the same place, or may through a pipe (`| tee`), they begin on a line
        of their own.
        """
        line_end = bytes(self._line_end)
        self._line_end.clear()
        with contextlib.suppress(OSError):
            is_behind = line_end and self._is_behind_stdout()
            _write(self.stderr, line_end + data if is_behind else data)

    def _is_behind_stdout(self) -> bool:
        may_be_piped_back = self.stderr_is_terminal and _is_pipe(self.stdout)
        return may_be_piped_back or _is_same(self.stdout, self.stderr)

    def say(self, text: str) -> None:
        """Write one line to stderr."""
        self.write_stderr(_encoded(f"{harmless(text)}\n"))

    def complain(self, error: BaseException) -> None:
        """Write `error: message` to stderr."""
        label = "\x1b[1;31merror:\x1b[0m" if self.stderr_has_colour else "error:"
        self.write_stderr(_encoded(f"{label} {harmless(str(error))}\n"))

    def wipe(self) -> list[Painting]:
        """Take away what is painted; return it, to be painted again.

        Called inside a signal's handler: takes no lock and uses no buffer.
        """
        painted = self.painted.copy()
        for stream in painted.values():
            fd = _fileno(stream)
            with contextlib.suppress(OSError):
                if fd is not None:
                    os.write(fd, f"\r{ERASE_BELOW}".encode())
        return list(painted)

    def silence(self) -> None:
        """Point stdout to nowhere once its reader is gone, so that the last flush succeeds."""
        fd = _fileno(self.stdout)
        if fd is None:
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, fd)
        os.close(nowhere)

    def _has_colour(self, is_terminal: bool) -> bool:
        wanted = is_terminal if self.wants_colour is None else self.wants_colour
        return wanted and not self.is_dumb


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    """Say what it means that stdout can't be written to."""
    try:
        yield
    except OSError as error:
        if error.errno in _READER_IS_GONE:
            raise BrokenPipeError(error.errno, "stdout is closed") from error
        raise StreamBroken(
            f"the answer can't be written to stdout: {error.strerror}; send it elsewhere"
        ) from error


def _wants_colour(environ: Mapping[str, str]) -> bool | None:
    if environ.get("NO_COLOR"):
        return False
    forced = (environ.get(name, "") for name in ("FORCE_COLOR", "CLICOLOR_FORCE"))
    return True if any(value not in ("", "0") for value in forced) else None


def _is_terminal(stream: IO[str] | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def _fileno(stream: IO[str] | None) -> int | None:
    """Return the descriptor, or None for a closed stream and for one without (a StringIO)."""
    if stream is None or stream.closed:
        return None
    try:
        return stream.fileno()
    except OSError:  # io.UnsupportedOperation
        return None


def _is_pipe(stream: IO[str] | None) -> bool:
    fd = _fileno(stream)
    return fd is not None and stat.S_ISFIFO(os.fstat(fd).st_mode)


def _is_same(one: IO[str] | None, other: IO[str] | None) -> bool:
    """Whether two streams go to one terminal, pipe or file."""
    fd, other_fd = _fileno(one), _fileno(other)
    return fd is not None and other_fd is not None and os.path.sameopenfile(fd, other_fd)


def _size(stream: IO[str] | None) -> os.terminal_size:
    fd = _fileno(stream)
    with contextlib.suppress(OSError):
        if fd is not None and all(size := os.get_terminal_size(fd)):
            return size
    return _USUAL_SIZE


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", errors="replace")  # a lone surrogate becomes "?"


def _write(stream: IO[str] | None, data: bytes) -> None:
    if stream is None or stream.closed:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    fd = _fileno(stream)
    stream.flush()  # what was printed before comes before
    if fd is None:
        stream.write(data.decode("utf-8", errors="replace"))
        stream.flush()
    else:
        _write_all(fd, data)


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:  # somebody made the pipe non-blocking; it is full
            select.select([], [fd], [])


def _write_some(fd: int, data: bytearray) -> None:
    """Write the beginning that can be written without waiting, and take it away."""
    # A terminal may still wait in the middle; a signal ends that wait, as some is written.
    with contextlib.suppress(BlockingIOError):
        while data and select.select([], [fd], [], 0)[1]:
            del data[: os.write(fd, data[: select.PIPE_BUF])]


async def _until_writable(fd: int) -> None:
    import asyncio

    loop, writable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_writer(fd, writable.set)
    try:
        await writable.wait()
    finally:
        loop.remove_writer(fd)
