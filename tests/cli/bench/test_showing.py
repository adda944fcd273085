"""A result as it is shown: on a terminal, and on a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

import pytest

from tests.bench.results import FLOOR, SETTING, closed_run
from tests.bench.stamped import MS, answer, closed, opened, run_of, users
from tgicli.bench.paired import Stop
from tgicli.bench.recording import Measured, Recording
from tgicli.bench.report.page import to_html
from tgicli.bench.result import Remark, Result, Severity
from tgicli.bench.sheets import to_markdown
from tgicli.bench.summary import first_times_ms, summarize_recording
from tgicli.bench.verdict import Block, Verdict, compare
from tgicli.cli.bench.showing import comparison_table, health_of, point_row, result_table
from tgicli.cli.bench.versus import is_undecided, paired_words
from tgicli.ui.terminal import Terminal

WARNING = Severity.WARNING


@pytest.fixture
def window() -> Iterator[IO[str]]:
    """Return a terminal of 100 x 40."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    with os.fdopen(child, "w") as stream:
        yield stream
    os.close(parent)


def terminal(stdout: IO[str] | None, *, is_terminal: bool) -> Terminal:
    return Terminal(stdin=None, stdout=stdout, stderr=None, stdout_is_terminal=is_terminal)


def recorded() -> tuple[Result, Recording]:
    setting = closed_run(4)[0].setting
    points = tuple(Measured(point=closed(n), runs=(run_of(users(n)),), floor=FLOOR) for n in (1, 4))
    recording = Recording(setting=setting, points=points)
    return summarize_recording(recording), recording


def with_remarks(result: Result, *texts: str) -> Result:
    """Return the result, with a warning at each of its points."""
    points = [
        replace(point, remarks=(Remark(WARNING, text),))
        for point, text in zip(result.points, texts, strict=True)
    ]
    return replace(result, points=tuple(points))


def test_a_terminal_has_plots_below_the_tables_and_a_pipe_has_not(window: IO[str]):
    result, recording = recorded()

    seen = result_table(result, recording, terminal(window, is_terminal=True)).decode()
    piped = result_table(result, recording, terminal(window, is_terminal=False)).decode()

    assert seen.index("concurrency 4") < seen.index("TTFT p50, ms")
    assert "TTFT p50, ms" not in piped
    assert "\x1b" not in piped
    assert piped.startswith("VALID  client")


def test_the_times_that_are_drawn_are_those_that_the_figures_are_of():
    result, recording = recorded()

    for point, measured in zip(result.points, recording.points, strict=True):
        sample = point.figures.metrics["ttft_ms"]
        times = first_times_ms(measured)
        assert (len(times), min(times), max(times)) == (sample.n, sample.min, sample.max)


def test_in_an_open_loop_times_count_from_the_plan_wherever_they_are_shown():
    at_ms = [200.0 * k for k in range(50)]
    late = [answer(at + 30, sched_ns=round(at * MS)) for at in at_ms]
    measured = Measured(point=opened(at_ms), runs=(run_of(late),))
    recording = Recording(setting=SETTING, points=(measured,))
    result = summarize_recording(recording)

    shown = point_row(result.points[0])

    assert (shown.ttft.p50, shown.e2e.p50) == (130, 230)
    assert set(first_times_ms(measured)) == {130}
    table = next(line for line in to_markdown(result).splitlines() if line.startswith("| open"))
    assert "| 130 |" in table
    assert "| 230 |" in table
    assert "End to end is from the schedule." in to_html(result)


def test_what_is_said_of_several_points_in_other_figures_is_said_once():
    result = with_remarks(closed_run(1, 4, 16)[0], "2.9 ms late", "3.1 ms late", "on its own")

    assert health_of(result).remarks == (
        ("warning", "concurrency 1: 2.9 ms late; likewise concurrency 4"),
        ("warning", "concurrency 16: on its own"),
    )


def test_what_is_said_of_all_points_has_no_names():
    result = with_remarks(closed_run(1, 4)[0], "as it is", "as it is")

    assert health_of(result).remarks == (("warning", "as it is"),)


def test_the_floor_is_that_of_the_load_where_it_is_most_and_has_no_minus_zero(window: IO[str]):
    result, _ = recorded()
    one, other = result.points
    small = replace(FLOOR, ttft_added_p50_ms=0.1, icl_added_p50_ms=-0.001)
    low = replace(FLOOR, icl_added_p50_ms=-0.002)
    points = (replace(one, floor=small), replace(other, floor=low))

    shown = result_table(replace(result, points=points), None, terminal(None, is_terminal=False))

    words = shown.decode().replace("\n  ", " ")
    assert "by itself, at most: TTFT +0.90, +2.10 ms, gaps +0.00, +0.60 ms (p50" in words


def test_lengths_that_differ_and_the_noise_are_told_and_the_same_is_the_same_within_something():
    a, b = {"tpot": 10.0, "n_tokens": 100.0}, {"tpot": 10.01, "n_tokens": 50.0}
    blocks = [Block(a=(a, a), b=(b, b)) for _ in range(8)]
    found = replace(compare(blocks, metrics=("tpot",)), noise={"tpot": 0.031})

    words = "\n".join(paired_words(found, Stop.BLOCKS))
    table = comparison_table(found, ("one", "other"), terminal(None, is_terminal=False)).decode()

    assert found.metrics["tpot"].verdict is Verdict.SAME
    assert is_undecided(found)
    assert not is_undecided(replace(found, lengths=None))
    assert "same within 5 %" in table
    assert "lengths differ, so the times do not compare: 100.0 tokens of A's, 50.0 of B's" in words
    assert "noise floor: tpot 3.1 %" in words
