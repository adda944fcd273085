"""Find the prompt: in the argument, in a file, on stdin, or in two of them.

Called by `generate` on the main thread, before anything is loaded. Never decides what a prompt
means to a model.

Beside an argument, stdin may be somebody's data, or just what this process inherited. So
    a terminal, /dev/null or another device is not read
    a file is read
    a pipe or socket that has a byte, or its end, is read to its end, however late that comes;
        one that stays silent for GRACE_S gets a word on stderr, and is left alone, with another
        word, after PATIENCE_S
`--stdin` waits as long as it takes, `--no-stdin` does not look.
"""

from __future__ import annotations

import os
import select
import stat
from pathlib import Path

from tgicli.errors import ConfigError, RequestError
from tgicli.ui.terminal import Terminal

GRACE_S = 0.5
PATIENCE_S = 5.0
STDIN = Path("-")  # a name for it
_CHUNK_BYTES = 1 << 20
_WAITING = "waiting for the prompt on stdin"
_WAITING_TERMINAL = "type the prompt; Ctrl-D at the start of a line ends it"


def read_prompt(
    argument: str | None,
    file: Path | None,
    terminal: Terminal,
    *,
    stdin: bool | None = None,  # None: as above; True: to its end; False: not at all
    patience_s: float = PATIENCE_S,
) -> str | None:
    """Return the prompt; argument first, then a blank line, then what the file or stdin holds.

    None when there is neither argument nor file, and stdin is a terminal or not wanted.

    Raises:
        ConfigError: the file or stdin can't be read.
        RequestError: there is no text in it all, or it is not UTF-8.
    """
    if argument is not None:
        argument = _decode(os.fsencode(argument), "the prompt argument")
    if file is not None:
        attached = _decode(read_input(file, terminal, flag="--file"), str(file))
    elif stdin or (stdin is None and _has_data(argument, terminal, patience_s)):
        attached = _decode(_read_stdin(terminal), "stdin")
    elif argument is None:
        return None
    else:
        attached = ""
    prompt = "\n\n".join(part for part in (argument, attached.removesuffix("\n")) if part)
    if not prompt:
        raise RequestError(f"the prompt is empty: {_where(argument, file)}; say what to answer")
    return prompt


def _where(argument: str | None, file: Path | None) -> str:
    if file is not None:
        return f"{file} has no text"
    return "stdin had no text" if argument is None else "the argument has no text"


def _has_data(argument: str | None, terminal: Terminal, patience_s: float) -> bool:
    """Decide whether to read stdin that nobody asked for or forbade."""
    if argument is None:  # then it is the prompt, whatever it is
        return not terminal.stdin_is_terminal
    fd = _stdin_fd(terminal)
    if fd is None:
        return False
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return True
    return (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)) and _speaks(fd, terminal, patience_s)


def _speaks(fd: int, terminal: Terminal, patience_s: float) -> bool:
    """Wait for a pipe's first byte or its end, for a while."""
    grace_s = min(GRACE_S, patience_s)
    if _is_ready(fd, grace_s):
        return True
    terminal.say(
        f"stdin is an open pipe without data; waiting {patience_s:g} s for it "
        "(--stdin: as long as it takes, --no-stdin: not at all)"
    )
    if _is_ready(fd, patience_s - grace_s):
        return True
    terminal.say("nothing came from stdin; going on without it")
    return False


def _is_ready(fd: int, timeout_s: float | None) -> bool:
    return bool(select.select([fd], [], [], timeout_s)[0])


def _stdin_fd(terminal: Terminal) -> int | None:
    """Return stdin's descriptor; None when it was closed before the process began."""
    return None if terminal.stdin is None else terminal.stdin.fileno()


def _read_stdin(terminal: Terminal) -> bytes:
    fd = _stdin_fd(terminal)
    if fd is None:
        return b""
    data = bytearray()
    try:
        if not _is_ready(fd, GRACE_S):
            terminal.say(_WAITING_TERMINAL if terminal.stdin_is_terminal else _WAITING)
        while chunk := _read_chunk(fd):
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


def read_input(file: Path, terminal: Terminal, *, flag: str) -> bytes:
    """Return what is in a file that an option names; `-` is stdin, to its end.

    Raises:
        ConfigError: it can't be read.
    """
    if file == STDIN:
        return _read_stdin(terminal)
    try:
        return file.read_bytes()
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
