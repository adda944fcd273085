"""What each client makes of a server that asks for a key: with the right one, with a wrong one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.conftest import PATIENCE_S
from tests.clients.installing import program
from tests.clients.library import Client, Library, Raised
from tests.server.conftest import CALM, running_server

KEY, WRONG = "sesame", "wrong"
PROMPT = "Hello"
MESSAGES = [{"role": "user", "content": "Hello"}]
Make = Callable[..., Client]


@pytest.fixture(scope="module")
def locked(tiny_model: Path) -> Iterator[str]:
    """Where a server asks for a key."""
    with running_server(tiny_model, "--max-total-tokens", "512", "--api-key", KEY, *CALM) as one:
        yield one.url


@pytest.mark.parametrize("stream", [False, True])
def test_huggingface_hub(inference_client: Make, locked: str, stream: bool):
    asked = {"max_new_tokens": 3, "stream": stream}

    assert inference_client(locked, token=KEY).call("text_generation", PROMPT, **asked)
    with pytest.raises(Raised, match="API key") as refusal:
        inference_client(locked, token=WRONG).call("text_generation", PROMPT, **asked)

    assert refusal.value.classes[0] == "UnknownError"  # it knows TGI's own error types only


@pytest.mark.parametrize("stream", [False, True])
def test_huggingface_hub_s_chat(inference_client: Make, locked: str, stream: bool):
    asked = {"messages": MESSAGES, "max_tokens": 3, "stream": stream}

    assert inference_client(locked, token=KEY).call("chat_completion", **asked)
    with pytest.raises(Raised, match="401"):
        inference_client(locked, token=WRONG).call("chat_completion", **asked)


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
@pytest.mark.parametrize("method", ["generate", "generate_stream"])
def test_text_generation(text_generation: Library, locked: str, kind: str, method: str):
    def client(key: str) -> Client:
        headers = {"Authorization": f"Bearer {key}"}
        return text_generation.new(kind, locked, headers=headers, timeout=PATIENCE_S)

    assert client(KEY).call(method, PROMPT, max_new_tokens=3)
    with pytest.raises(Raised, match="API key") as refusal:
        client(WRONG).call(method, PROMPT, max_new_tokens=3)

    assert refusal.value.classes[0] == "UnknownError"  # it knows TGI's own error types only


@pytest.mark.parametrize("kind", ["OpenAI", "AsyncOpenAI"])
@pytest.mark.parametrize("stream", [False, True])
def test_openai(openai: Library, locked: str, kind: str, stream: bool):
    def client(key: str) -> Client:
        return openai.new(kind, base_url=f"{locked}/v1", api_key=key, max_retries=0)

    asked = {"model": "tgi", "messages": MESSAGES, "max_tokens": 3, "stream": stream}

    assert client(KEY).call("chat.completions.create", **asked)
    with pytest.raises(Raised, match="API key") as refusal:
        client(WRONG).call("chat.completions.create", **asked)

    assert refusal.value.classes[0] == "AuthenticationError"


@pytest.mark.parametrize("method", ["textGeneration", "textGenerationStream"])
def test_version_2_on_node(inference_2: Library, locked: str, method: str):
    def client(key: str) -> Client:
        return inference_2.new("HfInferenceEndpoint", locked, key)

    asked = {"model": "tgi", "inputs": PROMPT, "parameters": {"max_new_tokens": 3}}

    assert client(KEY).call(method, asked)
    with pytest.raises(Raised, match="API key"):
        client(WRONG).call(method, asked)


@pytest.mark.parametrize("method", ["chatCompletion", "chatCompletionStream"])
def test_the_newest_version_on_node(inference_4: Library, locked: str, method: str):
    def client(key: str) -> Client:
        return inference_4.new("InferenceClient", key, {"endpointUrl": locked})

    asked = {"messages": MESSAGES, "max_tokens": 3}

    assert client(KEY).call(method, asked)
    with pytest.raises(Raised, match="API key"):
        client(WRONG).call(method, asked)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Authorization: Bearer {KEY}", "200"),
        (f"authorization: bearer   {KEY} ", "200"),
        (f"Authorization: Bearer {WRONG}", "401"),
        (f"Authorization: {KEY}", "401"),
        (f"Authorization: Basic {KEY}", "401"),
        (f"Authorization: Bearer {KEY}x", "401"),
        ("Authorization: Bearer é", "401"),
        ("x: y", "401"),
    ],
)
def test_curl(locked: str, header: str, status: str):
    command = [program("curl"), "--noproxy", "*", "-sS", "-o", "/dev/null", "-w", "%{http_code}"]
    body = {"inputs": PROMPT, "parameters": {"max_new_tokens": 1}}
    asked = ["-H", "content-type: application/json", "-H", header, "-d", json.dumps(body)]

    done = subprocess.run([*command, *asked, f"{locked}/generate"], capture_output=True, check=True)

    assert done.stdout.decode() == status
