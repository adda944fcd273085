"""64 clients on 8 places, over real sockets, while a model decodes.

Rounds, by hand: TGICLI_LOAD_ROUNDS=50 pytest tests/server/test_overload.py
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.conftest import RunningServer, eventually, running_server
from tests.server.raw import Reply, ask, connected, request_bytes

N_ROUNDS = int(os.environ.get("TGICLI_LOAD_ROUNDS", "2"))
N_CLIENTS, N_PLACES = 64, 8
N_TOKENS = 300  # an answer must take longer than it takes all clients to ask
BUSY = {"error": "Model is overloaded", "error_type": "overloaded"}


@pytest.fixture(scope="module")
def small(tiny_model: Path) -> Iterator[RunningServer]:
    """A server with 8 places."""
    places = ["--max-concurrent-requests", str(N_PLACES), "--max-batch-size", str(N_PLACES)]
    with running_server(
        tiny_model, *places, "--max-total-tokens", "20000", "--threads", "1"
    ) as one:
        yield one


def body(number: int, n_tokens: int = N_TOKENS) -> dict[str, object]:
    """Return a request that no other one shares words with."""
    return {
        "inputs": f"{number} tales",
        "parameters": {"max_new_tokens": n_tokens, "details": True},
    }


async def ask_until_served(server: RunningServer, number: int) -> list[Reply]:
    """Ask, and come back when told, until there is an answer; return all replies."""
    replies = [await ask(server, "/generate", body(number))]
    while replies[-1].status == 429:
        await asyncio.sleep(int(replies[-1].headers["retry-after"]))
        replies.append(await ask(server, "/generate", body(number)))
    return replies


async def ask_together(server: RunningServer) -> list[list[Reply]]:
    """Let all clients ask at once."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask_until_served(server, n)) for n in range(N_CLIENTS)]
    return [task.result() for task in tasks]


@pytest.mark.parametrize("round_", range(N_ROUNDS))
def test_exactly_the_rest_is_refused_and_all_are_served_when_they_come_back(
    small: RunningServer, round_: int
):
    n_done = small.metric("tgi_request_success")

    clients = asyncio.run(ask_together(small))

    first = [replies[0].status for replies in clients]
    assert (first.count(200), first.count(429)) == (N_PLACES, N_CLIENTS - N_PLACES)
    refusals = [reply for replies in clients for reply in replies[:-1]]
    assert all(reply.json == BUSY for reply in refusals)
    assert {reply.headers["content-type"] for reply in refusals} == {"application/json"}
    details = [replies[-1].json["details"] for replies in clients]
    assert [one["generated_tokens"] for one in details] == [N_TOKENS] * N_CLIENTS
    assert small.metric("tgi_request_success") == n_done + N_CLIENTS
    assert small.is_idle()


def test_who_is_refused_by_turns_is_told_to_come_back_by_turns(small: RunningServer):
    async def refused() -> int:
        reply = await ask(small, "/v1/completions", {"prompt": "x"})
        assert reply.status == 429
        return int(reply.headers["retry-after"])

    async def all_refused() -> list[int]:
        async with connected(small) as first:
            await first.send(request_bytes("/generate_stream", body(0, 19000)))
            await first.head()
            others = [
                asyncio.ensure_future(ask(small, "/generate", body(n, 9000))) for n in range(7)
            ]
            while small.metric("tgi_batch_current_size") < N_PLACES:
                await asyncio.sleep(0.01)
            waits = [await refused()]
            while len(waits) < 1000 and waits[-1] == waits[0]:  # how soon depends on earlier tests
                waits.append(await refused())
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        return waits

    waits = asyncio.run(all_refused())

    assert waits == sorted(waits)
    assert 1 <= waits[0] < waits[-1]
    assert eventually(small.is_idle)


def test_a_body_is_not_read_when_there_is_no_place(small: RunningServer):
    async def refused() -> Reply:
        async with connected(small) as holder, connected(small) as late:
            many = {"prompt": ["a"] * 4, "n": 1, "max_tokens": 9000, "stream": True}
            async with connected(small) as other:
                for one in (holder, other):
                    await one.send(request_bytes("/v1/completions", many))
                    await one.head()
                announced = {"content-length": "1000000"}  # of which no byte comes
                await late.send(request_bytes("/generate", b"", headers=announced, method="POST"))
                return await late.reply()

    reply = asyncio.run(refused())

    assert (reply.status, reply.json) == (429, BUSY)
    assert eventually(small.is_idle)


def test_a_place_is_not_taken_by_what_needs_none(small: RunningServer):
    async def answered() -> list[int]:
        async with connected(small) as holder, connected(small) as other:
            many = {"prompt": ["a"] * 4, "max_tokens": 9000, "stream": True}
            for one in (holder, other):
                await one.send(request_bytes("/v1/completions", many))
                await one.head()
            paths = ["/health", "/info", "/metrics", "/v1/models", "/docs"]
            replies = [await ask(small, path) for path in paths]
            replies.append(await ask(small, "/tokenize", {"inputs": "Hello"}))
            return [reply.status for reply in replies]

    assert asyncio.run(answered()) == [200] * 6
    assert eventually(small.is_idle)
