from __future__ import annotations

import io
import os
import re
import sys
import threading

import pytest
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown

from tests.fakes import FakeClock
from tests.ui.documents import long_answer
from tests.ui.pty import PseudoTerminal
from tests.ui.test_render import rendered
from tgicli.ui.live import open_view
from tgicli.ui.markdown import MarkdownView
from tgicli.ui.terminal import Terminal

FRAME = "\x1b[?2026h"


def on_stream(stdout: io.StringIO) -> Terminal:
    return Terminal(stdin=None, stdout=stdout, stderr=None, stdout_is_terminal=True)


def test_twelve_frames_a_second_are_painted_at_most() -> None:
    clock, screen = FakeClock(), io.StringIO()
    view = MarkdownView(on_stream(screen), clock=clock)

    for _ in range(2000):
        view.append("a ")
        view.tick()
        clock.advance(0.001)

    assert screen.getvalue().count(FRAME) == 24


def test_nothing_new_is_no_frame() -> None:
    clock, screen = FakeClock(), io.StringIO()
    view = MarkdownView(on_stream(screen), clock=clock)

    for text in ("word", "", " ", "  "):
        view.append(text)
        view.tick()
        clock.advance(1)
        view.tick()

    assert screen.getvalue().count(FRAME) == 1


def test_what_is_painted_needs_no_further_token() -> None:
    with PseudoTerminal() as pseudo:
        view = open_view(pseudo.terminal, markdown=True, raw=False)

        view.append("the last word before a long silence")

        pseudo.wait_for("silence")
        view.close()


def test_an_interrupted_answer_stays_and_the_cursor_is_below_it() -> None:
    with PseudoTerminal() as pseudo:
        view = open_view(pseudo.terminal, markdown=True, raw=False)
        view.append("Finished.\n\n- item\n- **unfin")

        view.close()

    assert pseudo.window.everything() == ["Finished.", "", " • item", " • **unfin"]
    assert (pseudo.window.cursor.y, pseudo.window.cursor.x) == (4, 0)
    assert not pseudo.window.cursor.hidden


def test_an_answer_without_text_writes_nothing() -> None:
    with PseudoTerminal() as pseudo:
        view = open_view(pseudo.terminal, markdown=True, raw=False)
        view.append("")

        view.close()

    assert pseudo.received == b""


def test_a_long_answer_is_in_the_scrollback_once() -> None:
    text = long_answer()
    with PseudoTerminal(columns=80, lines=24) as pseudo:
        view = open_view(pseudo.terminal, markdown=True, raw=False)
        for begin in range(0, len(text), 7):
            view.append(text[begin : begin + 7])
        view.close()

    assert pseudo.window.everything() == rendered(text, n_columns=80)


def test_without_colour_there_is_still_bold() -> None:
    with PseudoTerminal(NO_COLOR="1") as pseudo:
        view = open_view(pseudo.terminal, markdown=True, raw=False)
        view.append("**bold** `code`\n\n```py\nreturn 1\n```\n")
        view.close()

    styles = set(re.findall(rb"\x1b\[([\d;]*)m", bytes(pseudo.received)))
    assert styles == {b"1", b"0"}


def test_appending_does_not_wait_for_a_stopped_terminal() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb") as reader, open(writing, "w") as stdout:
        terminal = Terminal(stdin=None, stdout=stdout, stderr=None, stdout_is_terminal=True)
        view = MarkdownView(terminal).start()

        for n in range(1000):  # more than the pipe holds, and nobody reads
            view.append(f"paragraph {n} {'x' * 200}\n\n")

        received: list[bytes] = []
        thread = threading.Thread(target=lambda: received.append(reader.read()))
        thread.start()
        view.close()
        stdout.close()
        thread.join()
    assert b"paragraph 999" in received[0]


def test_a_terminal_that_went_away_is_reported_to_who_appends() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as stdout:
        terminal = Terminal(stdin=None, stdout=stdout, stderr=None, stdout_is_terminal=True)
        view = MarkdownView(terminal).start()
        view.append("x")

        with pytest.raises(BrokenPipeError):
            view.close()
        with pytest.raises(BrokenPipeError):
            view.append("y")


def fail_at(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Rich have a bug."""
    render = Markdown.__rich_console__

    def render_or_fail(self: Markdown, console: Console, options: ConsoleOptions) -> RenderResult:
        if any(word in token.content for token in self.parsed):
            raise IndexError("pop from an empty stack")
        return render(self, console, options)

    monkeypatch.setattr(Markdown, "__rich_console__", render_or_fail)


@pytest.mark.parametrize(
    ("end", "last_rows"), [("", []), ("\n\nThe end \x1b[2J\n", ["", "The end ␛[2J"])]
)
def test_what_can_not_be_drawn_is_shown_as_it_is(
    end: str, last_rows: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at("cursed", monkeypatch)
    with PseudoTerminal() as pseudo:
        view = open_view(pseudo.terminal, markdown=True, raw=False)
        view.append("**One**\n\ntwo\n")
        pseudo.wait_for("two")
        view.append(f"*three*\n\nfour\n\n**cursed**{end}")
        view.close()

    assert pseudo.window.everything() == [
        *("One", "two", "*three*", "", "four", "", "**cursed**", *last_rows),
        "this answer can't be drawn: IndexError: pop from an empty stack",
    ]


def test_without_what_draws_it_an_answer_is_shown_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tgicli.ui.region", None)
    with PseudoTerminal() as pseudo:
        view = open_view(pseudo.terminal, markdown=True, raw=False)
        view.append("**One**\n")
        view.append("two\n")
        view.close()

    assert pseudo.window.everything()[:2] == ["**One**", "two"]


def test_what_was_taken_away_is_painted_again_though_no_token_follows() -> None:
    with PseudoTerminal() as pseudo:
        terminal = pseudo.terminal
        view = open_view(terminal, markdown=True, raw=False)
        view.append("finished\n\n- not\n- fini")
        pseudo.wait_for("fini\x1b")

        taken = terminal.wipe()
        terminal.say("a shell's words")
        n_before = len(pseudo.received)
        for one in taken:
            one.paint_again()
        pseudo.wait_for("fini\x1b", behind=n_before)
        view.append("shed")
        view.close()

        assert terminal.wipe() == []
    shown = ["finished", "a shell's words", "", " • not", " • finished"]
    assert pseudo.window.everything() == shown
