"""Find the prompt: in the argument, in files, on stdin, or in several of them.

Called by `generate` on the main thread, before anything is loaded. Never decides what a prompt
means to a model.

Beside an argument, stdin may be somebody's data, or just what this process inherited. So
    a terminal, /dev/null or another device is not read
    a file is read
    a pipe is read to its end, however late that comes, as every filter does: whoever writes there
        means it, and a slow one (`make | tgicli generate "explain"`) must not be left out
    a socket is what sshd and editors give their children, and often stays silent: one that does for
        GRACE_S gets a word on stderr, and is left alone, with another word, after PATIENCE_S
Beside a file it is left alone: a loop over files often has their names there (`while read`).
`--stdin` waits as long as it takes, `--no-stdin` does not look.
"""

from __future__ import annotations

import fcntl
import os
import select
import stat
import termios
from collections.abc import Sequence
from pathlib import Path

from tgicli.errors import ConfigError, RequestError
from tgicli.ui.terminal import Terminal

GRACE_S = 0.5
PATIENCE_S = 5.0
STDIN = Path("-")  # a name for it
MAX_BYTES = 64 << 20  # of a prompt's part; no context holds as much
_CHUNK_BYTES = 1 << 20
WAITING = "waiting for the prompt on stdin"
_WAITING_BESIDE = "waiting for what comes on stdin (--no-stdin: go on without it)"
_LEFT = "stdin is left unread beside --file (--stdin: read it, too)"
_WAITING_TERMINAL = "type the prompt; Ctrl-D at the start of a line ends it"


def read_prompt(
    argument: str | None,
    files: Sequence[Path],
    terminal: Terminal,
    *,
    stdin: bool | None = None,  # None: as above; True: to its end; False: not at all
    quiet: bool = False,  # no word on stderr
    patience_s: float = PATIENCE_S,
) -> str | None:
    """Return the prompt: argument, files and stdin, with a blank line between them.

    None when there is neither argument nor file, and stdin is a terminal or not wanted.

    Raises:
        ConfigError: a file or stdin can't be read.
        RequestError: there is no text in it all, it is not UTF-8, or it does not end.
    """
    waiting = None if quiet else WAITING
    parts = [] if argument is None else [_decode(os.fsencode(argument), "the prompt argument")]
    parts += [_read_text(file, terminal, waiting) for file in files]
    if not parts:  # then stdin is the prompt, whatever it is
        if stdin is False or (stdin is None and terminal.stdin_is_terminal):
            return None
        parts = [_read_text(STDIN, terminal, waiting)]
    elif stdin or (stdin is None and not files and _has_data(terminal, patience_s, quiet=quiet)):
        parts.append(_read_text(STDIN, terminal, None if quiet else _WAITING_BESIDE))
    elif stdin is None and STDIN not in files and not quiet and _is_speaking(terminal):
        terminal.say(_LEFT)
    prompt = "\n\n".join(part for part in parts if part)
    if not prompt:
        raise RequestError(f"the prompt is empty: {_where(argument, files)}; say what to answer")
    return prompt


def _where(argument: str | None, files: Sequence[Path]) -> str:
    named = [str(file) for file in files if file != STDIN]
    if named:
        return f"{' and '.join(named)} {'has' if len(named) == 1 else 'have'} no text"
    return "stdin had no text" if argument is None else "the argument has no text"


def _read_text(file: Path, terminal: Terminal, waiting: str | None) -> str:
    """Return the text of one part, without the newline at its end."""
    data = read_input(file, terminal, flag="--file", waiting=waiting, n_most=MAX_BYTES)
    name = "stdin" if file == STDIN else str(file)
    if len(data) > MAX_BYTES:
        raise RequestError(
            f"{name} has more than {MAX_BYTES >> 20} MiB, and no model reads as much at once; "
            "send less, or a prompt a line with --input"
        )
    return _decode(data, name).removesuffix("\n")


def _has_data(terminal: Terminal, patience_s: float, *, quiet: bool) -> bool:
    """Decide whether to read stdin that nobody asked for or forbade."""
    fd = _stdin_fd(terminal)
    if fd is None:
        return False
    mode = os.fstat(fd).st_mode
    if stat.S_ISSOCK(mode):
        return _speaks(fd, None if quiet else terminal, patience_s)
    return stat.S_ISREG(mode) or stat.S_ISFIFO(mode)


def _is_speaking(terminal: Terminal) -> bool:
    """Whether stdin is a pipe with data."""
    fd = _stdin_fd(terminal)
    if fd is None or not stat.S_ISFIFO(os.fstat(fd).st_mode):
        return False
    return any(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))


def _speaks(fd: int, listener: Terminal | None, patience_s: float) -> bool:
    """Wait for a socket's first byte or its end, for a while."""
    grace_s = min(GRACE_S, patience_s)
    if _is_ready(fd, grace_s):
        return True
    if listener is not None:
        listener.say(
            f"stdin is an open socket without data; waiting {patience_s:g} s for it "
            "(--stdin: as long as it takes, --no-stdin: not at all)"
        )
    if _is_ready(fd, patience_s - grace_s):
        return True
    if listener is not None:
        listener.say("nothing came from stdin; going on without it")
    return False


def _is_ready(fd: int, timeout_s: float | None) -> bool:
    return bool(select.select([fd], [], [], timeout_s)[0])


def _stdin_fd(terminal: Terminal) -> int | None:
    """Return stdin's descriptor; None when it was closed before the process began."""
    return None if terminal.stdin is None else terminal.stdin.fileno()


def _read_stdin(terminal: Terminal, waiting: str | None, n_most: int | None) -> bytes:
    fd = _stdin_fd(terminal)
    if fd is None:
        return b""
    data = bytearray()
    try:
        if waiting is not None and not _is_ready(fd, GRACE_S):
            terminal.say(_WAITING_TERMINAL if terminal.stdin_is_terminal else waiting)
        while (n_most is None or len(data) <= n_most) and (chunk := _read_chunk(fd)):
            data += chunk
    except OSError as error:
        raise ConfigError(f"can't read stdin: {error.strerror}") from error
    return bytes(data)


def _read_chunk(fd: int) -> bytes:
    """Read what is there; empty at the end. Waits for a pipe that somebody made non-blocking."""
    while True:
        try:
            return os.read(fd, _CHUNK_BYTES)
        except BlockingIOError:
            _is_ready(fd, None)


def read_input(
    file: Path,
    terminal: Terminal,
    *,
    flag: str,
    waiting: str | None = WAITING,  # what to say when stdin is waited for; None: nothing
    n_most: int | None = None,
) -> bytes:
    """Return what is in a file that an option names; `-` is stdin, to its end.

    Of what has more than n_most bytes comes a beginning that is longer than that.

    Raises:
        ConfigError: it can't be read.
    """
    if file == STDIN:
        return _read_stdin(terminal, waiting, n_most)
    try:
        with file.open("rb") as opened:
            return opened.read(-1 if n_most is None else n_most + 1)
    except OSError as error:
        raise ConfigError(f"can't read {flag} {file}: {error.strerror}") from error


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise RequestError(
            f"{name} is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}; "
            "convert it first"
        ) from None
