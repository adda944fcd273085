from __future__ import annotations

import io

import pytest

from tests.fakes import FakeClock
from tests.ui.pty import PseudoTerminal
from tgicli.ui.live import open_view
from tgicli.ui.pace import FRAME_S
from tgicli.ui.status import Status
from tgicli.ui.terminal import Terminal


def test_the_line_shows_the_last_text_and_wraps_nowhere() -> None:
    clock = FakeClock()
    with PseudoTerminal(columns=20, lines=5) as pseudo:
        status = Status(pseudo.terminal, clock=clock)
        status.show("loading a model with a long name")
        clock.advance(FRAME_S)

        status.show("prompt 3,120/8,400 tokens")

    assert pseudo.window.everything() == ["prompt 3,120/8,400 s"]


def test_a_cleared_line_leaves_no_trace() -> None:
    with PseudoTerminal() as pseudo:
        pseudo.terminal.say("before")
        status = Status(pseudo.terminal)
        status.show("prompt 3,120/8,400 tokens")

        status.clear()
        pseudo.terminal.say("after")

    assert pseudo.window.everything() == ["before", "after"]


def test_a_closed_line_shows_nothing_any_more() -> None:
    with PseudoTerminal() as pseudo:
        status = Status(pseudo.terminal)
        status.show("downloading 1 MB of 2 MB")

        status.close()
        status.show("downloading 2 MB of 2 MB")

    assert pseudo.window.everything() == []


def test_a_line_that_a_narrower_window_wrapped_is_cleared_whole() -> None:
    with PseudoTerminal(columns=40, lines=5) as pseudo:
        status = Status(pseudo.terminal)
        status.show("prompt 3,120/8,400 tokens")
        pseudo.wait_for("tokens")
        pseudo.window.resize(columns=10)

        status.clear()

    assert pseudo.window.everything() == []


def test_twelve_lines_a_second_are_shown_at_most() -> None:
    clock = FakeClock()
    with PseudoTerminal() as pseudo:
        status = Status(pseudo.terminal, clock=clock)
        for n in range(1000):
            status.show(f"token {n}")
            clock.advance(0.001)

    assert pseudo.received.count(b"token") == 12


def test_the_text_can_not_drive_the_terminal() -> None:
    with PseudoTerminal() as pseudo:
        Status(pseudo.terminal).show("a\x1b[5Bb\nc")

    assert pseudo.window.everything() == ["a␛[5Bb c"]


def test_clearing_twice_or_nothing_writes_nothing() -> None:
    with PseudoTerminal() as pseudo:
        Status(pseudo.terminal).clear()

    assert pseudo.received == b""


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"TERM": "xterm", "FORCE_COLOR": "1"}])
def test_what_can_not_animate_gets_nothing(environ: dict[str, str]) -> None:
    stderr = io.StringIO()
    status = Status(Terminal.from_streams(None, None, stderr, environ))

    status.show("loading")
    status.clear()

    assert stderr.getvalue() == ""


def test_the_answer_takes_the_place_of_a_cleared_line() -> None:
    with PseudoTerminal() as pseudo:
        status = Status(pseudo.terminal)
        view = open_view(pseudo.terminal, markdown=True, raw=False)
        status.show("prompt 3,120/8,400 tokens")

        status.clear()
        view.append("The answer.")
        view.close()

    assert pseudo.window.everything() == ["The answer."]
