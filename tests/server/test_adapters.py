"""Adapters and watermarks over a real socket, on a tiny model."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import RunningServer, running_server
from tests.server.raw import ask
from tests.tiny_adapter import write_adapter

KINDS = (None, "red", "blue")


@pytest.fixture(scope="module")
def colourful(
    tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server with two adapters."""
    folder = tmp_path_factory.mktemp("adapters")
    named = [f"{name}={write_adapter(folder / name, seed=i)}" for i, name in enumerate(KINDS[1:])]
    options = ["--max-total-tokens", "256", "--max-batch-size", "3", "--threads", "1"]
    with running_server(tiny_model, *options, "--lora-adapters", ",".join(named)) as one:
        yield one


def generate(server: RunningServer, **parameters: Any) -> str:
    body = {"inputs": "Hello", "parameters": {"max_new_tokens": 12, **parameters}}
    status, answer = server.post("/generate", body)
    assert status == 200, answer
    return str(answer["generated_text"])


def test_a_request_chooses_its_adapter_whoever_runs_beside_it(colourful: RunningServer):
    alone = {kind: generate(colourful, adapter_id=kind) for kind in KINDS}
    got: list[tuple[str | None, str]] = []

    def ask(kind: str | None) -> None:
        got.append((kind, generate(colourful, adapter_id=kind)))

    threads = [threading.Thread(target=ask, args=(kind,)) for kind in KINDS * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(alone.values())) == len(KINDS)
    assert len(got) == len(threads)
    assert all(text == alone[kind] for kind, text in got)


@pytest.mark.parametrize("path", ["/generate", "/generate_stream", "/"])
def test_an_unknown_adapter_is_refused_and_the_known_ones_are_named(
    colourful: RunningServer, path: str
):
    status, answer = colourful.post(path, {"inputs": "x", "parameters": {"adapter_id": "green"}})

    assert (status, answer["error_type"]) == (422, "validation")
    assert answer["error"] == (
        "Input validation error: `adapter_id` 'green' is not loaded; loaded are red, blue"
    )


def test_openais_clients_choose_it_by_the_models_name(colourful: RunningServer):
    body = {"prompt": "Hello", "max_tokens": 12, "temperature": 0}
    expected = [generate(colourful, adapter_id=kind) for kind in (None, None, "red")]

    answers = [
        colourful.post("/v1/completions", {**body, "model": model})
        for model in (None, "gpt-4o", "red")
    ]

    assert [answer["choices"][0]["text"] for _, answer in answers] == expected


@pytest.mark.parametrize(
    ("model", "told"),
    [("red", "red"), ("gpt-4o", "gpt-4o"), ("tgi", "llama"), (None, "llama"), ("", "llama")],
)
def test_a_chat_calls_the_model_as_the_client_does_and_a_completion_as_the_server_does(
    colourful: RunningServer, model: str | None, told: str
):
    turns = [{"role": "user", "content": "Hello"}]
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/v1/chat/completions", {"messages": turns}),
        ("/v1/completions", {"prompt": "Hello"}),
    ]
    names = []
    for path, body in bodies:
        for stream in (False, True):
            asked = {**body, "model": model, "max_tokens": 2, "stream": stream}
            answer = asyncio.run(ask(colourful, path, asked)).body.decode()
            names.append(set(re.findall(r'"model":"(.*?)"', answer)))

    assert names == [{told}, {told}, {"llama"}, {"llama"}]


def test_the_models_are_listed_with_their_adapters(colourful: RunningServer):
    listed = json.loads(colourful.get("/v1/models")[1])["data"]

    assert [card["id"] for card in listed] == ["llama", "red", "blue"]


def test_a_watermark_is_put_into_the_text(colourful: RunningServer):
    plain, marked = generate(colourful), generate(colourful, watermark=True)

    assert marked != plain
    assert generate(colourful, watermark=True) == marked
