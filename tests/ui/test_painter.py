"""Rows repainted at one place."""

from __future__ import annotations

import io
import termios

import pytest
from rich.text import Text

from tests.fakes import FakeClock
from tests.server.conftest import eventually
from tests.ui.pty import PseudoTerminal, held_terminal
from tgicli.ui.painter import FRAME_S, Painter
from tgicli.ui.rows import row
from tgicli.ui.terminal import Terminal

FRAME = "\x1b[?2026h"


def terminal(stderr: io.StringIO) -> Terminal:
    return Terminal(stdin=None, stdout=None, stderr=stderr, stderr_is_terminal=True)


def lines(*words: str) -> list[Text]:
    return [row(word) for word in words]


def test_four_frames_a_second_are_painted_at_most():
    clock, stderr, counts = FakeClock(), io.StringIO(), iter(range(10_000))
    painter = Painter(terminal(stderr), lambda size: lines(str(next(counts))), clock=clock)

    for _ in range(2000):
        painter.changed()
        painter.tick()
        clock.advance(0.001)

    assert stderr.getvalue().count(FRAME) == 2 / FRAME_S


def test_nothing_changed_is_no_frame():
    clock, stderr = FakeClock(), io.StringIO()
    painter = Painter(terminal(stderr), lambda size: lines("same"), clock=clock)

    for _ in range(5):
        painter.changed()
        painter.tick()
        clock.advance(1)

    assert stderr.getvalue().count(FRAME) == 1


def test_without_news_nothing_is_drawn():
    painter = Painter(terminal(io.StringIO()), lambda size: pytest.fail("it was drawn"))

    painter.tick()


def test_at_its_end_nothing_is_left():
    with PseudoTerminal() as pseudo:
        pseudo.terminal.say("before")
        painter = Painter(pseudo.terminal, lambda size: lines("one", "two")).start()
        painter.changed()
        pseudo.wait_for("two")

        painter.close()
        pseudo.terminal.say("after")

    assert pseudo.window.everything() == ["before", "after"]


def test_the_last_state_may_stay():
    with PseudoTerminal() as pseudo:
        painter = Painter(pseudo.terminal, lambda size: lines("one", "two")).start()

        painter.close(keeps=True)
        pseudo.terminal.say("after")

    assert pseudo.window.everything() == ["one", "two", "after"]


def test_what_was_never_drawn_leaves_nothing():
    with PseudoTerminal() as pseudo:
        painter = Painter(pseudo.terminal, lambda size: []).start()
        painter.changed()
        painter.close(keeps=True)

    assert pseudo.received == b""


def test_a_smaller_window_gets_fewer_rows_and_shorter_ones():
    clock = FakeClock()
    with PseudoTerminal(columns=80, lines=24) as pseudo:
        where = pseudo.terminal
        painter = Painter(where, lambda size: lines(*["x" * 60] * 20), clock=clock)
        painter.changed()
        painter.tick()

        assert where.stderr is not None
        termios.tcsetwinsize(where.stderr.fileno(), (10, 30))
        clock.advance(1)
        painter.changed()
        painter.tick()
        painter.close(keeps=True)

    rows = pseudo.received.decode().rpartition(FRAME)[2].splitlines()
    assert [row.count("x") for row in rows if "x" in row] == [28] * 9


def test_what_was_taken_away_is_painted_again():
    with PseudoTerminal() as pseudo:
        where = pseudo.terminal
        painter = Painter(where, lambda size: lines("one", "two")).start()
        painter.changed()
        pseudo.wait_for("two")

        taken = where.wipe()
        where.say("a shell's words")
        for one in taken:
            one.paint_again()
        painter.close(keeps=True)

        assert where.wipe() == []
    assert pseudo.window.everything() == ["a shell's words", "one", "two"]


def test_elsewhere_nothing_is_painted():
    stderr = io.StringIO()
    painter = Painter(
        Terminal(stdin=None, stdout=None, stderr=stderr), lambda s: lines("x")
    ).start()

    painter.changed()
    painter.close(keeps=True)

    assert stderr.getvalue() == ""


def test_a_terminal_that_is_held_holds_nobody():
    with held_terminal() as held:
        painter = Painter(held, lambda size: lines("x")).start()

        painter.changed()
        assert eventually(lambda: painter._painted is not None)
        painter.close()

        assert painter._thread.is_alive()
    painter._thread.join()


def test_a_terminal_held_since_before_the_first_frame_holds_nobody():
    with held_terminal() as held:
        painter = Painter(held, lambda size: lines("x")).start()

        painter.close(keeps=True)

        assert painter._thread.is_alive()
    painter._thread.join()
