"""How long each stage of an answer may take, and how waits are cut off."""

from __future__ import annotations

import asyncio
from contextlib import closing

import pytest

from tests.fakes import FakeClock
from tgicli.backends.endpoint import Timeouts
from tgicli.backends.patience import ENDING_S, Patience, ShortPatience
from tgicli.backends.watch import Watch
from tgicli.errors import DeadlineExceeded

LIMITS = Timeouts(first_token_s=30, token_s=10, total_s=100)


def patience(timeouts: Timeouts = LIMITS) -> tuple[Patience, FakeClock]:
    clock = FakeClock()
    return Patience(timeouts, clock=clock), clock


def test_each_stage_has_its_own_limit():
    limits, clock = patience()
    assert limits.rest_s() == 30

    clock.advance(20)
    limits.heard()
    assert limits.rest_s() == 10

    clock.advance(1)
    limits.ended()
    assert limits.rest_s() == ENDING_S
    assert str(limits.error()) == "the end of the answer did not come"


def test_the_limit_of_the_end_begins_once():
    limits, clock = patience()
    limits.ended()

    clock.advance(2)
    limits.ended()

    assert limits.rest_s() == ENDING_S - 2


def test_nothing_is_left_of_a_limit_that_has_passed():
    limits, clock = patience()

    clock.advance(31)

    assert limits.rest_s() == 0


def test_the_limit_of_all_holds_through_all_stages_and_tries():
    limits, clock = patience()

    for _ in range(10):
        clock.advance(9.5)
        limits.heard()
    assert limits.rest_s() == 5

    limits.begin()
    assert limits.rest_s() == 5
    assert limits.outlasts(4)
    assert not limits.outlasts(5)


def test_a_short_question_has_a_limit_that_no_flag_sets():
    assert str(ShortPatience("http://h", 9).error()) == "http://h gave no answer within 9 s"


@pytest.mark.parametrize(
    ("timeouts", "words"),
    [
        (Timeouts(first_token_s=3), "no token came within 3 s (--first-token-timeout)"),
        (Timeouts(first_token_s=3, total_s=2.5), "the answer took longer than 2.5 s (--timeout)"),
    ],
)
def test_the_error_names_the_limit_that_ran_out(timeouts: Timeouts, words: str):
    limits, _ = patience(timeouts)

    assert str(limits.error()) == words


def test_the_error_between_tokens_names_that_limit():
    limits, _ = patience()
    limits.heard()

    assert "no further token came within 10 s (--token-timeout)" in str(limits.error())


def test_no_limits_are_none():
    limits, _ = patience(Timeouts(first_token_s=None, token_s=None))

    assert limits.rest_s() is None
    assert limits.outlasts(1e9)


def test_a_slow_reader_is_not_the_servers_fault():
    limits, clock = patience()
    limits.heard()
    limits.pause()

    clock.advance(60)  # the reader has what came, and takes its time
    limits.resume()

    assert limits.rest_s() == 10


def test_a_slow_reader_counts_for_the_limit_of_all():
    limits, clock = patience()
    limits.pause()

    clock.advance(99)
    limits.resume()

    assert limits.rest_s() == 1


def run_watched(timeouts: Timeouts, *waits_s: float, hears: bool = True) -> int:
    """Wait so often; return how many waits came to their end."""

    async def main() -> int:
        n_done = 0
        limits = Patience(timeouts)
        with closing(Watch(limits)) as watch:
            for wait_s in waits_s:
                try:
                    with watch:
                        await asyncio.sleep(wait_s)
                except DeadlineExceeded:
                    return n_done
                n_done += 1
                if hears:
                    limits.heard()
        return n_done

    return asyncio.run(main())


def test_a_watch_cuts_a_wait_off():
    assert run_watched(Timeouts(first_token_s=0.02), 10) == 0


def test_one_timer_serves_many_waits():
    short = Timeouts(first_token_s=0.3, token_s=0.3)

    assert run_watched(short, *[0.05] * 8) == 8
    assert run_watched(short, 0.05, 0.05, 10) == 2


def test_a_shorter_limit_behind_a_longer_one_is_kept():
    assert run_watched(Timeouts(first_token_s=100, token_s=0.02), 0, 10) == 1


def test_waits_without_tokens_add_up():
    assert run_watched(Timeouts(first_token_s=0.1), *[0.04] * 9, hears=False) <= 3


def test_a_watch_without_a_limit_sets_no_timer():
    assert run_watched(Timeouts(first_token_s=None, token_s=None), 0, 0) == 2


def test_somebody_elses_cancellation_goes_on():
    async def wait() -> None:
        with closing(Watch(Patience(Timeouts(first_token_s=100)))) as watch, watch:
            await asyncio.sleep(100)

    async def main() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0.01)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


def test_a_limit_inside_of_an_outer_one_does_not_swallow_it():
    async def main() -> None:
        with closing(Watch(Patience(Timeouts(first_token_s=100)))) as watch:
            async with asyncio.timeout(0.02):
                with watch:
                    await asyncio.sleep(100)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
