"""The access log of a real server whose reader does not read."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from tests.server.conftest import PATIENCE_S
from tests.server.raw import connected, request_bytes
from tgicli.ui.log import MAX_LINES

N_REQUESTS = 3 * MAX_LINES  # a line each; a pipe holds some 500 and the log MAX_LINES more
LONG = {"inputs": "Hello", "parameters": {"max_new_tokens": 500}}


@dataclass(frozen=True)
class Unread:
    """A server of whose log nothing was read but the first line."""

    url: str
    process: subprocess.Popen[bytes]
    stderr: IO[bytes]


@pytest.fixture
def unread(tiny_model: Path) -> Iterator[Unread]:
    """A server whose stderr fills up."""
    command = [sys.executable, "-m", "tgicli", "serve", "-m", str(tiny_model), "--port", "0"]
    options = ["--max-total-tokens", "1024", "--threads", "1"]
    environ = os.environ | {"TGICLI_CONFIG": os.devnull}
    with subprocess.Popen(
        [*command, *options], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environ
    ) as process:
        assert process.stderr is not None
        try:
            found = re.search(rb"http://[^\s;]+", process.stderr.readline())
            assert found
            yield Unread(found[0].decode(), process, process.stderr)
        finally:
            process.kill()


def test_a_log_that_nobody_reads_stops_no_token(unread: Unread):
    async def ask_much() -> int:
        async with connected(unread) as client, connected(unread) as reader:
            for _ in range(N_REQUESTS):
                await client.send(request_bytes("/nowhere"))
                assert (await client.reply()).status == 404
            await reader.send(request_bytes("/generate_stream", LONG))
            return len([event async for event in reader.events()])

    assert asyncio.run(ask_much()) == 500

    unread.process.terminate()
    log = unread.stderr.read().decode()
    assert unread.process.wait(PATIENCE_S) == 0
    n_missing = [int(n.replace(",", "")) for n in re.findall(r"([\d,]+) lines of this log", log)]
    assert log.count(" /nowhere 404 ") + sum(n_missing) >= N_REQUESTS
    assert n_missing
