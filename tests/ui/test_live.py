from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from tests.ui.pty import PseudoTerminal
from tgicli.ui.live import PlainView, RawView, open_view
from tgicli.ui.markdown import MarkdownView
from tgicli.ui.terminal import Terminal

AWKWARD = "tab\t ESC \x1b[31m BEL \x07 CR \r CRLF \r\n C1 \x9b NUL \x00 漢字 🎉\n\n**no newline**"


def raw_bytes(*texts: str, **environ: str) -> bytes:
    """Return what a reader of the pipe gets."""
    reading, writing = os.pipe()
    with open(reading, "rb") as reader, open(writing, "w", encoding="ascii") as stdout:
        terminal = Terminal.from_streams(None, stdout, None, environ)
        view = open_view(terminal, markdown=True, raw=False)
        for text in texts:
            view.append(text)
        view.close()
        stdout.close()
        return reader.read()


def test_a_pipe_gets_the_answer_s_bytes_and_nothing_else() -> None:
    assert raw_bytes(AWKWARD) == AWKWARD.encode()


def test_forced_colour_adds_nothing_to_a_pipe() -> None:
    environ = {"TERM": "xterm", "FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"}

    assert raw_bytes(AWKWARD, **environ) == AWKWARD.encode()


def test_an_empty_answer_is_no_byte() -> None:
    assert raw_bytes() == b""
    assert raw_bytes("") == b""


def test_a_lone_surrogate_does_not_stop_the_answer() -> None:
    assert raw_bytes("a\udce9", "b") == b"a?b"


def test_each_piece_is_readable_at_once() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as reader, open(writing, "w") as stdout:
        view = RawView(Terminal.from_streams(None, stdout, None, {}))

        view.append("first")

        assert reader.read(100) == b"first"


def test_a_reader_that_went_away_breaks_the_pipe() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as stdout:
        view = RawView(Terminal.from_streams(None, stdout, None, {}))

        with pytest.raises(BrokenPipeError):
            view.append("nobody reads this")


def test_raw_on_a_terminal_is_raw() -> None:
    with PseudoTerminal() as pseudo:
        view = open_view(pseudo.terminal, markdown=True, raw=True)
        view.append("**a**")
        view.close()

    assert pseudo.received == b"**a**"


def test_plain_text_ends_with_one_newline() -> None:
    assert plain("a", "b").received == b"ab\r\n"
    assert plain("a\n").received == b"a\r\n"
    assert plain("a\n\n").received == b"a\r\n\r\n"
    assert plain("").received == b""


def test_plain_text_can_not_drive_the_terminal() -> None:
    shown = plain("kept", "\x1b[2J\x1b]0;title\x07", "\x9b1A\x08", "end").window.everything()

    assert shown == ["kept␛[2J␛]0;title␇\ufffd1A␈end"]


def test_plain_lines_may_end_in_any_way_and_be_split_anywhere() -> None:
    assert plain("one\r", "\ntwo\rthree\n", "four\r").received == b"one\r\ntwo\r\nthree\r\nfour\r\n"


def plain(*texts: str) -> PseudoTerminal:
    with PseudoTerminal() as pseudo:
        view = open_view(pseudo.terminal, markdown=False, raw=False)
        for text in texts:
            view.append(text)
        view.close()
    return pseudo


class Teletype(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stdout", "markdown", "raw", "term", "kind"),
    [
        (Teletype(), True, False, "xterm", MarkdownView),
        (Teletype(), False, False, "xterm", PlainView),
        (Teletype(), True, False, "dumb", PlainView),
        (Teletype(), True, True, "xterm", RawView),
        (io.StringIO(), True, False, "xterm", RawView),
        (None, True, False, "xterm", RawView),
    ],
)
def test_the_view_is_chosen_by_flags_and_terminal(
    stdout: io.StringIO | None, markdown: bool, raw: bool, term: str, kind: type
) -> None:
    terminal = Terminal.from_streams(None, stdout, None, {"TERM": term})

    view = open_view(terminal, markdown=markdown, raw=raw)
    view.close()

    assert type(view) is kind


def test_raw_and_plain_load_neither_rich_nor_markdown() -> None:
    program = (
        "import sys\n"
        "from tgicli.ui.live import PlainView, open_view\n"
        "from tgicli.ui.status import Status\n"
        "from tgicli.ui.terminal import Terminal\n"
        "terminal = Terminal.from_process()\n"
        "Status(terminal).show('x')\n"
        "for view in (open_view(terminal, markdown=True, raw=False), PlainView(terminal)):\n"
        "    view.append('x')\n"
        "    view.close()\n"
        "assert not {'rich', 'markdown_it', 'pygments'} & set(sys.modules)\n"
    )

    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout

    assert shown == b"xx\n"
