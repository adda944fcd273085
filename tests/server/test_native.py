"""TGI's routes over a real socket, on a tiny model: answers, refusals, and who holds a place."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has no types
import pytest

from tests.server.conftest import RunningServer, eventually, running_server
from tests.server.raw import ask

HELLO = {"inputs": "Hello", "parameters": {"max_new_tokens": 4}}


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> Iterator[RunningServer]:
    options = ["--max-total-tokens", "256", "--max-batch-size", "2", "--threads", "1"]
    with running_server(tiny_model, *options) as one:
        yield one


def stream(server: RunningServer, path: str, body: Any) -> Generator[Any, None, None]:
    """Yield the events of a stream."""
    request = urllib.request.Request(
        server.url + path, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        for line in response:
            if line.startswith(b"data: {"):
                yield json.loads(line[6:])


def test_a_stream_is_one_event_a_token_and_ends_with_the_text(tiny: RunningServer):
    events = list(stream(tiny, "/generate_stream", HELLO))

    assert [event["index"] for event in events] == [1, 2, 3, 4]
    assert [event["generated_text"] is None for event in events] == [True, True, True, False]
    assert "".join(event["token"]["text"] for event in events) == events[-1]["generated_text"]
    assert events[-1]["details"] is None


def test_a_whole_answer_is_the_streams_text(tiny: RunningServer):
    *_, last = stream(tiny, "/generate_stream", HELLO)

    assert tiny.post("/generate", HELLO) == (200, {"generated_text": last["generated_text"]})


def test_the_root_answers_with_a_list_and_the_whole_text(tiny: RunningServer):
    text = tiny.post("/generate", HELLO)[1]["generated_text"]

    assert tiny.post("/", HELLO) == (200, [{"generated_text": "Hello" + text}])


def test_details_tell_the_tokens_and_the_prompts(tiny: RunningServer):
    parameters = {"max_new_tokens": 3, "decoder_input_details": True, "top_n_tokens": 2}

    status, answer = tiny.post("/generate", {"inputs": "Hello", "parameters": parameters})

    details = answer["details"]
    assert status == 200
    assert details["generated_tokens"] == len(details["tokens"]) == 3
    assert [len(best) for best in details["top_tokens"]] == [2, 2, 2]
    assert details["prefill"][0]["logprob"] is None
    assert all(token["logprob"] < 0 for token in details["prefill"][1:])


def test_tokens_cover_the_text(tiny: RunningServer):
    _, tokens = tiny.post("/tokenize", {"inputs": "Hello wörld"})

    data = "Hello wörld".encode()
    assert b"".join(data[token["start"] : token["stop"]] for token in tokens) == data


def test_an_empty_text_has_no_tokens_but_what_goes_around_any(tiny: RunningServer):
    _, tokens = tiny.post("/tokenize", {"inputs": "a"})
    around = [token for token in tokens if not token["text"]]

    assert tiny.post("/tokenize", {"inputs": ""}) == (200, around)


TURNS = [{"role": "user", "content": "Hello"}]
TIMES = {
    "x-total-time",
    "x-validation-time",
    "x-queue-time",
    "x-inference-time",
    "x-time-per-token",
}


@pytest.mark.parametrize(
    ("path", "body", "n_characters", "n_generated"),
    [
        ("/generate", {"inputs": "Once", "parameters": {"max_new_tokens": 3}}, 4, 3),
        (
            "/v1/completions",
            {"prompt": ["Once", "a\u00fc"], "max_tokens": 2, "n": 2, "temperature": 0},
            6,
            8,
        ),
        ("/v1/chat/completions", {"messages": TURNS, "max_tokens": 2, "temperature": 0}, 5, 2),
    ],
)
def test_headers_tell_what_an_answer_took(
    tiny: RunningServer, path: str, body: dict[str, Any], n_characters: int, n_generated: int
):
    whole, stream = (asyncio.run(ask(tiny, path, {**body, "stream": s})) for s in (False, True))

    told = whole.headers
    assert told.keys() >= TIMES
    assert all(told[name].isdecimal() for name in TIMES)
    assert ("x-compute-time" in told) == (path != "/v1/completions")
    assert told["x-compute-characters"] == str(n_characters)
    assert told["x-generated-tokens"] == str(n_generated)
    if "choices" in whole.json:
        assert told["x-prompt-tokens"] == str(whole.json["usage"]["prompt_tokens"])
        assert stream.headers["x-compute-characters"] == str(n_characters)
    assert stream.headers["x-compute-type"] == told["x-compute-type"] == "cpu+optimized"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"temperature": 0}, "`temperature` must be strictly positive"),
        ({"top_p": 1.0}, "`top_p` must be > 0.0 and < 1.0"),
        ({"max_new_tokens": 0}, "`max_new_tokens` must be strictly positive"),
        ({"best_of": 3}, "`best_of` must be > 0 and <= 2. Given: 3"),
        ({"stop": ["a"] * 5}, "`stop` supports up to 4 stop sequences. Given: 5"),
        ({"truncate": 0}, "`truncate` must be strictly positive and less than 255. Given: 0"),
        ({"grammar": {"type": "regex", "value": "(a"}}, "the regex does not compile"),
        ({"grammar": {"type": "json", "value": {}}}, "must have a 'properties' field"),
    ],
)
def test_bad_parameters_are_refused_in_tgis_words(
    tiny: RunningServer, parameters: dict[str, Any], words: str
):
    status, answer = tiny.post("/generate", {"inputs": "Hello", "parameters": parameters})

    assert (status, answer["error_type"]) == (422, "validation")
    assert answer["error"].startswith("Input validation error: ")
    assert words in answer["error"]


def test_a_stream_is_refused_with_a_status_too(tiny: RunningServer):
    status, answer = tiny.post("/generate_stream", {"inputs": ""})

    assert (status, answer["error"]) == (422, "Input validation error: `inputs` cannot be empty")


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"inputs": 3}', "application/json", 422),
        (b'{"inputs": "x"}', "text/plain", 415),
        (b'{"inputs": "%b"}' % (b"x" * 2_000_000), "application/json", 413),
    ],
)
def test_unreadable_bodies_get_json_and_the_right_status(
    tiny: RunningServer, body: bytes, media_type: str, status: int
):
    request = urllib.request.Request(tiny.url + "/generate", body, {"content-type": media_type})

    got, answer = tiny._ask(request)

    assert got == status
    assert json.loads(answer)["error_type"] == "validation"


def test_a_grammar_shapes_the_answer(tiny: RunningServer):
    parameters = {"max_new_tokens": 60, "grammar": {"type": "regex", "value": "[ab]{3}c"}}

    _, answer = tiny.post("/generate", {"inputs": "Hello", "parameters": parameters})

    assert len(answer["generated_text"]) == 4
    assert answer["generated_text"][-1] == "c"


def test_a_client_that_goes_frees_its_place_and_its_lane(tiny: RunningServer):
    body = json.dumps({"inputs": "Hello", "parameters": {"max_new_tokens": 240}}).encode()
    host, port = tiny.url.removeprefix("http://").split(":")
    before = tiny.metric("tgicli_cancellations")
    with socket.create_connection((host, int(port))) as connection:
        head = (
            f"POST /generate_stream HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        connection.recv(1)

    assert eventually(lambda: tiny.metric("tgi_batch_current_size") == 0)
    assert eventually(lambda: tiny.metric("tgicli_cancellations") >= before)


def test_tokens_are_counted_while_they_come(tiny: RunningServer):
    before = tiny.metric("tgicli_generated_tokens")
    events = stream(
        tiny, "/generate_stream", {"inputs": "Hello", "parameters": {"max_new_tokens": 200}}
    )

    next(events)
    begun = tiny.metric("tgicli_generated_tokens")
    n_more = len(list(events))

    assert begun > before
    assert n_more == 199
    assert tiny.metric("tgicli_generated_tokens") == before + 200


def test_a_dashboard_made_for_tgi_finds_its_batches(tiny: RunningServer):
    before = tiny.metrics()

    tiny.post("/generate", HELLO)

    assert eventually(tiny.is_idle)
    after = tiny.metrics()
    shown = [
        f'tgi_batch_{name}_duration_count{{method="{method}"}}'
        for name in ("inference", "forward", "decode")
        for method in ("prefill", "decode")
    ]
    assert [after[name] - before[name] for name in shown] == [1, 3, 1, 3, 1, 3]
    spent = {
        name: after[f'tgi_batch_{name}_duration_sum{{method="decode"}}']
        for name in ("inference", "forward", "decode")
    }
    assert spent["inference"] == pytest.approx(spent["forward"] + spent["decode"])
    assert min(spent.values()) > 0
    assert after["tgi_batch_current_max_tokens"] == 0
    assert after["tgi_batch_max_total_tokens"] == 2 * 256


def test_who_finds_no_place_is_refused_at_once_and_told_when_to_come_back(tiny_model: Path):
    options = ["--max-concurrent-requests", "2", "--max-total-tokens", "20000", "--threads", "1"]
    with running_server(tiny_model, *options, "--max-batch-size", "2") as busy:
        long = {"inputs": "Hello", "parameters": {"max_new_tokens": 19000}}
        first, second = (
            stream(busy, "/generate_stream", long),
            stream(busy, "/", {**long, "stream": True}),
        )
        next(first)
        next(second)

        status, answer = busy.post("/generate_stream", HELLO)
        first.close()
        second.close()

        assert (status, answer) == (
            429,
            {"error": "Model is overloaded", "error_type": "overloaded"},
        )
        assert eventually(lambda: busy.post("/generate", HELLO)[0] == 200)


def test_sigterm_lets_running_answers_finish_and_ends_with_0(tiny_model: Path):
    options = ["--max-total-tokens", "4000", "--threads", "1", "--max-batch-size", "2"]
    with running_server(tiny_model, *options) as ending:
        long = {"inputs": "Hello", "parameters": {"max_new_tokens": 2000, "details": True}}
        events = stream(ending, "/generate_stream", long)
        next(events)

        ending.process.send_signal(signal.SIGTERM)
        *_, last = events

        assert last["details"]["generated_tokens"] == 2000
        assert ending.process.wait(30) == 0


def test_a_stream_that_outlives_the_server_ends_with_an_error(tiny_model: Path):
    options = ["--max-total-tokens", "60000", "--threads", "1", "--max-batch-size", "1"]
    with running_server(tiny_model, *options, "--shutdown-timeout", "0") as ending:
        long = {"inputs": "Hello", "parameters": {"max_new_tokens": 59000}}
        events = stream(ending, "/generate_stream", long)
        next(events)

        ending.process.send_signal(signal.SIGTERM)
        *_, last = events

        assert last["error_type"] == "incomplete_generation"
        assert ending.process.wait(30) == 0


def test_a_taken_port_is_a_clear_error(tiny: RunningServer, tiny_model: Path):
    port = tiny.url.rpartition(":")[2]
    command = [sys.executable, "-m", "tgicli", "serve", "-m", str(tiny_model), "--port", port]

    ended = subprocess.run(command, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)

    assert ended.returncode == 2
    assert b"Address already in use; choose another --port" in ended.stderr


def test_a_key_guards_all_but_health(tiny_model: Path):
    with running_server(tiny_model, "--api-key", "secret", "--max-total-tokens", "64") as guarded:
        status, answer = guarded.post("/generate", HELLO)
        allowed = urllib.request.Request(
            guarded.url + "/info", headers={"authorization": "Bearer secret"}
        )

        assert (status, answer["error_type"]) == (401, "authentication")
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            urllib.request.urlopen(guarded.url + "/info")
        with refused.value as reply:
            assert reply.headers["www-authenticate"] == "Bearer"
        assert guarded.get("/health") == (200, b"")
        assert guarded._ask(allowed)[0] == 200
        assert "secret" not in "".join(guarded.stderr)


def test_only_requests_for_an_answer_are_counted(tiny: RunningServer):
    n_before = tiny.metric("tgi_request_count")

    statuses = [tiny.post(path, {})[0] for path in ("/tokenize", "/chat_tokenize", "/generate")]

    assert statuses == [422, 422, 422]
    assert tiny.metric("tgi_request_count") == n_before + 1


def test_many_at_once_all_get_the_answer_they_get_alone(tiny: RunningServer):
    bodies = [{"inputs": f"Hello {i}", "parameters": {"max_new_tokens": 9}} for i in range(12)]
    expected = [tiny.post("/generate", body) for body in bodies]
    got: dict[int, Any] = {}

    def ask(index: int) -> None:
        got[index] = tiny.post("/generate", bodies[index])

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(len(bodies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [got[index] for index in range(len(bodies))] == expected


def test_the_document_describes_every_route(tiny: RunningServer):
    document = json.loads(tiny.get("/openapi.json")[1])

    assert {"/generate", "/generate_stream", "/", "/v1/chat/completions"} <= document[
        "paths"
    ].keys()
    assert document["components"]["schemas"]["Parameters"]["properties"]["stop"]
    assert tiny.get("/docs")[0] == 200


def test_the_document_describes_a_chats_events_as_they_come(tiny: RunningServer):
    document = json.loads(tiny.get("/openapi.json")[1])
    schemas = document["components"]["schemas"]
    asked = {"messages": TURNS, "max_tokens": 2, "stream": True}

    for path in ("/v1/chat/completions", "/invocations"):
        answer = document["paths"][path]["post"]["responses"]["200"]["content"]
        kinds = answer["text/event-stream"]["schema"]
        names = {kind["$ref"].rpartition("/")[2] for kind in kinds.get("anyOf", [kinds])}
        assert "ChatChunkInEvent" in names
        assert "ChatCompletionInEvent" not in names
    schema = schemas["ChatChunk"] | {"components": document["components"]}
    for event in stream(tiny, "/v1/chat/completions", asked):
        jsonschema.validate(event, schema)


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/v1/engines", "GET", 404), ("/v1/embeddings", "POST", 404), ("/v1/models", "POST", 405)],
)
def test_no_route_of_openais_is_an_error_in_its_shape(
    tiny: RunningServer, path: str, method: str, status: int
):
    request = urllib.request.Request(tiny.url + path, method=method)

    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request)

    with refusal.value as answer:
        body = json.loads(answer.read())
        assert answer.code == status
        assert body["error"]["type"] == "invalid_request_error"
        assert path in body["error"]["message"]
        assert body["error_type"] == ("not_found" if status == 404 else "method_not_allowed")


def test_a_model_can_be_asked_for_by_its_name(tiny: RunningServer):
    (card,) = json.loads(tiny.get("/v1/models")[1])["data"]

    status, answer = tiny.get(f"/v1/models/{card['id']}")
    other, refusal = tiny.get("/v1/models/org/other")

    assert (status, json.loads(answer)) == (200, card)
    assert (other, json.loads(refusal)["error_type"]) == (404, "model_not_found")
    assert "there is no model 'org/other' here" in json.loads(refusal)["error"]["message"]


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
def test_the_root_varies_with_who_asks(tiny: RunningServer, accept: str):
    reply = asyncio.run(ask(tiny, "/", None, {"accept": accept}))

    assert reply.headers["vary"] == "Accept"


def test_another_method_is_a_405_that_names_those_there_are(tiny: RunningServer):
    request = urllib.request.Request(tiny.url + "/", method="DELETE")

    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request)

    with refusal.value as answer:
        assert answer.code == 405
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
        assert json.loads(answer.read())["error_type"] == "method_not_allowed"
