"""What must hold between figures if the stamps are what they say.

Called by validity. Pure: free tests of a measurement's own consistency.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tgicli.bench.figures import Stretch
from tgicli.bench.metrics import e2e_ms, later_tokens, tokens_by_arrival, tpot_ms, ttft_ms
from tgicli.bench.record import NS_PER_S, Record
from tgicli.bench.result import Remark, invalid, warning
from tgicli.bench.windows import done_inside, in_flight_at, mean_in_flight, token_counts

TOLERANCE = 0.01
LITTLE_TOLERANCE = 0.05


def identity_remarks(full: Sequence[Stretch], steady: Sequence[Stretch]) -> Iterator[Remark]:
    """Yield the identities that are broken, over the full span and the steady one."""
    records = [record for stretch in full for record in stretch.records]
    yield from _order(records)
    yield from _counts(records)
    yield from _arrivals(full)
    yield from _times(records)
    for stretch in steady or full:
        yield from _little(stretch)


def _order(records: Sequence[Record]) -> Iterator[Remark]:
    """Nothing comes before what it follows from."""
    n_wrong = sum(not _is_in_order(record) for record in records)
    if n_wrong:
        yield invalid(
            f"{n_wrong} of {len(records)} requests have stamps out of order: the clock is wrong",
        )


def _is_in_order(record: Record) -> bool:
    stamps = [record.send_ns, *(chunk.at_ns for chunk in record.chunks), record.end_ns]
    return stamps == sorted(stamps)


def _counts(records: Sequence[Record]) -> Iterator[Remark]:
    """The pieces' tokens and the whole answers' are the same."""
    told = [r for r in records if r.n_tokens and r.chunks and all(c.n_tokens for c in r.chunks)]
    n_pieces = sum(chunk.n_tokens for record in told for chunk in record.chunks)
    n_whole = sum(record.n_seen_tokens for record in told)
    if n_pieces > n_whole * (1 + TOLERANCE):
        yield invalid(
            f"the pieces held {n_pieces} tokens, but the whole answers {n_whole}:"
            " the server's counts do not agree",
        )
    elif n_pieces + len(told) < n_whole * (1 - TOLERANCE):  # each may have an end token
        yield warning(
            f"{n_whole - n_pieces} of {n_whole} tokens brought no text; they count as arrived with"
            " an answer's last piece",
        )


def _arrivals(full: Sequence[Stretch]) -> Iterator[Remark]:
    """All tokens arrived inside the full span: their sum by time is output_tps."""
    n_whole = sum(
        n_tokens
        for stretch in full
        for record in stretch.records
        for _, n_tokens in tokens_by_arrival(record)
    )
    n_inside = sum(token_counts(records, span)[0] for records, span, _ in full)
    if abs(n_inside - n_whole) > TOLERANCE * n_whole:
        yield invalid(
            f"{n_inside:.0f} tokens arrived within the run, but its answers hold {n_whole:.0f}",
        )


def _times(records: Sequence[Record]) -> Iterator[Remark]:
    """e2e = ttft + tpot (N - n_1), for every request."""
    n_wrong = sum(not _adds_up(record) for record in records)
    if n_wrong:
        yield invalid(
            f"in {n_wrong} of {len(records)} requests e2e is not ttft + tpot x tokens",
        )


def _adds_up(record: Record) -> bool:
    ttft, tpot, e2e = ttft_ms(record), tpot_ms(record), e2e_ms(record)
    n_later = later_tokens(record)
    if ttft is None or tpot is None or e2e is None or n_later is None:
        return True
    return abs(ttft + tpot * n_later - e2e) <= TOLERANCE * e2e


def _little(stretch: Stretch) -> Iterator[Remark]:
    """L = lambda W: requests in flight = how many end a second x how long they last."""
    records, span, _ = stretch
    ended = done_inside(records, span)
    in_flight = mean_in_flight(records, span)
    if not ended or not in_flight or span.seconds <= 0:
        return
    lasted_s = sum(record.end_ns - record.send_ns for record in ended) / len(ended) / NS_PER_S
    expected = len(ended) / span.seconds * lasted_s
    # Requests that stick out of the span at its ends count on one side alone.
    at_edges = max(in_flight_at(records, span.start_ns), in_flight_at(records, span.end_ns))
    if abs(in_flight - expected) > in_flight * (LITTLE_TOLERANCE + at_edges / len(ended)):
        yield warning(
            f"{in_flight:.1f} requests were in flight, but {len(ended) / span.seconds:.2f} ended a"
            f" second x {lasted_s:.2f} s each = {expected:.1f} (Little's law): the load was not"
            " steady",
        )
