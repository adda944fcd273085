"""Does a client that reads a byte a second slow down the others?

Eight answers are streamed at once, in pairs of runs by turns: all eight read as fast as they can,
or one of them takes a byte a second. Told is the time between two tokens of the other seven, and
how much memory the server took meanwhile. With --seconds above --stall-timeout the slow one is
given up, which its server counts.

What would make it lie: other programs on the machine (--patience measures disturbed pairs again).
"""

from __future__ import annotations

import argparse
import asyncio
import re
import socket
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import httpx
from crowd import post
from harness import (
    Spread,
    add_rounds_options,
    find_model,
    parser,
    print_command,
    print_setting,
    print_table,
    rounds,
)
from server_process import ServerProcess
from streaming_client import Answer, ask_tgi

N_STREAMS = 8
ENDLESS = 100_000  # more tokens than any run has time for
SMALL_BUFFER = 4096  # of the slow one's kernel


@dataclass(frozen=True, slots=True)
class Run:
    """What seven readers and their server saw."""

    gaps_s: list[float]
    growth_bytes: int
    n_stalled: float


def main() -> None:
    """Print the table."""
    options = _parse()
    path = find_model(options.model)
    print_setting(path, threads=options.threads)
    command: list[str | Path] = [sys.executable, "-m", "tgicli", "serve", "-m", path]
    command += ["--threads", str(options.threads), "--max-batch-size", str(N_STREAMS)]
    command += ["--stall-timeout", str(options.stall_timeout)]
    command += ["--max-total-tokens", str(options.ctx_size)]
    with ServerProcess(command, host_flag="--hostname") as server:
        print_command(server.command)
        _run(server, options, is_slow=False)  # once for the caches
        pairs = rounds(options, lambda: [_run(server, options, is_slow=s) for s in (False, True)])
    _print(pairs)


def _parse() -> argparse.Namespace:
    made = parser(__doc__)
    add_rounds_options(made, repeat=5)
    made.add_argument("--seconds", type=float, default=15.0, metavar="S", help="of a run")
    made.add_argument("--stall-timeout", type=float, default=60.0, metavar="S")
    made.add_argument("--ctx-size", type=int, default=2048, metavar="N", help="tokens of a lane")
    return made.parse_args()


def _run(server: ServerProcess, options: argparse.Namespace, *, is_slow: bool) -> Run:
    before_bytes, before = _memory_bytes(server), _n_stalled(server.url)
    answers = asyncio.run(_stream(server.url, options.seconds, is_slow=is_slow))
    gaps_s = [b - a for answer in answers for a, b in pairwise(answer.stamps_s)]
    growth_bytes = _memory_bytes(server) - before_bytes
    return Run(gaps_s, growth_bytes, _n_stalled(server.url) - before)


async def _stream(url: str, seconds: float, *, is_slow: bool) -> list[Answer]:
    """Return what the seven got in that time."""
    answers = [Answer() for _ in range(N_STREAMS - 1)]
    async with (
        httpx.AsyncClient(base_url=url, timeout=None, trust_env=False) as client,
        asyncio.TaskGroup() as group,
    ):
        tasks = [group.create_task(_read(url, is_slow=is_slow))]
        for number, answer in enumerate(answers):
            asking = ask_tgi(client, f"{number} tales", ENDLESS, answer)
            tasks.append(group.create_task(asking))
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
    return answers


async def _read(url: str, *, is_slow: bool) -> None:
    """Read the eighth answer, whose events are large, so that they soon fill what is between."""
    host, _, port = url.removeprefix("http://").partition(":")
    loop = asyncio.get_running_loop()
    parameters = {"max_new_tokens": ENDLESS, "details": True, "top_n_tokens": 5}
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        connection.setblocking(False)
        await loop.sock_connect(connection, (host, int(port)))
        request = post("/generate_stream", {"inputs": "8 men", "parameters": parameters})
        await loop.sock_sendall(connection, request)
        while await loop.sock_recv(connection, 1 if is_slow else 65536):
            await asyncio.sleep(1.0 if is_slow else 0.0)


def _memory_bytes(server: ServerProcess) -> int:
    status = Path(f"/proc/{server._process.pid}/status")
    found = re.search(r"VmRSS:\s+(\d+)", status.read_text()) if status.exists() else None
    return int(found[1]) * 1024 if found else 0


def _n_stalled(url: str) -> float:
    text = httpx.get(f"{url}/metrics", trust_env=False).text
    found = re.search(r"^tgicli_stalled_readers (\S+)$", text, re.MULTILINE)
    assert found
    return float(found[1])


def _print(pairs: Sequence[Sequence[Run]]) -> None:
    rows = []
    for name, part in (("median", 50), ("p99", 99)):
        fast, slow = (
            [_percentile(pair[side].gaps_s, part) * 1e3 for pair in pairs] for side in (0, 1)
        )
        ratio = Spread.of_ratios(slow, fast).text(3)
        rows.append([f"{name} ms", Spread.of(fast).text(1), Spread.of(slow).text(1), ratio])
    print_table(["between two tokens of seven", "8 fast", "7 and a slow one", "ratio"], rows)
    growths = [[pair[side].growth_bytes / 2**20 for pair in pairs] for side in (0, 1)]
    stalled = sum(pair[1].n_stalled for pair in pairs)
    print(f"- the server's memory grew by {Spread.of(growths[0]).text(1)} MiB in a fast run,")
    print(f"  by {Spread.of(growths[1]).text(1)} MiB in a slow one")
    print(f"- slow readers given up: {stalled:.0f} of {len(pairs)}")


def _percentile(values: Sequence[float], part: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[part - 1]


if __name__ == "__main__":
    main()
