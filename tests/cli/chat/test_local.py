"""A conversation's prompts: they begin with the very tokens that were computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tgicli.cli.chat.local import ContinuingEncoder
from tgicli.core import GenerationRequest, Message, Token
from tgicli.engine.model import LoadOptions, Model
from tgicli.engine.prompt import PromptEncoder

pytestmark = pytest.mark.model
QUESTION, NEXT = Message("user", "Name a fruit."), Message("user", "Another.")


@pytest.fixture(scope="module")
def model(demo_model: Path) -> Iterator[Model]:
    with closing(Model.load(demo_model, LoadOptions(), lambda _: True)) as loaded:
        yield loaded


def asking(*messages: Message) -> GenerationRequest:
    return GenerationRequest(id="x", prompt=messages)


def in_letters(model: Model, text: str) -> list[Token]:
    """Return a text as no tokenizer would cut it: a token a letter."""
    ids = [model.tokenize(letter, add_special=False)[0] for letter in text]
    return [Token(id, letter) for id, letter in zip(ids, text, strict=True)]


def test_an_answer_is_not_cut_into_other_tokens(model: Model) -> None:
    encoder, answer = ContinuingEncoder(model), in_letters(model, "banana")
    first = asking(QUESTION)
    computed = [*encoder.encode(first), *(token.id for token in answer)]

    encoder.remember(first, [*answer, Token(2, "<|im_end|>", special=True)])

    second = asking(QUESTION, Message("assistant", "banana"), NEXT)
    assert encoder.encode(second)[: len(computed)] == computed
    assert PromptEncoder(model).encode(second)[: len(computed)] != computed


def test_the_text_stays_what_the_template_writes(model: Model) -> None:
    encoder, answer = ContinuingEncoder(model), in_letters(model, "banana")
    encoder.remember(asking(QUESTION), answer)

    second = asking(QUESTION, Message("assistant", "banana"), NEXT)

    written = b"".join(model.piece(id).data for id in encoder.encode(second))
    assert written.decode() == encoder.render(second)


def test_a_retried_question_still_begins_with_what_was_said_before(model: Model) -> None:
    encoder, answer = ContinuingEncoder(model), in_letters(model, "banana")
    encoder.remember(asking(QUESTION), answer)
    second = asking(QUESTION, Message("assistant", "banana"), NEXT)
    before = encoder.encode(second)
    encoder.remember(second, in_letters(model, "pear"))

    assert encoder.encode(second) == before


def test_a_text_that_was_cut_off_is_remembered_up_to_there(model: Model) -> None:
    encoder = ContinuingEncoder(model)
    computed = [*encoder.encode(asking(QUESTION)), *(t.id for t in in_letters(model, "ba"))]
    cut = [*in_letters(model, "ba"), Token(in_letters(model, "n")[0].id, "")]  # its text never came

    encoder.remember(asking(QUESTION), cut)

    second = asking(QUESTION, Message("assistant", "ba"), NEXT)
    assert encoder.encode(second)[: len(computed)] == computed


def test_half_a_character_is_not_remembered(model: Model) -> None:
    encoder = ContinuingEncoder(model)
    ids = model.tokenize("\U0001f99c", add_special=False)
    assert len(ids) > 1
    texts = ["", *[""] * (len(ids) - 2), "\U0001f99c"]
    answer = [Token(id, text) for id, text in zip(ids, texts, strict=True)]
    encoder.remember(asking(QUESTION), answer[:-1])  # stopped before the character was whole
    nothing = asking(QUESTION, Message("assistant", ""), NEXT)

    assert encoder.encode(nothing) == PromptEncoder(model).encode(nothing)


def test_another_conversation_is_encoded_as_ever(model: Model) -> None:
    encoder = ContinuingEncoder(model)
    encoder.remember(asking(QUESTION), in_letters(model, "banana"))

    other = asking(Message("system", "Be brief."), QUESTION)

    assert encoder.encode(other) == PromptEncoder(model).encode(other)
