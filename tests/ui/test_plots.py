"""Numbers drawn in characters."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from tgicli.ui.plots import (
    Canvas,
    LoadPlace,
    Scale,
    against_load,
    ecdf,
    histogram,
    needs_ascii,
    short,
    sparkline,
)

NUMBERS = st.floats(0, 1e6)


def plain(rows: list[Text]) -> list[str]:
    return [one.plain for one in rows]


def test_a_sparkline_begins_at_zero_and_reaches_the_largest():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7, 8], 20) == " ▁▂▃▄▅▆▇█"


def test_a_sparkline_without_unicode_has_the_same_levels():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7, 8], 20, is_ascii=True) == " .:-=+*#@"


def test_a_long_sparkline_joins_neighbours():
    assert sparkline([8, 8, 4, 4, 0, 0], 3) == "█▄ "


def test_little_beside_much_is_seen():
    assert sparkline([1, 1000], 2) == "▁█"


@pytest.mark.parametrize(("values", "expected"), [([], ""), ([0, 0], "  ")])
def test_a_sparkline_of_nothing_is_blank(values: list[float], expected: str):
    assert sparkline(values, 10) == expected


def test_a_histogram_shows_how_often_which_values_came():
    rows = plain(histogram([1.0] * 8 + [9.0] * 4, 31, 2, title="TTFT"))

    assert rows == [
        "TTFT                       n 12",
        "     8 ███                     ",
        "       ███                  ███",
        "       1.00      5.00   9.00 ms",
    ]


def test_a_histogram_without_unicode_is_all_ascii():
    rows = plain(histogram([1, 2, 2, 3, 3, 3], 60, 4, title="TTFT", is_ascii=True))

    assert "".join(rows).isascii()
    assert "#" in "".join(rows)


def test_a_histogram_of_few_values_has_few_and_wide_bars():
    (bars,) = plain(histogram([float(n) for n in range(20)], 67, 1))[1:2]

    assert len(bars[7:]) == 9 * 6
    assert all(len(set(bars[at : at + 6])) == 1 for at in range(7, 61, 6))


def test_values_that_are_far_apart_are_shown_on_a_logarithmic_axis():
    rows = plain(histogram([10.0] * 50 + [1000.0], 60, 3))

    assert rows[-1].split() == ["10.0", "100", "1,000", "ms,", "log"]


def test_marks_stand_below_their_values_as_far_as_there_is_room():
    marks = {"p50": 50.0, "p90": 52.0, "p99": 149.0}

    last = plain(histogram([float(n) for n in range(50, 150)], 70, 3, marks=marks))[-1]

    assert last.startswith("       ^p50")
    assert last.endswith("^p99")
    assert "p90" not in last


def test_an_ecdf_rises_from_none_to_all():
    rows = plain(ecdf([1, 2, 3, 4], 27, 4, title="TTFT"))

    assert rows[1].startswith(" 100 %")
    assert rows[4].startswith("   0 %")
    begins = [len(row) - len(row[7:].lstrip()) for row in rows[1:5]]
    assert begins == sorted(begins, reverse=True)
    assert begins[-1] == 7
    assert len(rows[1].rstrip()) == 27


def test_an_ecdf_without_unicode_is_made_of_stars():
    rows = plain(ecdf([1, 2, 3, 4], 27, 4, is_ascii=True))

    assert "".join(rows).isascii()
    assert [row[7:].count("*") > 0 for row in rows[1:5]] == [True] * 4
    assert rows[1].rstrip()[-1] == "*"


def test_points_stand_above_their_loads_with_their_intervals():
    places = [
        LoadPlace(load=1, value=10, low=0, high=20),
        LoadPlace(load=2, value=20),
    ]

    rows = plain(against_load(places, 30, 5, title="TTFT p50"))

    assert [row[7] for row in rows[1:6]] == ["│", "│", "●", "│", "│"]
    assert rows[1].rstrip()[-1] == "●"
    assert rows[6].split() == ["1", "2"]
    assert rows[6].index("1") == 7
    assert rows[6].index("2") == len(rows[1].rstrip()) - 1


@pytest.mark.parametrize("draw", [histogram, ecdf])
@pytest.mark.parametrize(("values", "why"), [([], "nothing"), ([1.0], "too narrow")])
def test_where_nothing_can_be_drawn_it_is_said(draw, values: list[float], why: str):
    assert why in plain(draw(values, 10, 3, title="TTFT"))[0]


@given(
    st.lists(NUMBERS, min_size=1, max_size=40),
    st.integers(20, 200),
    st.integers(1, 12),
    st.booleans(),
)
def test_no_plot_is_wider_or_higher_than_asked(
    values: list[float], n_columns: int, n_lines: int, is_ascii: bool
):
    places = [LoadPlace(load=n, value=value, low=0, high=value) for n, value in enumerate(values)]
    plots = [
        histogram(values, n_columns, n_lines, is_ascii=is_ascii),
        ecdf(values, n_columns, n_lines, is_ascii=is_ascii),
        against_load(places, n_columns, n_lines, is_ascii=is_ascii),
    ]

    assert all(len(rows) <= n_lines + 3 for rows in plots)
    assert all(cell_len(row) <= n_columns + 16 for rows in plots for row in plain(rows))


@given(st.lists(NUMBERS, min_size=2, max_size=20))
def test_a_scale_is_a_share_of_its_length_and_back(values: list[float]):
    scale = Scale.of(values)

    for value in values:
        share = scale.share(value)
        assert 0 <= share <= 1
        if value >= scale.low and scale.high - scale.low > 1e-9 * scale.high:
            assert scale.value(share) == pytest.approx(value, rel=1e-6, abs=1e-6 * scale.high)


def test_a_canvas_has_eight_dots_in_a_cell():
    canvas = Canvas(1, 1)

    canvas.line(0, 0, 0, 1)

    assert canvas.rows() == ["⡇"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0, "0"),
        (0.004, "0.00"),
        (9.994, "9.99"),
        (9.996, "10.0"),
        (99.96, "100"),
        (1234.4, "1,234"),
        (12_340, "12.3k"),
        (123_456, "123k"),
    ],
)
def test_numbers_are_short(value: float | None, text: str):
    assert short(value) == text


@pytest.mark.parametrize(
    ("encoding", "is_dumb", "needs"),
    [
        ("utf-8", False, False),
        ("UTF8", False, False),
        ("latin-1", False, True),
        ("utf-8", True, True),
    ],
)
def test_a_stream_that_holds_no_blocks_needs_ascii(encoding: str, is_dumb: bool, needs: bool):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)

    assert needs_ascii(stream, is_dumb=is_dumb) == needs
