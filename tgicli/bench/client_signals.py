"""Whether the client was the bottleneck: what its own signals say about the figures.

Called by validity. Pure. Every threshold stands here, with its reason where it is not plain.
"""

from __future__ import annotations

from collections.abc import Iterator

from tgicli.bench.plan import Load, Open
from tgicli.bench.record import TokenSource
from tgicli.bench.result import (
    ClientHealth,
    Distribution,
    Floor,
    Remark,
    WindowFigures,
    invalid,
    warning,
)

# Of the median gap between pieces, for pieces are what is stamped; of TPOT where that is 0.
MAX_LAG_SHARE, BAD_LAG_SHARE = 0.10, 0.50
MAX_LAG_MS = 5.0
MAX_CPU_SHARE, BAD_CPU_SHARE = 0.70, 0.90
MAX_DELAY_SHARE, BAD_DELAY_SHARE = 0.05, 1.0  # of the mean gap between requests
TIMER_MS = 2.0  # an event loop's timers round up to 1 ms: what is below this is no signal
LATE_MS = 10.0  # a request sent less late than this is in time, however high the rate
MAX_LATE_SHARE = 0.01
MAX_EVENTS_PER_READ = 1.5
MAX_GC_MS = 5.0
MAX_FLOOR_SHARE = 0.10  # of the measured figure


def client_remarks(
    figures: WindowFigures, client: ClientHealth, load: Load, floor: Floor | None
) -> Iterator[Remark]:
    """Yield what the client's signals say."""
    is_local = set(figures.token_sources) == {TokenSource.ENGINE}
    yield from _lag(figures, client, is_local=is_local)
    yield from _cpu(client, is_local=is_local)
    yield from _send_delay(figures, load)
    yield from _reads(figures)
    if client.gc_ms > MAX_GC_MS:
        yield warning(f"collecting garbage stopped the client for {client.gc_ms:.1f} ms in all")
    if floor is not None:
        yield from _floor(figures, floor)


def _lag(figures: WindowFigures, client: ClientHealth, *, is_local: bool) -> Iterator[Remark]:
    lag_ms = client.lag_p99_ms
    medians = (median_of(figures.metrics.get(name)) for name in ("icl_ms", "tpot_ms"))
    gap_ms = next((median_ms for median_ms in medians if median_ms), None)
    share = lag_ms / gap_ms if gap_ms else 0.0
    if lag_ms <= TIMER_MS:
        return
    words = f"the client's event loop ran up to {lag_ms:.1f} ms late (p99)"
    if share > MAX_LAG_SHARE:
        words += f", {share:.0%} of the {gap_ms:.1f} ms between pieces"
    if is_local and share > MAX_LAG_SHARE:
        yield warning(f"{words}; the model computes in the same process")
    elif share > BAD_LAG_SHARE:
        yield invalid(f"{words}: the times are the client's, not the server's")
    elif share > MAX_LAG_SHARE or lag_ms > MAX_LAG_MS:
        yield warning(words)


def _cpu(client: ClientHealth, *, is_local: bool) -> Iterator[Remark]:
    words = f"the client used {client.cpu_share:.0%} of a core"
    if client.cpu_share > BAD_CPU_SHARE and not is_local:  # else the model may have used it
        yield invalid(f"{words}: it was the bottleneck; use fewer streams or a faster machine")
    elif client.cpu_share > MAX_CPU_SHARE:
        yield warning(f"{words}: it may add to the times")


def _send_delay(figures: WindowFigures, load: Load) -> Iterator[Remark]:
    delays = figures.metrics.get("sched_delay_ms")
    if delays is None or delays.max is None or not isinstance(load, Open) or load.rate <= 0:
        return
    gap_ms = 1000 / load.rate
    p99 = delays.quantiles.get("p99")
    late_ms = delays.max if p99 is None or p99.value is None else p99.value
    which = "max" if p99 is None else "p99"
    words = f"requests, {gap_ms:.0f} ms apart, were sent up to {late_ms:.1f} ms late ({which})"
    if late_ms > max(BAD_DELAY_SHARE * gap_ms, LATE_MS):
        yield invalid(f"{words}: this was not the load that was asked for")
    elif late_ms > max(MAX_DELAY_SHARE * gap_ms, TIMER_MS):
        yield warning(words)


def _reads(figures: WindowFigures) -> Iterator[Remark]:
    per_read = figures.events_per_read
    if per_read is not None and per_read > MAX_EVENTS_PER_READ:
        yield warning(
            f"{per_read:.1f} events came with each read: the client was late to read, or the server"
            " or something between sends them in groups; gaps within a group read as 0"
        )


def _floor(figures: WindowFigures, floor: Floor) -> Iterator[Remark]:
    added = {"ttft_ms": floor.ttft_added_p99_ms, "icl_ms": floor.icl_added_p99_ms}
    for name, added_ms in added.items():
        measured = figures.metrics.get(name)
        if measured is None:
            continue
        p99 = measured.quantiles.get("p99")
        which = "median" if p99 is None else "p99"
        value_ms = median_of(measured) if p99 is None else p99.value
        if value_ms and added_ms > MAX_FLOOR_SHARE * value_ms:
            yield warning(
                f"this client adds up to {added_ms:.1f} ms (p99) to {name.removesuffix('_ms')} by"
                f" itself, {added_ms / value_ms:.0%} of the measured {which} of {value_ms:.1f} ms"
            )


def median_of(sample: Distribution | None) -> float | None:
    """Return a sample's median; None: there is no sample."""
    return None if sample is None else sample.quantiles["p50"].value
