"""Where the prompt comes from: real pipes, files and sockets as stdin."""

from __future__ import annotations

import io
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tgicli.cli.prompt import GRACE_S, read_prompt
from tgicli.errors import ConfigError, RequestError
from tgicli.ui.terminal import Terminal

SHORT_S = 0.05  # patience, where a test waits for it to end


class Stdin:
    """Makes terminals whose stdin is what a test wants, and closes it all."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.stderr = io.StringIO()

    def __call__(self, fd: int, *, is_terminal: bool = False) -> Terminal:
        stdin = self._stack.enter_context(os.fdopen(fd))
        return Terminal(stdin=stdin, stdout=None, stderr=self.stderr, stdin_is_terminal=is_terminal)

    def pipe(self, data: bytes | None = None) -> tuple[Terminal, int]:
        """Return a terminal reading from a pipe, and the pipe's other end, which stays open."""
        reader, writer = os.pipe()
        if data is not None:
            os.write(writer, data)
        return self(reader), writer

    def ended(self, data: bytes) -> Terminal:
        """Return a terminal reading from a pipe that holds this and its end."""
        terminal, writer = self.pipe(data)
        os.close(writer)
        return terminal

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def stdin() -> Iterator[Stdin]:
    made = Stdin()
    yield made
    made.close()


NONE = Terminal(stdin=None, stdout=None, stderr=None)


def test_an_argument_is_the_prompt(stdin: Stdin):
    assert read_prompt("why?", [], NONE) == "why?"


def test_a_pipe_comes_after_the_argument_behind_a_blank_line(stdin: Stdin):
    assert read_prompt("sum up", [], stdin.ended(b"a\nb\n")) == "sum up\n\na\nb"


def test_a_pipe_alone_is_the_prompt(stdin: Stdin):
    assert read_prompt(None, [], stdin.ended(b"why?\n")) == "why?"


def test_one_newline_at_the_end_is_dropped_and_only_one(stdin: Stdin):
    assert read_prompt(None, [], stdin.ended(b"  why?\n\n")) == "  why?\n"


def test_an_ended_pipe_without_data_changes_nothing(stdin: Stdin):
    assert read_prompt("why?", [], stdin.ended(b"")) == "why?"
    assert stdin.stderr.getvalue() == ""


def test_a_file_as_stdin_is_read(stdin: Stdin, tmp_path: Path):
    (tmp_path / "notes").write_text("notes")

    terminal = stdin(os.open(tmp_path / "notes", os.O_RDONLY))

    assert read_prompt("sum up", [], terminal) == "sum up\n\nnotes"


def test_a_socket_as_stdin_is_read(stdin: Stdin):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"notes")
        ours.shutdown(socket.SHUT_WR)

        prompt = read_prompt("sum up", [], stdin(os.dup(theirs.fileno())))

    assert prompt == "sum up\n\nnotes"


def test_beside_an_argument_a_device_is_not_read(stdin: Stdin):
    assert read_prompt("why?", [], stdin(os.open("/dev/zero", os.O_RDONLY))) == "why?"


def test_beside_an_argument_a_terminal_is_not_read(stdin: Stdin):
    parent, child = os.openpty()
    os.write(parent, b"typed\n")

    prompt = read_prompt("why?", [], stdin(child, is_terminal=True))

    os.close(parent)
    assert prompt == "why?"


@pytest.mark.parametrize("quiet", [False, True])
def test_a_silent_socket_is_left_alone_and_that_is_said(stdin: Stdin, quiet: bool):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        terminal = stdin(os.dup(theirs.fileno()))

        prompt = read_prompt("why?", [], terminal, quiet=quiet, patience_s=SHORT_S)

    assert prompt == "why?"
    assert stdin.stderr.getvalue().splitlines() == (
        []
        if quiet
        else [
            "stdin is an open socket without data; waiting 0.05 s for it "
            "(--stdin: as long as it takes, --no-stdin: not at all)",
            "nothing came from stdin; going on without it",
        ]
    )


def test_a_slow_pipe_is_read_to_its_end(stdin: Stdin):
    terminal, writer = stdin.pipe(b"one ")

    def write_the_rest() -> None:
        os.write(writer, b"two")
        os.close(writer)

    timer = threading.Timer(4 * SHORT_S, write_the_rest)
    timer.start()
    prompt = read_prompt("sum up", [], terminal, patience_s=SHORT_S)

    timer.join()
    assert prompt == "sum up\n\none two"


@pytest.mark.parametrize("quiet", [False, True])
def test_a_pipe_that_begins_past_all_patience_is_read_with_a_word(stdin: Stdin, quiet: bool):
    terminal, writer = stdin.pipe()

    def write() -> None:
        os.write(writer, b"late")
        os.close(writer)

    timer = threading.Timer(GRACE_S + 0.2, write)
    timer.start()
    prompt = read_prompt("sum up", [], terminal, quiet=quiet, patience_s=SHORT_S)

    timer.join()
    assert prompt == "sum up\n\nlate"
    word = "waiting for what comes on stdin (--no-stdin: go on without it)\n"
    assert stdin.stderr.getvalue() == ("" if quiet else word)


def test_a_forced_socket_is_waited_for_past_all_patience(stdin: Stdin):
    ours, theirs = socket.socketpair()

    def write() -> None:
        ours.sendall(b"late")
        ours.shutdown(socket.SHUT_WR)

    with ours, theirs:
        timer = threading.Timer(4 * SHORT_S, write)
        timer.start()
        terminal = stdin(os.dup(theirs.fileno()))
        prompt = read_prompt("sum up", [], terminal, stdin=True, patience_s=SHORT_S)

        timer.join()
    assert prompt == "sum up\n\nlate"


def test_forbidden_stdin_is_not_read(stdin: Stdin):
    terminal, writer = stdin.pipe(b"notes")

    prompt = read_prompt("why?", [], terminal, stdin=False)

    os.close(writer)
    assert prompt == "why?"


def test_a_forced_terminal_is_read_until_its_end(stdin: Stdin):
    parent, child = os.openpty()
    os.write(parent, b"typed\n\x04")

    prompt = read_prompt(None, [], stdin(child, is_terminal=True), stdin=True)

    os.close(parent)
    assert prompt == "typed"


def test_a_non_blocking_pipe_is_waited_for(stdin: Stdin):
    terminal, writer = stdin.pipe()
    assert terminal.stdin is not None
    os.set_blocking(terminal.stdin.fileno(), False)

    def write() -> None:
        os.write(writer, b"late")
        os.close(writer)

    timer = threading.Timer(SHORT_S, write)
    timer.start()
    prompt = read_prompt(None, [], terminal)

    timer.join()
    assert prompt == "late"


def test_more_than_a_pipe_holds_is_read_whole(stdin: Stdin):
    terminal, writer = stdin.pipe()
    text = "0123456789" * 500_000

    def write() -> None:
        with os.fdopen(writer, "w") as pipe:
            pipe.write(text)

    thread = threading.Thread(target=write)
    thread.start()
    prompt = read_prompt(None, [], terminal)

    thread.join()
    assert prompt == text


def test_files_come_after_the_argument_in_their_order_and_stdin_comes_last(
    stdin: Stdin, tmp_path: Path
):
    (tmp_path / "b").write_text("b\n")
    (tmp_path / "a").write_text("a\n")

    files, terminal = [tmp_path / "b", tmp_path / "a"], stdin.ended(b"other\n")

    assert read_prompt("sum up", files, terminal, stdin=True) == "sum up\n\nb\n\na\n\nother"


@pytest.mark.parametrize(("data", "is_told"), [(b"/tmp/b\n", True), (b"", False)])
def test_beside_a_file_stdin_is_left_to_a_loop_that_reads_names_from_it(
    stdin: Stdin, tmp_path: Path, data: bytes, is_told: bool
):
    (tmp_path / "a").write_text("a\n")
    terminal = stdin.ended(data)
    assert terminal.stdin is not None

    assert read_prompt("sum up", [tmp_path / "a"], terminal) == "sum up\n\na"
    assert os.read(terminal.stdin.fileno(), 100) == data
    assert ("stdin is left unread" in stdin.stderr.getvalue()) is is_told


def test_among_files_a_dash_is_stdin_in_its_turn(stdin: Stdin, tmp_path: Path):
    (tmp_path / "b").write_text("b\n")

    files = [Path("-"), tmp_path / "b"]

    assert read_prompt(None, files, stdin.ended(b"a\n"), stdin=False) == "a\n\nb"


def test_what_does_not_end_is_refused(stdin: Stdin):
    words = "/dev/zero has more than 64 MiB, and no model reads as much at once"
    with pytest.raises(RequestError, match=words):
        read_prompt("sum up", [Path("/dev/zero")], NONE)
    with pytest.raises(RequestError, match="stdin has more than 64 MiB"):
        read_prompt(None, [], stdin(os.open("/dev/zero", os.O_RDONLY)))


def test_a_terminal_alone_has_no_prompt(stdin: Stdin):
    parent, child = os.openpty()

    prompt = read_prompt(None, [], stdin(child, is_terminal=True))

    os.close(parent)
    assert prompt is None


def test_neither_argument_nor_stdin_is_no_prompt():
    assert read_prompt(None, [], NONE, stdin=False) is None


@pytest.mark.parametrize("data", [b"", b"\n"])
def test_a_pipe_without_text_is_refused(stdin: Stdin, data: bytes):
    with pytest.raises(RequestError, match="the prompt is empty: stdin had no text"):
        read_prompt(None, [], stdin.ended(data))


def test_a_closed_stdin_is_an_empty_one():
    with pytest.raises(RequestError, match="the prompt is empty: stdin had no text"):
        read_prompt(None, [], NONE)


def test_an_empty_argument_is_refused():
    with pytest.raises(RequestError, match="the prompt is empty: the argument has no text"):
        read_prompt("", [], NONE)


def test_an_empty_file_is_refused(tmp_path: Path):
    (tmp_path / "notes").touch()

    with pytest.raises(RequestError, match=r"the prompt is empty: .*notes has no text"):
        read_prompt(None, [tmp_path / "notes"], NONE)


def test_a_missing_file_is_a_wrong_flag(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"can't read --file .*none: No such file"):
        read_prompt(None, [tmp_path / "none"], NONE)


def test_a_directory_as_stdin_is_refused(stdin: Stdin, tmp_path: Path):
    terminal = Terminal(
        stdin=os.fdopen(os.open("/dev/null", os.O_RDONLY)), stdout=None, stderr=None
    )
    assert terminal.stdin is not None
    directory = os.open(tmp_path, os.O_RDONLY)
    os.dup2(directory, terminal.stdin.fileno())
    os.close(directory)

    with terminal.stdin, pytest.raises(ConfigError, match="can't read stdin: Is a directory"):
        read_prompt(None, [], terminal)


def test_stdin_that_is_no_text_is_refused_with_the_place(stdin: Stdin):
    with pytest.raises(RequestError, match="stdin is not UTF-8: byte 0xff at offset 2"):
        read_prompt(None, [], stdin.ended(b"ab\xffc"))


def test_a_file_that_is_no_text_is_refused_with_the_place(tmp_path: Path):
    (tmp_path / "notes").write_bytes("ä".encode("latin-1"))

    with pytest.raises(RequestError, match="notes is not UTF-8: byte 0xe4 at offset 0"):
        read_prompt(None, [tmp_path / "notes"], NONE)


def test_an_argument_that_is_no_text_is_refused_with_the_place():
    with pytest.raises(RequestError, match="the prompt argument is not UTF-8: byte 0xff at offset"):
        read_prompt(os.fsdecode(b"a\xff"), [], NONE)


def test_text_of_several_bytes_a_character_survives_any_chunking(stdin: Stdin):
    text = "äß€😀" * 10_000
    terminal, writer = stdin.pipe()

    def write() -> None:
        with os.fdopen(writer, "wb", buffering=0) as pipe:
            data = text.encode()
            for start in range(0, len(data), 4093):
                pipe.write(data[start : start + 4093])

    thread = threading.Thread(target=write)
    thread.start()
    prompt = read_prompt(None, [], terminal)

    thread.join()
    assert prompt == text
