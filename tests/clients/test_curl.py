"""curl: what a server says, byte by byte."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.clients.installing import program

pytestmark = pytest.mark.model

JSON_TYPE = ("-H", "Content-Type: application/json")
Curl = Callable[..., str]


@pytest.fixture(scope="module")
def curl() -> Curl:
    """Return curl -N as a function to what it prints."""
    command = [program("curl"), "--noproxy", "*", "--max-time", "120", "-sS", "-N"]

    def call(*arguments: str) -> str:
        done = subprocess.run([*command, *arguments], stdout=subprocess.PIPE, check=True)
        return done.stdout.decode()

    return call


def body(**parameters: object) -> tuple[str, str]:
    """Return curl's option for a native request."""
    return "-d", json.dumps({"inputs": "What is Deep Learning?", "parameters": parameters})


def answered(printed: str) -> tuple[str, dict[str, str], str]:
    """Split what curl -i prints: status line, headers with names in lower case, body."""
    head, _, content = printed.partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    headers = (line.split(": ", 1) for line in lines)
    return status, {name.lower(): value for name, value in headers}, content


def refused(printed: str) -> tuple[int, dict[str, Any]]:
    """Split what curl -i prints of a refusal: status and JSON."""
    status, _, content = answered(printed)
    return int(status.split()[1]), json.loads(content)


def test_events_are_one_data_line_and_an_empty_line_each(curl: Curl, url: str):
    printed = curl(f"{url}/generate_stream", *body(max_new_tokens=5), *JSON_TYPE)

    *events, rest = printed.split("\n\n")
    assert rest == ""
    assert len(events) == 5
    assert all(event.startswith("data: {") and "\n" not in event for event in events)
    last = json.loads(events[-1].removeprefix("data: "))
    assert list(last) == ["index", "token", "generated_text", "details"]


def test_a_stream_is_chunked_and_nobody_may_buffer_it(curl: Curl, url: str):
    printed = curl("-i", f"{url}/generate_stream", *body(max_new_tokens=1), *JSON_TYPE)

    status, headers, _ = answered(printed)
    assert status.split()[1] == "200"
    assert headers["content-type"].split(";")[0] == "text/event-stream"
    assert headers["transfer-encoding"] == "chunked"
    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in headers


def test_an_openai_stream_ends_with_done(curl: Curl, url: str):
    request = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2, "stream": True}

    printed = curl(f"{url}/v1/chat/completions", "-d", json.dumps(request), *JSON_TYPE)

    assert printed.endswith("\n\ndata: [DONE]\n\n")


def test_an_answer_comes_with_the_headers_that_tell_its_cost(curl: Curl, url: str):
    printed = curl("-i", f"{url}/generate", *body(max_new_tokens=3), *JSON_TYPE)

    _, headers, content = answered(printed)
    assert list(json.loads(content)) == ["generated_text"]
    assert headers["x-generated-tokens"] == "3"
    assert headers["x-compute-characters"] == str(len("What is Deep Learning?"))
    assert int(headers["x-prompt-tokens"]) > 0


@pytest.mark.parametrize("path", ["/generate", "/generate_stream", "/"])
def test_a_wrong_parameter_is_422_validation(curl: Curl, url: str, path: str):
    printed = curl("-i", url + path, *body(top_p=1.5), *JSON_TYPE)

    status, answer = refused(printed)
    assert status == 422
    assert answer["error_type"] == "validation"
    assert answer["error"].startswith("Input validation error: `top_p` must be")


@pytest.mark.parametrize("path", ["/generate", "/generate_stream", "/"])
def test_a_full_server_is_429_overloaded(curl: Curl, overloaded_url: str, path: str):
    printed = curl("-i", overloaded_url + path, *body(max_new_tokens=3), *JSON_TYPE)

    status, answer = refused(printed)
    assert status == 429
    assert answer["error_type"] == "overloaded"


def test_curls_own_content_type_is_415(curl: Curl, url: str):
    printed = curl("-i", f"{url}/generate", *body())

    status, _, _ = answered(printed)
    assert status.split()[1] == "415"


def test_the_first_event_comes_while_the_others_are_made(url: str):
    command = [program("curl"), "--noproxy", "*", "-sS", "-N", f"{url}/generate_stream"]
    arguments = [*body(max_new_tokens=200), *JSON_TYPE]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None

        line = process.stdout.readline()
        is_running = process.poll() is None
        process.terminate()

    assert json.loads(line.removeprefix(b"data: "))["index"] == 1
    assert is_running
