"""TGI's stop strings: kept, and found only where a token ends."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import sampled, sequence
from tgicli.core import FinishReason, SamplingParams, visible_text
from tgicli.engine.sequence import Sequence
from tgicli.engine.stop import KeptStop


@pytest.mark.parametrize(
    ("pieces", "ends_at"),
    [
        (["one", " stop"], 1),
        (["one st", "op"], 1),
        (["one stop it"], None),
        (["one stop\n"], 0),
        (["stop", ""], 0),
        (["sto", "", "p"], 2),
    ],
)
def test_an_answer_ends_where_a_token_ends_with_a_stop_string(pieces, ends_at):
    stop = KeptStop(("stop",))

    ends = [index for index, piece in enumerate(pieces) if stop.push(piece)]

    assert ends[:1] == ([] if ends_at is None else [ends_at])


@given(st.lists(st.text("ab\n", max_size=3)), st.lists(st.text("ab", min_size=1), min_size=1))
def test_it_is_the_expression_that_tgi_tests(pieces, strings):
    stop, text = KeptStop(tuple(strings)), ""

    for piece in filter(None, pieces):
        text += piece
        found = any(re.search(f"{re.escape(string)}$", text) for string in strings)
        assert stop.push(piece) == found


def test_a_sequence_that_keeps_its_stop_string_shows_it():
    params = SamplingParams(temperature=0, stop=("[6]",), keep_stop=True)
    answering = Sequence("a", [4], params, max_new_tokens=9)

    tokens = [token for token_id in (5, 6) for token in answering.accept(sampled(token_id))]

    assert visible_text(tokens) == "[5][6]"
    assert answering.finish_reason is FinishReason.STOP_SEQUENCE


def test_a_sequence_that_drops_its_stop_string_does_not():
    answering = sequence(1, stop=("[6]",))

    tokens = [token for token_id in (5, 6) for token in answering.accept(sampled(token_id))]

    assert visible_text(tokens) == "[5]"
