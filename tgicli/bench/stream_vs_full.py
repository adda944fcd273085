"""What streaming brings and what it costs: the same question answered in pieces, and at once.

Called by the command, on the event loop; what asks is a callable. Pairs come in the order stream,
full, full, stream (or the other way round), so that what drifts steadily cancels out; two pairs are
a block, of which each counts once.

The two requests of a pair differ in their nonces, or the second one's prompt would be served from
a cache that the first one filled. For some pairs the streamed prompt is therefore asked again, as
a whole and untimed, to hold the texts against each other. Never runs two requests at once.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean

from tgicli.bench.ask_options import Ask
from tgicli.bench.bootstrap import mean_interval
from tgicli.bench.metrics import e2e_ms, ttft_ms
from tgicli.bench.paired import A_FIRST, orders
from tgicli.bench.plan import Prompt
from tgicli.bench.prompts import draw_nonces, with_nonce
from tgicli.bench.record import Outcome, Record
from tgicli.bench.result import Estimate, Remark, invalid, warning
from tgicli.bench.sample_statistics import CONFIDENCE

N_TEXTS = 4  # pairs whose texts are compared, where nobody says
MAX_CACHED_SHARE = 0.01  # of timed prompts, that a cache may have served
MIN_TOKENS = 8  # of an answer, for streaming it to have any sense


@dataclass(frozen=True, slots=True)
class Pair:
    """A question asked both ways."""

    number: int
    streamed: Record
    full: Record
    again: Record | None = None  # the streamed prompt itself, answered at once; not timed

    @property
    def times_ms(self) -> tuple[float, float, float] | None:
        """Return ttft and e2e of the stream, and e2e of the full answer; None where one failed."""
        if not (_is_ok(self.streamed) and _is_ok(self.full)):
            return None
        ttft, e2e, full = ttft_ms(self.streamed), e2e_ms(self.streamed), e2e_ms(self.full)
        if not ttft or not e2e or not full:
            return None
        return ttft, e2e, full

    @property
    def text_equal(self) -> bool | None:
        """Whether streaming left the text as it is; None: it was not asked again."""
        if self.again is None or not (_is_ok(self.streamed) and _is_ok(self.again)):
            return None
        return self.streamed.text == self.again.text

    @property
    def tokens_equal(self) -> bool | None:
        """Whether both say that they have as many tokens; None: it was not asked again."""
        if self.again is None or not (_is_ok(self.streamed) and _is_ok(self.again)):
            return None
        if self.streamed.token_source != self.again.token_source:
            return None
        return self.streamed.n_tokens == self.again.n_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamVsFull:
    """What all pairs say. Intervals are over blocks of two pairs."""

    n_pairs: int
    n_failed: int
    ttft_ms: Estimate  # until a reader of the stream sees something
    e2e_stream_ms: Estimate
    e2e_full_ms: Estimate  # until a reader of the full answer sees something
    head_start_ms: Estimate  # e2e_full - ttft
    stream_cost_pct: Estimate  # e2e_stream / e2e_full - 1
    wait_share: Estimate  # ttft / e2e_full
    n_texts: int  # that were held against each other
    n_text_equal: int
    n_counted: int  # whose tokens were
    n_tokens_equal: int
    remarks: tuple[Remark, ...]


async def run_stream_vs_full(
    ask: Ask,
    prompts: Sequence[Prompt],
    *,
    seed: int,
    n_texts: int = N_TEXTS,
    max_pairs: int | None = None,
    on_pair: Callable[[Pair], None] | None = None,
    stop: asyncio.Event | None = None,
) -> tuple[Pair, ...]:
    """Ask each prompt both ways; with max_pairs, prompts are taken again until there are so many.

    Once `stop` is set no pair is begun, and the one under way is dropped.
    """
    nonces = draw_nonces(f"{seed}/stream or full")
    sides = chain.from_iterable(orders(seed))
    pairs: list[Pair] = []
    for number in range(max_pairs or len(prompts)):
        asked = prompts[number % len(prompts)]
        is_first_streamed = next(sides) == 0
        next(sides)
        first, second = (with_nonce(asked, next(nonces)) for _ in range(2))
        one, other = await ask(first, is_first_streamed), await ask(second, not is_first_streamed)
        streamed, full = (one, other) if is_first_streamed else (other, one)
        again = None
        if number < n_texts:
            again = await ask(first if is_first_streamed else second, False)
        if stop and stop.is_set():
            break
        pairs.append(Pair(number, streamed, full, again))
        if on_pair:
            on_pair(pairs[-1])
    return tuple(pairs)


def compare_pairs(pairs: Sequence[Pair], *, seed: int = 0) -> StreamVsFull:
    """Say what all pairs together say."""
    times = _by_block(pairs)
    texts = [same for pair in pairs if (same := pair.text_equal) is not None]
    counts = [same for pair in pairs if (same := pair.tokens_equal) is not None]
    return StreamVsFull(
        n_pairs=len(pairs),
        n_failed=sum(pair.times_ms is None for pair in pairs),
        ttft_ms=_mean([[ttft for ttft, _, _ in block] for block in times], seed),
        e2e_stream_ms=_mean([[e2e for _, e2e, _ in block] for block in times], seed),
        e2e_full_ms=_mean([[full for _, _, full in block] for block in times], seed),
        head_start_ms=_mean([[full - ttft for ttft, _, full in block] for block in times], seed),
        stream_cost_pct=_percent(
            _ratio([[(e2e, full) for _, e2e, full in b] for b in times], seed)
        ),
        wait_share=_ratio([[(ttft, full) for ttft, _, full in block] for block in times], seed),
        n_texts=len(texts),
        n_text_equal=sum(texts),
        n_counted=len(counts),
        n_tokens_equal=sum(counts),
        remarks=tuple(_remarks(pairs)),
    )


def _by_block(pairs: Sequence[Pair]) -> list[list[tuple[float, float, float]]]:
    """Return the times of blocks that are whole; where there is none, of what there is."""
    n = len(A_FIRST) // 2
    blocks = [[pair.times_ms for pair in pairs[k : k + n]] for k in range(0, len(pairs), n)]
    told = [[times for times in block if times is not None] for block in blocks]
    return [block for block in told if len(block) == n] or [block for block in told if block]


def _mean(blocks: Sequence[Sequence[float]], seed: int) -> Estimate:
    values = [fmean(block) for block in blocks]
    if not values:
        return Estimate(None)
    low, high = mean_interval(values, confidence=CONFIDENCE, seed=seed) or (None, None)
    return Estimate(fmean(values), low, high)


def _ratio(blocks: Sequence[Sequence[tuple[float, float]]], seed: int) -> Estimate:
    """The geometric mean of ratios."""
    logs = _mean([[math.log(part / whole) for part, whole in block] for block in blocks], seed)
    return Estimate(*(None if log is None else math.exp(log) for log in _ends(logs)))


def _percent(ratio: Estimate) -> Estimate:
    return Estimate(*(None if end is None else 100 * (end - 1) for end in _ends(ratio)))


def _ends(estimate: Estimate) -> tuple[float | None, float | None, float | None]:
    return estimate.value, estimate.low, estimate.high


def _remarks(pairs: Sequence[Pair]) -> Iterator[Remark]:
    timed = [record for pair in pairs for record in (pair.streamed, pair.full)]
    ok = [record for record in timed if _is_ok(record)]
    failed = [record for record in timed if not _is_ok(record)]
    if not ok:
        yield invalid("no request was answered")
    elif failed:
        names = sorted({record.error or str(record.outcome) for record in failed})
        text = f"{len(failed)} of {len(timed)} requests failed: {', '.join(names)}"
        yield warning(text)
    n_other = sum(
        pair.streamed.n_tokens != pair.full.n_tokens for pair in pairs if pair.times_ms is not None
    )
    if n_other:
        yield warning(
            f"lengths differ: in {n_other} of {len(pairs)} pairs the two answers have not as many "
            "tokens, so their times do not tell what streaming costs",
        )
    n_prompt, n_cached = (
        sum(record.n_prompt_tokens for record in ok),
        sum(record.n_cached_tokens or 0 for record in ok),
    )
    if n_cached > MAX_CACHED_SHARE * n_prompt:
        share = n_cached / n_prompt if n_prompt else 1.0
        yield warning(f"a cache served {share:.0%} of the prompts' tokens")
    streamed = [pair.streamed for pair in pairs if _is_ok(pair.streamed)]
    n_whole = sum(r.n_seen_tokens >= MIN_TOKENS and len(r.chunks) == 1 for r in streamed)
    if n_whole:
        text = f"{n_whole} of {len(streamed)} streamed answers came in one piece"
        yield warning(text)


def _is_ok(record: Record) -> bool:
    return record.outcome is Outcome.OK
