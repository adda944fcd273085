"""The calls that TGI's documentation shows on its page about streaming, old and new.

Only the address differs, and where a call has no limit of its own the reader leaves after some
tokens. The JavaScript call also names a model: without one the client asks the hub for one.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.installing import program
from tests.clients.library import Library

pytestmark = pytest.mark.model

PROMPT = "How do you make cheese?"


def test_inference_client_streams_tokens(hub: Library, url: str):
    client = hub.new("InferenceClient", url)

    texts = client.call("text_generation", PROMPT, max_new_tokens=12, stream=True)

    assert 1 <= len(texts) <= 12
    assert all(isinstance(text, str) for text in texts)


def test_inference_client_streams_details(hub: Library, url: str):
    client = hub.new("InferenceClient", url)

    *outputs, last = client.call(
        "text_generation", PROMPT, max_new_tokens=12, details=True, stream=True
    )

    assert all(output["generated_text"] is output["details"] is None for output in outputs)
    assert last["details"]["finish_reason"] in ("length", "eos_token")
    assert last["details"]["generated_tokens"] == len(outputs) + 1
    assert last["details"]["seed"] is None
    tokens = [output["token"] for output in [*outputs, last]]
    text = "".join(token["text"] for token in tokens if not token["special"])
    assert last["generated_text"] == PROMPT + text


def test_async_inference_client_streams_tokens_without_a_limit(hub: Library, url: str):
    client = hub.new("AsyncInferenceClient", url)

    texts = client.first(12, "text_generation", PROMPT, stream=True)

    assert 1 <= len(texts) <= 12


def test_inference_client_streams_a_chat(hub: Library, url: str):
    client = hub.new("InferenceClient", base_url=url)
    messages = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Count to 10"},
    ]

    chunks = client.first(
        12, "chat.completions.create", messages=messages, stream=True, max_tokens=1024
    )

    assert chunks[0]["choices"][0]["delta"]["content"]


def test_async_inference_client_streams_a_chat(hub: Library, url: str):
    client = hub.new("AsyncInferenceClient", base_url=url)
    messages = [{"role": "user", "content": "Say this is a test"}]

    chunks = client.first(12, "chat.completions.create", messages=messages, stream=True)

    assert chunks[0]["choices"][0]["delta"]["content"]


def test_curl_streams_tokens(url: str):
    request = '{"inputs":"What is Deep Learning?","parameters":{"max_new_tokens":20}}'

    events = list(curl_events(url, "/generate_stream", request))

    assert [event["index"] for event in events] == list(range(1, 21))
    texts = [event["token"]["text"] for event in events]
    assert events[-1]["generated_text"] == "".join(texts)


def test_curl_streams_a_chat(url: str):
    system = {"role": "system", "content": "You are a helpful assistant."}
    user = {"role": "user", "content": "What is deep learning?"}
    request = {"model": "tgi", "messages": [system, user], "stream": True, "max_tokens": 20}

    chunks = list(curl_events(url, "/v1/chat/completions", json.dumps(request)))

    assert chunks[0]["choices"][0]["delta"]["content"]
    assert chunks[-1]["choices"][0]["finish_reason"] in ("length", "stop")


def curl_events(url: str, path: str, request: str) -> Iterator[dict[str, Any]]:
    """Run the page's curl command and yield its events."""
    address = url.removeprefix("http://") + path  # as there, without a scheme
    command = [program("curl"), "--noproxy", "*", "-N", address, "-X", "POST", "-d", request]
    command += ["-H", "Content-Type: application/json"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line in filter(None, printed.split("\n")):
        if line != "data: [DONE]":
            yield json.loads(line.removeprefix("data: "))


def test_javascript_streams_tokens_without_a_limit(inference_2: Library, url: str):
    hf = inference_2.new("HfInferenceEndpoint", url, "hf_YOUR_TOKEN")
    prompt = "What can you do in Nuremberg, Germany? Give me 3 Tips"

    events = hf.first(12, "textGenerationStream", {"model": "tgi", "inputs": prompt})

    assert 1 <= len(events) <= 12
    assert all(isinstance(event["token"]["text"], str) for event in events)
