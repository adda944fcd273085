"""A sequence: what a sampled token releases, and why it ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes import sequence
from tgicli.core import FinishReason, SamplingParams, Token
from tgicli.engine.sequence import Sampled, Sequence


def accept_all(running: Sequence, *pieces: bytes | Sampled) -> list[tuple[str, ...]]:
    """Feed pieces; return the texts that each released."""
    released = []
    for token_id, piece in enumerate(pieces, 1):
        sampled = piece if isinstance(piece, Sampled) else Sampled(token_id, piece)
        released.append(tuple(token.text for token in running.accept(sampled)))
    return released


def test_a_token_is_released_with_its_text() -> None:
    running = sequence(3)

    tokens = running.accept(Sampled(7, b" dog", logprob=-0.5))

    assert tokens == (Token(7, " dog", -0.5),)
    assert running.n_generated == 1


def test_tokens_inside_a_character_are_held_until_it_is_whole() -> None:
    running = sequence(3, max_new_tokens=9)

    released = accept_all(running, b"\xf0\x9f", b"\x98", b"\x80!")

    assert released == [(), (), ("", "", "😀!")]


def test_tokens_inside_a_possible_stop_string_are_held_and_then_given_out() -> None:
    running = sequence(3, max_new_tokens=9, stop=("END",))

    released = accept_all(running, b"a E", b"N", b"x")

    assert released == [(), (), ("a ", "", "ENx")]


def test_the_text_before_a_stop_string_is_kept_and_the_rest_dropped() -> None:
    running = sequence(3, max_new_tokens=9, stop=("END",))

    released = accept_all(running, b"a E", b"ND of it")

    assert released == [(), ("a ", "")]
    assert running.finish_reason is FinishReason.STOP_SEQUENCE


def test_held_text_is_released_on_the_last_visible_token_when_the_sequence_ends() -> None:
    running = sequence(3, max_new_tokens=9, stop=("END",))
    eos = Sampled(0, b"</s>", special=True, ends=True)

    released = accept_all(running, b"a E", eos)

    assert released == [(), ("a E", "</s>")]
    assert running.finish_reason is FinishReason.EOS_TOKEN


def test_a_character_cut_off_by_the_end_is_dropped() -> None:
    running = sequence(3, max_new_tokens=2)

    released = accept_all(running, b"a", b"b\xf0\x9f")

    assert released == [("a",), ("b",)]
    assert running.finish_reason is FinishReason.LENGTH


@pytest.mark.parametrize(
    ("keep_stop", "piece", "reason"),
    [
        (True, b"END", FinishReason.LENGTH),
        (True, b"</s>", FinishReason.LENGTH),
        (False, b"END", FinishReason.STOP_SEQUENCE),
        (False, b"</s>", FinishReason.EOS_TOKEN),
        (False, b"more", FinishReason.LENGTH),
    ],
)
def test_length_is_named_first_as_in_tgi_or_last_as_in_openai(
    keep_stop: bool, piece: bytes, reason: FinishReason
) -> None:
    params = SamplingParams(temperature=0, stop=("END",), keep_stop=keep_stop)
    running = Sequence("a", [1, 2, 3], params, 1)
    ends = piece == b"</s>"

    running.accept(Sampled(0, piece, special=ends, ends=ends))

    assert running.finish_reason is reason


def test_an_end_token_is_passed_over_when_asked() -> None:
    running = sequence(3, max_new_tokens=9)
    running.params = replace(running.params, ignore_eos=True)

    running.accept(Sampled(0, b"</s>", special=True, ends=True))

    assert running.finish_reason is None


def test_the_text_of_a_control_token_is_no_stop_string() -> None:
    params = SamplingParams(temperature=0, stop=("</s>",), keep_stop=True)
    running = Sequence("a", [1, 2, 3], params, 9)

    running.accept(Sampled(5, b"</s>", special=True))

    assert running.finish_reason is None
