"""What this client adds by itself: the same load on a server whose times are known.

Called before a load point's figures are believed, on the event loop that makes the load, through
the very attack that measures. What is over the known times is the floor. The fake server's own
lateness and the machine's loopback are in it, so the client's share is rather smaller. Never
subtracted from anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from tgicli.bench.ask_options import AskOptions
from tgicli.bench.attack import MAX_STAGGER_S, STAGGER_S, attack
from tgicli.bench.fake.options import directive
from tgicli.bench.metrics import icl_ms, ttft_ms
from tgicli.bench.plan import Closed, Point, Prompt
from tgicli.bench.record import Outcome, Record
from tgicli.bench.recorder import Recorder
from tgicli.bench.result import Floor
from tgicli.bench.sample_statistics import quantile
from tgicli.core import Backend
from tgicli.errors import ConfigError, StreamBroken

TTFT_MS = 100.0
MAX_GAP_MS = 100.0  # at a slower rate there is nothing more to see, and few chunks to see it in
REQUEST_S = 0.5  # about as long as one request takes
MIN_CHUNKS = 5
MAX_CHUNKS = 500


async def measure_floor(
    backend: Backend,
    *,
    recorder: Recorder,
    n_streams: int,
    gap_ms: float,
    seconds: float = 2.0,
    chats: bool = True,
) -> Floor:
    """Hold so many streams of the fake server at a chunk each gap_ms, and see how late they look.

    The backend asks a FakeServer, and the recorder observes it. Chunks of all streams come
    together, as a batch makes them. Takes about so many seconds, a second more for many streams.

    Raises:
        ConfigError: gap_ms or n_streams is no load.
        StreamBroken: no request came to its end.
    """
    if n_streams < 1 or not gap_ms > 0:
        raise ConfigError(f"a floor needs streams and a gap, got {n_streams} and {gap_ms} ms")
    gap_ms = min(gap_ms, MAX_GAP_MS)
    stagger_s = min(n_streams * STAGGER_S, MAX_STAGGER_S)
    point = Point(
        name=f"floor of {n_streams} streams",
        load=Closed(n_streams),
        warmup_s=stagger_s,
        duration_s=max(seconds - stagger_s, seconds / 2),
    )
    run = await attack(
        backend,
        point,
        _prompts(n_streams, gap_ms),
        recorder,
        options=AskOptions(chats=chats, ignore_eos=False),
    )
    records = [record for record in run.records if record.send_ns >= run.warm_ns]
    return to_floor(records, n_streams=n_streams, gap_ms=gap_ms)


def to_floor(records: Sequence[Record], *, n_streams: int, gap_ms: float) -> Floor:
    """Hold records against the times that were asked for.

    The gap behind a first chunk is left out: there a stream falls into step with the others.
    """
    ended = [record for record in records if record.outcome is Outcome.OK]
    firsts = sorted(ttft - TTFT_MS for one in ended if (ttft := ttft_ms(one)) is not None)
    gaps = sorted(gap - gap_ms for record in ended for gap in icl_ms(record)[1:])
    if not firsts or not gaps:
        words = records[0].message if records else "none was sent"
        raise StreamBroken(f"the floor can't be told, no request came to its end: {words}")
    return Floor(
        n_streams=n_streams,
        ttft_added_p50_ms=quantile(firsts, 0.5),
        ttft_added_p99_ms=quantile(firsts, 0.99),
        icl_added_p50_ms=quantile(gaps, 0.5),
        icl_added_p99_ms=quantile(gaps, 0.99),
    )


def _prompts(n_streams: int, gap_ms: float) -> list[Prompt]:
    n_chunks = round((REQUEST_S * 1e3 - TTFT_MS) / gap_ms) + 1
    n_chunks = min(max(n_chunks, MIN_CHUNKS), MAX_CHUNKS)
    options = {"ttft_ms": TTFT_MS, "gap_ms": gap_ms, "aligned": True}
    words = directive((name, str(value)) for name, value in options.items())
    return [
        Prompt(prompt=f"floor-{stream} {words}", max_new_tokens=n_chunks)
        for stream in range(n_streams)
    ]
