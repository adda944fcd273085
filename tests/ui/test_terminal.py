from __future__ import annotations

import asyncio
import io
import os
import select
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.ui.pty import PseudoTerminal
from tgicli.errors import ModelNotFound, StreamBroken
from tgicli.ui.terminal import Terminal, harmless

TTY = {"TERM": "xterm-256color"}


class Teletype(io.StringIO):
    def isatty(self) -> bool:
        return True


def both(stream: io.StringIO | None, **environ: str) -> Terminal:
    return Terminal.from_streams(stream, stream, stream, environ)


def test_a_pipe_is_no_terminal_and_can_not_animate() -> None:
    terminal = both(io.StringIO(), **TTY)

    assert not terminal.stdin_is_terminal
    assert not terminal.stdout_is_terminal
    assert not terminal.stdout_can_animate
    assert not terminal.stderr_can_animate


def test_stdout_and_stderr_are_judged_separately() -> None:
    terminal = Terminal.from_streams(io.StringIO(), io.StringIO(), Teletype(), TTY)

    assert not terminal.stdout_can_animate
    assert not terminal.stdout_has_colour
    assert terminal.stderr_can_animate
    assert terminal.stderr_has_colour


@pytest.mark.parametrize(
    ("environ", "on_terminal", "in_pipe"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "0"}, True, False),
        ({"FORCE_COLOR": ""}, True, False),
        ({"CLICOLOR_FORCE": "1"}, True, True),
        ({"CLICOLOR_FORCE": "0"}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, False, False),
        ({"TERM": "dumb"}, False, False),
        ({"TERM": ""}, False, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, False, False),
    ],
)
def test_the_environment_decides_on_colour(
    environ: dict[str, str], on_terminal: bool, in_pipe: bool
) -> None:
    assert both(Teletype(), **TTY | environ).stderr_has_colour == on_terminal
    assert both(io.StringIO(), **TTY | environ).stderr_has_colour == in_pipe


def test_no_colour_does_not_mean_no_animation() -> None:
    assert both(Teletype(), **TTY, NO_COLOR="1").stdout_can_animate


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"TERM": "unknown"}, {}])
def test_a_dumb_terminal_can_not_animate(environ: dict[str, str]) -> None:
    assert not both(Teletype(), **environ).stdout_can_animate


def test_the_process_is_described_by_its_own_streams(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal.from_process().say("hello")

    assert capsys.readouterr() == ("", "hello\n")


def test_an_error_is_complained_about_in_one_line() -> None:
    stderr = io.StringIO()

    both(stderr).complain(ModelNotFound("no file x.gguf"))

    assert stderr.getvalue() == "error: no file x.gguf\n"


def test_only_the_word_error_is_red() -> None:
    stderr = Teletype()

    both(stderr, **TTY).complain(ModelNotFound("no file x.gguf"))

    assert stderr.getvalue() == "\x1b[1;31merror:\x1b[0m no file x.gguf\n"


def test_a_message_can_not_drive_the_terminal() -> None:
    stderr = Teletype()

    both(stderr, **TTY).say("a\x1b[2Jb\x07c\x9bd")

    assert stderr.getvalue() == "a␛[2Jb␇c\ufffdd\n"


def test_harmless_text_keeps_lines_and_tabs() -> None:
    assert harmless("a\tb\nc é 漢字 🎉") == "a\tb\nc é 漢字 🎉"


def test_text_can_not_turn_the_order_of_its_characters_around() -> None:
    """Right-to-left prose has marks of its own, which stay; only the overrides pretend."""
    assert harmless("photo\u202egpj.exe \u202dא") == "photo\ufffdgpj.exe \ufffdא"
    assert harmless("שמח\u200f! \u2067שמש\u2069") == "שמח\u200f! \u2067שמש\u2069"


def test_a_lone_surrogate_is_written_as_a_question_mark() -> None:
    stderr = io.StringIO()

    both(stderr).say("caf\udce9")

    assert stderr.getvalue() == "caf?\n"


def test_bytes_go_past_an_encoding_that_can_not_carry_them() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb") as reader, open(writing, "w", encoding="ascii") as stdout:
        terminal = Terminal(stdin=None, stdout=stdout, stderr=None)
        stdout.write("first ")

        terminal.write_stdout("漢字".encode())
        stdout.close()

        assert reader.read() == "first 漢字".encode()


def test_talk_about_a_missing_stderr_is_dropped() -> None:
    both(None).say("nobody hears this")


def test_talk_about_a_closed_stderr_is_dropped() -> None:
    stderr = io.StringIO()
    stderr.close()

    both(stderr).complain(ModelNotFound("nobody hears this"))


def test_a_missing_stdout_is_a_reader_that_is_gone() -> None:
    with pytest.raises(BrokenPipeError):
        both(None).write_stdout(b"x")


def test_a_stdout_closed_under_our_feet_is_a_reader_that_is_gone() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    with open(os.devnull, "w") as stdout:
        os.close(stdout.fileno())

        with pytest.raises(BrokenPipeError):
            Terminal(stdin=None, stdout=stdout, stderr=None).write_stdout(b"x")

        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())


def test_a_pipe_without_reader_breaks() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    with open(writing, "w") as stdout, pytest.raises(BrokenPipeError):
        Terminal(stdin=None, stdout=stdout, stderr=None).write_stdout(b"x")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_breaks_the_stream_and_says_so() -> None:
    with (
        open("/dev/full", "w") as stdout,
        pytest.raises(StreamBroken, match="No space left on device"),
    ):
        Terminal(stdin=None, stdout=stdout, stderr=None).write_stdout(b"x")


def test_all_bytes_pass_a_full_non_blocking_pipe_in_order() -> None:
    sent = bytes(range(256)) * 2000
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    received = bytearray()

    with open(reading, "rb") as reader, open(writing, "w") as stdout:
        thread = threading.Thread(target=lambda: received.extend(reader.read()))
        thread.start()
        Terminal(stdin=None, stdout=stdout, stderr=None).write_stdout(sent)
        stdout.close()
        thread.join()

    assert received == sent


def test_what_is_offered_waits_for_no_reader_and_is_drained_in_order() -> None:
    sent = bytes(range(256)) * 2000
    reading, writing = os.pipe()
    received = bytearray()

    with open(reading, "rb") as reader, open(writing, "w") as stdout:
        terminal = Terminal(stdin=None, stdout=stdout, stderr=None)
        terminal.offer_stdout(sent[:-7])
        terminal.offer_stdout(sent[-7:])
        thread = threading.Thread(target=lambda: received.extend(reader.read()))
        thread.start()
        asyncio.run(terminal.drain_stdout())
        stdout.close()
        thread.join()

    assert received == sent


def test_what_nobody_took_is_forgotten_when_the_wait_is_cancelled() -> None:
    async def wait_a_moment() -> None:
        async with asyncio.timeout(0.05):
            await terminal.drain_stdout()

    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as reader, open(writing, "w") as stdout:
        terminal = Terminal(stdin=None, stdout=stdout, stderr=None)
        terminal.offer_stdout(b"x" * 1_000_000)
        with pytest.raises(TimeoutError):
            asyncio.run(wait_a_moment())
        while b"x" in reader.read(1_000_000) and select.select([reader], [], [], 0)[0]:
            pass
        terminal.offer_stdout(b"y")

        assert reader.read(100) == b"y"


def test_a_drained_pipe_without_reader_breaks() -> None:
    reading, writing = os.pipe()
    with open(writing, "w") as stdout:
        terminal = Terminal(stdin=None, stdout=stdout, stderr=None)
        terminal.offer_stdout(b"x" * 1_000_000)
        os.close(reading)

        with pytest.raises(BrokenPipeError):
            asyncio.run(terminal.drain_stdout())


@pytest.mark.parametrize(
    ("answer", "shown"),
    [(b"half", b"half\nwhy\nso\n"), (b"whole\n", b"whole\nwhy\nso\n"), (b"", b"why\nso\n")],
)
def test_talk_in_the_same_place_begins_on_a_line_of_its_own(answer: bytes, shown: bytes) -> None:
    reading, writing = os.pipe()
    with open(reading, "rb") as reader:
        with open(writing, "w") as stdout, open(os.dup(writing), "w") as stderr:
            terminal = Terminal(stdin=None, stdout=stdout, stderr=stderr)
            terminal.offer_stdout(answer)
            terminal.say("why")
            terminal.say("so")

        assert reader.read() == shown


def test_talk_in_another_place_is_not_changed_by_an_unfinished_line(tmp_path: Path) -> None:
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("w") as stdout, err.open("w") as stderr:
        terminal = Terminal(stdin=None, stdout=stdout, stderr=stderr)
        terminal.offer_stdout(b"half")
        terminal.complain(ModelNotFound("gone"))

    assert (out.read_bytes(), err.read_bytes()) == (b"half", b"error: gone\n")


def test_a_silenced_stdout_lets_the_interpreter_exit_quietly() -> None:
    program = (
        "import sys\n"
        "from tgicli.ui.terminal import Terminal\n"
        "terminal = Terminal.from_process()\n"
        "sys.stdout.write('buffered')\n"
        "sys.stdin.read()\n"
        "try:\n"
        "    terminal.write_stdout(b'x')\n"
        "except BrokenPipeError:\n"
        "    terminal.silence()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": ""},
    )
    assert process.stdout is not None
    process.stdout.close()

    _, complaints = process.communicate()

    assert (process.returncode, complaints) == (0, b"")


def test_silencing_a_stdout_without_descriptor_does_nothing() -> None:
    both(None).silence()
    both(io.StringIO()).silence()


def test_the_size_is_the_window_s() -> None:
    with PseudoTerminal(columns=50, lines=12) as pseudo:
        assert pseudo.terminal.size() == (50, 12)


def test_the_size_is_usual_where_there_is_no_window() -> None:
    assert both(io.StringIO()).size() == (80, 24)


def test_a_window_without_size_has_the_usual_one() -> None:
    with PseudoTerminal(columns=0, lines=0) as pseudo:
        assert pseudo.terminal.size() == (80, 24)


@pytest.mark.parametrize(("answer", "shown"), [(b"half", "\nsaid"), (b"whole\n", "said")])
def test_a_message_has_a_line_of_its_own_behind_an_answer_that_a_pipe_may_bring_back(
    answer: bytes, shown: str
):
    reading, writing = os.pipe()
    with PseudoTerminal() as pseudo, os.fdopen(writing, "w") as stdout:
        terminal = Terminal.from_streams(None, stdout, pseudo._stream, {"TERM": "xterm"})
        terminal.offer_stdout(answer)
        terminal.say("said")
    os.close(reading)

    assert pseudo.received.decode().replace("\r", "") == f"{shown}\n"
