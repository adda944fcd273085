"""Ends that come too early: of the server, by one signal, by two, by kill -9; of a client, too."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.installing import program
from tests.server.conftest import PATIENCE_S, RunningServer, eventually, running_server
from tests.server.raw import ask, connected, request_bytes, until

N_STREAMS = 8
N_TOKENS = 800
OPTIONS = ("--max-total-tokens", "60000", "--max-batch-size", str(N_STREAMS), "--threads", "1")
ENDLESS = {"inputs": "Hello", "parameters": {"max_new_tokens": 59_000}}
LAST_BYTES = b"0\r\n\r\n"  # of a chunked answer that came to its end

# A client of urllib's that is to be killed: prints what it reads.
CLIENT = """
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], sys.argv[2].encode(), {"content-type": sys.argv[3]})
for line in urllib.request.urlopen(request):
    print(line, flush=True)
"""


@pytest.fixture
def ending(tiny_model: Path) -> Iterator[RunningServer]:
    """A server that will not live until the end of the test."""
    with running_server(tiny_model, *OPTIONS) as one:
        yield one


def body(number: int) -> dict[str, Any]:
    return {"inputs": f"{number} men", "parameters": {"max_new_tokens": N_TOKENS, "details": True}}


def test_sigterm_lets_all_running_streams_end_and_turns_others_away(ending: RunningServer):
    async def read(number: int, has_begun: asyncio.Barrier) -> list[Any]:
        async with connected(ending) as connection:
            await connection.send(request_bytes("/generate_stream", body(number)))
            stream = connection.events()
            events = [await anext(stream)]
            await has_begun.wait()
            return events + [event async for event in stream]

    async def together() -> tuple[list[list[Any]], int, int]:
        has_begun = asyncio.Barrier(N_STREAMS + 1)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(read(n, has_begun)) for n in range(N_STREAMS)]
            await has_begun.wait()
            ending.process.send_signal(signal.SIGTERM)
            await until(lambda: ending.get("/health")[0] == 503)
            late = await ask(ending, "/generate", body(99))
            assert late.headers["connection"] == "close"
            n_left = sum(not task.done() for task in tasks)
        return [task.result() for task in tasks], late.status, n_left

    answers, late, n_left = asyncio.run(together())

    assert n_left > 0  # so it was refused while others were still served
    assert late == 429
    assert [events[-1]["details"]["generated_tokens"] for events in answers] == [N_TOKENS] * 8
    assert [len(events) for events in answers] == [N_TOKENS] * 8
    assert ending.process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("path", ["/generate", "/generate_stream"])
def test_an_answer_that_is_cut_off_says_so_to_its_client_and_in_the_log(
    tiny_model: Path, path: str
):
    async def cut_off() -> bytes:
        async with connected(hasty) as connection:
            await connection.send(request_bytes(path, ENDLESS))
            await until(lambda: not hasty.is_idle())
            hasty.process.send_signal(signal.SIGTERM)
            return (await connection.reply()).body

    with running_server(tiny_model, *OPTIONS, "--shutdown-timeout", "0") as hasty:
        body = asyncio.run(cut_off())
        assert hasty.process.wait(PATIENCE_S) == 0

    error = json.loads(body.removesuffix(b"\n\n").rpartition(b"data: ")[2])
    assert error == {"error": "the server was shut down", "error_type": "incomplete_generation"}
    assert not any("Traceback" in line for line in hasty.stderr)
    (line,) = hasty.log(path)
    assert (" 500 " if path == "/generate" else " 200 ") in line
    assert "error=incomplete_generation" in line


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_now(ending: RunningServer, second: signal.Signals):
    async def cut_off() -> bytes:
        async with connected(ending) as connection:
            await connection.send(request_bytes("/generate_stream", ENDLESS))
            await connection.reader.readuntil(b"data: ")
            ending.process.send_signal(signal.SIGTERM)
            await until(lambda: ending.get("/health")[0] == 503)
            ending.process.send_signal(second)
            return await connection.reader.read()

    rest = asyncio.run(cut_off())

    assert ending.process.wait(PATIENCE_S) == 128 + second
    assert not rest.endswith(LAST_BYTES)


def test_a_server_that_is_killed_leaves_an_answer_that_has_no_end(ending: RunningServer):
    command = [program("curl"), "--noproxy", "*", "-sS", "-N", f"{ending.url}/generate_stream"]
    data = ["-H", "content-type: application/json", "-d", json.dumps(ENDLESS)]
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, *data], stdout=pipe, stderr=pipe) as client:
        assert client.stdout is not None
        assert client.stdout.readline().startswith(b"data: ")

        ending.process.kill()
        _, words = client.communicate(timeout=PATIENCE_S)

    assert client.returncode in (18, 56)  # a partial file; or its connection was reset
    assert words


def test_a_client_that_is_killed_is_noticed_and_logged(ending: RunningServer):
    command = [sys.executable, "-c", CLIENT, f"{ending.url}/generate_stream"]
    data = [json.dumps(ENDLESS), "application/json"]
    with subprocess.Popen([*command, *data], stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        assert client.stdout.readline()

        client.kill()

    assert eventually(ending.is_idle)
    assert ending.metric("tgicli_cancellations") == 1
    assert eventually(lambda: len(ending.log("/generate_stream")) == 1)
    (line,) = ending.log("/generate_stream")
    assert " 200 " in line
    assert "error=cancelled" in line


def test_an_idle_connection_does_not_hold_up_the_end(ending: RunningServer):
    async def stay() -> bytes:
        async with connected(ending) as idle:
            await idle.send(request_bytes("/health"))
            assert (await idle.reply()).status == 200
            ending.process.send_signal(signal.SIGTERM)
            return await idle.reader.read()

    assert asyncio.run(stay()) == b""
    assert ending.process.wait(PATIENCE_S) == 0


def test_what_went_wrong_before_it_could_serve_is_one_sentence(tiny_model: Path):
    impossible = ["--ctx-size", "5", "--max-input-tokens", "100", "--port", "0"]
    command = [sys.executable, "-m", "tgicli", "serve", "-m", str(tiny_model), *impossible]

    ended = subprocess.run(command, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)

    assert ended.returncode == 2
    assert ended.stderr.startswith(b"error: --max-input-tokens 100 must be less than the 5 tokens")
