"""Nonsense from clients, over real sockets: bodies, headers, paths, and what is not HTTP at all.

10,000 of each kind, by hand: TGICLI_LOAD_REQUESTS=10000 pytest tests/server/test_nonsense.py
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import random
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from tests.server.conftest import RunningServer, eventually, running_server
from tests.server.raw import Reply, connected, request_bytes

N_REQUESTS = int(os.environ.get("TGICLI_LOAD_REQUESTS", "300"))
N_AT_ONCE = 16
MOST_UNANSWERED_S = 0.5  # what may still wait for the rest of a request
POSTS = (
    "/",
    "/generate",
    "/generate_stream",
    "/tokenize",
    "/chat_tokenize",
    "/invocations",
    "/v1/completions",
    "/v1/chat/completions",
)
GETS = ("/", "/info", "/health", "/ping", "/metrics", "/docs", "/openapi.json", "/v1/models")
VALID: tuple[dict[str, Any], ...] = (
    {"inputs": "Hello", "parameters": {"max_new_tokens": 2, "temperature": 0.5, "top_p": 0.9}},
    {"inputs": "Hello", "parameters": {"grammar": {"type": "regex", "value": "[ab]+"}}},
    {
        "inputs": "Hello",
        "parameters": {"stop": ["x"], "seed": 1, "top_n_tokens": 2},
        "stream": True,
    },
    {"prompt": ["a", "b"], "max_tokens": 2, "n": 2, "logprobs": 1, "stop": "x", "echo": True},
    {
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 2,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "tool_choice": "auto",
        "response_format": {"type": "json_object"},
        "stream_options": {"include_usage": True},
        "logit_bias": {"5": 3},
    },
)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**32, 2**63, 2**64, -(2**63), 10**400),
    *(0.0, -0.5, 1e-320, 1e308, "", "x", "\0", "\ud800", "é\u2028", "x" * 5000),
    *(
        [],
        [None],
        [[]],
        {},
        {"": {}},
        {"type": "json", "value": {}},
        {"type": "regex", "value": "("},
    ),
    *({"type": "function", "function": {"name": "f"}}, ["a"] * 9, [1, 2, 3], {"type": "text"}),
)
ODD_HEADERS = (
    ("content-type", "text/plain"),
    ("content-type", "application/json; charset=utf-16"),
    ("content-type", "application/vnd.api+json"),
    ("content-type", "multipart/form-data"),
    ("content-type", ""),
    ("content-length", "5"),
    ("content-length", "-5"),
    ("content-length", "99999999999999999999"),
    ("transfer-encoding", "chunked"),
    ("transfer-encoding", "gzip, chunked"),
    ("content-encoding", "gzip"),
    ("authorization", "Bearer \xff\xfe"),
    ("authorization", "Bearer"),
    ("expect", "100-continue"),
    ("expect", "nonsense"),
    ("connection", "close"),
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("host", ""),
    ("host", "a, b"),
    ("accept", "*/*;q=x"),
    ("origin", "null"),
    ("range", "bytes=9-1"),
    ("x" * 300, "y" * 9000),
)


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> Iterator[RunningServer]:
    """A server whose answers are short, whatever is asked for."""
    limits = ["--max-total-tokens", "48", "--max-batch-size", "4", "--payload-limit", "20000"]
    with running_server(tiny_model, *limits, "--threads", "1") as one:
        yield one


def odd_json(chance: random.Random) -> bytes:
    """Return a valid body with some values replaced by odd ones."""
    body = copy.deepcopy(chance.choice(VALID))
    for _ in range(chance.randrange(1, 4)):
        place = body
        name = chance.choice(list(place))
        while isinstance(place[name], dict) and place[name] and chance.random() < 0.7:
            place = place[name]
            name = chance.choice(list(place))
        place[name] = copy.deepcopy(chance.choice(ODD_VALUES))
    return json.dumps(body).encode()


def odd_bytes(chance: random.Random) -> bytes:
    """Return a valid body with some bytes changed, cut off, repeated, or nested deeply."""
    data = bytearray(json.dumps(chance.choice(VALID)).encode())
    match chance.randrange(6):
        case 0:
            return bytes(data[: chance.randrange(len(data))])
        case 1:
            return bytes(chance.randrange(256) for _ in range(chance.randrange(200)))
        case 2:
            return b'{"inputs":' + b"[" * chance.choice([10, 5000]) + b"}"
        case 3:
            depth = chance.choice([100, 2000])
            return b'{"messages":' + b'[{"a":' * depth + b"1" + b"}]" * depth + b"}"
        case _:
            for _ in range(chance.randrange(1, 5)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            return bytes(data)


def odd_path(chance: random.Random) -> str:
    """Return a path that there is, or nearly is, or is not."""
    path = chance.choice(POSTS + GETS)
    match chance.randrange(8):
        case 0:
            return path + chance.choice(["/", "//", "?", "?a=b", "#x", "%00", "%2e%2e", ";x", "%"])
        case 1:
            return "/" + "".join(chance.choices(string.printable[:94], k=chance.randrange(1, 60)))
        case 2:
            return path.replace("/", chance.choice(["//", "/../", "/%2f", "/%ff"]))
        case 3:
            return path.upper()
        case 4:
            return "/" + "x" * chance.choice([100, 20_000])
        case _:
            return path


def bodies(chance: random.Random) -> bytes:
    make = odd_json if chance.random() < 0.7 else odd_bytes
    return request_bytes(chance.choice(POSTS), make(chance))


def headers(chance: random.Random) -> bytes:
    odd = dict(chance.sample(ODD_HEADERS, chance.randrange(1, 4)))
    return request_bytes(chance.choice(POSTS), chance.choice(VALID), headers=odd)


def paths(chance: random.Random) -> bytes:
    methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "HEAD"]
    method = chance.choice([*methods, "GET", "POST", "get", "BREW", "M-SEARCH"])
    return request_bytes(odd_path(chance), {"inputs": "x"}, method=method)


def garbage(chance: random.Random) -> bytes:
    data = bytearray(request_bytes(chance.choice(POSTS), chance.choice(VALID)))
    match chance.randrange(5):
        case 0:
            return bytes(chance.randrange(256) for _ in range(chance.randrange(1, 500)))
        case 1:
            place = chance.randrange(len(data))
            return bytes(data[:place] + data[place : place + 30] * 3 + data[place:])
        case 2:
            return bytes(data) * chance.randrange(2, 5)  # pipelined
        case _:
            head_end = data.index(b"\r\n\r\n")
            for _ in range(chance.randrange(1, 4)):
                data[chance.randrange(head_end)] = chance.randrange(256)
            return bytes(data)


async def ask_bytes(server: RunningServer, data: bytes) -> Reply | None:
    """Send bytes; return the first reply, or None when the connection ends or waits for more."""
    async with connected(server) as client:
        try:
            await client.send(data)
            async with asyncio.timeout(MOST_UNANSWERED_S):
                return await client.reply(has_body=not data.startswith(b"HEAD"))
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            return None


def ask_all(server: RunningServer, requests: list[bytes]) -> list[Reply | None]:
    """Ask some at a time."""

    async def ask_some(waiting: Iterator[tuple[int, bytes]]) -> None:
        for index, data in waiting:
            replies[index] = await ask_bytes(server, data)

    async def run() -> None:
        waiting = iter(enumerate(requests))
        async with asyncio.TaskGroup() as group:
            for _ in range(N_AT_ONCE):
                group.create_task(ask_some(waiting))

    replies: list[Reply | None] = [None] * len(requests)
    asyncio.run(run())
    return replies


def is_refusal(reply: Reply) -> bool:
    """Say whether a reply is a 4xx that says what was wrong, for people and for programs."""
    if not 400 <= reply.status < 500 or reply.headers["content-type"] != "application/json":
        return False
    answer = reply.json
    return bool(answer["error"]) and isinstance(answer["error_type"], str)


@pytest.mark.parametrize("make", [bodies, headers, paths, garbage])
def test_nonsense_is_refused_in_words_and_the_server_lives_on(
    tiny: RunningServer, make: Callable[[random.Random], bytes]
):
    seed = random.randrange(2**32)
    print(f"the nonsense's seed is {seed}")
    chance = random.Random(seed)
    requests = [make(chance) for _ in range(N_REQUESTS)]

    tiny.stderr.clear()

    replies = ask_all(tiny, requests)

    pairs = [(reply, data) for reply, data in zip(replies, requests, strict=True) if reply]
    wrong = [
        (reply.status, reply.body[:300], data[:300])
        for reply, data in pairs
        if not (reply.status == 200 or data.startswith(b"HEAD") or is_refusal(reply))
    ]
    assert wrong == []
    assert len(pairs) > N_REQUESTS / 4
    assert tiny.process.poll() is None
    assert eventually(tiny.is_idle)
    assert tiny.post("/generate", VALID[0])[0] == 200
    log = "".join(tiny.stderr)
    assert "Traceback" not in log
    assert " 500 " not in log


def complaints(document: Any, reply: Reply, path: str) -> list[str]:
    """Return what of a reply to a POST the server's document does not know."""
    described = document["paths"][path]["post"]["responses"].get(str(reply.status))
    if described is None:
        return [f"status {reply.status}"]
    media_type = reply.headers["content-type"].partition(";")[0]
    content = described["content"].get(media_type)
    if content is None:
        return [f"content-type {media_type}"]
    if media_type != "application/json":
        return []
    schema = content["schema"] | {"components": document["components"]}
    return [error.message for error in Draft202012Validator(schema).iter_errors(reply.json)]


def test_every_answer_is_as_the_document_says(tiny: RunningServer):
    document = json.loads(tiny.get("/openapi.json")[1])
    seed = random.randrange(2**32)
    print(f"the nonsense's seed is {seed}")
    chance = random.Random(seed)
    requests = [bodies(chance) for _ in range(N_REQUESTS)]

    replies = ask_all(tiny, requests)

    found = [
        (reply.status, complaint, data[:300])
        for reply, data in zip(replies, requests, strict=True)
        if reply
        for complaint in complaints(document, reply, data.split()[1].decode())
    ]
    assert found == []


async def answer_to(server: RunningServer, *pieces: bytes) -> Reply:
    """Return the reply to what is sent piece by piece."""
    async with connected(server) as client:
        for piece in pieces:
            await client.send(piece)
        return await client.reply()


def test_what_is_not_http_is_a_400_in_words(tiny: RunningServer):
    reply = asyncio.run(answer_to(tiny, b"what is this?\r\n\r\n"))

    assert (reply.status, reply.json["error_type"]) == (400, "bad_request")


def test_headers_without_end_are_cut_off(tiny: RunningServer):
    memory_bytes = tiny.memory_bytes()

    async def go_on_for_ever() -> int:
        n_sent = 0
        async with connected(tiny) as client:
            await client.send(b"GET /health HTTP/1.1\r\nx: ")
            try:
                while n_sent < 50 * 2**20:
                    await client.send(b"y" * 65536)
                    n_sent += 65536
            except ConnectionError:
                pass
        return n_sent

    assert asyncio.run(go_on_for_ever()) < 50 * 2**20
    assert tiny.memory_bytes() - memory_bytes < 10 * 2**20
    assert tiny.get("/health")[0] == 200


def test_headers_that_are_too_long_are_a_431_in_words(tiny: RunningServer):
    head = b"GET /health HTTP/1.1\r\n" + b"x: y\r\n" * 30_000

    pieces = (head[i : i + 30_000] for i in range(0, len(head), 30_000))
    reply = asyncio.run(answer_to(tiny, *pieces))

    assert (reply.status, reply.json["error_type"]) == (431, "request_header_fields_too_large")


def test_a_body_in_many_small_chunks_is_read_and_a_large_one_is_refused(tiny: RunningServer):
    body = json.dumps(VALID[0]).encode()
    head = request_bytes(
        "/generate", b"", method="POST", headers={"transfer-encoding": "chunked"}
    ).replace(b"content-length: 0\r\n", b"")
    small = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    large = b"1000\r\n" + b" " * 4096 + b"\r\n"

    read = asyncio.run(answer_to(tiny, head, small, b"0\r\n\r\n"))
    refused = asyncio.run(answer_to(tiny, head, *[large] * 6))

    assert read.status == 200
    assert (refused.status, refused.json["error_type"]) == (413, "validation")


def test_a_body_that_says_that_it_is_too_large_is_not_waited_for(tiny: RunningServer):
    length = {"content-length": "9000000", "expect": "100-continue"}

    async def begin() -> bytes:
        async with connected(tiny) as client:
            await client.send(request_bytes("/generate", b"", method="POST", headers=length))
            return await client.reader.readuntil(b"\r\n")

    assert asyncio.run(begin()) == b"HTTP/1.1 413 Request Entity Too Large\r\n"


def test_garbage_behind_a_request_does_not_get_into_its_answer(tiny: RunningServer):
    data = request_bytes("/generate_stream", VALID[0])

    async def talk() -> bytes:
        async with connected(tiny) as client:
            await client.send(data + b"nonsense\r\n\r\n" * 3)
            try:
                return await client.reader.read()
            except ConnectionError:
                return b""

    answer = asyncio.run(talk())

    assert answer.count(b"HTTP/1.1 ") <= 2
    assert b"HTTP/1.1 400" not in answer.partition(b"0\r\n\r\n")[0]
    assert eventually(tiny.is_idle)
