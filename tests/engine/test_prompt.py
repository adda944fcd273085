"""PromptEncoder: what a request's prompt is made of, and what it remembers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tgicli.core import GenerationRequest, Message, Tool
from tgicli.engine.model import LoadOptions, Model
from tgicli.engine.prompt import PromptEncoder, room_for_answer
from tgicli.errors import ContextOverflow

HELLO = Message("user", "Hello!")
CHAT = GenerationRequest(id="a", prompt=(HELLO, Message("assistant", "Hi")))


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Iterator[Model]:
    model = Model.load(tiny_model, LoadOptions(gpu_layers=0), lambda fraction: True)
    yield model
    model.close()


def test_a_text_is_sent_as_it_is(model: Model):
    request = GenerationRequest(id="a", prompt="<|im_start|>")

    assert PromptEncoder(model).render(request) == "<|im_start|>"


@pytest.mark.parametrize(
    "other",
    [
        replace(CHAT, prompt=(HELLO,)),
        replace(CHAT, tools=(Tool("add", None, "{}"),)),
        replace(CHAT, continues=True),
    ],
    ids=["messages", "tools", "continues"],
)
def test_all_that_makes_the_prompt_is_looked_at_again(model: Model, other: GenerationRequest):
    encoder = PromptEncoder(model)

    before, ids = encoder.encode(CHAT), encoder.encode(other)

    assert ids != before
    assert ids == PromptEncoder(model).encode(other)


def test_a_caller_may_change_what_it_got(model: Model):
    encoder = PromptEncoder(model)

    encoder.encode(CHAT).clear()

    assert encoder.encode(CHAT)


def test_threads_that_encode_at_once_get_their_own_prompts(model: Model):
    encoder = PromptEncoder(model)
    requests = [GenerationRequest(id="a", prompt=f"{i} " * (i + 1)) for i in range(8)] * 100
    expected = [PromptEncoder(model).encode(request) for request in requests]

    with ThreadPoolExecutor(4) as pool:
        encoded = list(pool.map(encoder.encode, requests))

    assert encoded == expected


def test_truncation_keeps_the_end(model: Model):
    request = GenerationRequest(id="a", prompt="Hello there")
    encoder = PromptEncoder(model)

    assert encoder.encode(replace(request, truncate=3)) == encoder.encode(request)[-3:]


@pytest.mark.parametrize(("wanted", "room"), [(None, 6), (6, 6), (2, 2)])
def test_an_answer_has_what_the_prompt_leaves(wanted: int | None, room: int):
    assert room_for_answer(10, wanted, 16) == room


@pytest.mark.parametrize(
    ("n_prompt", "wanted", "words"),
    [
        (16, None, "the prompt has 16 tokens, the context holds 16; shorten"),
        (10, 7, "the prompt has 10 tokens and 7 more are wanted, the context holds 16"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_numbers(
    n_prompt: int, wanted: int | None, words: str
):
    with pytest.raises(ContextOverflow, match=words):
        room_for_answer(n_prompt, wanted, 16)
