"""Plots below a result's tables: which there are depends on the window."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.bench.results import closed_run, open_run
from tgicli.bench.result import Result
from tgicli.cli.bench.charts import LINES_BELOW, plot_rows

FIRST_MS = [50.0 + n % 7 for n in range(60)]


@pytest.fixture(scope="module")
def three() -> Result:
    result, _ = closed_run(1, 4, 16)
    return result


def drawn(result: Result, columns: int, lines: int, n_taken: int = 12) -> list[str]:
    size = os.terminal_size((columns, lines))
    return [one.plain for one in plot_rows(result, FIRST_MS, size, n_taken)]


def test_latency_and_speed_stand_against_load_where_there_are_several(three: Result):
    rows = drawn(three, 80, 30)

    text = "\n".join(rows)
    assert "TTFT p50, ms" in rows[1]
    assert "tokens/s" in rows[1]
    assert text.count("●") == 2 * 3
    assert "requests at once" in rows[-1]
    assert "share that came by then" not in text


def test_a_wide_window_shows_how_the_last_load_was_spread_too(three: Result):
    text = "\n".join(drawn(three, 160, 50))

    assert "TTFT, concurrency 16" in text
    assert "n 60" in text
    assert "share that came by then" in text
    assert "tokens/s  " in text.splitlines()[-1]


def test_a_single_load_is_shown_spread_and_against_nothing():
    result, _ = closed_run(4)

    text = "\n".join(drawn(result, 80, 30))

    assert "TTFT, concurrency 4" in text
    assert "requests at once" not in text


def test_an_open_loop_is_against_its_rate_and_from_its_schedule():
    result, _ = open_run(2, 8)

    text = "\n".join(drawn(result, 120, 50))

    assert "TTFT sched p50, ms" in text
    assert "requests a second" in text
    assert "TTFT sched, 8 requests/s" in text


@pytest.mark.parametrize("columns", [80, 100, 160, 300])
@pytest.mark.parametrize("lines", range(10, 60, 3))
def test_plots_never_push_the_tables_out_of_the_window(three: Result, columns: int, lines: int):
    n_taken = 12

    rows = drawn(three, columns, lines, n_taken)

    assert not rows or n_taken + len(rows) + LINES_BELOW <= lines
    assert all(len(one) < columns for one in rows)


def test_a_narrow_window_and_a_low_one_have_none(three: Result):
    assert drawn(three, 79, 60) == []
    assert drawn(three, 80, 60, n_taken=58) == []
    assert drawn(replace(three, points=()), 80, 60) == []


def test_ascii_is_kept_to(three: Result):
    size = os.terminal_size((160, 50))

    rows = plot_rows(three, FIRST_MS, size, 10, is_ascii=True)

    assert all(one.plain.isascii() for one in rows)


def test_without_records_the_speeds_are_shown_alone():
    result, _ = closed_run(4)

    rows = [one.plain for one in plot_rows(result, (), os.terminal_size((80, 40)), 10)]

    assert len(rows) == 2
    assert rows[1].startswith("tokens/s  ")
