from __future__ import annotations

import pytest

from tgicli.ui.multiline import goes_on, next_line, split_command, whole


@pytest.mark.parametrize(
    "text",
    [
        "a \\",
        '"""',
        '"""a\nb',
        '  """a"',
        "```",
        "look:\n```python\nx = 1",
        "```\na\n```\nand\n```",
        '/system """a',
        "/system a\\",
    ],
)
def test_a_question_that_is_not_whole_goes_on(text: str) -> None:
    assert goes_on(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a \\\\",
        '""',
        '"""a"""',
        '"""a\nb\n"""  ',
        "```x```",
        "```\na\n```",
        "say ``` twice",
    ],
)
def test_a_whole_question_does_not(text: str) -> None:
    assert not goes_on(text)


def test_a_backslash_becomes_the_line_break_it_stands_for() -> None:
    assert next_line("a\\") == "a\n"
    assert next_line('"""a\\') == '"""a\\\n'
    assert next_line("```") == "```\n"


def test_quotes_around_it_all_are_taken_away_and_fences_stay() -> None:
    assert whole('"""\na\n\nb\n"""') == "a\n\nb"
    assert whole("```\na\n```\n") == "```\na\n```"
    assert whole('say """so"""  ') == 'say """so"""'


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a /b", ("", "a /b")),
        ("/save my file", ("/save", "my file")),
        ("/system a\nb", ("/system", "a\nb")),
        ("/", ("/", "")),
        (" /etc", ("", " /etc")),
    ],
)
def test_a_command_is_its_first_word(text: str, parts: tuple[str, str]) -> None:
    assert split_command(text) == parts
