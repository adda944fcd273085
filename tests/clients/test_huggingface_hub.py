"""huggingface_hub's InferenceClient and AsyncInferenceClient, two majors of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.clients.library import Client, Library, Raised

pytestmark = pytest.mark.model

PROMPT = "The sky is"  # the demo model has much to say about it
MESSAGES = [{"role": "user", "content": "Name a colour."}]
Make = Callable[[str], Client]


def test_text_generation_on_a_bare_url_puts_the_prompt_in_front(inference_client: Make, url: str):
    client = inference_client(url)

    whole = client.call("text_generation", PROMPT, max_new_tokens=8)
    answer = client.call("text_generation", PROMPT, max_new_tokens=8, return_full_text=False)

    assert answer
    assert whole == PROMPT + answer


def test_text_generation_on_generate_answers_without_the_prompt(inference_client: Make, url: str):
    client = inference_client(f"{url}/generate")

    answer = client.call("text_generation", PROMPT, max_new_tokens=8)
    whole = client.call("text_generation", PROMPT, max_new_tokens=8, return_full_text=True)

    assert answer
    assert whole == PROMPT + answer


@pytest.mark.parametrize("path", ["", "/generate_stream"])
def test_streamed_texts_join_to_the_answer_that_is_not_streamed(
    inference_client: Make, url: str, path: str
):
    client = inference_client(url)

    texts = inference_client(url + path).call(
        "text_generation", PROMPT, max_new_tokens=8, stream=True
    )
    answer = client.call("text_generation", PROMPT, max_new_tokens=8, return_full_text=False)

    assert len(texts) == 8
    assert "".join(texts) == answer


def test_details_tell_each_token_and_why_it_ended(inference_client: Make, url: str):
    output = inference_client(url).call(
        "text_generation", PROMPT, max_new_tokens=8, details=True, return_full_text=False
    )

    details = output["details"]
    assert details["finish_reason"] == "length"
    assert details["generated_tokens"] == len(details["tokens"]) == 8
    assert details["seed"] is None
    assert details["prefill"] == []
    assert all(token["logprob"] <= 0 for token in details["tokens"])
    assert all(isinstance(token["id"], int) for token in details["tokens"])
    assert "".join(token["text"] for token in details["tokens"]) == output["generated_text"]


def test_a_streams_last_event_alone_tells_the_whole_text_and_details(
    inference_client: Make, url: str
):
    *events, last = inference_client(url).call(
        "text_generation",
        PROMPT,
        max_new_tokens=8,
        details=True,
        stream=True,
        return_full_text=False,
    )

    assert [event["index"] for event in [*events, last]] == list(range(1, 9))
    assert all(event["generated_text"] is event["details"] is None for event in events)
    texts = [event["token"]["text"] for event in [*events, last]]
    assert last["generated_text"] == "".join(texts)
    assert all(event["token"]["logprob"] <= 0 for event in [*events, last])
    assert last["details"]["finish_reason"] == "length"
    assert last["details"]["generated_tokens"] == 8
    assert last["details"]["input_length"] > 0


def test_a_seed_that_was_drawn_gives_the_same_answer_again(inference_client: Make, url: str):
    client = inference_client(f"{url}/generate")
    sampling = {"max_new_tokens": 8, "do_sample": True, "temperature": 1.5, "details": True}

    first = client.call("text_generation", PROMPT, **sampling)
    seed = first["details"]["seed"]
    again = client.call("text_generation", PROMPT, **sampling, seed=seed)

    assert isinstance(seed, int)
    assert again["generated_text"] == first["generated_text"]


def test_a_stop_string_ends_the_text_and_stays_in_it(inference_client: Make, url: str):
    client = inference_client(f"{url}/generate")
    output = client.call("text_generation", PROMPT, max_new_tokens=8, details=True)
    stop = output["details"]["tokens"][3]["text"]

    stopped = client.call("text_generation", PROMPT, max_new_tokens=8, details=True, stop=[stop])

    assert stopped["generated_text"].endswith(stop)
    assert output["generated_text"].startswith(stopped["generated_text"])
    assert stopped["details"]["finish_reason"] == "stop_sequence"


def test_the_likeliest_tokens_of_each_step_come_when_asked_for(inference_client: Make, url: str):
    client = inference_client(f"{url}/generate")

    output = client.call("text_generation", PROMPT, max_new_tokens=3, details=True, top_n_tokens=2)

    steps = output["details"]["top_tokens"]
    assert [len(step) >= 2 for step in steps] == [True] * 3
    greedy = [token["id"] for token in output["details"]["tokens"]]
    assert [step[0]["id"] for step in steps] == greedy


@pytest.mark.parametrize("stream", [False, True])
def test_a_wrong_parameter_raises_validation_error(inference_client: Make, url: str, stream: bool):
    client = inference_client(url)

    with pytest.raises(Raised) as refusal:
        client.call("text_generation", PROMPT, top_p=1.5, stream=stream)

    assert refusal.value.classes[0] == "ValidationError"
    assert "top_p" in refusal.value.message


@pytest.mark.parametrize("stream", [False, True])
def test_a_full_server_raises_overloaded_error(
    inference_client: Make, overloaded_url: str, stream: bool
):
    client = inference_client(overloaded_url)

    with pytest.raises(Raised) as refusal:
        client.call("text_generation", PROMPT, max_new_tokens=8, stream=stream)

    assert refusal.value.classes[0] == "OverloadedError"


def test_chat_completion_streams_what_it_answers_without_stream(inference_client: Make, url: str):
    client = inference_client(url)

    answer = client.call("chat_completion", MESSAGES, max_tokens=8, temperature=0)
    chunks = client.call("chat_completion", MESSAGES, max_tokens=8, temperature=0, stream=True)

    choice = answer["choices"][0]
    assert choice["message"]["role"] == "assistant"
    assert choice["finish_reason"] == chunks[-1]["choices"][0]["finish_reason"]
    texts = [chunk["choices"][0]["delta"]["content"] or "" for chunk in chunks]
    assert "".join(texts) == choice["message"]["content"] != ""
    assert answer["usage"]["completion_tokens"] <= 8


def test_chat_completion_tells_log_probabilities(inference_client: Make, url: str):
    answer = inference_client(url).call(
        "chat_completion", MESSAGES, max_tokens=3, temperature=0, logprobs=True, top_logprobs=2
    )

    choice = answer["choices"][0]
    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
    assert all(token["logprob"] == token["top_logprobs"][0]["logprob"] for token in tokens)


def test_a_chat_streams_usage_when_asked_for(inference_client: Make, url: str):
    *chunks, last = inference_client(url).call(
        "chat_completion",
        MESSAGES,
        max_tokens=3,
        stream=True,
        stream_options={"include_usage": True},
    )

    assert all(chunk["usage"] is None for chunk in chunks)
    usage = last["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_wrong_chat_parameter_is_refused_with_400(inference_client: Make, url: str, stream: bool):
    client = inference_client(url)

    with pytest.raises(Raised) as refusal:
        client.call("chat_completion", MESSAGES, top_p=1.5, stream=stream)

    # 0.36's asynchronous client lets aiohttp's own error through, without the server's words.
    assert refusal.value.classes[0] in ("BadRequestError", "ClientResponseError")
    assert any(word in refusal.value.message for word in ("top_p", "400"))


@pytest.mark.parametrize("stream", [False, True])
def test_a_full_server_refuses_a_chat_with_429(
    inference_client: Make, overloaded_url: str, stream: bool
):
    client = inference_client(overloaded_url)

    with pytest.raises(Raised) as refusal:
        client.call("chat_completion", MESSAGES, max_tokens=8, stream=stream)

    assert "429" in refusal.value.message


def test_the_client_learns_the_servers_facts_and_health(hub: Library, url: str):
    client = hub.new("InferenceClient", url, provider="hf-inference")

    info = client.call("get_endpoint_info")
    is_healthy = client.call("health_check")

    assert info["router"] == "text-generation-router"
    assert info["max_input_tokens"] < info["max_total_tokens"]
    assert is_healthy is True
