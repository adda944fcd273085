"""How does `tgicli serve` compare with llama-server, or with itself, as their clients see it?

Both servers have the same model, threads, lanes and context a lane; by turns one of them is asked
and the other one idles, and who is asked first changes from turn to turn. All answers are greedy
and streamed by the same client, chats from OpenAI's route, all else from each server's own, where
ours tells log-probabilities that llama-server does not compute; with --route openai from OpenAI's,
where both do the same. Prompts differ from their first word on, and from round to round, so no
cache helps where none is meant to. With --itself both are `tgicli serve`, one with flags more.
Four kinds of work:
    distinct  N clients, each with its next prompt as soon as its last answer is complete; a prompt
              has --paragraphs of some 40 tokens, and the turns are of three prompts a client
    shared    --sharers clients whose prompts share their first --prefix-words
    chats     --chats conversations by turns, one request at a time, that begin with the same
              instructions; told is the time to the first token from each one's second turn on
    arrival   1,200 words come while 4 streams run: told is the streams' longest wait for a token

Both start anew for each round: by where its memory happens to lie, one and the same program is a
per cent faster or slower than itself as long as it runs.

What would make it lie: other programs on the machine (--patience measures disturbed rounds again)
or beside it, where it is a part of one: its speed may change from minute to minute; the client,
which needs some of the same CPUs, about as much for either side.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
from harness import (
    Spread,
    add_peers_option,
    add_rounds_options,
    find_model,
    find_peer,
    parser,
    print_command,
    print_setting,
    print_table,
    rounds,
)
from server_process import ServerProcess
from streaming_client import Answer, ask_chat, ask_llama, ask_openai, ask_tgi

Ask = Callable[[httpx.AsyncClient, str, int, Answer], Coroutine[None, None, None]]
Pairs = list[tuple[float, float]]  # ours and theirs, of each round
HEAD_START_S = 3.0  # of the streams that a long prompt disturbs
SUBJECTS = ["the sea", "an old clock", "two brothers", "a letter", "the north wind", "a mill"]
PLACES = ["Lisbon", "a village", "the mountains", "Kyoto", "a small island", "Prague", "the desert"]
INSTRUCTIONS = "You are a storyteller. Go on with what the reader says, and do not end too soon."
N_TURNS, N_WORDS = 4, 120  # of a conversation, and of each turn


@dataclass(frozen=True, slots=True)
class Side:
    """One server, and how to ask it."""

    url: str
    ask: Ask


@dataclass(frozen=True, slots=True)
class Work:
    """What some clients got together."""

    answers: list[Answer]
    duration_s: float

    @classmethod
    def joined(cls, works: Sequence[Work]) -> Work:
        """Return one after the other as one."""
        answers = [answer for work in works for answer in work.answers]
        return cls(answers, sum(work.duration_s for work in works))

    @property
    def tokens_per_s(self) -> float:
        """All their tokens in all the time."""
        return sum(len(answer.stamps_s) for answer in self.answers) / self.duration_s

    @property
    def ttft_p90_s(self) -> float:
        """The 90th percentile of their times to the first token."""
        return statistics.quantiles((a.ttft_s for a in self.answers), n=10, method="inclusive")[-1]


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the arrival of a long prompt did."""

    worst_gap_s: float  # of the streams that ran
    ttft_s: float  # the prompt's


@dataclass(frozen=True, slots=True)
class Round:
    """All work, once on one side."""

    distinct: dict[int, Work]  # by the number of clients
    shared: Work
    turn_s: float  # a conversation's time to the first token, behind its first turn
    arrival: Arrival


class Prompts:
    """Prose; no two prompts of a run begin alike, unless they are asked to."""

    def __init__(self) -> None:
        self._n_made = 0

    def short(self) -> str:
        """Return about 45 tokens."""
        number = self._next()
        subject, place = SUBJECTS[number % len(SUBJECTS)], PLACES[number % len(PLACES)]
        return (
            f"{number}. This is the story of {subject} in {place}. It has {number + 3} chapters, "
            f"and it is told by a traveller who came there by chance. The first chapter begins:\n\n"
        )

    def paragraphs(self, count: int) -> str:
        """Return so many short prompts as one."""
        return "".join(self.short() for _ in range(count))

    def long(self, n_words: int) -> str:
        """Return so many words."""
        words: list[str] = []
        while len(words) < n_words:
            words += self.short().split()
        return " ".join(words[:n_words])

    def sharing(self, n_words: int, count: int) -> list[str]:
        """Return prompts that begin with the same words and end differently."""
        beginning = self.long(n_words)
        return [f"{beginning}\n\n{self.short()}" for _ in range(count)]

    def _next(self) -> int:
        self._n_made += 1
        return self._n_made


def main() -> None:
    """Print the tables."""
    options = _parse()
    path = find_model(options.model)
    program = None if options.itself else find_peer(options.peers, "llama-server")
    print_setting(path, threads=options.threads, peer=program)
    servers = _servers(path, program, options)
    for server in servers:
        print_command(server.command)
    prompts, orders = Prompts(), itertools.cycle((1, -1))
    ask_ours = ask_tgi if options.route == "own" else ask_openai
    ask_theirs = ask_llama if program and options.route == "own" else ask_ours

    def take_round() -> list[Round]:
        order = next(orders)
        with ExitStack() as stack:
            ours, theirs = (stack.enter_context(server) for server in servers)
            sides = [Side(ours.url, ask_ours), Side(theirs.url, ask_theirs)]
            return asyncio.run(_take_turns(sides[::order], prompts, options))[::order]

    pairs = rounds(options, take_round)
    if options.clients:
        _print_distinct(pairs, options.clients)
    _print_shared(pairs, options.prefix_words)
    _print_chats(pairs, options.chats)
    _print_arrival(pairs)


def _parse() -> argparse.Namespace:
    made = parser(__doc__)
    add_peers_option(made)
    add_rounds_options(made, repeat=5)
    clients = [1, 4, 8, 16]
    made.add_argument("--clients", type=int, nargs="*", default=clients, metavar="N")
    routes = ["own", "openai"]
    made.add_argument("--route", choices=routes, default="own", help="each one's own, or OpenAI's")
    itself = "compare `tgicli serve` with itself with these flags, e.g. --itself=--mmap"
    made.add_argument("--itself", type=shlex.split, default=[], metavar="FLAGS", help=itself)
    made.add_argument("--n-new", type=int, default=64, metavar="N", help="tokens of an answer")
    made.add_argument("--paragraphs", type=int, default=1, metavar="N", help="of a prompt")
    made.add_argument("--lanes", type=int, default=8, metavar="N", help="of each server")
    made.add_argument("--sharers", type=int, default=8, metavar="N", help="clients with a prefix")
    made.add_argument("--prefix-words", type=int, default=300, metavar="N", help="that they share")
    made.add_argument("--chats", type=int, default=3, metavar="N", help="conversations by turns")
    made.add_argument("--requests", type=int, default=24, metavar="N", help="about, a round")
    made.add_argument("--ctx-size", type=int, default=2048, metavar="N", help="tokens of a lane")
    return made.parse_args()


def _servers(
    model: Path, program: Path | None, options: argparse.Namespace
) -> tuple[ServerProcess, ServerProcess]:
    threads = ["--threads", str(options.threads)]
    ours: list[str | Path] = [sys.executable, "-m", "tgicli", "serve", "-m", model, *threads]
    ours += ["--max-total-tokens", str(options.ctx_size), "--max-batch-size", str(options.lanes)]
    server = ServerProcess(ours, host_flag="--hostname")
    if program is None:
        return server, ServerProcess([*ours, *options.itself], host_flag="--hostname")
    theirs: list[str | Path] = [program, "-m", model, *threads, "-np", str(options.lanes)]
    theirs += ["-c", str(options.ctx_size * options.lanes), "--no-kv-unified"]
    return server, ServerProcess(theirs)


async def _warm_up(sides: Sequence[Side], prompt: str) -> None:
    """Answer once on each side, and see that both answer alike."""
    answers = [Answer() for _ in sides]
    for side, answer in zip(sides, answers, strict=True):
        async with _client(side) as client:
            await side.ask(client, prompt, 24, answer)
    one, other = ((answer.n_prompt, answer.text) for answer in answers)
    if one != other:
        raise SystemExit(f"the servers do not do the same work: {one} and {other}")


async def _take_turns(
    sides: Sequence[Side], prompts: Prompts, options: argparse.Namespace
) -> list[Round]:
    n_new = options.n_new
    await _warm_up(sides, prompts.short())
    distinct: list[dict[int, Work]] = [{} for _ in sides]
    for n_clients in options.clients:
        works = await _distinct(sides, n_clients, prompts, options)
        for of_side, work in zip(distinct, works, strict=True):
            of_side[n_clients] = work
    texts = prompts.sharing(options.prefix_words, max(options.requests, options.sharers))
    shared = [await _work(side, texts, options.sharers, n_new) for side in sides]
    chats = [[prompts.long(N_WORDS) for _ in range(N_TURNS)] for _ in range(options.chats)]
    turns = [await _chats(side, chats, n_new) for side in sides]
    running, long = [prompts.short() for _ in range(4)], prompts.long(1200)
    n_endless = options.ctx_size - 128
    arrivals = [await _arrival(side, running, long, n_endless) for side in sides]
    return [Round(*each) for each in zip(distinct, shared, turns, arrivals, strict=True)]


def _client(side: Side) -> httpx.AsyncClient:
    # llama-server closes connections that were idle, at times while a request is on its way
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx.AsyncClient(base_url=side.url, timeout=None, limits=limits, trust_env=False)


async def _distinct(
    sides: Sequence[Side], n_clients: int, prompts: Prompts, options: argparse.Namespace
) -> list[Work]:
    """Let the sides take turns of three prompts a client; return each one's whole work."""
    turns = max(1, options.requests // (3 * n_clients))
    works: list[list[Work]] = [[] for _ in sides]
    for turn in range(turns):
        texts = [prompts.paragraphs(options.paragraphs) for _ in range(3 * n_clients)]
        for index in range(len(sides))[:: 1 if turn % 2 == 0 else -1]:
            works[index].append(await _work(sides[index], texts, n_clients, options.n_new))
    return [Work.joined(parts) for parts in works]


async def _work(side: Side, texts: Sequence[str], n_clients: int, n_new: int) -> Work:
    """Let some clients work through the prompts."""
    waiting: Iterator[str] = iter(texts)
    answers: list[Answer] = []
    async with _client(side) as client:

        async def work() -> None:
            for text in waiting:
                answers.append(Answer())
                await side.ask(client, text, n_new, answers[-1])

        began_s = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(n_clients):
                group.create_task(work())
        return Work(answers, time.perf_counter() - began_s)


async def _chats(side: Side, chats: Sequence[Sequence[str]], n_new: int) -> float:
    """Take one turn of each conversation after the other; return the median of the later waits."""
    said = [[{"role": "system", "content": INSTRUCTIONS}] for _ in chats]
    waits_s: list[float] = []
    async with _client(side) as client:
        for turn in range(N_TURNS):
            for messages, chat in zip(said, chats, strict=True):
                messages.append({"role": "user", "content": chat[turn]})
                answer = Answer()
                await ask_chat(client, messages, n_new, answer)
                messages.append({"role": "assistant", "content": answer.text})
                if turn > 0:
                    waits_s.append(answer.ttft_s)
    return statistics.median(waits_s)


async def _arrival(side: Side, running: Sequence[str], long: str, n_new: int) -> Arrival:
    """Let some streams run, send a long prompt, and end them when it has its first token."""
    streams = [Answer() for _ in running]
    async with _client(side) as client, asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(side.ask(client, text, n_new, stream))
            for text, stream in zip(running, streams, strict=True)
        ]
        await asyncio.sleep(HEAD_START_S)
        late = Answer()
        await side.ask(client, long, 1, late)
        if any(task.done() for task in tasks):
            raise SystemExit("a stream ended before the long prompt was computed")
        for task in tasks:
            task.cancel()
    gaps = [stream.worst_gap_s(late.asked_s, late.stamps_s[0]) for stream in streams]
    return Arrival(max(gaps), late.ttft_s)


def _print_distinct(pairs: list[list[Round]], clients: Sequence[int]) -> None:
    rows = [_row(str(n), [[one.distinct[n] for one in pair] for pair in pairs]) for n in clients]
    _print_work("clients", rows)


def _print_shared(pairs: list[list[Round]], n_words: int) -> None:
    works = [[one.shared for one in pair] for pair in pairs]
    _print_work("prefix", [_row(f"{n_words:,} words", works)])


def _row(name: str, pairs: list[list[Work]]) -> list[str]:
    ours, theirs = zip(*pairs, strict=True)
    speeds, theirs_speeds = [w.tokens_per_s for w in ours], [w.tokens_per_s for w in theirs]
    waits, theirs_waits = [w.ttft_p90_s for w in ours], [w.ttft_p90_s for w in theirs]
    return [
        name,
        Spread.of(speeds).text(1),
        Spread.of(theirs_speeds).text(1),
        Spread.of_ratios(speeds, theirs_speeds).text(3),
        Spread.of(waits).text(2),
        Spread.of(theirs_waits).text(2),
        Spread.of_ratios(waits, theirs_waits).text(3),
    ]


def _print_work(name: str, rows: list[list[str]]) -> None:
    speed = ["tokens/s", "the other's", "ratio"]
    wait = ["TTFT p90 s", "the other's", "ratio"]
    print_table([name, *speed, *wait], rows)


def _print_chats(pairs: list[list[Round]], n_chats: int) -> None:
    turns = [(ours.turn_s, theirs.turn_s) for ours, theirs in pairs]
    _print_pairs(f"{n_chats} conversations by turns", {"TTFT of a later turn, s": turns})


def _print_arrival(pairs: list[list[Round]]) -> None:
    both = [(ours.arrival, theirs.arrival) for ours, theirs in pairs]
    gaps = [(ours.worst_gap_s, theirs.worst_gap_s) for ours, theirs in both]
    waits = [(ours.ttft_s, theirs.ttft_s) for ours, theirs in both]
    figures = {"worst gap of 4 streams, s": gaps, "the prompt's TTFT, s": waits}
    _print_pairs("1,200 words arrive", figures)


def _print_pairs(title: str, figures: dict[str, Pairs]) -> None:
    rows = []
    for name, pairs in figures.items():
        ours, theirs = zip(*pairs, strict=True)
        spreads = Spread.of(ours).text(2), Spread.of(theirs).text(2)
        rows.append([name, *spreads, Spread.of_ratios(ours, theirs).text(3)])
    print_table([title, "tgicli", "the other", "ratio"], rows)


if __name__ == "__main__":
    main()
