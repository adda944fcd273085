"""Readers that take a byte a second, or nothing, over real sockets.

A whole minute, by hand: TGICLI_LOAD_SECONDS=60 pytest tests/server/test_slow_readers.py. What they
do to the others' inter-token time is measured by tests/benchmarks/slow_reader.py.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.conftest import RunningServer, eventually, running_server
from tests.server.raw import Connection, connected, request_bytes, until

PATIENCE_S = float(os.environ.get("TGICLI_LOAD_SECONDS", "3"))
SMALL_BUFFER = 4096  # of the reader's kernel; the rest is on the server's side
N_NORMAL = 7
N_TOKENS = 600
MAX_GROWTH_BYTES = 32 * 2**20
ENDLESS = {"inputs": "Hello", "parameters": {"max_new_tokens": 19_000}}
LONG = {"inputs": "Hello", "parameters": {"max_new_tokens": 2_500}}
SHORT = {"inputs": "Hello", "parameters": {"max_new_tokens": N_TOKENS}}
OPTIONS = ("--max-total-tokens", "20000", "--max-batch-size", "8", "--threads", "1")


@pytest.fixture(scope="module")
def patient(tiny_model: Path) -> Iterator[RunningServer]:
    """A server that never gives up a reader while the tests run."""
    with running_server(tiny_model, *OPTIONS, "--stall-timeout", "600") as one:
        yield one


@pytest.fixture(scope="module")
def impatient(tiny_model: Path) -> Iterator[RunningServer]:
    """A server that gives up a reader after a second."""
    with running_server(tiny_model, *OPTIONS, "--stall-timeout", "1") as one:
        yield one


async def read_slowly(connection: Connection) -> int:
    """Take a byte a second for as long as the test has patience."""
    n_read = 0
    end_s = asyncio.get_running_loop().time() + PATIENCE_S
    while asyncio.get_running_loop().time() < end_s:
        n_read += len(await connection.reader.read(1))
        await asyncio.sleep(1)
    return n_read


async def read_all(server: RunningServer) -> list[str]:
    """Read short answers one after the other, for as long as the test has patience."""
    texts = []
    end_s = asyncio.get_running_loop().time() + PATIENCE_S
    while asyncio.get_running_loop().time() < end_s:
        async with connected(server) as connection:
            await connection.send(request_bytes("/generate_stream", SHORT))
            events = [event async for event in connection.events()]
            assert len(events) == N_TOKENS
            texts.append(events[-1]["generated_text"])
    return texts


def test_others_get_whole_answers_beside_one_who_takes_a_byte_a_second(patient: RunningServer):
    async def together() -> tuple[int, list[list[str]]]:
        async with connected(patient, receive_buffer=SMALL_BUFFER) as slow:
            await slow.send(request_bytes("/generate_stream", ENDLESS))
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(read_slowly(slow))
                others = [group.create_task(read_all(patient)) for _ in range(N_NORMAL)]
            return reading.result(), [other.result() for other in others]

    n_read, texts = asyncio.run(together())

    assert 0 < n_read <= PATIENCE_S + 1
    assert len({text for one in texts for text in one}) == 1
    assert min(len(one) for one in texts) >= 1
    assert patient.metric("tgicli_stalled_readers") == 0
    assert eventually(patient.is_idle)


@pytest.mark.skipif(not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="the kernel decides")
def test_little_of_what_nobody_reads_is_kept(patient: RunningServer):
    async def neglect() -> None:
        async with connected(patient, receive_buffer=SMALL_BUFFER) as slow:
            await slow.send(request_bytes("/generate_stream", LONG))
            await until(lambda: patient.metric("tgi_batch_current_size") == 1)
            # The model goes on to the end; what does not fit into buffers waits as tokens.
            await until(lambda: patient.metric("tgi_batch_current_size") == 0)

    memory_bytes = patient.memory_bytes()
    n_before = patient.metric("tgicli_generated_tokens")

    asyncio.run(neglect())

    assert 50 < patient.metric("tgicli_generated_tokens") - n_before < 1000
    assert patient.memory_bytes() - memory_bytes < MAX_GROWTH_BYTES


@pytest.mark.parametrize("path", ["/generate_stream", "/v1/completions"])
def test_who_takes_nothing_is_given_up_and_counted(impatient: RunningServer, path: str):
    openai = {"prompt": ["a", "b"], "max_tokens": 19_000, "stream": True}
    n_stalled = impatient.metric("tgicli_stalled_readers")
    n_descriptors = impatient.n_descriptors()

    async def stall() -> bytes:
        async with connected(impatient, receive_buffer=SMALL_BUFFER) as slow:
            await slow.send(request_bytes(path, ENDLESS | openai))
            await until(lambda: impatient.metric("tgicli_stalled_readers") == n_stalled + 1)
            return await read_to_the_end(slow)

    rest = asyncio.run(stall())

    assert not rest.endswith(b"0\r\n\r\n")
    assert eventually(impatient.is_idle)
    assert eventually(lambda: any("error=stalled" in line for line in impatient.log(path)))
    assert eventually(lambda: impatient.n_descriptors() <= n_descriptors)
    assert "Traceback" not in "".join(impatient.stderr)


async def read_to_the_end(connection: Connection) -> bytes:
    """Return what had arrived before the connection was cut."""
    data = b""
    try:
        while piece := await connection.reader.read(2**16):
            data += piece
    except ConnectionResetError:
        pass
    return data


def test_who_takes_something_now_and_then_is_not_given_up(impatient: RunningServer):
    n_stalled = impatient.metric("tgicli_stalled_readers")

    async def read_by_pieces() -> int:
        n_read = 0
        async with connected(impatient, receive_buffer=SMALL_BUFFER) as slow:
            await slow.send(request_bytes("/generate_stream", ENDLESS))
            for _ in range(12):  # much longer than a second, in all
                n_read += len(await slow.reader.readexactly(20_000))
                await asyncio.sleep(0.25)
        return n_read

    assert asyncio.run(read_by_pieces()) == 240_000
    assert impatient.metric("tgicli_stalled_readers") == n_stalled
    assert eventually(impatient.is_idle)


def test_a_stream_that_waits_behind_an_unread_answer_is_given_up(impatient: RunningServer):
    whole = {"inputs": "Hello", "parameters": {"max_new_tokens": 1000, "details": True}}
    n_stalled = impatient.metric("tgicli_stalled_readers")

    async def never_read() -> None:
        async with connected(impatient, receive_buffer=SMALL_BUFFER) as slow:
            await slow.send(request_bytes("/generate", whole))
            await slow.send(request_bytes("/generate_stream", ENDLESS))
            await until(lambda: impatient.metric("tgicli_stalled_readers") == n_stalled + 1)

    asyncio.run(never_read())

    assert eventually(impatient.is_idle)
