"""Clients that go away, over real sockets: in each state once, then in a crowd.

A larger crowd, by hand: TGICLI_LOAD_CLIENTS=2000 pytest tests/server/test_vanishing.py
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.server.conftest import RunningServer, eventually, running_server
from tests.server.raw import Connection, ask, connected, request_bytes, until

N_CLIENTS = int(os.environ.get("TGICLI_LOAD_CLIENTS", "200"))
N_SURVIVORS = 6
LONGEST_STAY_S = 0.5
MAX_GROWTH_BYTES = 64 * 2**20
ENDLESS = {"max_new_tokens": 19_000}
LONG_PROMPT = "and the rest " * 1200  # some 14,000 tokens: hundreds of steps
VANISH_PATHS = ("/generate", "/generate_stream", "/v1/completions", "/v1/chat/completions")


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> Iterator[RunningServer]:
    """A server that computes two requests at once, a prompt in many steps."""
    lanes = ["--max-batch-size", "2", "--max-batch-prefill-tokens", "16", "--threads", "1"]
    limits = ["--max-total-tokens", "20000", "--max-concurrent-requests", "300"]
    with running_server(tiny_model, *lanes, *limits) as one:
        yield one


def native(inputs: str = "Hello", **parameters: object) -> dict[str, object]:
    return {"inputs": inputs, "parameters": {**ENDLESS, **parameters}}


def leave(server: RunningServer, talk: Callable[[Connection], Awaitable[None]]) -> None:
    """Talk to a server, then go away at once; wait until nothing is left of it there."""

    async def visit() -> None:
        async with connected(server) as connection:
            await talk(connection)
            connection.cut()

    server.stderr.clear()
    asyncio.run(visit())
    assert eventually(server.is_idle)


def is_logged(server: RunningServer, path: str, status: int) -> bool:
    """Say whether the log tells of a request that ended because its client left."""
    lines = server.log(path)
    return any(f" {status} " in line and "error=cancelled" in line for line in lines)


def n_running(server: RunningServer) -> float:
    return server.metric("tgi_batch_current_size")


def test_before_a_byte_and_before_the_end_of_the_headers(tiny: RunningServer):
    n_started = tiny.metric("tgi_request_count")

    async def half_a_head(connection: Connection) -> None:
        await connection.send(request_bytes("/generate", native())[:40])

    async def nothing(connection: Connection) -> None:
        pass

    leave(tiny, nothing)
    leave(tiny, half_a_head)

    assert tiny.metric("tgi_request_count") == n_started
    assert tiny.get("/health")[0] == 200


def test_in_the_midst_of_the_body(tiny: RunningServer):
    n_started = tiny.metric("tgi_request_count")

    async def half_a_body(connection: Connection) -> None:
        await connection.send(request_bytes("/generate", native())[:-10])

    leave(tiny, half_a_body)

    assert eventually(lambda: is_logged(tiny, "/generate", 499))
    assert tiny.metric("tgi_request_count") == n_started


@pytest.mark.parametrize("path", ["/generate", "/generate_stream"])
def test_in_the_queue(tiny: RunningServer, path: str):
    n_cancelled = tiny.metric("tgicli_cancellations")

    async def wait_behind_two(connection: Connection) -> None:
        async with connected(tiny) as first, connected(tiny) as second:
            for one in (first, second):
                await one.send(request_bytes("/generate_stream", native()))
                await anext(one.events())
            await connection.send(request_bytes(path, native()))
            await until(lambda: tiny.metric("tgi_queue_size") == 1)
            connection.cut()
            await until(lambda: tiny.metric("tgi_queue_size") == 0)
            assert n_running(tiny) == 2

    leave(tiny, wait_behind_two)

    assert tiny.metric("tgicli_cancellations") == n_cancelled + 3


@pytest.mark.parametrize("path", ["/generate", "/generate_stream"])
def test_while_the_prompt_is_computed(tiny: RunningServer, path: str):
    n_generated = tiny.metric("tgicli_generated_tokens")
    n_cancelled = tiny.metric("tgicli_cancellations")

    async def ask_much(connection: Connection) -> None:
        await connection.send(request_bytes(path, native(LONG_PROMPT, max_new_tokens=9)))
        await until(lambda: n_running(tiny) == 1)

    leave(tiny, ask_much)

    assert tiny.metric("tgicli_cancellations") == n_cancelled + 1
    assert tiny.metric("tgicli_generated_tokens") == n_generated


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/generate_stream", native()),
        ("/", native() | {"stream": True}),
        (
            "/v1/completions",
            {"prompt": "Hello", "max_tokens": 19_000, "temperature": 0, "stream": True},
        ),
        (
            "/v1/completions",
            {"prompt": ["a", "b"], "max_tokens": 19_000, "temperature": 0, "stream": True},
        ),
    ],
    ids=["native", "root", "openai", "two choices"],
)
def test_between_two_tokens(tiny: RunningServer, path: str, body: object):
    n_cancelled = tiny.metric("tgicli_cancellations")

    async def read_some(connection: Connection) -> None:
        await connection.send(request_bytes(path, body))
        assert (await connection.head())[0] == 200
        chunks = connection.chunks()
        for _ in range(3):
            await anext(chunks)

    leave(tiny, read_some)

    assert tiny.metric("tgicli_cancellations") > n_cancelled
    assert eventually(lambda: is_logged(tiny, path, 200))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/generate", native()),
        ("/generate", native(best_of=2, do_sample=True)),
        ("/v1/completions", {"prompt": ["a", "b"], "max_tokens": 19_000, "temperature": 0}),
    ],
    ids=["native", "best of two", "two choices"],
)
def test_while_a_whole_answer_is_made(tiny: RunningServer, path: str, body: object):
    n_tokens = tiny.metric("tgi_request_generated_tokens_sum")

    async def wait_for_all(connection: Connection) -> None:
        await connection.send(request_bytes(path, body))
        await until(lambda: n_running(tiny) >= 1)

    leave(tiny, wait_for_all)

    assert eventually(lambda: is_logged(tiny, path, 499))
    assert tiny.metric("tgi_request_generated_tokens_sum") == n_tokens


def test_between_two_requests_on_one_connection(tiny: RunningServer):
    async def ask_and_ask_again(connection: Connection) -> None:
        await connection.send(request_bytes("/generate", native(max_new_tokens=2)))
        assert (await connection.reply()).status == 200
        await connection.send(request_bytes("/generate_stream", native()))
        await connection.head()

    leave(tiny, ask_and_ask_again)


def test_while_the_next_request_is_already_sent(tiny: RunningServer):
    n_cancelled = tiny.metric("tgicli_cancellations")

    async def ask_twice_in_a_row(connection: Connection) -> None:
        await connection.send(request_bytes("/generate_stream", native()) * 2)
        await anext(connection.events())

    leave(tiny, ask_twice_in_a_row)

    assert tiny.metric("tgicli_cancellations") == n_cancelled + 1
    assert "Traceback" not in "".join(tiny.stderr)


async def vanish(server: RunningServer, number: int, chance: random.Random) -> None:
    """Ask for something long, and go when it is time."""
    path = chance.choice(VANISH_PATHS)
    prompt = chance.choice([f"{number} tales", f"{number} {LONG_PROMPT}"])
    body = {
        **native(prompt),
        "prompt": prompt,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": 5000,
        "stream": chance.random() < 0.5,
    }
    data = request_bytes(path, body)
    kept = len(data) if chance.random() < 0.7 else chance.randrange(len(data))
    async with connected(server) as connection:
        try:
            async with asyncio.timeout(chance.uniform(0, LONGEST_STAY_S)):
                await connection.send(data[:kept])
                while await connection.reader.read(1000):
                    pass
        except TimeoutError:
            connection.cut()


async def survive(server: RunningServer, number: int) -> object:
    """Ask for something short; return the answer."""
    return (await ask(server, "/generate", native(f"{number} men", max_new_tokens=40))).json


def test_a_crowd_that_vanishes_leaves_nothing_and_changes_no_answer(tiny: RunningServer):
    seed = random.randrange(2**32)
    print(f"the crowd's seed is {seed}")
    chance = random.Random(seed)

    async def crowd() -> list[object]:
        async with asyncio.TaskGroup() as group:
            for number in range(N_CLIENTS):
                group.create_task(vanish(tiny, number, chance))
            tasks = [group.create_task(survive(tiny, n)) for n in range(N_SURVIVORS)]
        return [task.result() for task in tasks]

    expected = [asyncio.run(survive(tiny, number)) for number in range(N_SURVIVORS)]
    asyncio.run(crowd())  # the first one makes caches grow
    assert eventually(tiny.is_idle)
    n_descriptors, memory_bytes = tiny.n_descriptors(), tiny.memory_bytes()

    survivors = asyncio.run(crowd())

    assert survivors == expected
    assert eventually(tiny.is_idle)
    assert eventually(lambda: tiny.n_descriptors() <= n_descriptors)
    assert tiny.memory_bytes() - memory_bytes < MAX_GROWTH_BYTES
    ended = ("success", 'failure{err="dropped"}', 'failure{err="validation"}')
    metrics = tiny.metrics()
    n_ended = sum(metrics[f"tgi_request_{how}"] for how in ended)
    assert n_ended == metrics["tgi_request_count"]
    assert "Traceback" not in "".join(tiny.stderr)
