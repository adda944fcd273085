"""Whether to believe a load point's figures, in words with figures in them.

Called by the summary. Pure: records and figures in, remarks out, the gravest first. A remark never
changes a figure. INVALID is for figures that tell of the client, or of nothing; a server that can't
keep up is a finding, and a warning.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from textwrap import shorten

from tgicli.bench.answer_facts import IN_ONE_BURST
from tgicli.bench.client_signals import LATE_MS, MAX_LATE_SHARE, client_remarks, median_of
from tgicli.bench.counters import counter_remarks
from tgicli.bench.figures import Stretch
from tgicli.bench.identities import identity_remarks
from tgicli.bench.metrics import FirstTokens, first_tokens, ttft_ms
from tgicli.bench.plan import Open
from tgicli.bench.record import NS_PER_MS, Outcome, Record, TokenSource
from tgicli.bench.recording import Measured
from tgicli.bench.result import (
    PointResult,
    Remark,
    Severity,
    WindowFigures,
    invalid,
    note,
    warning,
)
from tgicli.bench.sample_statistics import MIN_REPEATS, N_BATCHES, min_samples
from tgicli.bench.windows import Span, done_inside, mean_in_flight, sent_inside

MAX_MESSAGE = 120  # characters
BAD_ERROR_SHARE = 0.05
MAX_CACHE_SHARE = 0.01
MIN_SENT_SHARE = 0.95  # of the offered requests: fewer is another load
MIN_HELD_SHARE = 0.90  # of the concurrency that was asked for
MAX_BURST_SHARE = 0.05
MIN_GROWTH = 0.05  # of the requests sent: a backlog that grows by fewer may come and go
_ORDER = [Severity.INVALID, Severity.WARNING, Severity.NOTE]


def remarks_of(
    result: PointResult,
    measured: Measured,
    *,
    full: Sequence[Stretch],
    steady: Sequence[Stretch],
    is_same_host: bool,
    expects_cache: bool,
) -> tuple[Remark, ...]:
    """Say all there is to say about a point's figures."""
    figures, load = result.figures, measured.point.load
    records = [record for stretch in full for record in stretch.records]
    found = [
        *measured.remarks,
        *client_remarks(figures, result.client, load, result.floor),
        *_load(result, measured, steady or full),
        *_window(result, full, steady),
        *_first_wave(figures, steady or full),
        *_outcomes(figures, records),
        *_tokens(figures, records),
        *_cache(figures, expects_cache=expects_cache),
        *_streaming(records),
        *identity_remarks(full, steady),
        *counter_remarks(result.full, [run.counted for run in measured.runs]),
        *_samples(figures, n_repeats=len(steady or full)),
        *_host(result, is_same_host=is_same_host),
    ]
    once = dict.fromkeys(found)
    return tuple(sorted(once, key=lambda remark: _ORDER.index(remark.severity)))


def _load(
    result: PointResult, measured: Measured, stretches: Sequence[Stretch]
) -> Iterator[Remark]:
    """Whether the load was the one that was asked for."""
    figures, load = result.figures, measured.point.load
    if result.n_dropped:
        yield warning(
            f"{result.n_dropped} requests were not sent, as too many were in flight: the load was"
            " lower than asked for"
        )
    if isinstance(load, Open):
        yield from _offered(result, stretches)
        if any(is_saturated(stretch) for stretch in stretches):
            yield warning(
                f"saturated: {figures.rps_offered or load.rate:.2f} requests/s were offered,"
                f" {figures.rps_achieved:.2f} answered, and the backlog grew; the latencies are"
                " those of a growing queue, and grow with the run's duration"
            )
    elif result.steady and figures.concurrency_mean < MIN_HELD_SHARE * load.concurrency:
        yield warning(
            f"{figures.concurrency_mean:.1f} of {load.concurrency} requests were in flight on"
            " average: asking again took long beside the answers"
        )


def _offered(result: PointResult, stretches: Sequence[Stretch]) -> Iterator[Remark]:
    figures, offered = result.figures, result.figures.rps_offered or 0.0
    n_all = result.full.n_requests
    if result.n_late > MAX_LATE_SHARE * n_all:
        yield warning(
            f"{result.n_late} of {n_all} requests were sent more than {LATE_MS:.0f} ms late"
        )
    n_planned = sum(stretch.n_due for stretch in stretches)
    n_missing = n_planned - figures.n_requests - sum(map(_n_just_behind, stretches))
    if n_missing > (1 - MIN_SENT_SHARE) * n_planned and not result.n_dropped:
        yield invalid(
            f"{offered:.2f} requests/s were to be sent, {figures.rps_sent:.2f} were: the client did"
            " not keep up"
        )


def _n_just_behind(stretch: Stretch) -> int:
    """Count what was due at the last moment of a span, a burst perhaps, and sent at the next."""
    records, span, _ = stretch
    last_ns = span.end_ns + round(LATE_MS * NS_PER_MS)
    due = (r for r in records if r.sched_ns is not None and r.sched_ns in span)
    return sum(span.end_ns < record.send_ns <= last_ns for record in due)


def is_saturated(stretch: Stretch) -> bool:
    """Say whether fewer were answered than sent, and those in flight grew past what chance does.

    Their mean in the span's last third is held against that in the first. A start from empty is
    left out: the time that an answer takes.
    """
    records, span, _ = stretch
    lasted_ns = [r.end_ns - r.send_ns for r in records if r.outcome is Outcome.OK]
    if not records:
        return False
    filled_ns = min(r.send_ns for r in records) + (median(lasted_ns) if lasted_ns else 0)
    last_ns = max(r.send_ns for r in records)  # behind it they only grow fewer
    span = Span(max(span.start_ns, int(filled_ns)), min(span.end_ns, last_ns))
    third_ns = (span.end_ns - span.start_ns) // 3
    n_sent = sum(record.send_ns in span for record in records)
    if third_ns <= 0 or len(done_inside(records, span)) >= MIN_SENT_SHARE * n_sent:
        return False
    first = mean_in_flight(records, Span(span.start_ns, span.start_ns + third_ns))
    last = mean_in_flight(records, Span(span.end_ns - third_ns, span.end_ns))
    by_chance = 3 * math.sqrt(max(first, 1.0))  # arrivals are random
    return last - first > max(by_chance, MIN_GROWTH * n_sent * 2 / 3)  # thirds' middles: 2/3 apart


def _window(
    result: PointResult, full: Sequence[Stretch], steady: Sequence[Stretch]
) -> Iterator[Remark]:
    if not result.full.n_requests:
        yield invalid("no request was sent")
    elif not result.steady:
        yield warning(
            "the load was never steady: the figures are of the whole run, with its beginning and"
            " its end; measure longer"
        )
    elif len(steady) < len(full):
        yield warning(
            f"{len(full) - len(steady)} of {len(full)} repeats were never at full load and are left"
            " out"
        )


def _first_wave(figures: WindowFigures, stretches: Sequence[Stretch]) -> Iterator[Remark]:
    """Whether requests that met an idle server together are among those that are told of."""
    if not figures.n_first_wave:
        return
    sent = [r for records, span, _ in stretches for r in sent_inside(records, span)]
    first, later = (
        [ms for r in sent if r.is_first_wave is is_first and (ms := ttft_ms(r)) is not None]
        for is_first in (True, False)
    )
    told = ""
    if first and later:
        told = f": their median TTFT is {median(first):.0f} ms, the others' {median(later):.0f} ms"
    yield note(
        f"{figures.n_first_wave} of {figures.n_requests} requests are users' first ones, which"
        f" were sent together{told}"
    )


def _outcomes(figures: WindowFigures, records: Sequence[Record]) -> Iterator[Remark]:
    n_ended = figures.n_ok + figures.n_busy + figures.n_errors
    example = _example(records)
    if figures.n_requests and not figures.n_ok:
        ends = {**figures.errors, "refused": figures.n_busy, "cut off at the end": figures.n_cut}
        names = _names({name: n for name, n in ends.items() if n})
        yield invalid(f"none of {figures.n_requests} requests was answered{names}{example}")
        return
    if figures.n_errors:
        share = figures.n_errors / n_ended
        make = invalid if share > BAD_ERROR_SHARE else warning
        words = f"{figures.n_errors} of {n_ended} requests failed ({share:.1%})"
        yield make(words + _names(figures.errors) + example)
    if figures.n_busy:
        yield warning(
            f"{figures.n_busy} of {n_ended} requests were refused as the server was full: latencies"
            " are of the others"
        )
    if figures.n_cut:
        yield warning(
            f"{figures.n_cut} of {figures.n_requests} requests were cut off at the end: the longest"
            " answers are missing, and so are the percentiles that lie among them; measure longer"
        )
    problems = {name: n for name, n in figures.problems.items() if name != IN_ONE_BURST}
    if problems:
        yield warning(f"the streams were not well-formed{_names(problems)}")
    if figures.n_undetermined:
        yield note(f"{figures.n_undetermined} answers could not be held against the objective")


def _names(counts: Mapping[str, int]) -> str:
    return ": " + ", ".join(f"{name} {n}x" for name, n in counts.items())


def _example(records: Iterable[Record]) -> str:
    """The words of the error that came most often."""
    words = Counter(r.message for r in records if r.outcome is Outcome.ERROR and r.message)
    if not words:
        return ""
    ((message, _),) = words.most_common(1)
    return f" ({shorten(message, MAX_MESSAGE, placeholder='...')})"


def _tokens(figures: WindowFigures, records: Iterable[Record]) -> Iterator[Remark]:
    if len(figures.token_sources) > 1:
        yield warning(f"tokens were counted in several ways{_names(figures.token_sources)}")
    if n_pieces := figures.token_sources.get(TokenSource.CHUNKS):
        yield warning(
            f"nobody counted the tokens of {n_pieces} answers: pieces of text are counted instead"
        )
    answers = [record for record in records if record.outcome is Outcome.OK]
    if n_hiding := sum(record.n_hidden_tokens > 0 for record in answers):
        yield note(
            f"{n_hiding} of {len(answers)} answers hide reasoning: its tokens are in tokens/s, not"
            " in TPOT, and its time is in TTFT"
        )
    firsts = [first_tokens(record) for record in answers]
    n_spread = sum(first is not None and first[1] is FirstTokens.SPREAD for first in firsts)
    if n_spread:
        yield note(
            f"how many tokens a piece held was not told in {n_spread} answers: TPOT takes it that"
            " all held the same"
        )


def _cache(figures: WindowFigures, *, expects_cache: bool) -> Iterator[Remark]:
    share = figures.cache_hit_share
    if share is not None and share > MAX_CACHE_SHARE and not expects_cache:
        yield warning(
            f"{share:.0%} of the prompts' tokens came from the server's cache, which nobody asked"
            " for: TTFT and throughput look better than they are"
        )


def _streaming(records: Iterable[Record]) -> Iterator[Remark]:
    answers = [r for r in records if r.outcome is Outcome.OK and r.is_streamed]
    n_bursts = sum(IN_ONE_BURST in record.problems for record in answers)
    if n_bursts > MAX_BURST_SHARE * len(answers):
        yield warning(
            f"{n_bursts} of {len(answers)} answers came whole, in one burst: the server, or"
            " something between, does not stream; TTFT is as long as the whole answer"
        )


def _samples(figures: WindowFigures, *, n_repeats: int) -> Iterator[Remark]:
    if not figures.n_ok:
        return
    if figures.n_ok < N_BATCHES:
        yield warning(f"only {figures.n_ok} answers: too few for intervals")
    elif figures.n_ok < min_samples(0.9):
        yield note(f"{figures.n_ok} answers are too few for percentiles past the median")
    if figures.n_ok >= N_BATCHES and n_repeats < MIN_REPEATS:
        yield note(
            "intervals are within-run: requests share batches and queues, so the truth is wider;"
            " --repeat 5 tells how runs differ"
        )


def _host(result: PointResult, *, is_same_host: bool) -> Iterator[Remark]:
    load = result.client.host_load
    if is_same_host:
        busy = "" if load is None else f" (load {load:.1f})"
        yield note(f"the server shares this machine with the client{busy}")
    if median_of(result.figures.metrics.get("ttft_ms")) is None and result.figures.n_ok:
        yield invalid("the answers had no content: nothing could be timed")
