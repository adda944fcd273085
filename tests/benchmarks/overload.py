"""How long does it take until a client of a full server knows that it is full?

Told is the time from before connecting to the whole refusal, as a client in another process sees
it, while the model decodes on all places. In turns, in each round:
    bare        64 clients at once ask a server of twenty lines that refuses everybody: what client
                and machine take alone
    tgicli      the same clients at the same time ask `tgicli serve`
    httpx's     as many of httpx's clients ask both, which have more work of their own
    one by one  the first kind of client asks, now and then
Then nobody is served any more, and
    retries     64 clients ask at once and come back when told, until all are served
    /health     is asked while four long prompts are computed

What would make it lie: other programs on the machine (--patience measures disturbed rounds again).
All of it, clients, server and model, shares the machine's cores; --threads leaves some to others.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from crowd import Asked, ask_at_once, get, post, stream
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

N_ONE_BY_ONE = 40
PAUSE_S = 0.05
N_LONG_PROMPTS = 4
N_LONG_WORDS = 250  # of several tokens


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds until each client knew, by what was asked; and what came of the retries."""

    waits_s: dict[str, list[float]]
    statuses: Counter[int]  # of the first answers to clients that come back
    n_asked: int  # by them, until all were served
    all_served_s: float


def main() -> None:
    """Print the tables."""
    options = _parse()
    path = find_model(options.model)
    print_setting(path, threads=options.threads)
    bare: list[str | Path] = [sys.executable, Path(__file__).with_name("bare_server.py")]
    with ServerProcess(bare) as floor, _server(path, options) as server:
        print_command(server.command)
        _measure(floor.url, server.url, options)  # once for the caches
        results = rounds(options, lambda: _measure(floor.url, server.url, options))
    _print_waits(results)
    _print_retries(results, options)


def _parse() -> argparse.Namespace:
    made = parser(__doc__)
    add_rounds_options(made, repeat=5)
    made.add_argument("--clients", type=int, default=64, metavar="N")
    made.add_argument("--places", type=int, default=8, metavar="N")
    made.add_argument("--n-new", type=int, default=16, metavar="N", help="tokens of an answer")
    return made.parse_args()


def _server(model: Path, options: argparse.Namespace) -> ServerProcess:
    command: list[str | Path] = [sys.executable, "-m", "tgicli", "serve", "-m", model]
    command += ["--threads", str(options.threads), "--max-total-tokens", "2048"]
    command += ["--max-concurrent-requests", str(options.places)]
    command += ["--max-batch-size", str(options.places)]
    return ServerProcess(command, host_flag="--hostname")


def _measure(floor: str, server: str, options: argparse.Namespace) -> Round:
    n = options.clients
    asked = [_generate(number, options.n_new) for number in range(n)]
    waits_s = {}
    with _all_places_taken(server, options.places):
        for name, url in (("bare", floor), ("tgicli", server)):
            waits_s[f"{n} at once, {name}"] = _waits(ask_at_once(url, asked), status=429)
            waits_s[f"{n} of httpx's, {name}"] = asyncio.run(_ask_with_httpx(url, n))
        waits_s["one by one, tgicli"] = _one_by_one(server, asked[0], status=429)
    _wait_until_idle(server)
    began_s = time.perf_counter()
    first, n_asked = _ask_until_all_are_served(server, asked)
    all_served_s = time.perf_counter() - began_s
    waits_s[f"{n} at once, the refused ones of the retries"] = [
        one.latency_s for one in first if one.status == 429
    ]
    _wait_until_idle(server)
    with _prompts_computed(server):
        waits_s["/health, beside prompts"] = _one_by_one(server, get("/health"), status=200)
    _wait_until_idle(server)
    return Round(waits_s, Counter(one.status for one in first), n_asked, all_served_s)


def _generate(number: int, n_new: int) -> bytes:
    body = {"inputs": f"{number} tales of the sea", "parameters": {"max_new_tokens": n_new}}
    return post("/generate", body)


@contextmanager
def _all_places_taken(url: str, n_places: int) -> Iterator[None]:
    """Decode on all places for the length of a block."""
    with ExitStack() as stack:
        for number in range(n_places):
            body = {"inputs": f"{number} men", "parameters": {"max_new_tokens": 1500}}
            stack.enter_context(stream(url, post("/generate_stream", body)))
        yield


@contextmanager
def _prompts_computed(url: str) -> Iterator[None]:
    """Compute long prompts for the length of a block."""
    with ExitStack() as stack:
        for number in range(N_LONG_PROMPTS):
            words = " ".join(f"word {number}.{index}" for index in range(N_LONG_WORDS))
            stack.enter_context(_sent(url, post("/generate_stream", {"inputs": words})))
        yield


@contextmanager
def _sent(url: str, request: bytes) -> Iterator[None]:
    one = Asked(request)
    with one.connection:
        host, _, port = url.removeprefix("http://").partition(":")
        one.connection.connect((host, int(port)))
        one.connection.sendall(request)
        yield


def _waits(asked: Sequence[Asked], *, status: int) -> list[float]:
    others = {one.status for one in asked} - {status}
    if others:
        raise SystemExit(f"answers with the statuses {others} instead of {status}")
    return [one.latency_s for one in asked]


def _one_by_one(url: str, request: bytes, *, status: int) -> list[float]:
    waits_s = []
    for _ in range(N_ONE_BY_ONE):
        time.sleep(PAUSE_S)
        waits_s += _waits(ask_at_once(url, [request]), status=status)
    return waits_s


async def _ask_with_httpx(url: str, n_clients: int) -> list[float]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, limits=limits, trust_env=False) as client:

        async def ask() -> float:
            began_s = time.perf_counter()
            response = await client.post("/generate", json={"inputs": "The sea"})
            if response.status_code != 429:
                raise SystemExit(f"status {response.status_code} instead of 429")
            return time.perf_counter() - began_s

        return await asyncio.gather(*(ask() for _ in range(n_clients)))


def _ask_until_all_are_served(url: str, requests: Sequence[bytes]) -> tuple[list[Asked], int]:
    """Return the first answers, and how many requests it took until all were 200."""
    first = ask_at_once(url, requests)
    refused = [one for one in first if one.status == 429]
    with ThreadPoolExecutor(max_workers=max(len(refused), 1)) as clients:
        n_more = sum(clients.map(lambda one: _come_back(url, one), refused))
    return first, len(first) + n_more


def _come_back(url: str, refused: Asked) -> int:
    """Ask again when told, until there is an answer; return how many times it took."""
    n_asked = 0
    while refused.status == 429:
        time.sleep(refused.retry_after_s)
        (refused,) = ask_at_once(url, [refused.request])
        n_asked += 1
    return n_asked


def _wait_until_idle(url: str) -> None:
    wanted = ("tgi_batch_current_size 0", "tgi_queue_size 0")
    while True:
        lines = httpx.get(f"{url}/metrics", trust_env=False).text.splitlines()
        if all(line in lines for line in wanted):
            return
        time.sleep(PAUSE_S)


def _print_waits(results: Sequence[Round]) -> None:
    figures: list[Callable[[list[float]], float]] = [statistics.median, _p99, max]
    rows = [
        [
            name,
            *(
                Spread.of(figure(one.waits_s[name]) * 1e3 for one in results).text(1)
                for figure in figures
            ),
        ]
        for name in results[0].waits_s
    ]
    print_table(["ms until a client knows", "median", "p99", "max"], rows)


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[-1]


def _print_retries(results: Sequence[Round], options: argparse.Namespace) -> None:
    wanted = Counter({200: options.places, 429: options.clients - options.places})
    n_exact = sum(one.statuses == wanted for one in results)
    rows = [
        ["rounds in which exactly the rest is refused", f"{n_exact} of {len(results)}"],
        ["requests until all are served", Spread.of(one.n_asked for one in results).text(0)],
        ["s until all are served", Spread.of(one.all_served_s for one in results).text(1)],
    ]
    print_table([f"{options.clients} clients on {options.places} places, coming back", ""], rows)


if __name__ == "__main__":
    main()
