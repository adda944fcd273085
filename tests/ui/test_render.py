from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.markdown import Markdown

from tests.ui.documents import documents
from tgicli.ui.blocks import Piece
from tgicli.ui.render import Renderer
from tgicli.ui.terminal import harmless


def rendered(text: str, *, n_columns: int = 40) -> list[str]:
    """Return the rows of a whole document, without colours."""
    return [without_colour(row) for row in coloured(text, n_columns=n_columns)]


def coloured(text: str, *, n_columns: int = 40) -> list[str]:
    rows = Renderer(has_colour=True).commit(Piece(source=text), n_columns)
    return [row.text for row in rows]


def without_colour(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def by_rich(text: str, *, n_columns: int) -> list[str]:
    """Return what Rich shows, without blanks at the ends."""
    console = Console(file=io.StringIO(), width=n_columns, color_system=None)
    with console.capture() as capture:
        console.print(Markdown(text, hyperlinks=False))
    return [line.rstrip() for line in capture.get().strip("\n").split("\n")]


@pytest.mark.parametrize("n_columns", [24, 40, 80])
def test_what_needs_no_change_is_what_rich_shows(n_columns: int) -> None:
    text = """\
A paragraph with **strong**, *em*, ~~struck~~ and `code` words, long enough to be wrapped.

## Heading *two*

- bullets, one of them with more words than fit into a line
  - nested `inside`
- second

> a quote of so many words that it has to be wrapped

Heading below
-------------

[link](http://a.b) 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字 é 🎉 &amp; \\* שלום עולם
"""

    assert rendered(text, n_columns=n_columns) == by_rich(text, n_columns=n_columns)


def test_a_table_is_what_rich_shows_but_for_its_edges() -> None:
    text = "| n | word |\n|--:|:----:|\n| 1 | **one** |\n| 12 | 漢字 |\n"

    edged = [line.removeprefix(" ") for line in by_rich(text, n_columns=40) if line]

    assert without_rules(rendered(text)) == without_rules(edged)


def without_rules(rows: list[str]) -> list[str]:
    return [row for row in rows if row.strip("─")]


def test_blocks_are_apart_by_one_blank_line() -> None:
    text = "# a\nb\n\n\n\n```\nc\n```\n- d\n\n\n---\n> e\n\n    f\n\n| g |\n|---|\n\n<p>\n"

    shown = "|".join(rendered(text, n_columns=8))

    assert shown == "a||b||c|| • d||────────||▌ e||f||g|─||<p>"


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("1. a\n2. b\n", [" 1. a", " 2. b"]),
        ("8) a\n9) b\n3) c\n", [" 8) a", " 9) b", "10) c"]),
        ("- a\n- b\n", [" • a", " • b"]),
        ("- a\n\n- b\n", [" • a", "", " • b"]),
        ("- a\n\n  b\n- c\n", [" • a", "", "   b", " • c"]),
        ("- a\n  - b\n    1. c\n", [" • a", "    • b", "       1. c"]),
        ("1. a\n   - b\n2. c\n", [" 1. a", "     • b", " 2. c"]),
        ("1. a\\\n   b\n", [" 1. a", "    b"]),
        ("- a\n  ```py\n  if b:\n      c\n  ```\n", [" • a", "   if b:", "       c"]),
        ("- \n- b\n", [" •", " • b"]),
        ("> a\n>\n> - b\n", ["▌ a", "▌", "▌  • b"]),
        ("a\nb  \nc\\\nd\n", ["a", "b", "c", "d"]),
        ("a<br>b<BR/> c<br />d\n", ["a", "b", "c", "d"]),
        ("a<br>b `c` d\n", ["a", "b c d"]),
        ("Vec<T> <kbd>Esc</kbd> `<br>`\n", ["Vec<T> Esc <br>"]),
        ("**Esc</kbd>**\n", ["Esc</kbd>"]),
        ("<kbd>a\n\nb</kbd>\n", ["a", "", "b</kbd>"]),
        ("| <kbd>a</kbd></kbd> |\n|---|\n", ["a</kbd>", "───────"]),
        ("<div>\n  <b>x</b>\n</div>\n", ["<div>", "  <b>x</b>", "</div>"]),
        ("[a](http://b)\n", ["a (http://b)"]),
        ("<http://b>\n", ["http://b"]),
        ("x ![a](b.png) y\n", ["x a (b.png) y"]),
        ("[a][r]\n\n[r]: http://b\n", ["a (http://b)"]),
        ("a `  `\n", ["a"]),
        ("| a | b |\n|---|---|\n| 1 | |\n", ["a  b", "────", "1"]),
        ("```\n\na\tb\n\n\n```\n", ["", "a   b"]),
        ("```\n```\n", []),
        ("#\n", []),
        ("#\n\na\n\n#\n\nb\n", ["a", "", "b"]),
        ("**bo", ["**bo"]),
    ],
)
def test_constructs_are_shown_so(text: str, rows: list[str]) -> None:
    assert rendered(text) == rows


def test_a_long_word_in_a_table_is_folded() -> None:
    text = f"| a | b |\n|---|---|\n| x | {'0123456789' * 5} |\n"

    assert "".join(rendered(text, n_columns=24)).count("0123456789") >= 2
    assert "…" not in "".join(rendered(text, n_columns=24))


@pytest.mark.parametrize("source", ["```sh\n{}\n```\n", "    {}\n"])
def test_a_long_line_of_code_is_one_row_once_it_is_finished(source: str) -> None:
    line = "make " + "a b " * 20 + "c"
    piece = Piece(source=source.format(line))
    renderer = Renderer(has_colour=False)

    unfinished = renderer.preview(piece, 30)
    (row,) = renderer.commit(piece, 30)

    assert row == (line, len(line))
    assert max(row.n_cells for row in unfinished) <= 30
    assert " ".join(row.text for row in unfinished) == line


def test_code_has_colours_and_no_background() -> None:
    (row,) = coloured("```python\nreturn 'x'\n```\n")

    assert row == "\x1b[35mreturn\x1b[0m \x1b[32m'\x1b[0m\x1b[32mx\x1b[0m\x1b[32m'\x1b[0m"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ('``` python title="x"\nreturn\n```\n', "python"),
        ("```python title\nreturn\n```\n", "python"),
        ("<p>return</p>\n", "html"),
    ],
)
def test_code_has_the_colours_of_its_language(text: str, language: str) -> None:
    code = "<p>return</p>" if language == "html" else "return"

    assert coloured(text) == coloured(f"```{language}\n{code}\n```\n")


def test_no_style_sets_a_background() -> None:
    text = "`a` [b](c) <kbd>d</kbd>\n\n```py\n@e\ndef f(): '''g'''\n```\n\n| h |\n|---|\n| i |\n"

    codes = re.findall(r"\x1b\[([\d;]*)m", "".join(coloured(text)))

    assert not {code for joined in codes for code in joined.split(";") if code[:1] == "4" > code}
    assert not [code for code in codes if re.search(r"\b(4\d|10\d|48)\b", code)]


def test_without_colour_there_is_still_bold() -> None:
    (row,) = Renderer(has_colour=False).commit(Piece(source="**a** `b`"), 40)

    assert row == ("\x1b[1ma\x1b[0m b", 3)


def test_a_key_that_is_not_closed_ends_with_its_cell() -> None:
    _, _, row = coloured("| x | y |\n|---|---|\n| <kbd>a | b |\n")

    assert row.startswith("\x1b[1ma\x1b[0m")
    assert row.endswith("\x1b[0mb")


def test_a_link_defined_earlier_is_known_later() -> None:
    renderer = Renderer(has_colour=False)
    renderer.commit(Piece(source="[r]: http://b\n"), 40)

    (row,) = renderer.commit(Piece(source="[a][r]\n"), 40)

    assert without_colour(row.text) == "a (http://b)"


def test_an_unfinished_definition_is_forgotten() -> None:
    renderer = Renderer(has_colour=False)
    renderer.preview(Piece(source="[r]: http://unfin"), 40)

    (row, *_) = renderer.commit(Piece(source="[a][r]\n\n[r]: http://unfinished\n"), 40)

    assert without_colour(row.text) == "a (http://unfinished)"


def test_an_open_fence_goes_on_in_its_colours() -> None:
    whole = coloured('```py\nx = """\nstring\nstring\n"""\nreturn\n```\n')
    renderer = Renderer(has_colour=True)

    rows = renderer.commit(Piece(source='```py\nx = """\nstring\n'), 40)
    rows += renderer.commit(Piece(source="```py\nstring\n", continues=True), 40)
    rows += renderer.commit(Piece(source='```py\n"""\nreturn\n', continues=True), 40)

    assert [row.text for row in rows] == whole


@pytest.mark.parametrize(
    "pieces",
    [
        [Piece(source='```py\nx = """\n```\n'), Piece(source="```py\nreturn\n")],
        [
            Piece(source='```py\nx = """\n'),
            Piece(source="```py\ny\n```\n\n```py\nreturn\n", continues=True),
        ],
    ],
    ids=["pieces of their own", "one piece"],
)
def test_a_fence_has_no_colours_of_the_one_before(pieces: list[Piece]) -> None:
    (row,) = coloured("```py\nreturn\n```\n")
    renderer = Renderer(has_colour=True)

    rows = [renderer.commit(piece, 40)[-1] for piece in pieces]
    rows += renderer.commit(Piece(source="```py\nreturn\n", continues=True), 40)

    assert [one.text for one in rows[1:]] == [row, row]


def test_a_list_that_goes_on_keeps_counting() -> None:
    piece = Piece(source="1. c\n1. d\n", continues=True, number=3)

    rows = Renderer(has_colour=False).commit(piece, 40)

    assert [without_colour(row.text) for row in rows] == [" 3. c", " 4. d"]


@pytest.mark.parametrize("text", ["> " * 49 + "deep", "- " * 24 + "deep", "[" * 300 + "deep"])
def test_deep_nesting_is_shown(text: str) -> None:
    assert "deep" in "".join(rendered(text, n_columns=8))


@pytest.mark.parametrize(
    "text",
    [
        r"\( x_1 * x_2 * x_3 \) and \[ \left\{ a \\ b \right\} \]",
        r"$a*b*c$ and $\{x\}_1$",
        r"$$ a_b_c \\ d $$",
        "\\[\nA = \\\\\n- b\n= c\n\\]",
        "$$\n\\frac{1}{2} \\\\\n> 0\n$$",
        "\\[\n\\text{cut off} \\\\",
    ],
    ids=["backslashes", "dollars", "two dollars", "lines", "lines in dollars", "half"],
)
def test_formulas_are_shown_as_they_were_written(text: str) -> None:
    assert rendered(text, n_columns=80) == text.split("\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"$5 or *only* $10", "$5 or only $10"),
        (r"5$ or *only* 10$", "5$ or only 10$"),
        ("`$A` is *not* `$B`, and $C is `$D`", "$A is not $B, and $C is $D"),
        (r"\$x*y*z\$", "$xyz$"),
        ("**$HOME** and **$PATH**, *$A* or *$B*", "$HOME and $PATH, $A or $B"),
        (r"\[1] See *Foo*, **bar**", "[1] See Foo, bar"),
        (r"a \( that *never* ends", "a ( that never ends"),
        (r"\\(*no*\\)", r"\(no\)"),
    ],
)
def test_prices_and_variables_are_no_formulas(text: str, shown: str) -> None:
    assert rendered(text) == [shown]


def test_a_formula_on_lines_of_its_own_ends_with_its_last_one() -> None:
    text = "It is\n\\[\n- x\n\\]\nwhere *x* is\n\n- \\[\n  + y\n  \\]\n- *z*"

    assert rendered(text) == [
        *["It is", "", r"\[", "- x", r"\]", "", "where x is", ""],
        *[r" • \[", "   + y", r"   \]", " • z"],
    ]


@given(documents(), st.integers(1, 100))
def test_any_document_becomes_rows_that_nothing_moves_in(text: str, n_columns: int) -> None:
    rows = Renderer(has_colour=True).commit(Piece(source=harmless(text)), n_columns)

    for row in rows:
        plain = without_colour(row.text)
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", plain)
        assert cell_len(plain) == row.n_cells
        assert not plain.endswith(" ")
