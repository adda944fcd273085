"""The same question answered in pieces and at once, by a server whose times are made up."""

from __future__ import annotations

import asyncio
import random

import pytest

from tgicli.bench.plan import Prompt
from tgicli.bench.record import Chunk, Outcome, Record, TokenSource
from tgicli.bench.result import Severity
from tgicli.bench.stream_vs_full import Pair, StreamVsFull, compare_pairs, run_stream_vs_full

MS = 1_000_000
PROMPTS = [
    Prompt(prompt=f"{n}0000000 why is the sky blue? {n}", max_new_tokens=20, nonce=f"{n}0000000")
    for n in range(1, 9)
]


class Server:
    """Answers 20 tokens: the first after 200 ms, then one each 40 ms; slower from call to call."""

    def __init__(self, *, stream_factor: float = 1.0, noise: float = 0.0, drift: float = 0.0):
        self._random = random.Random(3)
        self._stream_factor, self._noise, self._drift = stream_factor, noise, drift
        self.asked: list[tuple[Prompt, bool]] = []

    async def ask(self, prompt: Prompt, is_streamed: bool) -> Record:
        slow = (1 + self._drift * len(self.asked)) * self._random.lognormvariate(0, self._noise)
        self.asked.append((prompt, is_streamed))
        gap_ms = 40 * slow * (self._stream_factor if is_streamed else 1)
        times_ms = [200 * slow + gap_ms * n for n in range(20)]
        chunks = [Chunk(round(ms * MS), 1, 4, False, n) for n, ms in enumerate(times_ms)]
        if not is_streamed:
            chunks = [Chunk(chunks[-1].at_ns, 20, 80, False, 0)]
        return record(prompt, tuple(chunks), is_streamed=is_streamed)


def record(prompt: Prompt, chunks: tuple[Chunk, ...], **changes: object) -> Record:
    fields: dict[str, object] = {
        "index": 0,
        "send_ns": 0,
        "end_ns": chunks[-1].at_ns if chunks else 0,
        "chunks": chunks,
        "outcome": Outcome.OK,
        "n_prompt_tokens": 10,
        "n_tokens": 20,
        "token_source": TokenSource.USAGE,
        "text": f"the answer to {prompt.prompt}",
        "nonce": prompt.nonce,
    }
    return Record(**(fields | changes))  # type: ignore[arg-type]


def asked(server: Server, *, n_texts: int = 4, max_pairs: int | None = None) -> tuple[Pair, ...]:
    return asyncio.run(
        run_stream_vs_full(server.ask, PROMPTS, seed=1, n_texts=n_texts, max_pairs=max_pairs)
    )


def compared(server: Server) -> StreamVsFull:
    return compare_pairs(asked(server))


def test_the_head_start_is_what_a_reader_of_the_whole_answer_waits_longer():
    found = compared(Server())

    assert found.ttft_ms.value == pytest.approx(200)
    assert found.e2e_full_ms.value == pytest.approx(960)
    assert found.head_start_ms.value == pytest.approx(760)
    assert found.wait_share.value == pytest.approx(200 / 960)
    assert found.stream_cost_pct.value == pytest.approx(0)
    assert not found.remarks


def test_streaming_that_costs_a_tenth_is_said_to_cost_that():
    found = compared(Server(stream_factor=1.1, noise=0.02)).stream_cost_pct

    cost = 100 * (200 + 760 * 1.1) / 960 - 100
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low < cost < found.high


def test_a_steady_drift_is_not_mistaken_for_a_cost():
    found = compared(Server(drift=0.02)).stream_cost_pct

    assert found.value == pytest.approx(0, abs=0.3)


def test_pairs_are_asked_in_turns_that_mirror_each_other():
    server = Server()

    asked(server, n_texts=0)

    sides = [is_streamed for _, is_streamed in server.asked]
    assert len(sides) == 2 * len(PROMPTS)
    for k in range(0, len(sides), 4):
        assert sides[k : k + 4] in ([True, False, False, True], [False, True, True, False])


def test_no_timed_prompt_was_asked_before():
    server = Server()

    asked(server, n_texts=0, max_pairs=20)

    nonces = [prompt.nonce for prompt, _ in server.asked]
    assert len(set(nonces)) == len(nonces) == 40


def test_texts_are_compared_of_the_very_same_prompt():
    server = Server()

    pairs = asked(server, n_texts=3)
    found = compare_pairs(pairs)

    assert (found.n_texts, found.n_text_equal) == (3, 3)
    assert (found.n_counted, found.n_tokens_equal) == (3, 3)
    for pair in pairs[:3]:
        assert pair.again is not None
        assert pair.again.nonce == pair.streamed.nonce != pair.full.nonce
        assert not pair.again.is_streamed


def test_a_text_that_streaming_changes_is_counted():
    server = Server()

    async def ask(prompt: Prompt, is_streamed: bool) -> Record:
        found = await server.ask(prompt, is_streamed)
        if not is_streamed:
            return record(prompt, found.chunks, is_streamed=False, text="other", n_tokens=21)
        return found

    found = compare_pairs(asyncio.run(run_stream_vs_full(ask, PROMPTS, seed=1, n_texts=4)))

    assert (found.n_texts, found.n_text_equal) == (4, 0)
    assert (found.n_counted, found.n_tokens_equal) == (4, 0)
    assert any("lengths differ: in 8 of 8" in remark.text for remark in found.remarks)


def test_a_pair_of_which_one_failed_is_told_and_its_block_left_out():
    pairs = list(asked(Server(), n_texts=0))
    failed = record(PROMPTS[0], (), outcome=Outcome.ERROR, error="StreamBroken")
    pairs[3] = Pair(3, pairs[3].streamed, failed)

    found = compare_pairs(pairs)

    assert (found.n_pairs, found.n_failed) == (8, 1)
    assert found.head_start_ms.value == pytest.approx(760)
    assert found.remarks[0].text == "1 of 16 requests failed: StreamBroken"


def test_nothing_answered_is_no_measurement():
    failed = record(PROMPTS[0], (), outcome=Outcome.BUSY)

    found = compare_pairs([Pair(0, failed, failed)])

    assert found.head_start_ms.value is None
    assert found.remarks[0].severity is Severity.INVALID


def test_a_cache_and_an_answer_in_one_piece_are_told():
    chunks = (Chunk(900 * MS, 20, 80, False, 0),)
    cached = record(PROMPTS[0], chunks, n_cached_tokens=8)

    found = compare_pairs([Pair(0, cached, cached)])

    assert [remark.text for remark in found.remarks] == [
        "a cache served 80% of the prompts' tokens",
        "1 of 1 streamed answers came in one piece",
    ]


def test_when_stopped_the_pair_under_way_is_dropped():
    server, stop = Server(), asyncio.Event()

    async def ask(prompt: Prompt, is_streamed: bool) -> Record:
        if len(server.asked) == 5:
            stop.set()
        return await server.ask(prompt, is_streamed)

    pairs = asyncio.run(run_stream_vs_full(ask, PROMPTS, seed=1, n_texts=0, stop=stop))

    assert len(pairs) == 2
