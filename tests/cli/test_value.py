"""One rule for words and TOML values."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer._coercion import TypeDescriptor
from typer.models import OptionInfo

from tgicli.cli.value import check_bool, check_float, check_int, check_of

WORDS = {"true", "yes", "on", "1", "false", "no", "off", "0"}


def descriptor(annotation: object, **info: object) -> TypeDescriptor:
    return TypeDescriptor(annotation, OptionInfo(**info), None)  # type: ignore[arg-type]


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, "3", 3),
        (int, 3, 3),
        (float, "0.5", 0.5),
        (float, 1, 1.0),
        (str, "x", "x"),
        (Path, "a/b", Path("a/b")),
        (bool, "yes", True),
        (bool, " Off ", False),
        (bool, True, True),
        (Literal["auto", "on"], "on", "on"),
        (Colour, "red", Colour.RED),
        (Colour, Colour.RED, Colour.RED),
        (list[int], ["1", 2], [1, 2]),
        (list[str], "one", ["one"]),
    ],
)
def test_a_value_of_the_right_kind_is_taken(annotation, value, expected):
    check = check_of(descriptor(annotation))

    assert check is not None
    assert check(value) == expected
    assert type(check(value)) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value", "allowed"),
    [
        (int, "1.5", "must be a whole number"),
        (int, 1.5, "must be a whole number"),
        (int, True, "must be a whole number"),
        (int, [1], "must be a whole number"),
        (float, "warm", "must be a number"),
        (float, False, "must be a number"),
        (float, "nan", "must be a number"),
        (float, float("nan"), "must be a number"),
        (str, 3, "must be a string"),
        (str, "\udcff", "must be UTF-8"),
        (Path, "", "must be a path"),
        (bool, "perhaps", "must be true or false"),
        (bool, 2, "must be true or false"),
        (Literal["a", "b", "c"], "d", "must be a, b or c"),
        (Literal["a"], ["a"], "must be a"),
        (list[int], ["1", "x"], "must be a whole number"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_what_is_allowed(annotation, value, allowed):
    check = check_of(descriptor(annotation))

    assert check is not None
    with pytest.raises(ValueError, match=f"^{allowed}$"):
        check(value)


def test_bounds_hold_for_words_and_for_toml():
    check = check_of(descriptor(int, min=1, max=65535))

    assert check is not None
    assert check("1") == 1
    for value in ("0", 0):
        with pytest.raises(ValueError, match="must be >= 1"):
            check(value)
    for value in ("65536", 65536):
        with pytest.raises(ValueError, match="must be <= 65535"):
            check(value)


def test_a_parser_of_its_own_comes_first():
    check = check_of(descriptor(list[int], parser=lambda value: f"<{value}>"))

    assert check is not None
    assert check(["a", "b"]) == ["<a>", "<b>"]


def test_a_kind_nobody_knows_is_left_to_typer():
    assert check_of(descriptor(complex)) is None


@given(st.integers())
def test_every_whole_number_survives_its_spelling(number):
    assert check_int(str(number)) == number


@given(st.floats(allow_nan=False))
def test_every_number_survives_its_spelling(number):
    assert check_float(repr(number)) == number


@given(st.text().filter(lambda text: text.strip().lower() not in WORDS))
def test_no_other_word_is_a_truth_value(text):
    with pytest.raises(ValueError, match="must be true or false"):
        check_bool(text)
