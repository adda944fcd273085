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


def cut(stop: tuple[str, ...], *tokens: Token, n_at_once: int = 1) -> tuple[list[Token], bool]:
    """Return what is given out of an answer that comes so, and whether it was cut."""
    cutter, given = StopCutter(stop), list[Token]()
    for start in range(0, len(tokens), n_at_once):  # itertools.batched: Python 3.12
        given += cutter.push(tokens[start : start + n_at_once])
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


def test_a_stop_string_in_a_thought_ends_nothing():
    thought = Token(1, "at the END", reasoning=True)

    assert cut(("END",), thought, *tokens_of("one")) == ([thought, *tokens_of("one")], False)


def test_nothing_behind_a_stop_string_is_given_out():
    tokens = tokens_of("one", "END", "two")

    assert cut(("END",), *tokens, EOS, n_at_once=4) == cut(("END",), *tokens)


@given(
    texts=st.lists(st.text("abE", max_size=4), min_size=1),
    stop=st.text("abE", min_size=1, max_size=3),
    n_at_once=st.integers(1, 4),
)
def test_the_text_is_what_stands_before_the_first_stop_string(
    texts: list[str], stop: str, n_at_once: int
):
    given, has_cut = cut((stop,), *tokens_of(*texts), n_at_once=n_at_once)

    whole = "".join(texts)
    assert visible_text(given) == whole.partition(stop)[0]
    assert has_cut == (stop in whole)
