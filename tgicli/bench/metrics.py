"""What one request's stamps say: the definitions of every per-request figure.

Called by the summary and by comparisons. Pure. Never says 0 where nothing could be measured: None.

    t_sched   when the plan wanted it sent        c_1 .. c_m   its pieces of content
    t_send    when it was                         n_1 .. n_m   their tokens, N in all

An end token has no piece, and is not of these N where it can be told from the others; nor is hidden
reasoning, which was made before c_1.

NOTE: other tools use these names for other things. TTFT is c_1 - t_send, where c_1 is the first
piece that a reader would see or that is reasoning; TPOT is (c_m - c_1) / (N - n_1); ICL are the
gaps between pieces, which some call ITL whatever a piece holds.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from statistics import median

from tgicli.bench.record import NS_PER_MS, Chunk, Record, TokenSource

STALL_FACTOR = 3  # a gap so many times the request's median one is a stall


class FirstTokens(enum.StrEnum):
    """How n_1, the tokens of the first piece, is known."""

    TOLD = "told"
    ONE = "one"  # there are as many pieces as tokens, or one fewer: the end's token has no text
    SPREAD = "spread"  # nobody told: the tokens are spread over the pieces


def first_tokens(record: Record) -> tuple[float, FirstTokens] | None:
    """Return n_1 and how it is known; None: there is no content, or nobody counted any token."""
    n_chunks = len(record.chunks)
    if not n_chunks or record.n_tokens <= 0:
        return None
    if told := record.chunks[0].n_tokens:
        return told, FirstTokens.TOLD
    if record.n_seen_tokens in (n_chunks, n_chunks + 1):
        return 1, FirstTokens.ONE
    return record.n_seen_tokens / n_chunks, FirstTokens.SPREAD


def content_tokens(record: Record) -> float | None:
    """Return how many tokens the pieces hold, without an end token; None: nobody counted them."""
    if record.token_source is TokenSource.CHUNKS or not record.chunks:
        return None
    if all(chunk.n_tokens for chunk in record.chunks):
        return sum(chunk.n_tokens for chunk in record.chunks)
    n_chunks = len(record.chunks)
    return n_chunks if record.n_seen_tokens == n_chunks + 1 else record.n_seen_tokens or None


def later_tokens(record: Record) -> float | None:
    """Return how many tokens the pieces after the first hold; None: there is no such piece."""
    first = first_tokens(record)
    if first is None:
        return None
    n_later = (content_tokens(record) or record.n_seen_tokens) - first[0]
    return n_later if n_later > 0 else None


def tokens_by_arrival(record: Record) -> Iterator[tuple[int, float]]:
    """Yield when tokens came and how many, N in all where the pieces do not hold more.

    What the server counted beyond the pieces that told (an end token, special tokens) is spread
    over those that did not tell, or came with the last one. Hidden reasoning came with the first.
    """
    rest = max(record.n_seen_tokens - sum(chunk.n_tokens for chunk in record.chunks), 0)
    n_silent = sum(not chunk.n_tokens for chunk in record.chunks)
    last = len(record.chunks) - 1
    for k, chunk in enumerate(record.chunks):
        share = rest / n_silent if n_silent and not chunk.n_tokens else 0.0
        late = rest if k == last and not n_silent else 0
        early = 0 if k else record.n_hidden_tokens
        yield chunk.at_ns, early + chunk.n_tokens + share + late


def ttft_ms(record: Record) -> float | None:
    """From sending to the first content."""
    return _since(record.send_ns, _first(record))


def ttft_sched_ms(record: Record) -> float | None:
    """From when the plan wanted it sent to the first content; None in a closed loop."""
    return _since(record.sched_ns, _first(record))


def sched_delay_ms(record: Record) -> float | None:
    """By how much it was sent late; None in a closed loop."""
    return _since(record.sched_ns, record.send_ns)


def conn_ms(record: Record) -> float | None:
    """How long connecting took; None: a kept connection was used."""
    return _since(record.send_ns, record.conn_ns)


def ttfr_ms(record: Record) -> float | None:
    """From sending to the first event of any kind, content or not."""
    return _since(record.send_ns, record.first_event_ns)


def ttfo_ms(record: Record) -> float | None:
    """From sending to the first content that is not reasoning."""
    seen = next((chunk.at_ns for chunk in record.chunks if not chunk.is_reasoning), None)
    return _since(record.send_ns, seen)


def icl_ms(record: Record) -> list[float]:
    """All gaps between pieces of content."""
    chunks = record.chunks
    return [(after.at_ns - before.at_ns) / NS_PER_MS for before, after in pairwise(chunks)]


def tpot_ms(record: Record) -> float | None:
    """Time per token after the first piece; None where there was no further one.

    0 where all pieces came in one read.
    """
    n_later = later_tokens(record)
    return _span_ns(record) / NS_PER_MS / n_later if n_later else None


def e2e_ms(record: Record) -> float | None:
    """From sending to the last content."""
    return _since(record.send_ns, _last(record))


def e2e_sched_ms(record: Record) -> float | None:
    """From when the plan wanted it sent to the last content; None in a closed loop."""
    return _since(record.sched_ns, _last(record))


def tail_ms(record: Record) -> float | None:
    """From the last content to the answer's end."""
    return _since(_last(record), record.end_ns)


def ntpot_ms(record: Record) -> float | None:
    """The whole time by token."""
    e2e = e2e_ms(record)
    return e2e / record.n_tokens if e2e is not None and record.n_tokens else None


def decode_tps(record: Record) -> float | None:
    """Tokens a second after the first piece."""
    tpot = tpot_ms(record)
    return 1000 / tpot if tpot else None


def e2e_tps(record: Record) -> float | None:
    """Tokens a second over the whole time."""
    ntpot = ntpot_ms(record)
    return 1000 / ntpot if ntpot else None


def prefill_tps_est(record: Record) -> float | None:
    """Prompt tokens a second, an estimate: TTFT also holds the queue, the network and a step."""
    ttft = ttft_ms(record)
    n_computed = record.n_prompt_tokens - (record.n_cached_tokens or 0)
    return 1000 * n_computed / ttft if ttft and n_computed > 0 else None


def stall_max_ms(record: Record) -> float | None:
    """The longest gap between pieces: what a reader sees as freezing."""
    return max(icl_ms(record), default=None)


def stall_ratio(record: Record) -> float | None:
    """The share of the time after the first piece that was spent in stalls.

    None where no gap is usual: with more than half of the pieces in one read their median is 0.
    """
    gaps = icl_ms(record)
    usual = median(gaps) if gaps else 0.0
    if usual <= 0:
        return None
    return sum(gap for gap in gaps if gap > STALL_FACTOR * usual) / sum(gaps)


def queue_ms(record: Record) -> float | None:
    """Time in the server's queue, as the server told; never inferred."""
    return record.queue_ms


def n_chunks(record: Record) -> float | None:
    """Pieces of content."""
    return len(record.chunks) or None


def tokens_per_chunk(record: Record) -> float | None:
    """Tokens a piece; None: nobody counted them."""
    tokens = content_tokens(record)
    return tokens / len(record.chunks) if tokens is not None else None


def done_ns(record: Record) -> int:
    """When it was answered: the last content, or the end where there was none."""
    last = _last(record)
    return record.end_ns if last is None else last


PER_REQUEST: Mapping[str, Callable[[Record], float | None]] = {
    "ttft_ms": ttft_ms,
    "ttft_sched_ms": ttft_sched_ms,
    "sched_delay_ms": sched_delay_ms,
    "conn_ms": conn_ms,
    "ttfr_ms": ttfr_ms,
    "ttfo_ms": ttfo_ms,
    "tpot_ms": tpot_ms,
    "e2e_ms": e2e_ms,
    "e2e_sched_ms": e2e_sched_ms,
    "tail_ms": tail_ms,
    "ntpot_ms": ntpot_ms,
    "decode_tps": decode_tps,
    "e2e_tps": e2e_tps,
    "prefill_tps_est": prefill_tps_est,
    "stall_max_ms": stall_max_ms,
    "stall_ratio": stall_ratio,
    "queue_ms": queue_ms,
    "chunks": n_chunks,
    "tok_per_chunk": tokens_per_chunk,
}
"""By JSON name. `icl_ms`, which has many values a request, is not among them."""


def shown_time(name: str, *, is_open: bool) -> str:
    """Return which metric to show for `ttft_ms` or `e2e_ms`: in an open loop it is from the plan.

    A request that was sent late has waited, too.
    """
    return name.replace("_ms", "_sched_ms") if is_open else name


def _since(start_ns: int | None, at_ns: int | None) -> float | None:
    return None if start_ns is None or at_ns is None else (at_ns - start_ns) / NS_PER_MS


def _first(record: Record) -> int | None:
    return _at(record.chunks[:1])


def _last(record: Record) -> int | None:
    return _at(record.chunks[-1:])


def _at(chunks: tuple[Chunk, ...]) -> int | None:
    return chunks[0].at_ns if chunks else None


def _span_ns(record: Record) -> int:
    return record.chunks[-1].at_ns - record.chunks[0].at_ns if record.chunks else 0
