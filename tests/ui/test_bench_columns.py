"""A stream and a whole answer beside each other."""

from __future__ import annotations

import io
import os
from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.ui.pty import PseudoTerminal
from tgicli.ui.bench_columns import PairView, Side, State, draw, open_pair_progress
from tgicli.ui.terminal import Terminal

TEXT = "The lighthouse keeper had seen many storms, but none like this."
VIEW = PairView(
    target="http://127.0.0.1:8080",
    n_pair=2,
    n_pairs=5,
    streamed=Side(text=TEXT, elapsed_s=1.5, first_s=0.2),
    whole=Side(elapsed_s=1.5),
)


def drawn(state: State, columns: int = 60, lines: int = 10) -> list[str]:
    return [one.plain.rstrip() for one in draw(state, os.terminal_size((columns, lines)))]


def test_text_streams_at_the_left_while_a_timer_runs_at_the_right():
    assert drawn(State(VIEW)) == [
        " tgicli bench  http://127.0.0.1:8080               pair 2/5",
        "",
        " Streaming                   │ Waiting for all",
        " text after 0.2 s, asked 1.… │ asked 1.5 s ago",
        " The lighthouse keeper had   │",
        " seen many storms, but none  │",
        " like this.                  │            1.5 s",
        "                             │",
        "                             │",
    ]


def test_the_whole_text_drops_in_at_once():
    whole = Side(text=TEXT, elapsed_s=2.5, first_s=2.5, is_done=True)

    rows = drawn(State(replace(VIEW, whole=whole)), columns=100)

    assert rows[3].endswith("text after 2.5 s, all after 2.5 s")
    assert rows[4].count("The lighthouse keeper had seen") == 2


def test_a_side_whose_turn_has_not_come_says_so():
    assert drawn(State(replace(VIEW, whole=Side())))[3].endswith("not asked yet")


def test_a_long_text_shows_its_end():
    long = replace(VIEW.streamed, text="\n".join(f"line {n}" for n in range(100)))

    rows = drawn(State(replace(VIEW, streamed=long)))

    assert rows[-1].startswith(" line 99")
    assert len(rows) == 9


def test_pairs_that_are_over_are_told_below():
    rows = drawn(State(VIEW, words=("pair 1: reading began 1.3 s earlier",)), lines=14)

    assert rows[-1] == " pair 1: reading began 1.3 s earlier"
    assert len(rows) <= 13


@given(
    st.text(),
    st.text(),
    st.integers(1, 200),
    st.integers(1, 60),
)
@example(text="", words="0" * 30, columns=30, lines=1)
def test_whatever_is_shown_is_harmless_and_fits(text: str, words: str, columns: int, lines: int):
    view = replace(VIEW, target=words, streamed=replace(VIEW.streamed, text=text))

    rows = draw(State(view, words=(words,)), os.terminal_size((columns, lines)))

    assert not any("\x1b" in one.plain or "\n" in one.plain for one in rows)
    assert all(cell_len(one.plain) <= max(columns - 1, 1) for one in rows)


def test_at_the_end_nothing_is_left():
    with PseudoTerminal() as pseudo:
        progress = open_pair_progress(pseudo.terminal)
        progress.show(VIEW)
        pseudo.wait_for("lighthouse")
        progress.add("pair 1: done")
        pseudo.wait_for("pair 1: done")
        progress.close()

    assert pseudo.window.everything() == []


def test_elsewhere_each_pair_is_a_line():
    stderr = io.StringIO()
    progress = open_pair_progress(Terminal(stdin=None, stdout=None, stderr=stderr))

    progress.show(VIEW)
    progress.add("pair 1: reading began 1.3 s earlier")
    progress.close()

    assert stderr.getvalue() == "pair 1: reading began 1.3 s earlier\n"
