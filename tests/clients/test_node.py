"""@huggingface/inference on Node: 2.8.1, and the newest, which speaks OpenAI's dialect instead."""

from __future__ import annotations

import pytest

from tests.clients.library import Client, Library, Raised

pytestmark = pytest.mark.model

PROMPT = "The sky is"  # the demo model has much to say about it
MESSAGES = [{"role": "user", "content": "Name a colour."}]


@pytest.fixture(params=["HfInferenceEndpoint", "HfInference"])
def endpoint(request: pytest.FixtureRequest, inference_2: Library, url: str) -> Client:
    """A client of 2.8.1; HfInference is told the server with each call."""
    if request.param == "HfInference":
        return inference_2.new("HfInference", "hf_token")
    return inference_2.new("HfInferenceEndpoint", url, "hf_token")


def asked(url: str, **parameters: object) -> dict[str, object]:
    """Return what 2.8.1's methods take."""
    return {"model": "tgi", "endpointUrl": url, "inputs": PROMPT, "parameters": parameters}


def test_version_2_streams_tgis_events(endpoint: Client, url: str):
    request = asked(url, max_new_tokens=8, return_full_text=False, details=True)

    answer = endpoint.call("textGeneration", request)
    *events, last = endpoint.call("textGenerationStream", request)

    assert all(event["generated_text"] is event["details"] is None for event in events)
    assert [event["index"] for event in [*events, last]] == list(range(1, 9))
    texts = [event["token"]["text"] for event in [*events, last]]
    assert "".join(texts) == last["generated_text"] == answer["generated_text"]
    assert last["details"]["finish_reason"] == answer["details"]["finish_reason"] == "length"


def test_version_2_chats(endpoint: Client, url: str):
    request = {"model": "tgi", "endpointUrl": url, "messages": MESSAGES, "max_tokens": 8}

    answer = endpoint.call("chatCompletion", request | {"temperature": 0})
    chunks = endpoint.call("chatCompletionStream", request | {"temperature": 0})

    texts = [chunk["choices"][0]["delta"]["content"] or "" for chunk in chunks]
    assert "".join(texts) == answer["choices"][0]["message"]["content"] != ""


@pytest.mark.parametrize("method", ["textGeneration", "textGenerationStream"])
def test_version_2_tells_the_servers_words_of_a_wrong_parameter(
    endpoint: Client, url: str, method: str
):
    with pytest.raises(Raised, match="top_p"):
        endpoint.call(method, asked(url, top_p=1.5))


@pytest.mark.parametrize("method", ["textGeneration", "textGenerationStream"])
def test_version_2_tells_that_the_server_is_full(
    inference_2: Library, overloaded_url: str, method: str
):
    endpoint = inference_2.new("HfInferenceEndpoint", overloaded_url, "hf_token")

    with pytest.raises(Raised, match="overloaded"):
        endpoint.call(method, asked(overloaded_url, max_new_tokens=8))


@pytest.fixture
def client(inference_4: Library, url: str) -> Client:
    """A client of the newest version."""
    return inference_4.new("InferenceClient", "hf_token", {"endpointUrl": url})


def test_the_newest_version_streams_openai_completions(client: Client):
    request = {"inputs": PROMPT, "parameters": {"max_tokens": 8, "temperature": 0}}

    answer = client.call("textGeneration", request)
    chunks = client.call("textGenerationStream", request)

    texts = [chunk["choices"][0]["text"] for chunk in chunks]
    assert len(texts) == 8
    assert "".join(texts) == answer["generated_text"]


def test_the_newest_version_chats(client: Client):
    request = {"messages": MESSAGES, "max_tokens": 8, "temperature": 0}

    answer = client.call("chatCompletion", request)
    chunks = client.call("chatCompletionStream", request)

    texts = [chunk["choices"][0]["delta"]["content"] or "" for chunk in chunks]
    assert "".join(texts) == answer["choices"][0]["message"]["content"] != ""


def test_the_newest_version_still_posts_tgis_request_to_the_server_itself(
    inference_4: Library, url: str
):
    client = inference_4.new("InferenceClient", "hf_token", {"endpointUrl": url})
    request = asked(url, max_new_tokens=8)

    (answer,) = client.call("request", request)
    events = client.call("streamingRequest", request)

    text = "".join(event["token"]["text"] for event in events)
    assert answer["generated_text"] == PROMPT + text


@pytest.mark.parametrize("method", ["chatCompletion", "chatCompletionStream"])
def test_the_newest_version_raises_an_api_error_of_a_wrong_parameter(client: Client, method: str):
    with pytest.raises(Raised, match="top_p") as refusal:
        client.call(method, {"messages": MESSAGES, "top_p": 1.5})

    assert refusal.value.classes[0] == "InferenceClientProviderApiError"


@pytest.mark.parametrize("method", ["chatCompletion", "chatCompletionStream"])
def test_the_newest_version_raises_an_api_error_of_a_full_server(
    inference_4: Library, overloaded_url: str, method: str
):
    client = inference_4.new("InferenceClient", "hf_token", {"endpointUrl": overloaded_url})

    with pytest.raises(Raised, match="overloaded") as refusal:
        client.call(method, {"messages": MESSAGES, "max_tokens": 8})

    assert refusal.value.classes[0] == "InferenceClientProviderApiError"
