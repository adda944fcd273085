"""How far a batch is, on a terminal and elsewhere."""

from __future__ import annotations

import io
import os
from dataclasses import replace

import pytest

from tests.fakes import FakeClock
from tgicli.ui.batch import BatchView, draw_bar, open_progress, to_text
from tgicli.ui.terminal import Terminal

VIEW = BatchView(
    n_prompts=1000,
    n_answered=412,
    n_failed=3,
    n_running=4,
    n_allowed=8,
    n_tokens=0,
    trouble="busy",
    left_s=43,
)


def terminal(**facts: bool) -> tuple[Terminal, io.StringIO]:
    stderr = io.StringIO()
    return Terminal(stdin=None, stdout=None, stderr=stderr, **facts), stderr


def test_elsewhere_a_line_is_said_every_few_seconds():
    where, stderr = terminal()
    clock = FakeClock()
    progress = open_progress(where, clock=clock)

    for _ in range(40):
        progress.show(VIEW)
        clock.advance(0.25)
    progress.close()

    assert stderr.getvalue() == (
        "412 of 1,000 prompts answered, 3 failed, 4/8 running, busy, 0 tokens/s, 0:43 left\n"
    )


def test_a_long_night_is_no_long_log():
    where, stderr = terminal()
    clock = FakeClock()
    progress = open_progress(where, clock=clock)

    n_lines = []
    for _ in range(10):
        for _ in range(3600):
            progress.show(VIEW)
            clock.advance(1)
        n_lines.append(stderr.getvalue().count("\n"))

    assert n_lines[0] < 60
    assert n_lines[-1] - n_lines[-2] == 12


def test_what_is_not_so_is_not_said():
    calm = replace(VIEW, n_failed=0, trouble="", left_s=None)

    assert to_text(calm, 1234) == "412 of 1,000 prompts answered, 4/8 running, 1,234 tokens/s"


def test_a_terminal_sees_a_bar_that_goes_at_the_end():
    where, stderr = terminal(stderr_is_terminal=True)
    progress = open_progress(where, clock=FakeClock())

    progress.show(VIEW)
    shown = stderr.getvalue()
    progress.close()

    assert "━" in shown
    assert "412/1,000  3 failed" in shown
    assert "\n" not in stderr.getvalue()
    assert stderr.getvalue().endswith("\x1b[J\r")


@pytest.mark.parametrize("n_columns", [1, 20, 60, 80, 200])
def test_the_row_fits_into_the_window(n_columns: int, monkeypatch: pytest.MonkeyPatch):
    where, _ = terminal(stderr_is_terminal=True)
    size = os.terminal_size((n_columns, 24))
    monkeypatch.setattr(Terminal, "stderr_size", lambda self: size)

    assert len(draw_bar(VIEW, 0, replace(where, wants_colour=False))) < max(n_columns, 2)
