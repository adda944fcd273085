"""`tgicli serve --connect`: a server in front of another one."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faulty import DONE, Script, answer, chat_event, serving, stream
from tests.server.conftest import RunningServer, running_command, running_server, taken_place
from tests.server.raw import ask

GREEDY = {"inputs": "Once", "parameters": {"max_new_tokens": 6, "details": True}}
CHAT = {
    "messages": [{"role": "user", "content": "Hi"}],
    "max_tokens": 5,
    "temperature": 0,
    "logprobs": True,
}


@pytest.fixture(scope="module")
def upstream(tiny_model: Path) -> Iterator[RunningServer]:
    with running_server(tiny_model, "--api-key", "secret", "--max-total-tokens", "4100") as one:
        yield one


@pytest.fixture(scope="module")
def gateway(upstream: RunningServer, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("rt")
    key = folder / "key"
    key.write_text("secret\n")
    options = ["--connect", upstream.url, "--connect-key-file", str(key)]
    with running_command(*options, runtime=folder) as one:
        yield one


def with_key(server: RunningServer, path: str, body: Any) -> Any:
    """Return what the server itself answers."""
    request = urllib.request.Request(
        server.url + path,
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json", "authorization": "Bearer secret"},
    )
    with urllib.request.urlopen(request) as response:
        return json.loads(response.read())


def post_bytes(server: RunningServer, path: str, body: Any) -> bytes:
    """Return an answer as it came, be it a stream or whole."""
    data, headers = json.dumps(body).encode(), {"content-type": "application/json"}
    request = urllib.request.Request(server.url + path, data=data, headers=headers)
    with urllib.request.urlopen(request) as response:
        answer: bytes = response.read()
        return answer


def models_of(owner: str) -> Script:
    """Return the script of the page by which a server is known."""
    card = {"id": "m", "owned_by": owner, "max_model_len": 4096}
    return answer(200, json.dumps({"data": [card]}).encode())


def test_native_answers_are_the_servers_own(gateway: RunningServer, upstream: RunningServer):
    status, answer = gateway.post("/generate", GREEDY)

    assert (status, answer) == (200, with_key(upstream, "/generate", GREEDY))


@pytest.mark.parametrize("text", ["Once", ""])
def test_tokens_are_the_servers(gateway: RunningServer, upstream: RunningServer, text: str):
    asked = {"inputs": text}

    assert gateway.post("/tokenize", asked) == (200, with_key(upstream, "/tokenize", asked))


def test_the_hardware_of_the_server_is_not_told_as_ours(gateway: RunningServer):
    reply = asyncio.run(ask(gateway, "/generate", GREEDY))

    assert "x-compute-characters" in reply.headers
    assert "x-compute-type" not in reply.headers


def test_chat_goes_through_the_servers_template(gateway: RunningServer, upstream: RunningServer):
    status, answer = gateway.post("/v1/chat/completions", CHAT)

    expected = with_key(upstream, "/v1/chat/completions", CHAT)
    assert status == 200
    assert answer["choices"][0]["message"] == expected["choices"][0]["message"]
    assert answer["choices"][0]["logprobs"]["content"]
    assert answer["usage"]["prompt_tokens"] == expected["usage"]["prompt_tokens"]


@pytest.mark.parametrize(
    ("owner", "sent"),
    [
        ("library", {"stop": ["END"]}),  # Ollama; it leaves the stop string out
        ("vllm", {"stop": ["END"], "include_stop_str_in_output": True}),
    ],
)
def test_tgis_rule_for_stop_strings_is_given_up_where_a_server_has_no_field_for_it(
    tmp_path: Path, owner: str, sent: dict[str, Any]
):
    stops = {"inputs": "Once", "parameters": {"stop": ["END"]}}
    events = [chat_event(content="Hello", reason="stop"), DONE]
    with (
        serving(stream(*events), pages={"/v1/models": models_of(owner)}) as server,
        running_command("--connect", server.url, runtime=tmp_path) as gateway,
    ):
        status, told = gateway.post("/generate", stops)

    assert (status, told) == (200, {"generated_text": "Hello"})
    asked = server.posts[0].json
    assert {name: asked[name] for name in asked if "stop" in name} == sent


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_is_forced_at_the_server(gateway: RunningServer, stream: bool):
    on = {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]}
    tools = [{"type": "function", "function": {"name": "light", "parameters": on}}]
    body = {**CHAT, "max_tokens": 60, "tools": tools, "tool_choice": "required", "stream": stream}

    answer = post_bytes(gateway, "/v1/chat/completions", body).decode()

    assert '"name":"light"' in answer
    assert '"finish_reason":"tool_calls"' in answer


LIGHT = {"type": "function", "function": {"name": "light"}}
SAYING = {"content": "Let me see."}
CALLING = {
    "tool_calls": [{"index": 0, "id": "c", "function": {"name": "light", "arguments": "{}"}}]
}


@pytest.mark.parametrize("choice", ["auto", "required"])
def test_a_call_that_the_server_makes_after_words_stays_one(tmp_path: Path, choice: str):
    body = {**CHAT, "tools": [LIGHT], "tool_choice": choice}
    ends = {"finish_reason": "tool_calls", "index": 0}
    whole = json.dumps({"choices": [{"message": SAYING | CALLING, **ends}]}).encode()
    events = [chat_event(**SAYING), chat_event(**CALLING), chat_event(reason="tool_calls"), DONE]
    pages = {"/v1/models": models_of("vllm")}
    with (
        serving(answer(200, whole), stream(*events), pages=pages) as server,
        running_command("--connect", server.url, runtime=tmp_path) as gateway,
    ):
        (told,) = gateway.post("/v1/chat/completions", body)[1]["choices"]
        streamed = post_bytes(gateway, "/v1/chat/completions", {**body, "stream": True})

    assert told["message"]["content"] == "Let me see."
    assert told["message"]["tool_calls"][0]["function"] == {"name": "light", "arguments": "{}"}
    assert told["finish_reason"] == "tool_calls"
    assert b'"content":"Let me see."' in streamed
    assert b'"function":{"arguments":"","name":"light"}' in streamed
    assert b'"finish_reason":"tool_calls"' in streamed
    assert b"<tool_call>" not in streamed


def test_facts_are_the_servers(gateway: RunningServer):
    info = gateway.get("/info")[1]

    assert b'"max_total_tokens":4100' in info


def test_what_the_server_refuses_is_refused_in_its_words(gateway: RunningServer):
    long = {"inputs": "word " * 4000, "parameters": {"max_new_tokens": 1}}

    status, answer = gateway.post("/generate", long)

    assert (status, answer["error_type"]) == (422, "validation")
    assert answer["error"].startswith("Input validation error: `inputs` tokens + `max_new_tokens`")
    assert answer["error"].endswith(" `max_new_tokens`")


def test_a_busy_server_is_busy_for_the_gateways_clients(tiny_model: Path, tmp_path: Path):
    one_place = ["--max-concurrent-requests", "1", "--max-total-tokens", "4096"]
    with (
        running_server(tiny_model, *one_place) as server,
        running_command("--connect", server.url, runtime=tmp_path) as gateway,
        taken_place(server),
    ):
        status, answer = gateway.post("/generate", GREEDY)

    assert (status, answer["error_type"]) == (429, "overloaded")


def test_a_wait_for_the_servers_tokens_is_no_wait_in_a_queue(
    upstream: RunningServer, tmp_path: Path
):
    settings = tmp_path / "settings.toml"
    settings.write_text("[serve]\nmax-queue-wait = 0\n")
    key = tmp_path / "key"
    key.write_text("secret")
    options = ["--connect", upstream.url, "--connect-key-file", str(key)]

    with running_command(*options, runtime=tmp_path, settings=settings) as gateway:
        assert b'"generated_text":"' in post_bytes(gateway, "/generate_stream", GREEDY)


def test_a_server_that_went_away_is_a_bad_gateway(tiny_model: Path, tmp_path: Path):
    with (
        running_server(tiny_model) as server,
        running_command("--connect", server.url, runtime=tmp_path) as gateway,
    ):
        assert gateway.get("/health")[0] == 200
        server.process.kill()
        server.process.wait()

        status, answer = gateway.post("/generate", GREEDY)

        assert (status, answer["error_type"]) == (502, "incomplete_generation")
        assert "nobody listens at" in answer["error"]
        assert gateway.get("/health")[0] == 503


def test_a_client_that_goes_away_ends_the_servers_work(
    upstream: RunningServer, gateway: RunningServer
):
    with taken_place(gateway):
        assert not idle(upstream)

    deadline_s = time.monotonic() + 30
    while not idle(upstream):
        assert time.monotonic() < deadline_s, "the server computes for nobody"
        time.sleep(0.05)


def idle(upstream: RunningServer) -> bool:
    request = urllib.request.Request(
        upstream.url + "/metrics", headers={"authorization": "Bearer secret"}
    )
    with urllib.request.urlopen(request) as response:
        return "tgi_batch_current_size 0" in response.read().decode()


@pytest.mark.parametrize(
    ("options", "environ", "status", "words"),
    [
        (["http://127.0.0.1:9"], {}, 3, "nobody listens at http://127.0.0.1:9"),
        (["http://127.0.0.1:9", "-m", "x.gguf"], {}, 2, "--model is for a model in this process"),
        (["http://127.0.0.1:9", "--max-queue-wait", "1"], {}, 2, "--max-queue-wait is for a model"),
        (["http://127.0.0.1:9", "--connect-key", "k"], {}, 2, "is seen by others"),
        (["ftp://x"], {}, 2, "is no address of a server"),
        (
            ["http://127.0.0.1:9", "--connect-key-file", os.devnull],
            {},
            2,
            "the API key is empty",
        ),
        (
            ["http://127.0.0.1:9", "--connect-key-file", os.devnull],
            {"TGICLI_CONNECT_KEY": "k"},
            2,
            "the API key is empty",
        ),
        (
            ["http://127.0.0.1:9"],
            {"TGICLI_CONNECT_KEY": "k", "TGICLI_CONNECT_KEY_FILE": os.devnull},
            2,
            "TGICLI_CONNECT_KEY and TGICLI_CONNECT_KEY_FILE exclude each other; choose one",
        ),
    ],
    ids=[
        "nobody there",
        "a model, too",
        "a wait in no queue",
        "a key to see",
        "no address",
        "an empty key",
        "a flag's key wins",
        "two keys",
    ],
)
def test_what_can_not_be_connected_says_why(
    options: list[str], environ: dict[str, str], status: int, words: str
):
    done = connect(*options, **environ)

    assert done.returncode == status
    assert words in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_keys_for_another_server_say_nothing_without_one():
    keys = {"TGICLI_CONNECT_KEY": "k", "TGICLI_CONNECT_KEY_FILE": os.devnull}

    done = serve("-m", "not-there.gguf", **keys)

    assert (done.returncode, b"not-there.gguf" in done.stderr) == (8, True)


def test_keys_are_not_isolated_by_a_server_that_can_not(upstream: RunningServer):
    done = connect(upstream.url, "--isolate-keys", TGICLI_CONNECT_KEY="secret")

    assert done.returncode == 2
    assert f"--isolate-keys: tgicli at {upstream.url} can't be told to" in done.stderr.decode()


def connect(*options: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Return what became of a gateway that ends by itself."""
    return serve("--connect", *options, **environ)


def serve(*options: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Return what became of a server that ends by itself."""
    command = [sys.executable, "-m", "tgicli", "serve", "--port", "0", *options]
    return subprocess.run(command, capture_output=True, env={**os.environ, **environ}, timeout=60)
