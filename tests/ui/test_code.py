from __future__ import annotations

import pytest

from tgicli.ui.code import highlight, settle

FUNCTION = 'def f(x):\n    """Doc.\n\n    More."""\n    return [x, "x"]  # all\n\n'
MANY = FUNCTION * 20


def test_every_line_is_there() -> None:
    assert [line.plain for line in highlight(MANY, "python")] == MANY.split("\n")[:-1]


def test_code_of_no_known_language_is_plain() -> None:
    (line,) = highlight("return 1\n", "no such language")

    assert (line.plain, line.spans) == ("return 1", [])


def test_lines_are_coloured_as_below_those_above() -> None:
    whole = highlight('x = """\nin a string\n"""\n', "python")

    assert highlight('in a string\n"""\n', "python", above='x = """\n') == whole[1:]


def test_a_long_context_is_shortened_to_a_few_lines() -> None:
    assert MANY.endswith(settle(MANY, "python"))
    assert settle(MANY, "python").count("\n") < 20


def test_a_short_context_is_kept() -> None:
    assert settle(FUNCTION, "python") == FUNCTION


@pytest.mark.parametrize(
    ("opening", "language"), [('x = """\n', "python"), ("<?php\n", "php"), ("/*\n", "c")]
)
def test_a_context_is_kept_where_the_lexer_is_not_at_rest(opening: str, language: str) -> None:
    code = opening + "some words = 1;\n" * 60

    assert settle(code, language) == code


def test_below_a_shortened_context_lines_look_the_same() -> None:
    below = highlight(FUNCTION, "python", above=settle(MANY, "python"))

    assert below == highlight(FUNCTION, "python", above=MANY)
