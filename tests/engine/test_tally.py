from __future__ import annotations

from tgicli.engine.tally import BatchTally
from tgicli.stats import DURATION_BOUNDS_S


def at(*buckets: int) -> tuple[int, ...]:
    """Return the counts of a histogram with one entry in each of some buckets."""
    return tuple(buckets.count(i) for i in range(len(DURATION_BOUNDS_S) + 1))


def test_what_was_not_in_llama_decode_is_sampling() -> None:
    tally = BatchTally()

    tally.computed(0.75, forward_s=0.5)
    tally.computed(0.25, forward_s=0.125)

    stats = tally.stats()
    sums = (stats.whole.sum_s, stats.forward.sum_s, stats.sampling.sum_s)
    assert sums == (1.0, 0.625, 0.375)
    assert stats.n_failed == 0


def test_a_duration_is_in_the_first_bucket_that_holds_it() -> None:
    tally = BatchTally()
    first, second, *_, last = DURATION_BOUNDS_S

    for duration_s in (first, (first + second) / 2, last, 2 * last):
        tally.computed(duration_s, forward_s=0.0)

    assert tally.stats().whole.counts == at(0, 1, 34, 35)
    assert tally.stats().forward.counts == at(0, 0, 0, 0)


def test_a_batch_that_failed_has_no_duration() -> None:
    tally = BatchTally()

    tally.failed()

    assert tally.stats().n_failed == 1
    assert tally.stats().whole.counts == at()


def test_what_was_told_does_not_change_any_more() -> None:
    tally = BatchTally()
    before = tally.stats()

    tally.computed(1.0, forward_s=1.0)

    assert before.whole.sum_s == 0
    assert before.whole.counts == at()
