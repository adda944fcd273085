"""Axes, numbers and elements of charts."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tgicli.bench.report.svg import (
    Axis,
    Frame,
    box,
    chart,
    element,
    escaped,
    number_text,
    path,
    text_at,
)

NUMBERS = st.floats(0, 1e9)


def linear(**changes: float) -> Axis:
    return Axis(**{"low": 0, "high": 10, "label": "ms"} | changes)  # type: ignore[arg-type]  # mixed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\"'&", "&quot;&#x27;&amp;"),
        ("a\x00b\x1b[2J\x9b", "a␀b␛[2J\ufffd"),
        ("lone \ud800", "lone ?"),
    ],
)
def test_any_words_may_stand_in_the_page(text: str, expected: str):
    assert escaped(text) == expected


def test_attributes_are_escaped_and_numbers_short():
    assert element("g", "x", class_='a"b', aria_label="<", x=1.5) == (
        '<g class="a&quot;b" aria-label="&lt;" x="1.5">x</g>'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0004, "0.0004"),
        (0.25, "0.25"),
        (5.0, "5"),
        (9.999, "10"),
        (42.25, "42.2"),
        (1234.5, "1,234"),
        (-3.5, "-3.5"),
    ],
)
def test_numbers_have_no_more_digits_than_needed(value: float, text: str):
    assert number_text(value) == text


def test_ticks_are_round_and_inside():
    assert linear(low=3, high=97).marks() == (20, 40, 60, 80)
    assert linear(low=0, high=1).marks() == pytest.approx((0, 0.2, 0.4, 0.6, 0.8, 1.0))


def test_values_that_are_far_apart_get_a_logarithmic_axis():
    axis = Axis.around([9, 12, 400], "ms")

    assert axis.is_log
    assert axis.marks() == (10, 20, 50, 100, 200)
    assert axis.share(60) == pytest.approx(0.5, abs=0.001)


def test_gaps_of_nothing_are_at_the_edge_of_a_logarithmic_axis():
    axis = Axis.around([0.0, 1.0, 1000.0], "ms")

    assert axis.is_log
    assert axis.share(0.0) == 0
    assert axis.label == "ms; smaller ones at the edge"


def test_counts_begin_at_zero():
    assert Axis.around([90, 100], "how many", from_zero=True).low == 0


@given(st.lists(NUMBERS, min_size=1), st.booleans())
@example(values=[0.0001], from_zero=False)
def test_every_value_is_on_its_axis(values: list[float], from_zero: bool):
    axis = Axis.around(values, "ms", from_zero=from_zero)

    assert all(0 <= axis.share(value) <= 1 for value in values)
    assert all(axis.low <= tick <= axis.high * 1.0001 for tick in axis.marks())
    assert len(axis.marks()) <= 16


@given(st.lists(NUMBERS, min_size=1), st.floats(0, 1))
def test_a_place_s_value_is_at_that_place(values: list[float], share: float):
    axis = Axis.around(values, "ms")

    assert axis.share(axis.value(share)) == pytest.approx(share, abs=1e-6)


def test_a_frame_turns_values_into_places():
    frame = Frame(x=linear(), y=linear(), width=164, height=160)

    assert [frame.left(x) for x in (0, 5, 10)] == [50, 100, 150]
    assert [frame.top(y) for y in (0, 5, 10)] == [120, 70, 20]


def test_a_chart_says_in_words_what_it_shows():
    frame = Frame(x=linear(), y=linear())

    picture = chart("c", "Title <1>", "3 values", frame, frame.axes(), text_at(1, 2, "a & b"))

    root = ET.fromstring(picture)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "c-title c-words"
    assert [(part.tag, part.text) for part in root[:2]] == [
        ("title", "Title <1>"),
        ("desc", "3 values"),
    ]
    assert root[-1].text == "a & b"


def test_a_line_through_nothing_is_nothing():
    assert path([], "line") == ""


def test_a_box_is_seen_however_narrow():
    assert 'd="M1 2h0.3v4H1z"' in box(1, 2, 0, 4, "bar")
