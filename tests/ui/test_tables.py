"""A run's result as tables."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from tgicli.ui.tables import (
    Health,
    PointRow,
    RatioRow,
    Spread,
    grid_rows,
    health_rows,
    point_rows,
    point_words,
    ratio_rows,
    result_rows,
)

HEALTH = Health(
    is_valid=True,
    cpu_share=0.12,
    lag_p99_ms=0.4,
    offered=(4.0,),
    achieved=(3.98,),
    cache_share=0.0,
)
POINT = PointRow(
    name="concurrency 4",
    ttft=Spread(p50=310, p90=400, most=760),
    tpot=Spread(p50=15.4, p90=18.2, most=99),
    gap=Spread(p50=15.4, p90=18.2, p99=26, most=250),
    e2e=Spread(p50=1380, p90=1700, most=2800),
    tokens_per_s=150.2,
    tokens_within=2.2,
    requests_per_s=2.2,
)
POINTS = [replace(POINT, name=f"concurrency {n}") for n in (1, 4, 16)]
RATIO = RatioRow(
    name="TTFT", first=312, second=340, change=0.09, low=0.02, high=0.15, verdict="slower"
)


def plain(rows: list[Text]) -> list[str]:
    return [one.plain for one in rows]


def test_validity_comes_first():
    rows = plain(result_rows(HEALTH, POINTS, 110))

    assert rows[0] == (
        "VALID  client 12 % CPU, loop p99 0.4 ms  offered 4, achieved 3.98 req/s"
        "  0 dropped  0 errors  cache 0 %"
    )


def test_three_points_are_a_glance_in_a_usual_window():
    assert plain(result_rows(HEALTH, POINTS, 80)) == [
        "VALID  client 12 % CPU, loop p99 0.4 ms  offered 4, achieved 3.98 req/s",
        "       0 dropped  0 errors  cache 0 %",
        "",
        "times in ms                                      TTFT  TPOT          ITL   e2e",
        "load               tokens/s req/s   p50    p90    p99   p50   p50    p99   p50",
        "concurrency 1      150 ±2.2  2.20   310    400   760*  15.4  15.4   26.0 1,380",
        "concurrency 4      150 ±2.2  2.20   310    400   760*  15.4  15.4   26.0 1,380",
        "concurrency 16     150 ±2.2  2.20   310    400   760*  15.4  15.4   26.0 1,380",
        "* the largest: too few answers for this percentile",
    ]


def test_what_invalidates_a_run_is_said_before_the_numbers_and_the_rest_below():
    remarks = (("note", "same machine"), ("warning", "late"), ("invalid", "97 % of a core"))
    health = replace(HEALTH, is_valid=False, offered=(), n_busy=3, remarks=remarks)

    rows = result_rows(health, [POINT], 80)

    assert plain(rows)[:4] == [
        "INVALID  client 12 % CPU, loop p99 0.4 ms  0 dropped  0 errors",
        "         3 refused as busy  cache 0 %  1 warning below",
        "invalid: 97 % of a core",
        "",
    ]
    assert plain(rows)[-3:] == ["", "warning: late", "note: same machine"]
    assert [one.spans[0].style for one in (rows[0], rows[2], rows[-2], rows[-1])] == [
        "bold red",
        "red",
        "yellow",
        "dim",
    ]


def test_requests_that_were_cut_off_are_told():
    assert "0 errors  3 cut off" in "".join(plain(health_rows(replace(HEALTH, n_cut=3), 120)))


def test_a_long_remark_is_wrapped_at_its_words():
    health = replace(HEALTH, remarks=(("note", "the words of a remark that is long"),))

    assert plain(result_rows(health, [POINT], 30))[-2:] == [
        "note: the words of a remark",
        "  that is long",
    ]


@pytest.mark.parametrize(
    ("remarks", "colour"), [((), "bold green"), ((("warning", "late"),), "bold yellow")]
)
def test_a_warning_colours_the_verdict(remarks: tuple[tuple[str, str], ...], colour: str):
    assert health_rows(replace(HEALTH, remarks=remarks), 80)[0].spans[0].style == colour


def test_a_cache_that_nobody_told_of_is_not_zero():
    assert "cache" not in "".join(plain(health_rows(replace(HEALTH, cache_share=None), 80)))


def test_a_wide_window_sees_all_percentiles():
    titles = plain(point_rows(POINTS, 140))[1].split()

    assert titles == ["load", "tokens/s", "req/s", *["p50", "p90", "p99"] * 4]


def test_an_objective_adds_its_column_and_how_much_was_kept():
    rows = plain(point_rows([replace(POINT, goodput=1.9, kept_share=0.864)], 100))

    assert "good/s" in rows[1]
    assert "1.90" in rows[2]
    assert rows[-1] == "objective kept: concurrency 4 86.4 %"


def test_gaps_between_pieces_of_several_tokens_are_not_called_itl():
    rows = plain(point_rows([replace(POINT, gap_name="ICL (4.0 tok/chunk)")], 80))

    assert "ICL" in rows[0]
    assert "ITL" not in "".join(rows)
    assert rows[-1] == "ICL (4.0 tok/chunk): gaps between pieces of text, not tokens"


def test_points_that_differ_in_their_pieces_share_the_careful_name():
    rows = plain(point_rows([POINT, replace(POINT, gap_name="ICL (1.2 tok/chunk)")], 80))

    assert "ICL" in rows[0]
    assert "ITL" not in rows[0]


def test_an_open_loop_s_first_token_is_counted_from_the_schedule():
    assert "TTFT from schedule" in plain(point_rows(POINTS, 80, "TTFT from schedule"))[0]


def test_an_invalid_point_is_marked_in_its_row():
    rows = plain(point_rows([replace(POINT, is_valid=False)], 80))

    assert rows[2].startswith("concurrency 4 !")
    assert rows[-1].startswith("! invalid")


def test_what_was_not_measured_is_a_dash():
    row = plain(point_rows([replace(POINT, tpot=Spread(), tokens_per_s=None)], 60))[2]

    assert row.split() == ["concurrency", "4", "-", "±2.2", "2.20", "310", "400", "760*", "-"]


@given(
    st.builds(
        PointRow,
        name=st.text(),
        is_valid=st.booleans(),
        ttft=st.builds(Spread, p50=st.floats(0, 1e9)),
        tpot=st.builds(Spread, most=st.floats(0, 1e9)),
        gap=st.builds(Spread),
        gap_name=st.sampled_from(["ITL", "ICL (2.0 tok/chunk)"]),
        e2e=st.builds(Spread),
        tokens_per_s=st.floats(0, 1e9),
        requests_per_s=st.floats(0, 1e9),
        goodput=st.none() | st.floats(0, 1e9),
    ),
    st.builds(replace, st.just(HEALTH), remarks=st.just((("note", "x" * 99),))),
    st.integers(1, 200),
)
def test_whatever_is_shown_fits_every_window(point: PointRow, health: Health, n_columns: int):
    rows = plain(result_rows(health, [point], n_columns))

    assert all(cell_len(row) <= n_columns for row in rows)
    assert all(row == row.rstrip() for row in rows)


def test_two_sides_stand_beside_each_other_with_interval_and_verdict():
    rows = plain(ratio_rows([RATIO], ("A", "B"), 80, title="concurrency 4"))

    assert rows == [
        "concurrency 4          A         B   change  95 % interval     verdict",
        "TTFT                 312       340   +9.0 %  +2.0 to +15.0 %   slower",
    ]


def test_what_grows_many_times_is_told_as_a_factor():
    grown = replace(RATIO, change=13.459, low=8.0, high=20.5)

    assert "   x 14.5  x 9.0 to 21.5     slower" in plain(ratio_rows([grown], ("A", "B"), 80))[1]


@pytest.mark.parametrize(
    ("verdict", "style"),
    [("faster", "green"), ("slower", "red"), ("same within 2 %", "green"), ("undecided", "yellow")],
)
def test_a_verdict_has_its_colour(verdict: str, style: str):
    row = ratio_rows([replace(RATIO, verdict=verdict)], ("A", "B"), 80)[1]

    assert row.plain.endswith(verdict)
    assert row.spans[-1].style == style


def test_where_nothing_is_judged_there_is_no_column_for_it():
    heading = plain(ratio_rows([replace(RATIO, verdict="")], ("A", "B"), 80))[0]

    assert heading.endswith("95 % interval")


def test_a_ratio_that_is_not_known_is_a_dash():
    unknown = replace(RATIO, second=None, change=None, low=None, high=None, verdict="undecided")

    assert plain(ratio_rows([unknown], ("A", "B"), 80))[1].split() == [
        "TTFT",
        "312",
        "-",
        "-",
        "undecided",
    ]


def test_any_words_can_be_a_table():
    rows = grid_rows(["test", "t/s"], [["pp512", "1,234 ±5"], ["a\nb", "7"]], 40)

    assert plain(rows) == ["test        t/s", "pp512  1,234 ±5", "a␊b           7"]


def test_a_table_s_first_column_gives_way():
    rows = grid_rows(["name", "value"], [["a very long name", "12345"]], 15)

    assert plain(rows)[1] == "a very …  12345"


def test_a_point_is_a_line_in_a_log():
    assert point_words(POINT) == (
        "concurrency 4: 2.20 requests/s, 150 tokens/s, TTFT p50 310 ms, TPOT p50 15.4 ms"
    )
    assert point_words(replace(POINT, is_valid=False)).endswith(", INVALID")


def test_what_a_server_chose_can_not_drive_the_terminal():
    rows = plain(point_rows([replace(POINT, name="\x1b[2J\n")], 80))

    assert "\x1b" not in "".join(rows)
