"""OpenAI's client on the routes that TGI shares with OpenAI."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.clients.conftest import PATIENCE_S
from tests.clients.library import Client, Library, Raised

pytestmark = pytest.mark.model

MESSAGES = [{"role": "user", "content": "Name a colour."}]
CHAT, COMPLETION = "chat.completions.create", "completions.create"
Make = Callable[[str], Client]


@pytest.fixture(params=["OpenAI", "AsyncOpenAI"])
def client(request: pytest.FixtureRequest, openai: Library) -> Make:
    """Return a function that makes the client of a server; it does not try again."""
    options = {"api_key": "-", "max_retries": 0, "timeout": PATIENCE_S}
    return lambda url: openai.new(request.param, base_url=f"{url}/v1", **options)


def test_a_chat_streams_what_it_answers_without_stream(client: Make, url: str):
    asked = {"model": "tgi", "messages": MESSAGES, "max_tokens": 8, "temperature": 0}

    answer = client(url).call(CHAT, **asked)
    chunks = client(url).call(CHAT, **asked, stream=True)

    choice = answer["choices"][0]
    texts = [chunk["choices"][0]["delta"]["content"] or "" for chunk in chunks]
    assert "".join(texts) == choice["message"]["content"] != ""
    assert chunks[-1]["choices"][0]["finish_reason"] == choice["finish_reason"]
    assert answer["usage"]["completion_tokens"] <= 8


def test_a_chat_streams_usage_in_a_chunk_of_its_own(client: Make, url: str):
    *chunks, last = client(url).call(
        CHAT,
        model="tgi",
        messages=MESSAGES,
        max_tokens=3,
        stream=True,
        stream_options={"include_usage": True},
    )

    assert all(chunk["usage"] is None for chunk in chunks)
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == len(chunks)


def test_several_answers_are_put_together_whichever_speaks_first(client: Make, url: str):
    names = ("go", "answer_with_the_name_of_a_colour")
    events = client(url).call(
        "chat.completions.stream",
        model="tgi",
        messages=MESSAGES,
        tools=[{"type": "function", "function": {"name": name}} for name in names],
        tool_choice="required",
        n=4,
        seed=3,  # the first answer calls what has the longer name, which is told once it is whole
    )

    *_, last = (event["snapshot"] for event in events if event["type"] == "chunk")
    called = [choice["message"]["tool_calls"][0]["function"] for choice in last["choices"]]
    assert [function["name"] in names for function in called] == [True] * 4


def test_a_chat_tells_log_probabilities(client: Make, url: str):
    asked = {"model": "tgi", "messages": MESSAGES, "max_tokens": 3, "temperature": 0}

    choice = client(url).call(CHAT, **asked, logprobs=True, top_logprobs=2)["choices"][0]

    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
    assert all(token["logprob"] == token["top_logprobs"][0]["logprob"] for token in tokens)


def test_openais_own_shapes_of_options_are_accepted(client: Make, url: str):
    answer = client(url).call(
        CHAT,
        model="gpt-4o",
        messages=[{"role": "user", "content": [{"type": "text", "text": "Name a colour."}]}],
        max_completion_tokens=3,
        stop="\n\n\n",
        response_format={"type": "text"},
        logit_bias={"0": -100},
        seed=1,
        user="someone",
    )

    assert answer["choices"][0]["message"]["content"]


def test_a_completion_streams_what_it_answers_without_stream(client: Make, url: str):
    asked = {"model": "tgi", "prompt": "The sky is", "max_tokens": 8, "temperature": 0}

    answer = client(url).call(COMPLETION, **asked)
    chunks = client(url).call(COMPLETION, **asked, stream=True)

    assert len(chunks) == 8
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == answer["choices"][0]["text"]
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 8
    assert chunks[-1]["usage"] == answer["usage"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_wrong_parameter_raises_bad_request_error(client: Make, url: str, stream: bool):
    with pytest.raises(Raised) as refusal:
        client(url).call(CHAT, model="tgi", messages=MESSAGES, top_p=1.5, stream=stream)

    assert refusal.value.classes[0] == "BadRequestError"
    assert "top_p" in refusal.value.message


@pytest.mark.parametrize("stream", [False, True])
def test_a_full_server_raises_rate_limit_error(client: Make, overloaded_url: str, stream: bool):
    with pytest.raises(Raised) as refusal:
        client(overloaded_url).call(CHAT, model="tgi", messages=MESSAGES, stream=stream)

    assert refusal.value.classes[0] == "RateLimitError"


def test_the_model_is_listed(openai: Library, url: str):
    client = openai.new("OpenAI", base_url=f"{url}/v1", api_key="-")

    (model,) = client.call("models.list")["data"]

    assert model["object"] == "model"
    assert model["id"]
