from __future__ import annotations

import io

import pytest
from hypothesis import example, given

from tests.ui.documents import split_documents
from tgicli.ui.blocks import Piece, Splitter


def finished(*texts: str) -> list[str]:
    """Return the sources of what the texts finish."""
    splitter = Splitter()
    pieces = [splitter.feed(text) for text in texts]
    return [piece.source for piece in pieces if piece]


def tail_after(text: str) -> Piece:
    splitter = Splitter()
    splitter.feed(text)
    return splitter.tail


def test_a_block_is_finished_when_the_next_one_begins() -> None:
    assert finished("one\n", "\n", "two\n") == ["one\n\n"]


def test_all_blocks_but_the_last_are_finished_at_once() -> None:
    assert finished("# one\ntwo\n\n---\n\nthree\n") == ["# one\ntwo\n\n---\n\n"]


def test_the_last_block_may_still_change() -> None:
    assert finished("one\n", "still one\n", "\n") == []


def test_a_paragraph_may_become_a_heading() -> None:
    assert finished("title\n", "---\n") == []


def test_a_paragraph_s_last_line_may_become_a_table() -> None:
    assert finished("text\n| a | b |\n", "|---|---|\n") == ["text\n"]


def test_a_line_decides_only_when_it_is_whole() -> None:
    assert finished("one\n```", "x`\n") == []
    assert finished("one\n```", "x\n") == ["one\n"]


def test_what_is_finished_leaves_the_tail() -> None:
    assert tail_after("one\n\ntwo\nthr") == Piece(source="two\nthr")


def test_items_are_finished_one_by_one() -> None:
    assert finished("- a\n", "- b\n  more\n", "- c\n") == ["- a\n", "- b\n  more\n"]


def test_the_rest_of_a_list_goes_on_without_a_gap() -> None:
    assert tail_after("- a\n- b\n") == Piece(source="- b\n", continues=True, has_gap=False)


@pytest.mark.parametrize("between", ["", " ", "\t"])
def test_the_rest_of_a_spaced_list_goes_on_with_a_gap(between: str) -> None:
    rest = Piece(source="- b\n", continues=True, has_gap=True)

    assert tail_after(f"- a\n{between}\n- b\n") == rest


def test_numbers_go_on_whatever_the_source_says() -> None:
    splitter = Splitter()

    for line in ("3. a\n", "3. b\n", "3. c\n", "1. d\n"):
        splitter.feed(line)

    assert splitter.tail.number == 6


def test_a_list_after_a_list_has_numbers_of_its_own() -> None:
    splitter = Splitter()
    splitter.feed("1. a\n2. b\n")

    splitter.feed("7) c\n8) d\n")

    assert splitter.tail.number == 8


def test_nested_items_wait_for_their_item() -> None:
    assert finished("- a\n  - b\n  - c\n") == []


def test_lines_of_an_open_fence_are_finished_one_by_one() -> None:
    assert finished("```py\n", "a\n", "b\nc") == ["```py\na\n", "```py\nb\n"]


def test_the_rest_of_a_fence_keeps_its_opening() -> None:
    rest = Piece(source="~~~~ py\nb", continues=True, has_gap=False)

    assert tail_after("~~~~ py\na\nb") == rest


def test_blank_lines_in_a_fence_wait_for_a_line_that_shows() -> None:
    assert finished("```\na\n", "\n", "\n", "b\n") == ["```\na\n", "```\n\n\nb\n"]


def test_a_closed_fence_is_finished_by_the_next_block() -> None:
    assert finished("```\na\n", "```\n", "text\n") == ["```\na\n", "```\n```\n"]


def test_a_longer_fence_is_closed_by_a_longer_line() -> None:
    assert tail_after("````\na\n```\nb") == Piece(source="````\nb", continues=True, has_gap=False)


def test_a_table_waits_until_it_is_whole() -> None:
    assert finished("| a |\n|---|\n", "| 1 |\n" * 50) == []


@pytest.mark.parametrize(("opening", "closing"), [("\\[\n", "a \\]\n"), ("$$\n", "$$\n")])
def test_a_formula_waits_until_it_is_whole(opening: str, closing: str) -> None:
    assert finished("It is\n", opening, "- b\n", "- c\n") == ["It is\n"]
    assert finished(opening, "- b\n", closing, "text\n") == [f"{opening}- b\n{closing}"]


def test_a_formula_that_does_not_end_ends_at_a_blank_line() -> None:
    assert finished("\\[\n", "- b\n", "\n", "text\n") == ["\\[\n- b\n\n"]


def test_closing_returns_the_rest() -> None:
    splitter = Splitter()
    splitter.feed("one\n\ntwo\nthr")

    rest = splitter.close()

    assert rest == Piece(source="two\nthr")
    assert splitter.tail == Piece(source="")


@given(split_documents())
@example(["\r\r```| a | b |\n"])
def test_no_line_is_lost_or_repeated(texts: list[str]) -> None:
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    texts = [*map(newlines.decode, texts), newlines.decode("", final=True)]  # as the region does
    splitter = Splitter()
    pieces = [piece for text in texts if (piece := splitter.feed(text))] + [splitter.close()]

    lines = [line for piece in pieces for line in own_lines(piece)]

    assert lines == [line for line in "".join(texts).split("\n") if line]


def own_lines(piece: Piece) -> list[str]:
    """Return a piece's lines, without the opening of a fence that began earlier."""
    lines = [line for line in piece.source.split("\n") if line]
    goes_on_with_code = piece.continues and not piece.has_gap and piece.number is None
    return lines[1:] if goes_on_with_code and lines[0].lstrip()[:3] in ("```", "~~~") else lines
