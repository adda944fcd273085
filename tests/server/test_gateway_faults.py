"""A gateway in front of a server that does as a script says, and clients that go."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.faulty import Script, answer, chat_event, serving, stall, stream
from tests.server.conftest import eventually, running_command
from tests.server.raw import connected, request_bytes

TGI = answer(200, b'{"model_id":"m","max_total_tokens":4096}')
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
PATIENCE_S = 30.0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/generate", {"inputs": "Hi"}),
        ("/generate_stream", {"inputs": "Hi"}),
        ("/v1/chat/completions", CHAT),
        ("/v1/chat/completions", {**CHAT, "stream": True}),
    ],
    ids=["whole", "a stream", "a whole chat", "a chat's stream"],
)
def test_a_client_that_goes_before_the_server_answers_ends_its_request_there(
    tmp_path: Path, path: str, body: dict[str, Any]
):
    with (
        serving([stall], pages={"/info": TGI}) as server,
        running_command("--connect", server.url, runtime=tmp_path) as gateway,
    ):

        async def ask_and_go() -> None:
            async with connected(gateway) as connection:
                await connection.send(request_bytes(path, body))
                while not server.posts:
                    await asyncio.sleep(0.02)
                connection.cut()

        asyncio.run(asyncio.wait_for(ask_and_go(), PATIENCE_S))

        assert eventually(lambda: server.n_gone == 1)
        assert eventually(gateway.is_idle)


@pytest.mark.parametrize(
    ("script", "status", "words", "logged"),
    [
        (
            answer(401, b'{"error":"Incorrect API key: Bearer geheim"}'),
            502,
            "the gateway is not let in; its log has more",
            "Incorrect API key: Bearer ***",
        ),
        (answer(400, b'{"error":"no Bearer geheim, please"}'), 422, "no Bearer ***, please", ""),
        (
            answer(404),
            502,
            "the gateway looks for its server in a wrong place; its log has more",
            " is no route of this server",
        ),
        (
            answer(307, location="https://inner.example/generate"),
            502,
            "the gateway looks for its server in a wrong place; its log has more",
            "has moved to https://inner.example",
        ),
        (answer(502, b"no \x1b[31mbackend"), 502, "no \x1b[31mbackend", "no \u241b[31mbackend"),
    ],
    ids=["a key", "a key that is echoed", "no such route", "a redirect", "a proxy's answer"],
)
def test_what_only_the_operator_can_mend_stands_in_the_log_and_the_key_nowhere(
    tmp_path: Path, script: Script, status: int, words: str, logged: str
):
    key = tmp_path / "key"
    key.write_text("geheim")
    options = ["--connect-key-file", str(key)]
    with (
        serving(script, pages={"/info": TGI}) as server,
        running_command("--connect", server.url, *options, runtime=tmp_path) as gateway,
    ):
        told = gateway.post("/generate", {"inputs": "Hi"})
        assert eventually(lambda: logged in "".join(gateway.stderr))

    assert (told[0], words in told[1]["error"]) == (status, True)
    assert "geheim" not in f"{told}{gateway.stderr}"


def test_a_server_that_has_another_model_now_is_asked_for_that(tmp_path: Path):
    def models(name: str) -> Script:
        card = {"id": name, "owned_by": "vllm", "max_model_len": 4096}
        return answer(200, json.dumps({"data": [card]}).encode())

    gone = answer(404, b'{"error":{"message":"The model `one` does not exist."}}')
    pages = {"/v1/models": models("one")}
    with (
        serving(gone, stream(chat_event(content="Hi", reason="stop")), pages=pages) as server,
        running_command("--connect", server.url, runtime=tmp_path) as gateway,
    ):
        pages["/v1/models"] = models("two")
        first, second = (gateway.post("/v1/chat/completions", CHAT)[0] for _ in range(2))

    assert (first, second) == (424, 200)
    asked = [seen.json["model"] for seen in server.posts if seen.path == "/v1/chat/completions"]
    assert asked == ["one", "two"]


def test_a_field_that_the_server_refuses_is_no_refusal_of_a_clients_request(tmp_path: Path):
    refusal = answer(422, b'{"detail":[{"loc":["body","stream_options","include_usage"]}]}')
    hello = stream(chat_event(content="Hi", reason="stop"))
    models = answer(200, b'{"data":[{"id":"m","max_model_len":4096}]}')
    with (
        serving(refusal, hello, pages={"/v1/models": models}) as server,
        running_command("--connect", server.url, runtime=tmp_path) as gateway,
    ):
        statuses = [gateway.post("/generate", {"inputs": "Hi"})[0] for _ in range(2)]

    assert statuses == [200, 200]
    assert ["stream_options" in seen.json for seen in server.posts] == [True, False, False]


def test_a_gateway_is_healthy_whose_server_keeps_its_list_to_itself(tmp_path: Path):
    hello = stream(chat_event(content="Hi", reason="stop"))
    options = ["--connect-model", "m", "--max-total-tokens", "4096"]
    with (
        serving(hello, pages={"/v1/models": answer(403), "/health": answer(401)}) as server,
        running_command("--connect", f"{server.url}/v1", *options, runtime=tmp_path) as gateway,
    ):
        statuses = [gateway.get("/health")[0], gateway.post("/v1/chat/completions", CHAT)[0]]

    assert statuses == [200, 200]
    assert "/health" not in [seen.path for seen in server.seen]
