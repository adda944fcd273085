"""Detokenizer: any split gives the same text, and stop strings never show."""

from __future__ import annotations

import codecs
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tgicli.engine.detokenizer import Detokenizer

ANY_PIECES = st.lists(st.binary(max_size=6), max_size=12)
# Bytes that begin, continue and break characters meet more often here than among all 256.
HARD_PIECES = st.lists(
    st.lists(st.sampled_from(b"a\x80\xa0\xbf\xc3\xe0\xe2\xed\xf0\xf4\xff"), max_size=4).map(bytes)
)
STOPS = st.lists(st.text("ab", min_size=1, max_size=5), min_size=1, max_size=4).map(tuple)
UNICODE_STOPS = st.lists(st.text("né€😀", min_size=1, max_size=3), min_size=1, max_size=3).map(
    tuple
)


def answer(pieces: Iterable[bytes], stop: tuple[str, ...] = ()) -> str:
    detokenizer = Detokenizer(stop)
    return "".join(map(detokenizer.push, pieces)) + detokenizer.finish()


def split(text: str, sizes: list[int]) -> list[bytes]:
    """Cut the text's bytes into pieces of these sizes, the rest into one."""
    data, pieces = text.encode(), []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


def decode_whole(data: bytes) -> str:
    """Decode as Python does; an unfinished character at the end gives nothing."""
    return codecs.getincrementaldecoder("utf-8")("replace").decode(data)


def first_match(text: str, stop: tuple[str, ...]) -> int | None:
    return min((text.find(string) for string in stop if string in text), default=None)


def first_beginning(text: str, stop: tuple[str, ...]) -> int:
    """Return where the longest tail starts that a stop string may still grow from."""
    beginnings = {string[:length] for string in stop for length in range(1, len(string))}
    return next(start for start in range(len(text) + 1) if text[start:] in {"", *beginnings})


def releasable(text: str, stop: tuple[str, ...]) -> tuple[str, bool]:
    """Say, slowly, what may be shown of this text, and whether nothing can follow."""
    match, beginning = first_match(text, stop), first_beginning(text, stop)
    if match is not None and match <= beginning:
        return text[:match], True
    return text[:beginning], False


@given(ANY_PIECES)
def test_any_bytes_in_any_split_give_the_text_of_the_whole(pieces: list[bytes]):
    whole = b"".join(pieces)

    assert answer(pieces) == decode_whole(whole)


@given(HARD_PIECES)
def test_broken_characters_in_any_split_give_the_text_of_the_whole(pieces: list[bytes]):
    whole = b"".join(pieces)

    assert answer(pieces) == decode_whole(whole)


@example([b"a", b"\xed\xa0"])
@given(HARD_PIECES)
def test_only_an_unfinished_character_at_the_end_differs_from_python(pieces: list[bytes]):
    whole = b"".join(pieces).decode(errors="replace")

    text = answer(pieces)

    assert whole.startswith(text)
    assert whole[len(text) :] in ("", "\ufffd", "\ufffd\ufffd")  # two: half a surrogate, ED A0


@given(st.text(), st.lists(st.integers(0, 3)))
def test_whole_characters_are_released_as_soon_as_they_are_whole(text: str, sizes: list[int]):
    detokenizer, given_bytes, released = Detokenizer(), b"", ""

    for piece in split(text, sizes):
        given_bytes += piece
        released += detokenizer.push(piece)

        assert released == given_bytes.decode(errors="ignore")


@given(st.text("abc", max_size=30), st.lists(st.integers(0, 4)), STOPS)
def test_the_answer_ends_before_the_leftmost_stop_string(
    text: str, sizes: list[int], stop: tuple[str, ...]
):
    match = first_match(text, stop)

    assert answer(split(text, sizes), stop) == text[:match]


@given(st.text("né€😀x", max_size=20), st.lists(st.integers(0, 5)), UNICODE_STOPS)
def test_stop_strings_are_found_across_cut_characters(
    text: str, sizes: list[int], stop: tuple[str, ...]
):
    match = first_match(text, stop)

    assert answer(split(text, sizes), stop) == text[:match]


@given(st.text("abc", max_size=30), st.lists(st.integers(0, 4)), STOPS)
def test_each_token_releases_all_that_is_decided_and_no_more(
    text: str, sizes: list[int], stop: tuple[str, ...]
):
    detokenizer, seen, released = Detokenizer(stop), "", ""

    for piece in split(text, sizes):
        seen += piece.decode()
        released += detokenizer.push(piece)

        assert (released, detokenizer.stopped) == releasable(seen, stop)


@given(st.text("abc", max_size=30), st.lists(st.integers(0, 4)), STOPS)
def test_stopped_tells_at_the_end_whether_a_stop_string_was_found(
    text: str, sizes: list[int], stop: tuple[str, ...]
):
    detokenizer = Detokenizer(stop)
    for piece in split(text, sizes):
        detokenizer.push(piece)

    detokenizer.finish()

    assert detokenizer.stopped == any(string in text for string in stop)


@pytest.mark.parametrize(
    ("stop", "pieces", "released"),
    [
        (("</s>",), ["a <", "/s", "> b"], ["a ", "", ""]),
        (("</s>",), ["a <", "/i", "> b"], ["a ", "</i", "> b"]),
        (("aab",), ["aa", "a", "ab"], ["", "a", "a"]),
        (("ab", "abc"), ["xabc"], ["x"]),
        (("abcd", "bc"), ["abc", "d!"], ["", ""]),
        (("abcd", "bc"), ["abc", "e!"], ["", "a"]),
        (("\n\nUser:",), ["Hi\n", "\n", "\nUser", ":"], ["Hi", "", "\n", ""]),
    ],
    ids=["hit", "miss", "slide", "prefix", "longer-earlier", "longer-fails", "newlines"],
)
def test_text_is_held_until_it_is_decided(
    stop: tuple[str, ...], pieces: list[str], released: list[str]
):
    detokenizer = Detokenizer(stop)

    texts = [detokenizer.push(piece.encode()) for piece in pieces]

    assert texts == released


@pytest.mark.parametrize(
    ("pieces", "holds"),
    [
        ([b"a"], False),
        ([b"a\xe2\x82"], True),
        ([b"a\xe2\x82", b"\xac"], False),
        ([b"a st"], True),
        ([b"a st", b"art"], False),
        ([b"a stop"], False),
        ([b"a stop\xe2"], False),
    ],
    ids=["whole", "cut", "completed", "may-stop", "goes-on", "stopped", "stopped-and-cut"],
)
def test_holds_tells_whether_a_later_token_decides(pieces: list[bytes], holds: bool):
    detokenizer = Detokenizer(("stop",))

    for piece in pieces:
        detokenizer.push(piece)

    assert detokenizer.holds == holds


def test_nothing_follows_a_stop_string():
    detokenizer = Detokenizer(("stop",))
    detokenizer.push(b"a stop b")

    later = [detokenizer.push(b" more"), detokenizer.push(b" and stop"), detokenizer.finish()]

    assert detokenizer.stopped
    assert later == ["", "", ""]


def test_the_end_releases_the_beginning_of_a_stop_string():
    detokenizer = Detokenizer(("stop",))

    texts = [detokenizer.push(b"do not st"), detokenizer.finish(), detokenizer.finish()]

    assert texts == ["do not ", "st", ""]
    assert not detokenizer.stopped


def test_the_end_takes_a_match_that_an_earlier_one_might_have_beaten():
    detokenizer = Detokenizer(("abcd", "bc"))

    texts = [detokenizer.push(b"abc"), detokenizer.finish()]

    assert texts == ["", "a"]
    assert detokenizer.stopped


def test_a_leading_space_stays():
    assert answer([b" Hello", b" world"]) == " Hello world"


def test_a_byte_order_mark_is_a_character():
    assert answer(["\ufeffa".encode()]) == "\ufeffa"


def test_a_stop_string_of_many_characters_costs_no_recursion():
    stop = "ab" * 5000

    assert answer([b"x", stop.encode(), b"y"], (stop,)) == "x"
