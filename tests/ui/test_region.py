from __future__ import annotations

import io
import itertools
import os
import random
import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.ui.documents import long_answer, split_documents
from tests.ui.screen import Window
from tests.ui.test_render import rendered
from tgicli.ui.region import LiveRegion
from tgicli.ui.terminal import harmless

SIZE = os.terminal_size((40, 10))


def streamed(texts: list[str], window: Window) -> Window:
    """Show the texts, a frame each."""
    region = LiveRegion(has_colour=True)
    for text in texts:
        window.write(region.frame(text, window.size))
    window.write(region.last_frame("", window.size))
    return window


def at_random(text: str, *, longest: int, seed: int = 0) -> Iterator[str]:
    """Split the text into pieces of random length."""
    rest, chance = io.StringIO(text), random.Random(seed)
    return iter(lambda: rest.read(chance.randint(1, longest)), "")


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (40, 10), (200, 50)])
def test_a_long_answer_is_in_the_scrollback_once_and_in_order(columns: int, lines: int) -> None:
    text = long_answer()

    window = streamed(list(at_random(text, longest=120)), Window(columns, lines))

    assert window.everything() == rendered(text, n_columns=columns)


@settings(max_examples=60)
@given(split_documents(), st.sampled_from([(80, 24), (40, 10), (13, 4)]))
@example(["\r", "\r```| a | b |\n"], (80, 24))
def test_any_split_of_any_document_ends_as_the_document_at_once(
    texts: list[str], size: tuple[int, int]
) -> None:
    window = streamed(texts, Window(*size))

    text = io.IncrementalNewlineDecoder(None, translate=True).decode("".join(texts), final=True)
    at_once = Window(*size)
    at_once.write("\r\n".join(rendered(harmless(text), n_columns=size[0])).encode())
    assert window.everything() == at_once.everything()


def test_a_tail_is_painted_at_once_without_a_visible_cursor() -> None:
    frame = LiveRegion(has_colour=False).frame("a\\\nb", SIZE)

    assert frame == (
        b"\x1b[?2026h\r\x1b[?25l"
        b"\x1b[?7l\x1b[Ka\r\n\x1b[K\x1b[C\x1b[J\rb\x1b[?7h\r\x1b[1A"
        b"\x1b[?25h\x1b[?2026l"
    )


def test_nothing_new_is_no_frame() -> None:
    region = LiveRegion(has_colour=True)

    assert region.frame("", SIZE) == b""
    assert region.frame("word", SIZE) != b""
    assert region.frame(" ", SIZE) == b""


def test_a_new_size_is_a_frame() -> None:
    region = LiveRegion(has_colour=True)
    region.frame("word", SIZE)

    assert region.frame("", os.terminal_size((30, 10))) != b""


def test_a_finished_block_is_never_painted_again() -> None:
    region = LiveRegion(has_colour=True)
    frames = [
        region.frame(text, SIZE) for text in ("one\n\n", "two\n", "\nthree", " four\n\nfive\n")
    ]

    assert [b"one" in frame for frame in frames] == [True, True, False, False]
    assert [b"two" in frame for frame in frames] == [False, True, True, True]


def test_only_the_last_rows_of_what_is_too_tall_are_painted() -> None:
    window, region = Window(40, 10), LiveRegion(has_colour=True)
    rows = "".join(f"| {n} |\n" for n in range(100))

    window.write(region.frame(f"| n |\n|---|\n{rows}", window.size))

    assert window.everything() == [str(n) for n in range(91, 100)]


def test_what_was_too_tall_is_printed_whole_and_once() -> None:
    text = "| n |\n|---|\n" + "".join(f"| row{n} |\n" for n in range(100))

    window = streamed(list(at_random(text, longest=100)), Window(40, 10))

    assert window.everything() == rendered(text)


def test_lines_of_an_open_fence_scroll_away_while_it_is_open() -> None:
    window, region = Window(40, 10), LiveRegion(has_colour=True)
    code = [f"line {n}" for n in range(100)]

    window.write(region.frame("\n".join(["```", *code]), window.size))

    assert window.everything() == code


@pytest.mark.parametrize("end", ["", "\n"])
def test_what_follows_an_open_fence_is_apart_from_it_at_once_and_in_the_end(end: str) -> None:
    window, region = Window(40, 10), LiveRegion(has_colour=True)
    for text in ("Use this:\n", "```py\n", "x = 1\n", "```\n", "That"):
        window.write(region.frame(text, window.size))
    rows = ["Use this:", "", "x = 1", "", "That"]

    assert window.everything() == rows
    window.write(region.last_frame(end, window.size))
    assert window.everything() == rows


def test_what_turns_out_to_be_nothing_is_erased() -> None:
    window = streamed(["[a]", ": http://b\n"], Window(40, 10))

    assert window.everything() == []


def test_a_carriage_return_at_a_split_is_one_line_end() -> None:
    window = streamed(["a\r", "\nb\r\rc\r"], Window(40, 10))

    assert window.everything() == ["a", "b", "", "c"]


def test_a_line_typed_into_the_answer_is_painted_over() -> None:
    window, region = Window(40, 10), LiveRegion(has_colour=True)
    window.write(region.frame("the answer", window.size))

    window.write(b"^C")
    window.write(region.last_frame("", window.size))

    assert window.everything() == ["the answer"]


@st.composite
def answers(draw: st.DrawFn) -> str:
    """Draw an answer of words that are told apart: w1000 w1001 ..."""
    numbers = itertools.count(1000)

    def words(n: int) -> str:
        return " ".join(f"w{next(numbers)}" for _ in range(n))

    def block(kind: str, n: int) -> str:
        match kind:
            case "paragraph":
                return words(n)
            case "code":
                return "\n".join(["```", *(words(1 + n % 3) for _ in range(n)), "```"])
            case "list":
                return "\n".join(f"1. {words(1 + n // 3)}" for _ in range(n))
            case "table":
                return "\n".join(["| a | b |", "|---|---|", *(_row(words) for _ in range(n))])
            case _:
                return "\n".join(f"> {words(3)}" for _ in range(n))

    kinds = st.sampled_from(["paragraph", "code", "list", "table", "quote"])
    blocks = st.lists(st.tuples(kinds, st.integers(1, 30)), min_size=1, max_size=5)
    return "\n\n".join(block(kind, n) for kind, n in draw(blocks))


def _row(words: object) -> str:
    assert callable(words)
    return f"| {words(1)} | {words(2)} |"


WORD = re.compile(r"w\d{4}")


def test_a_paragraph_taller_than_the_window_survives_halving_it() -> None:
    text = " ".join(f"w{n}" for n in range(1000, 1600))
    window, region = Window(80, 24), LiveRegion(has_colour=True)
    window.write(b"\r\n" * 24)

    window.write(region.frame(text, window.size))
    window.resize(columns=40)
    window.write(region.last_frame("", window.size))

    assert WORD.findall("\n".join(window.everything())) == WORD.findall(text)


@settings(max_examples=8)
@given(
    answers(), st.lists(st.none() | st.integers(26, 120), min_size=1), st.booleans(), st.booleans()
)
def test_a_window_made_wider_and_narrower_holds_each_word_once_and_in_order(
    text: str, widths: list[int | None], reflows: bool, knows_late: bool
) -> None:
    window, region = Window(80, 24, reflows=reflows), LiveRegion(has_colour=True)
    size = window.size
    window.write(b"\r\n" * 24)

    for piece, width in zip(at_random(text, longest=100), itertools.cycle(widths), strict=False):
        window.write(region.frame(piece, size if knows_late else window.size))
        size = window.size
        if width:
            window.resize(columns=max(width, window.columns // 2 + 1))
    window.write(region.last_frame("", window.size))

    assert WORD.findall("\n".join(window.everything())) == WORD.findall(text)


@settings(max_examples=8)
@given(answers(), st.lists(st.none() | st.integers(3, 50), min_size=1))
def test_a_window_made_lower_and_higher_holds_each_word_once_and_in_order(
    text: str, heights: list[int | None]
) -> None:
    window, region = Window(80, 24), LiveRegion(has_colour=True)

    for piece, height in zip(at_random(text, longest=100), itertools.cycle(heights), strict=False):
        window.write(region.frame(piece, window.size))
        if height:
            window.resize(lines=height)
    window.write(region.last_frame("", window.size))

    assert WORD.findall("\n".join(window.everything())) == WORD.findall(text)
