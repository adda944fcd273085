"""The fake server: it keeps the times it was told, counts truly, and is wrong in each way asked."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from tgicli.backends.endpoint import Endpoint, RemoteOptions
from tgicli.backends.remote import RemoteBackend
from tgicli.bench.fake.options import FakeOptions, Fault, directive
from tgicli.bench.fake.server import FakeServer
from tgicli.core import (
    Event,
    Finish,
    GenerationRequest,
    Message,
    Progress,
    SamplingParams,
    visible_text,
)
from tgicli.errors import ConfigError

QUICK = FakeOptions(ttft_ms=5, gap_ms=1)
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"


@pytest.fixture(scope="module")
def server() -> Iterator[FakeServer]:
    with FakeServer(QUICK) as started:
        yield started


@dataclass
class Heard:
    """One answer."""

    status: int
    headers: httpx.Headers
    body: bytes  # as it was sent
    is_whole: bool

    @property
    def events(self) -> list[Any]:
        data = [e.removeprefix(b"data: ") for e in self.body.split(b"\n\n") if e]
        return [
            one if one == b"[DONE]" else json.loads(one.decode(errors="replace")) for one in data
        ]

    @property
    def text(self) -> str:
        choices = [c for e in self.events if isinstance(e, dict) for c in e.get("choices", ())]
        return "".join(choice["delta"].get("content", "") for choice in choices)

    @property
    def usages(self) -> list[dict[str, Any]]:
        return [e["usage"] for e in self.events if isinstance(e, dict) and e.get("usage")]


async def post(client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> Heard:
    data, is_whole = bytearray(), True
    async with client.stream("POST", url, json=body) as response:
        try:
            async for piece in response.aiter_raw():
                data += piece
        except httpx.HTTPError:
            is_whole = False
        return Heard(response.status_code, response.headers, bytes(data), is_whole)


def ask_all(*requests: tuple[str, dict[str, Any]]) -> list[Heard]:
    """Send all requests at once."""

    async def main() -> list[Heard]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(trust_env=False, timeout=20, limits=limits) as client:
            return await asyncio.gather(*(post(client, url, body) for url, body in requests))

    return asyncio.run(main())


def chat_body(words: str, **more: Any) -> dict[str, Any]:
    message = {"role": "user", "content": words}
    return {
        "messages": [message],
        "max_tokens": 6,
        "stream": True,
        "stream_options": {"include_usage": True},
        **more,
    }


def chat(server: FakeServer, words: str, **more: Any) -> Heard:
    return ask_all((server.url + CHAT, chat_body(words, **more)))[0]


def faulty(server: FakeServer, fault: Fault) -> Heard:
    return chat(server, f"n7 {directive([('fault', fault)])}")


async def answers(url: str, *requests: GenerationRequest) -> list[list[Event]]:
    backend = RemoteBackend(RemoteOptions(endpoint=Endpoint.from_url(url)))

    async def collect(request: GenerationRequest) -> list[Event]:
        async with aclosing(backend.generate(request)) as events:
            return [event async for event in events]

    async with aclosing(backend):
        return [await collect(request) for request in requests]


GREEDY = SamplingParams(temperature=0, max_new_tokens=6)
PROMPT = GenerationRequest(id="a", prompt="n1 two words", params=GREEDY)
CHATTED = replace(PROMPT, prompt=(Message("user", "n1 two words"),))


def told(events: list[Event]) -> tuple[str, int, int, bool]:
    finish = events[-1]
    assert isinstance(finish, Finish)
    tokens = [t for e in events if not isinstance(e, Progress) for t in e.tokens]
    counts = finish.n_prompt_tokens, finish.n_generated_tokens, finish.has_usage
    return visible_text(tokens), *counts


@pytest.mark.parametrize("path", ["", "/v1", COMPLETIONS], ids=["TGI", "OpenAI", "completions"])
@pytest.mark.parametrize("streams", [True, False], ids=["stream", "whole"])
def test_every_dialect_gives_the_same_text_and_true_counts(
    server: FakeServer, path: str, streams: bool
):
    request = CHATTED if path == "/v1" else PROMPT

    (events,) = asyncio.run(answers(server.url + path, replace(request, streams=streams)))

    assert told(events) == ("n1 sea was calm and the", 3, 6, True)


def test_a_prompt_is_counted_in_words(server: FakeServer):
    async def count(path: str, request: GenerationRequest) -> int | None:
        backend = RemoteBackend(RemoteOptions(endpoint=Endpoint.from_url(server.url + path)))
        async with aclosing(backend):
            return await backend.count_tokens(request)

    counts = [asyncio.run(count(path, PROMPT)) for path in ("", COMPLETIONS)]
    counts += [asyncio.run(count(path, CHATTED)) for path in ("", "/v1")]

    assert counts == [3, 3, 3, 3]


def test_the_times_are_those_that_were_asked_for(server: FakeServer):
    words = directive([("ttft_ms", "200"), ("gap_ms", "100"), ("keeps_times", "1")])

    began_s = time.monotonic()
    chat(server, f"n1 {words}", max_tokens=4)
    ended_s = time.monotonic()
    times = server.times()["n1"]

    since = [chunk_s - times.arrived_s for chunk_s in times.chunks_s]
    late = [at - due for at, due in zip(since, [0.2, 0.3, 0.4, 0.5], strict=True)]
    assert all(-0.001 < one < 0.3 for one in late)
    assert began_s < times.arrived_s < times.chunks_s[-1] < ended_s


def test_a_chunks_time_does_not_depend_on_the_one_before(server: FakeServer):
    words = directive([("ttft_ms", "0"), ("gap_ms", "0.5"), ("keeps_times", "1")])

    chat(server, f"n2 {words}", max_tokens=1000)
    times = server.times()["n2"]

    # timers that each wait from the last write would add up to a tenth of it and more
    late = [at - times.arrived_s - 0.0005 * n for n, at in enumerate(times.chunks_s)]
    assert min(late[500:]) < 0.02


def test_it_tells_how_late_it_was(server: FakeServer):
    server.stats()

    chat(server, "n1")
    told = server.stats()

    assert told["n_writes"] == 8  # six tokens, the counts, [DONE]
    assert 0 <= told["late_ms"]["p50"] <= told["late_ms"]["p99"] <= told["late_ms"]["max"]
    assert server.stats()["n_writes"] == 0


def test_an_answer_shorter_than_asked_says_that_it_stopped_by_itself(server: FakeServer):
    body = chat_body(f"n1 {directive([('n_tokens', '2')])}")

    short, full = ask_all((server.url + CHAT, body), (server.url + CHAT, chat_body("n1")))

    assert [e["choices"][0]["finish_reason"] for e in (short.events[1], full.events[5])] == [
        "stop",
        "length",
    ]


def test_counts_come_with_every_chunk_where_asked(server: FakeServer):
    options = {"include_usage": True, "continuous_usage_stats": True}

    heard = chat(server, "n1", stream_options=options)

    assert [usage["completion_tokens"] for usage in heard.usages] == [1, 2, 3, 4, 5, 6, 6]


def test_no_counts_come_unasked(server: FakeServer):
    assert chat(server, "n1", stream_options=None).usages == []


def test_a_frozen_server_answers_later():
    options = replace(QUICK, freeze_at_s=0, freeze_s=0.4)

    with FakeServer(options) as server:
        began_s = time.monotonic()
        chat(server, "n1")
        frozen_s = time.monotonic() - began_s

    assert frozen_s >= 0.4


def test_only_the_first_requests_are_cold():
    with FakeServer(replace(QUICK, n_cold=2, cold_ms=300, keeps_times=True)) as server:
        for nonce in ("n1", "n2", "n3"):
            chat(server, nonce)
        times = server.times()

    firsts = [one.chunks_s[0] - one.arrived_s for one in times.values()]
    assert [first > 0.3 for first in firsts] == [True, True, False]


def test_a_nonce_is_found_wherever_it_stands(server: FakeServer):
    assert chat(server, "All begin alike. 12345678: two words").text.startswith("12345678 sea")


def test_requests_past_the_capacity_wait_for_their_turn():
    with FakeServer(replace(QUICK, ttft_ms=50, capacity=2, keeps_times=True)) as server:
        heard = ask_all(*[(server.url + CHAT, chat_body(f"n{i}")) for i in range(6)])
        stats, times = server.stats(), server.times()

    assert [one.text for one in heard] == [f"n{i} sea was calm and the" for i in range(6)]
    assert (stats["max_running"], stats["max_open"]) == (2, 6)
    assert max(one.chunks_s[0] - one.arrived_s for one in times.values()) >= 0.15


def test_requests_past_the_capacity_are_refused_where_asked():
    with FakeServer(replace(QUICK, ttft_ms=700, capacity=1, refuses=True)) as server:
        heard = ask_all(*[(server.url + CHAT, chat_body(f"n{i}")) for i in range(3)])

    assert sorted(one.status for one in heard) == [200, 429, 429]


def test_a_client_that_goes_frees_its_place():
    with FakeServer(replace(QUICK, ttft_ms=20_000, capacity=1)) as server:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(server.url + CHAT, json=chat_body("n1"), timeout=0.3, trust_env=False)

        heard = chat(server, f"n2 {directive([('ttft_ms', '1')])}")

    assert heard.text.startswith("n2")


def test_one_of_so_many_requests_has_the_fault():
    with FakeServer(replace(QUICK, fault=Fault.NO_DONE, fault_every=3)) as server:
        heard = [chat(server, "n1") for _ in range(6)]

    assert [b"[DONE]" in one.body for one in heard] == [True, True, False] * 2


def test_two_replies_are_swapped_and_a_lonely_one_is_not(server: FakeServer):
    words = directive([("fault", Fault.SWAPPED), ("ttft_ms", "500")])

    one, other = ask_all(*[(server.url + CHAT, chat_body(f"n{i} {words}")) for i in (1, 2)])
    lonely = chat(server, f"n3 {words}")

    assert [heard.text[:2] for heard in (one, other, lonely)] == ["n2", "n1", "n3"]


def test_a_stream_breaks_with_an_error_event(server: FakeServer):
    heard = faulty(server, Fault.ERROR)

    assert heard.events[-1]["error"]["code"] == 500
    assert heard.text == "n7 sea was"
    assert (heard.status, heard.is_whole) == (200, True)


def test_a_whole_answer_fails_with_a_status(server: FakeServer):
    heard = chat(server, f"n7 {directive([('fault', Fault.ERROR)])}", stream=False)

    assert heard.status == 500


def test_a_connection_is_cut_amid_the_stream(server: FakeServer):
    heard = faulty(server, Fault.CUT)

    assert (heard.text, heard.is_whole) == ("n7 sea was", False)


def test_half_a_character_is_sent(server: FakeServer):
    body = faulty(server, Fault.UTF8).body

    with pytest.raises(UnicodeDecodeError):
        body.decode()


def test_done_can_be_missing(server: FakeServer):
    assert faulty(server, Fault.NO_DONE).events[-1]["usage"]["completion_tokens"] == 6


def test_counts_can_be_missing_or_come_twice(server: FakeServer):
    missing, twice = faulty(server, Fault.NO_USAGE), faulty(server, Fault.DOUBLE_USAGE)

    assert (len(missing.usages), len(twice.usages)) == (0, 2)


def test_text_can_come_behind_the_end(server: FakeServer):
    events = faulty(server, Fault.AFTER_DONE).events

    assert events[-2] == b"[DONE]"
    assert events[-1]["choices"][0]["delta"]["content"] == "n7"


def test_an_end_can_come_without_its_reason(server: FakeServer):
    heard = faulty(server, Fault.NO_FINISH)

    assert all(not c["finish_reason"] for e in heard.events[:6] for c in e["choices"])


def test_a_stream_can_be_compressed_by_the_event(server: FakeServer):
    heard = faulty(server, Fault.GZIP)

    assert heard.headers["content-encoding"] == "gzip"
    assert zlib.decompress(heard.body, wbits=31).endswith(b"data: [DONE]\n\n")


def test_a_busy_server_says_so(server: FakeServer):
    heard = faulty(server, Fault.BUSY)

    assert (heard.status, heard.headers["retry-after"]) == (429, "1")


def test_options_can_be_changed_in_the_url(server: FakeServer):
    (heard,) = ask_all((f"{server.url}{CHAT}?fault=no_done", chat_body("n1")))

    assert b"[DONE]" not in heard.body


@pytest.mark.parametrize(
    "pair", [("gap", "1"), ("gap_ms", "fast"), ("gap_ms", "-1"), ("slow", "0")]
)
def test_an_option_that_makes_no_sense_is_refused_by_name(
    server: FakeServer, pair: tuple[str, str]
):
    with pytest.raises(ConfigError, match=pair[0]):
        FakeOptions().changed([pair])

    heard = chat(server, f"n1 {directive([pair])}")
    assert heard.status == 422
    assert pair[0].encode() in heard.body


def test_what_is_no_request_is_refused(server: FakeServer):
    unread = {"messages": [{"role": "user"}]}

    heard = ask_all((server.url + CHAT, unread), (server.url + "/v2/chat", {}))

    assert [one.status for one in heard] == [400, 404]


def test_a_server_ends_with_whoever_started_it():
    command = [sys.executable, "-m", "tgicli.bench.fake", "--with-stdin", "--gap-ms", "3"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        is_healthy = httpx.get(f"{url}/health", trust_env=False).status_code == 200
        process.stdin.close()
        status = process.wait(10)

    assert (is_healthy, status) == (True, 0)
