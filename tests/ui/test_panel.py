from __future__ import annotations

import dataclasses
import io
import os
import termios
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.fakes import FakeClock
from tests.ui.pty import PseudoTerminal, held_terminal
from tgicli.ui.panel import Panel, RequestLine, ServerView, draw
from tgicli.ui.terminal import Terminal

FRAME = "\x1b[?2026h"
USUAL = os.terminal_size((80, 24))
VIEW = ServerView(
    address="http://127.0.0.1:3000",
    model="SmolLM2-135M-Instruct.Q4_1.gguf",
    n_places=16,
    n_running=3,
    n_waiting=2,
    n_done=1204,
    n_refused=7,
    n_generated_tokens=5000,
    n_prompt_tokens=1000,
    n_cached_tokens=712,
    worst_step_s=0.084,
)
LINE = RequestLine(
    time=datetime(2026, 2, 28, 23, 59, 58, tzinfo=UTC),
    method="POST",
    path="/v1/chat/completions",
    status=200,
    n_prompt_tokens=2451,
    n_new_tokens=64,
    ttft_s=0.21,
    duration_s=1.45,
)
REFUSED = dataclasses.replace(
    LINE, path="/generate", status=429, n_prompt_tokens=None, n_new_tokens=None, ttft_s=None
)


def view(**changes: Any) -> ServerView:
    return dataclasses.replace(VIEW, **changes)


def line(**changes: Any) -> RequestLine:
    return dataclasses.replace(LINE, **changes)


def drawn(
    view: ServerView,
    *lines: RequestLine,
    tokens_per_s: float = 142.4,
    size: os.terminal_size = USUAL,
) -> list[str]:
    """Return the panel's rows without their colours."""
    return [row.plain for row in draw(view, tokens_per_s, lines, size)]


def on_stream(stderr: io.StringIO) -> Terminal:
    return Terminal(stdin=None, stdout=None, stderr=stderr, stderr_is_terminal=True)


def columns_of(rows: list[str]) -> list[str]:
    """Return the titles above the requests."""
    return next(row for row in rows if row.startswith(" time")).split()


def test_a_usual_window_shows_everything() -> None:
    assert drawn(VIEW, LINE, REFUSED) == [
        " tgicli serve  http://127.0.0.1:3000                                    ● ready",
        " SmolLM2-135M-Instruct.Q4_1.gguf",
        "",
        " █████████▒▒▒▒▒·····························   3 running   2 waiting  16 places",
        "",
        " tokens/s       done           refused        cached         worst step",
        " 142            1,204          7              71 %           84 ms",
        "",
        " time      request                      status  prompt    new    ttft     total",
        " 23:59:58  POST /v1/chat/completions       200   2,451     64  210 ms     1.4 s",
        " 23:59:58  POST /generate                  429       -      -       -     1.4 s",
    ]


def test_a_server_that_was_asked_nothing_says_so() -> None:
    new = view(n_prompt_tokens=0, n_cached_tokens=0)

    rows = drawn(new, tokens_per_s=0.0)

    assert rows[6].split() == ["0.0", "1,204", "7", "-", "84", "ms"]
    assert rows[-1] == " no requests yet"


@pytest.mark.parametrize(("lines", "n_shown"), [(24, 8), (50, 16), (14, 4), (11, 1)])
def test_the_last_requests_are_shown_newest_below(lines: int, n_shown: int) -> None:
    requests = [line(path=f"/{n}") for n in range(30)]

    rows = drawn(VIEW, *requests, size=os.terminal_size((80, lines)))

    paths = [row.split()[2] for row in rows if "POST" in row]
    assert paths == [f"/{n}" for n in range(30 - n_shown, 30)]


@pytest.mark.parametrize(
    ("n_columns", "titles"),
    [
        (160, ["time", "request", "status", "prompt", "new", "ttft", "total"]),
        (70, ["time", "request", "status", "prompt", "new", "total"]),
        (60, ["time", "request", "status", "new", "total"]),
        (45, ["time", "request", "status", "total"]),
        (30, ["time", "request", "status"]),
    ],
)
def test_a_narrow_window_does_without_some_columns(n_columns: int, titles: list[str]) -> None:
    assert columns_of(drawn(VIEW, LINE, size=os.terminal_size((n_columns, 24)))) == titles


def test_a_narrow_window_has_no_bar_and_facts_below_each_other() -> None:
    rows = drawn(VIEW, size=os.terminal_size((40, 24)))

    assert rows[3:10] == [
        "  3 running   2 waiting  16 places",
        "",
        " tokens/s           done",
        " 142                1,204",
        " refused            cached",
        " 7                  71 %",
        " worst step",
    ]


@given(
    st.builds(
        ServerView,
        address=st.text(),
        model=st.text(),
        state=st.text(),
        n_places=st.integers(0, 10**6),
        n_running=st.integers(0, 10**6),
        n_waiting=st.integers(0, 10**6),
        n_done=st.integers(0, 10**12),
        n_refused=st.integers(0, 10**12),
        n_generated_tokens=st.just(0),
        n_prompt_tokens=st.integers(0, 10**12),
        n_cached_tokens=st.integers(0, 10**12),
        worst_step_s=st.floats(0, 1e6),
    ),
    st.lists(st.builds(line, path=st.text(), method=st.text(), duration_s=st.floats(0, 1e6))),
    st.tuples(st.integers(1, 200), st.integers(1, 60)),
)
@example(view=dataclasses.replace(VIEW, address="", model="", state=""), lines=[], size=(16, 1))
def test_whatever_is_shown_fits_every_window(
    view: ServerView, lines: list[RequestLine], size: tuple[int, int]
) -> None:
    columns, n_lines = size

    rows = drawn(view, *lines, size=os.terminal_size(size))

    assert 1 <= len(rows) <= max(n_lines - 1, 1)
    assert all(cell_len(row) <= max(columns - 1, 1) for row in rows)
    assert all(row == row.rstrip() for row in rows)


@pytest.mark.parametrize(
    ("n_running", "n_waiting", "n_full", "n_half"),
    [(0, 0, 0, 0), (4, 4, 11, 11), (12, 4, 33, 10), (12, 99, 33, 10), (99, 4, 43, 0)],
)
def test_the_bar_shows_whose_the_places_are(
    n_running: int, n_waiting: int, n_full: int, n_half: int
) -> None:
    row = drawn(view(n_running=n_running, n_waiting=n_waiting))[3]

    assert row.split()[0] == ("█" * n_full + "▒" * n_half).ljust(43, "·")


def test_one_of_many_is_seen_in_the_bar() -> None:
    assert "█" in drawn(view(n_running=1, n_waiting=0, n_places=1000))[3]


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (0.0004, "0 ms"),
        (0.9, "900 ms"),
        (1.449, "1.4 s"),
        (99.9, "99.9 s"),
        (100, "1:40 min"),
        (3605.9, "60:05 min"),
    ],
)
def test_durations_have_the_unit_that_suits_them(duration_s: float, text: str) -> None:
    assert drawn(VIEW, line(duration_s=duration_s))[-1].endswith(f" {text}")


def test_a_failure_has_another_colour_than_an_answer() -> None:
    lines = [line(status=status) for status in (200, 429, 500)]

    rows = draw(VIEW, 0.0, lines, USUAL)[-3:]

    assert [row.spans[1].style for row in rows] == ["green", "yellow", "bold red"]


def test_what_a_client_chose_can_not_drive_the_terminal() -> None:
    row = drawn(VIEW, line(path="/\x1b[2J\x9b\r\n\t"))[-1]

    assert "/␛[2J\ufffd␍␊␉" in row


def test_four_frames_a_second_are_painted_at_most() -> None:
    clock, screen = FakeClock(), io.StringIO()
    panel = Panel(on_stream(screen), clock=clock)

    for n_done in range(2000):
        panel.update(view(n_done=n_done))
        panel._painter.tick()
        clock.advance(0.001)

    assert screen.getvalue().count(FRAME) == 8


def test_nothing_changed_is_no_frame() -> None:
    clock, screen = FakeClock(), io.StringIO()
    panel = Panel(on_stream(screen), clock=clock)

    for _ in range(10):
        panel.update(VIEW)
        panel._painter.tick()
        clock.advance(1)

    assert screen.getvalue().count(FRAME) == 1


def test_requests_before_the_first_numbers_wait_for_them() -> None:
    clock, screen = FakeClock(), io.StringIO()
    panel = Panel(on_stream(screen), clock=clock)

    panel.add(LINE)
    panel._painter.tick()
    clock.advance(1)
    before = screen.getvalue()
    panel.update(VIEW)
    panel._painter.tick()

    assert before == ""
    assert LINE.path in screen.getvalue()


def test_the_panel_paints_by_itself() -> None:
    with PseudoTerminal() as pseudo:
        panel = Panel(pseudo.terminal).start()

        panel.update(VIEW)
        panel.add(LINE)

        pseudo.wait_for(LINE.path)
        panel.close()


def test_the_last_state_stays_once_and_the_cursor_is_below_it() -> None:
    with PseudoTerminal() as pseudo:
        pseudo.terminal.say("$ tgicli serve")
        panel = Panel(pseudo.terminal).start()
        panel.update(VIEW)
        pseudo.wait_for("1,204")

        panel.add(LINE)
        panel.update(view(n_done=1205, state="stopped"))
        panel.close()
        pseudo.terminal.say("after")

    last = drawn(view(n_done=1205, state="stopped"), LINE, tokens_per_s=0.0)
    assert pseudo.window.everything() == ["$ tgicli serve", *last, "after"]


def test_a_panel_at_the_window_s_bottom_is_painted_in_place() -> None:
    with PseudoTerminal() as pseudo:
        pseudo.terminal.write_stderr(b"\r\n" * 23)
        panel = Panel(pseudo.terminal, clock=FakeClock())
        for n_done in range(5):
            panel.update(view(n_done=n_done))
            panel.add(LINE)
            panel._painter._paint()
        panel.close()

    assert [row for row in pseudo.window.everything() if row] == [
        row for row in drawn(view(n_done=4), *[LINE] * 5, tokens_per_s=0.0) if row
    ]


@pytest.mark.parametrize("n_columns", [50, 200])
def test_a_resized_window_shows_the_panel_once(n_columns: int) -> None:
    clock = FakeClock()
    with PseudoTerminal() as pseudo:
        terminal = pseudo.terminal
        panel = Panel(terminal, clock=clock)
        panel.update(VIEW)
        panel.add(LINE)
        panel._painter.tick()
        pseudo.wait_for(LINE.path)

        assert terminal.stderr is not None
        termios.tcsetwinsize(terminal.stderr.fileno(), (24, n_columns))
        pseudo.window.resize(columns=n_columns)
        clock.advance(1)
        panel.update(VIEW)
        panel._painter.tick()
        panel.close()

    size = os.terminal_size((n_columns, 24))
    assert pseudo.window.everything() == drawn(VIEW, LINE, tokens_per_s=0.0, size=size)


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"TERM": "xterm", "FORCE_COLOR": "1"}])
def test_what_can_not_animate_gets_nothing(environ: dict[str, str]) -> None:
    stderr = io.StringIO()
    panel = Panel(Terminal.from_streams(None, None, stderr, environ)).start()

    panel.update(VIEW)
    panel.add(LINE)
    panel.close()

    assert stderr.getvalue() == ""


def test_a_panel_that_was_told_nothing_leaves_nothing() -> None:
    with PseudoTerminal() as pseudo:
        Panel(pseudo.terminal).start().close()

    assert pseudo.received == b""


@pytest.mark.parametrize(("no_colour", "has_colour"), [("", True), ("1", False)])
def test_colour_is_the_user_s_choice(no_colour: str, has_colour: bool) -> None:
    with PseudoTerminal(NO_COLOR=no_colour) as pseudo:
        panel = Panel(pseudo.terminal)
        panel.update(VIEW)
        panel.close()

    assert (b"\x1b[32m" in pseudo.received) == has_colour


def test_a_terminal_that_is_held_holds_nobody() -> None:
    with held_terminal() as terminal:
        panel = Panel(terminal).start()

        for n_done in range(1000):
            panel.update(view(n_done=n_done))
            panel.add(LINE)
        panel.close()

        assert panel._painter._thread.is_alive()
    panel._painter._thread.join()
