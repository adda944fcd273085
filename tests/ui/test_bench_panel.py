"""A load test while it runs."""

from __future__ import annotations

import io
import os
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import FakeClock
from tests.ui.pty import PseudoTerminal
from tests.ui.test_tables import POINT
from tgicli.ui.bench_panel import BenchView, State, draw, open_bench_progress
from tgicli.ui.terminal import Terminal

RNG = random.Random(3)
TTFT_MS = tuple(300 * RNG.lognormvariate(0, 0.3) for _ in range(120))
TPOT_MS = tuple(17 * RNG.lognormvariate(0, 0.1) for _ in range(120))
VIEW = BenchView(
    target="http://127.0.0.1:8080",
    model="SmolLM2-135M-Instruct.Q4_1.gguf",
    point="concurrency 4",
    n_point=2,
    n_points=3,
    phase="measuring",
    share=0.5,
    left_s=15,
    total_left_s=72,
    n_in_flight=4,
    n_target=4,
    n_ok=120,
    n_busy=1,
    n_errors=2,
    n_tokens=7680,
    tokens_per_s=142.4,
    ttft_ms=TTFT_MS,
    tpot_ms=TPOT_MS,
)


def drawn(state: State, columns: int = 80, lines: int = 24, **options: bool) -> list[str]:
    return [
        one.plain.rstrip() for one in draw(state, os.terminal_size((columns, lines)), **options)
    ]


def test_a_usual_window_shows_where_it_is_and_how_fast():
    rows = drawn(State(VIEW, speeds=(100, 150, 142.4)))

    assert rows[:12] == [
        " tgicli bench  http://127.0.0.1:8080                       point 2/3  1:12 left",
        " SmolLM2-135M-Instruct.Q4_1.gguf",
        "",
        " concurrency 4  measuring",
        f" {'━' * 30}{'─' * 31}  50 %  0:15 left",
        "",
        " in flight    answered     busy         errors       tokens",
        " 4/4          120          1            2            7,680",
        "",
        " tokens/s   142        ▆██",
        " TTFT ms    p50 315    p90 467",
        " TPOT ms    p50 17.1   p90 19.3",
    ]


def test_two_histograms_stand_beside_each_other():
    rows = drawn(State(VIEW), columns=160, lines=50)

    (titles,) = [row for row in rows if "n 120" in row]
    assert titles.split() == ["TTFT", "n", "120", "TPOT", "n", "120"]
    assert len(rows) <= 49


def test_a_few_values_are_no_histogram():
    few = replace(VIEW, ttft_ms=TTFT_MS[:7], tpot_ms=TPOT_MS[:7])
    enough = replace(VIEW, ttft_ms=TTFT_MS[:8], tpot_ms=TPOT_MS[:7])

    assert not any("n 7" in row for row in drawn(State(few), 160, 50))
    assert [row for row in drawn(State(enough), 160, 50) if "n 8" in row]
    assert not any("n 7" in row for row in drawn(State(enough), 160, 50))


def test_a_narrow_window_has_one_histogram():
    rows = drawn(State(VIEW), columns=60)

    assert [row.split()[0] for row in rows if "n 120" in row] == ["TTFT"]


def test_finished_points_are_below_and_take_the_histogram_s_room():
    rows = drawn(State(VIEW, points=(POINT,) * 6))

    assert sum("concurrency 4 " in row for row in rows) == 7
    assert not any("n 120" in row for row in rows)


def test_two_finished_points_leave_room_for_a_histogram_in_a_usual_window():
    rows = drawn(State(VIEW, points=(POINT, POINT)))

    assert any("n 120" in row for row in rows)
    assert len(rows) <= 23


def test_of_few_requests_the_slowest_is_shown_and_no_p90():
    rows = drawn(State(replace(VIEW, ttft_ms=(100, 300, 200))))

    assert rows[10] == " TTFT ms    p50 200    max 300"


def test_before_the_first_answer_there_are_no_times():
    rows = drawn(State(replace(VIEW, ttft_ms=(), tpot_ms=())))

    assert rows[10:] == [" TTFT ms    -", " TPOT ms    -"]


def test_while_it_warms_up_there_is_no_bar():
    rows = drawn(State(replace(VIEW, phase="warming up", share=None, left_s=None)))

    assert rows[3:5] == [" concurrency 4  warming up", " until it is steady"]


def test_an_open_loop_shows_its_rate_and_what_was_dropped():
    rows = drawn(State(replace(VIEW, n_target=None, rate=4.0, n_dropped=3)))

    assert rows[6].split()[-1] == "dropped"
    assert rows[7].split() == ["4", "@", "4/s", "120", "1", "2", "7,680", "3"]


def test_without_unicode_all_is_ascii():
    rows = drawn(State(VIEW, speeds=(1, 2)), is_ascii=True)

    assert "".join(rows).isascii()


@given(
    st.builds(
        replace,
        st.just(VIEW),
        target=st.text(),
        model=st.text(),
        point=st.text(),
        phase=st.text(),
        share=st.none() | st.floats(-1, 2),
        n_tokens=st.integers(0, 10**12),
        ttft_ms=st.lists(st.floats(0, 1e6)).map(tuple),
    ),
    st.integers(1, 200),
    st.integers(1, 60),
)
def test_whatever_is_shown_fits_every_window(view: BenchView, columns: int, lines: int):
    state = State(view, points=(POINT,), speeds=(1.0,) * 300)
    clock = FakeClock()
    with_room = drawn(state, columns, lines)
    with PseudoTerminal(columns, lines) as pseudo:
        progress = open_bench_progress(pseudo.terminal, clock=clock)
        progress.show(view)
        progress.close()

    assert len(with_room) <= max(lines - 1, 21)
    assert pseudo.window.everything() == []


def test_the_panel_paints_by_itself_and_leaves_nothing():
    with PseudoTerminal() as pseudo:
        pseudo.terminal.say("$ tgicli bench")
        progress = open_bench_progress(pseudo.terminal)
        progress.show(VIEW)
        pseudo.wait_for("7,680")
        progress.add(POINT)
        pseudo.wait_for("times in ms")

        progress.close()
        pseudo.terminal.say("result")

    assert pseudo.window.everything() == ["$ tgicli bench", "result"]


@pytest.mark.parametrize(("no_colour", "has_colour"), [("", True), ("1", False)])
def test_colour_is_the_user_s_choice(no_colour: str, has_colour: bool):
    with PseudoTerminal(NO_COLOR=no_colour) as pseudo:
        progress = open_bench_progress(pseudo.terminal)
        progress.show(VIEW)
        pseudo.wait_for("7,680")
        progress.close()

    assert (b"\x1b[32m" in pseudo.received) == has_colour


def test_the_speed_s_history_has_a_value_a_second():
    clock = FakeClock()
    with PseudoTerminal() as pseudo:
        progress = open_bench_progress(pseudo.terminal, clock=clock)
        for _ in range(40):
            progress.show(VIEW)
            clock.advance(0.25)
        pseudo.wait_for("7,680")
        progress.close()

    assert len(progress._state.speeds) == 10  # type: ignore[attr-defined]  # of the panel


@pytest.mark.parametrize("facts", [{}, {"stderr_is_terminal": True, "is_dumb": True}])
def test_elsewhere_each_point_is_a_line(facts: dict[str, bool]):
    stderr = io.StringIO()
    progress = open_bench_progress(Terminal(stdin=None, stdout=None, stderr=stderr, **facts))

    for _ in range(50):
        progress.show(VIEW)
    progress.add(POINT)
    progress.add(replace(POINT, name="concurrency 16"))
    progress.close()

    lines = stderr.getvalue().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["concurrency 4", "concurrency 16"]


def test_who_wants_no_panel_gets_lines():
    stderr = io.StringIO()
    where = Terminal(stdin=None, stdout=None, stderr=stderr, stderr_is_terminal=True)
    progress = open_bench_progress(where, is_live=False)

    progress.show(VIEW)
    progress.add(POINT)
    progress.close()

    assert stderr.getvalue().count("\n") == 1
    assert "\x1b" not in stderr.getvalue()
