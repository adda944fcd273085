"""Stop strings that a server keeps in the text, cut off before anybody sees them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgicli.backends.stop_cutter import StopCutter
from tgicli.core import Token, visible_text

EOS = Token(2, "</s>", special=True)


def tokens_of(*texts: str) -> list[Token]:
    return [Token(index, text, logprob=-float(index)) for index, text in enumerate(texts)]


def cut(stop: tuple[str, ...], *tokens: Token) -> tuple[list[Token], bool]:
    """Return what is given out of an answer, and whether it was cut."""
    cutter, given = StopCutter(stop), list[Token]()
    for token in tokens:
        given += cutter.push((token,))
        if cutter.has_cut:
            break
    given += cutter.close()
    return given, cutter.has_cut


@pytest.mark.parametrize(
    ("texts", "shown", "is_cut"),
    [
        (["one", " two", " END"], "one two ", True),
        (["one EN", "D two"], "one ", True),
        (["one", "E", "N", "D"], "one", True),
        (["one E", "N two"], "one EN two", False),
        (["one EN"], "one EN", False),
        (["END"], "", True),
    ],
)
def test_nothing_of_a_stop_string_is_shown(texts: list[str], shown: str, is_cut: bool):
    given, has_cut = cut(("END",), *tokens_of(*texts))

    assert (visible_text(given), has_cut) == (shown, is_cut)


def test_a_token_that_may_begin_one_waits_for_the_next():
    cutter = StopCutter(("END",))

    assert cutter.push(tuple(tokens_of("a E"))) == ()
    assert [token.text for token in cutter.push(tuple(tokens_of("x")))] == ["a ", "Ex"]


def test_tokens_keep_all_but_their_texts():
    given, _ = cut(("END",), *tokens_of("a", "E", "ND"))

    assert [(token.id, token.logprob) for token in given] == [(0, 0.0), (1, -1.0), (2, -2.0)]


def test_a_control_tokens_text_is_no_part_of_the_answer():
    given, has_cut = cut(("</s>", "END"), *tokens_of("one EN"), EOS)

    assert (visible_text(given), has_cut) == ("one EN", False)
    assert given[-1] == EOS


@given(st.lists(st.text("abE", max_size=4), min_size=1), st.text("abE", min_size=1, max_size=3))
def test_the_text_is_what_stands_before_the_first_stop_string(texts: list[str], stop: str):
    given, has_cut = cut((stop,), *tokens_of(*texts))

    whole = "".join(texts)
    assert visible_text(given) == whole.partition(stop)[0]
    assert has_cut == (stop in whole)
