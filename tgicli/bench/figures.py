"""The figures of one stretch of time, over all repeats of a load point.

Called by the summary. Pure: records in, WindowFigures out. Requests count where they were sent,
their answers where they were complete, tokens where they arrived. Latencies are of answered
requests alone, each with the same weight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from tgicli.bench.distributions import distribution, of_dependent
from tgicli.bench.metrics import PER_REQUEST, content_tokens, icl_ms
from tgicli.bench.plan import Load, Open
from tgicli.bench.record import NS_PER_S, Outcome, Record
from tgicli.bench.result import Distribution, Estimate, WindowFigures
from tgicli.bench.sample_statistics import MIN_REPEATS, N_BATCHES, around, half_width, wilson
from tgicli.bench.slo import Slo
from tgicli.bench.windows import (
    Span,
    answer_counts,
    done_inside,
    mean_in_flight,
    sent_inside,
    token_counts,
)


class Stretch(NamedTuple):
    """A span of one repeat, and all records of that repeat."""

    records: Sequence[Record]
    span: Span
    due_ns: Sequence[int] = ()  # when the plan wanted requests sent, those that were dropped too

    @property
    def n_due(self) -> int:
        """Count what the plan wanted sent inside."""
        return sum(at in self.span for at in self.due_ns)


def window_figures(
    stretches: Sequence[Stretch],
    sent: Sequence[Sequence[Record]],
    load: Load,
    slo: Slo | None,
    *,
    n_dropped: int = 0,
    n_around: int = 0,
) -> WindowFigures:
    """Compute the figures of at least one stretch.

    sent: the requests that count, of each; rates are of those within its span alone.
    n_dropped: besides these were to be sent, and were not, as too many were in flight.
    n_around: tokens around each prompt, where it is not known how long that alone is.
    """
    seconds = sum(stretch.span.seconds for stretch in stretches)
    n_sent = sum(len(sent_inside(records, span)) for records, span, _ in stretches)
    flat = [record for records in sent for record in records]
    ok = [_ok(records) for records in sent]
    answered = _ok(flat)
    outcomes = Counter(record.outcome for record in flat)
    answers = _rate(answer_counts, stretches)
    return WindowFigures(
        start_s=stretches[0].span.start_ns / NS_PER_S,
        end_s=stretches[-1].span.end_ns / NS_PER_S,
        measured_s=seconds,
        n_requests=len(flat),
        n_ok=outcomes[Outcome.OK],
        n_busy=outcomes[Outcome.BUSY],
        n_errors=outcomes[Outcome.ERROR],
        n_cut=outcomes[Outcome.CUT],
        n_first_wave=sum(record.is_first_wave for record in flat),
        errors=_count(record.error for record in flat if record.outcome is Outcome.ERROR),
        problems=_count(problem for record in flat for problem in record.problems),
        metrics=_metrics(ok, _cut_share(outcomes)),
        output_tps=_rate(token_counts, stretches),
        lost_tps=_per_second(_lost_tokens(stretches), seconds),
        rps_offered=_rps_offered(stretches, load),
        rps_sent=_per_second(n_sent, seconds),
        rps_achieved=answers.value or 0.0,
        rps_within=answers.within,
        concurrency_mean=_concurrency(stretches),
        goodput_rps=_goodput(stretches, slo) if slo else None,
        slo_attainment=_attainment(flat, n_dropped, slo) if slo else None,
        n_undetermined=sum(slo.is_kept(record) is None for record in answered) if slo else 0,
        finish_reasons=_count(record.finish_reason or "not told" for record in answered),
        token_sources=_count(str(record.token_source) for record in answered),
        tokens_per_chunk=_tokens_per_chunk(answered),
        events_per_read=_ratio(
            sum(len(record.chunks) for record in answered),
            sum(len({chunk.read_id for chunk in record.chunks}) for record in answered),
        ),
        cache_hit_share=_cache_hit_share(flat, n_around),
        mean_prompt_tokens=_mean(r.n_prompt_tokens for r in answered if r.n_prompt_tokens),
        mean_new_tokens=_mean(record.n_tokens for record in answered),
    )


def _cache_hit_share(records: Sequence[Record], n_around: int) -> float | None:
    """The share of all prompts' tokens; who tells of some hits may leave out where there are none.

    None where no answer tells.
    """
    if all(record.n_cached_tokens is None for record in records):
        return None
    n_prompt_tokens = sum(record.n_prompt_tokens for record in records)
    return _ratio(sum(_n_hits(record, n_around) for record in records), n_prompt_tokens)


def _n_hits(record: Record, n_around: int) -> int:
    """Count a prompt's cached tokens, without those that a chat template puts before it.

    All prompts begin with these, so any cache has them, and they say nothing about the prompts.
    """
    if record.n_prompt_asked is not None:
        n_around = max(0, record.n_prompt_tokens - record.n_prompt_asked)
    return max(0, (record.n_cached_tokens or 0) - n_around)


def _cut_share(outcomes: Mapping[Outcome, int]) -> float:
    """The share of requests that would have been answered, and took too long for us."""
    n_cut = outcomes.get(Outcome.CUT, 0)
    return _ratio(n_cut, n_cut + outcomes.get(Outcome.OK, 0)) or 0.0


def _metrics(repeats: Sequence[Sequence[Record]], cut_share: float) -> Mapping[str, Distribution]:
    """By JSON name; one that no request has is left out."""
    found: dict[str, Distribution | None] = {}
    for name, measure in PER_REQUEST.items():
        samples = [[measure(record) for record in records] for records in repeats]
        values = [[v for v in told if v is not None] for told in samples]
        found[name] = distribution(values, missing_share=cut_share)
        if name == "tpot_ms":
            gaps = [_gaps(records) for records in repeats]
            found["icl_ms"] = distribution(gaps, missing_share=cut_share, estimate=of_dependent)
    return {name: values for name, values in found.items() if values is not None}


def _gaps(records: Iterable[Record]) -> list[float]:
    """All gaps between pieces, in the order of time."""
    timed = [
        (chunk.at_ns, gap)
        for record in records
        for chunk, gap in zip(record.chunks[1:], icl_ms(record), strict=True)
    ]
    return [gap for _, gap in sorted(timed)]


def _rate(
    count: Callable[[Iterable[Record], Span, int], list[float]], stretches: Sequence[Stretch]
) -> Estimate:
    """How much a second; the interval is over repeats, else over equal parts of the time."""
    seconds = sum(stretch.span.seconds for stretch in stretches)
    if seconds <= 0:
        return Estimate(None)
    blocks = [count(records, span, N_BATCHES) for records, span, _ in stretches]
    value = sum(map(sum, blocks)) / seconds
    if len(stretches) >= MIN_REPEATS:
        rates = [
            _per_second(sum(counts), stretch.span.seconds)
            for counts, stretch in zip(blocks, stretches, strict=True)
        ]
    else:
        rates = [
            _per_second(count, stretch.span.seconds / N_BATCHES)
            for counts, stretch in zip(blocks, stretches, strict=True)
            for count in counts
        ]
    return around(value, half_width(rates))


def _lost_tokens(stretches: Iterable[Stretch]) -> float:
    return sum(
        token_counts([r for r in records if r.outcome is not Outcome.OK], span)[0]
        for records, span, _ in stretches
    )


def _rps_offered(stretches: Sequence[Stretch], load: Load) -> float | None:
    """Requests a second that the plan wanted inside, dropped ones too; None: closed loop.

    Where all of the plan ends inside, of its own time, which what is waited for is no part of.
    """
    if not isinstance(load, Open):
        return None
    n_planned, seconds = 0, 0.0
    for _, span, due_ns in stretches:
        inside = [at for at in due_ns if at in span]
        if inside and inside[0] < inside[-1] == due_ns[-1]:
            n_planned += len(inside) - 1
            seconds += Span(inside[0], inside[-1]).seconds
        elif due_ns:
            n_planned += len(inside)
            seconds += span.seconds
    return n_planned / seconds if seconds else load.rate


def dropped_inside(stretch: Stretch, load: Load) -> int:
    """Count what was due inside and not sent, as too many were in flight."""
    if not isinstance(load, Open) or load.max_in_flight is None:
        return 0
    n_sent = sum(record.sched_ns in stretch.span for record in stretch.records)
    return stretch.n_due - n_sent


def _concurrency(stretches: Sequence[Stretch]) -> float:
    seconds = sum(stretch.span.seconds for stretch in stretches)
    busy_s = sum(mean_in_flight(records, span) * span.seconds for records, span, _ in stretches)
    return _per_second(busy_s, seconds)


def _attainment(sent: Iterable[Record], n_dropped: int, slo: Slo) -> Estimate:
    """The share of good ones among all of which it is known; of those we cut, it seldom is."""
    judged = [record for record in sent if _is_judged(record, slo)]
    return wilson(_n_good(judged, slo), len(judged) + n_dropped)


def _goodput(stretches: Sequence[Stretch], slo: Slo) -> Estimate:
    """Good requests a second, by when they were complete."""
    done = [done_inside(records, span) for records, span, _ in stretches]
    seconds = [stretch.span.seconds for stretch in stretches]
    n_good = [_n_good(records, slo) for records in done]
    if sum(seconds) <= 0:
        return Estimate(None)
    rate = sum(n_good) / sum(seconds)
    if len(stretches) >= MIN_REPEATS:
        rates = [_per_second(n, s) for n, s in zip(n_good, seconds, strict=True)]
        return around(rate, half_width(rates))
    n_judged = sum(_is_judged(record, slo) for records in done for record in records)
    share = wilson(sum(n_good), n_judged)
    if share.low is None or share.high is None:
        return Estimate(rate)
    return Estimate(rate, share.low * n_judged / sum(seconds), share.high * n_judged / sum(seconds))


def _is_judged(record: Record, slo: Slo) -> bool:
    """Whether it ended by itself, or had waited too long already when we cut it."""
    return record.outcome is not Outcome.CUT or slo.is_missed(record)


def _n_good(records: Iterable[Record], slo: Slo) -> int:
    return sum(r.outcome is Outcome.OK and slo.is_kept(r) is True for r in records)


def _tokens_per_chunk(answered: Iterable[Record]) -> float | None:
    """Tokens a piece over all answers whose tokens somebody counted."""
    counted = [(content_tokens(record), len(record.chunks)) for record in answered]
    told = [(tokens, n) for tokens, n in counted if tokens is not None]
    return _ratio(sum(tokens for tokens, _ in told), sum(n for _, n in told))


def _ok(records: Iterable[Record]) -> list[Record]:
    return [record for record in records if record.outcome is Outcome.OK]


def _count(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names))


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return fmean(found) if found else None


def _per_second(amount: float, seconds: float) -> float:
    return amount / seconds if seconds > 0 else 0.0
