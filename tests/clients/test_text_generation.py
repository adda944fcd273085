"""text-generation, TGI's own client, which sends every unset parameter as an explicit null."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.clients.conftest import PATIENCE_S
from tests.clients.library import Client, Library, Raised

pytestmark = pytest.mark.model

PROMPT = "The sky is"  # the demo model has much to say about it
Make = Callable[[str], Client]


@pytest.fixture(params=["Client", "AsyncClient"])
def client(request: pytest.FixtureRequest, text_generation: Library) -> Make:
    """Return a function that makes the client of a server."""
    return lambda url: text_generation.new(request.param, url, timeout=PATIENCE_S)


@pytest.mark.parametrize("path", ["", "/generate_stream"])
def test_streamed_tokens_join_to_the_answer_that_is_not_streamed(client: Make, url: str, path: str):
    response = client(url).call("generate", PROMPT, max_new_tokens=8)
    events = client(url + path).call("generate_stream", PROMPT, max_new_tokens=8)

    assert len(events) == 8
    assert "".join(event["token"]["text"] for event in events) == response["generated_text"]
    assert events[-1]["generated_text"] == response["generated_text"]


def test_details_always_come(client: Make, url: str):
    response = client(url).call("generate", PROMPT, max_new_tokens=8)
    last = client(url).call("generate_stream", PROMPT, max_new_tokens=8)[-1]

    details = response["details"]
    assert details["finish_reason"] == last["details"]["finish_reason"] == "length"
    assert details["generated_tokens"] == last["details"]["generated_tokens"] == 8
    assert len(details["tokens"]) == 8
    assert all(token["logprob"] <= 0 for token in details["tokens"])


def test_best_of_two_answers_tells_the_other_one_too(client: Make, url: str):
    response = client(url).call(
        "generate", PROMPT, max_new_tokens=4, best_of=2, do_sample=True, temperature=1.5
    )

    (other,) = response["details"]["best_of_sequences"]
    assert other["generated_tokens"] == 4
    assert isinstance(other["seed"], int)


@pytest.mark.parametrize("method", ["generate", "generate_stream"])
def test_a_wrong_parameter_raises_validation_error(client: Make, url: str, method: str):
    with pytest.raises(Raised) as refusal:
        client(url).call(method, PROMPT, max_new_tokens=0)

    assert refusal.value.classes[0] == "ValidationError"
    assert "max_new_tokens" in refusal.value.message


@pytest.mark.parametrize("method", ["generate", "generate_stream"])
def test_a_full_server_raises_overloaded_error(client: Make, overloaded_url: str, method: str):
    with pytest.raises(Raised) as refusal:
        client(overloaded_url).call(method, PROMPT, max_new_tokens=8)

    assert refusal.value.classes[0] == "OverloadedError"


def test_a_chat_with_a_null_for_every_unset_field_is_answered(client: Make, url: str):
    answer = client(url).call("chat", [{"role": "user", "content": "Name a colour."}], max_tokens=8)

    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"]
