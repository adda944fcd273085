"""Places: who gets one, and when the rest may come back."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes import FakeClock
from tgicli.errors import Overloaded, RequestError
from tgicli.server.admission import FIRST_GUESS_S, MAX_RETRY_AFTER_S, Admission


def refused(admission: Admission) -> float:
    """Return when a request that is refused may come back."""
    with pytest.raises(Overloaded) as caught, admission.places(1):
        pass
    assert caught.value.retry_after_s is not None
    return caught.value.retry_after_s


def test_a_place_is_held_for_the_block_and_free_behind_it():
    admission = Admission(2)

    with admission.places(2):
        assert admission.n_taken == 2
        refused(admission)

    assert admission.n_taken == 0


def test_a_place_is_free_again_after_a_failure():
    admission = Admission(1)

    with pytest.raises(ZeroDivisionError), admission.places(1):
        1 / 0  # noqa: B018

    assert admission.n_taken == 0


def test_who_waits_for_the_end_is_told_when_the_last_place_is_free():
    async def main() -> list[int]:
        admission, seen = Admission(2), []

        async def wait() -> None:
            await admission.emptied()
            seen.append(admission.n_taken)

        await wait()
        with admission.places(1):
            with admission.places(1):
                waiting = asyncio.create_task(wait())
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            seen.append(admission.n_taken)
        await waiting
        return seen

    assert asyncio.run(main()) == [0, 1, 0]


def test_several_places_are_given_together_or_not_at_all():
    admission = Admission(2)

    with admission.places(1), pytest.raises(Overloaded), admission.places(2):
        pass

    assert admission.n_taken == 0


def test_more_places_than_there_are_is_no_reason_to_come_back():
    admission = Admission(2)

    with pytest.raises(RequestError, match="3 answers at once"), admission.places(3):
        pass


def test_each_refused_request_is_to_come_back_later_than_the_one_before():
    admission = Admission(1, clock=FakeClock())

    with admission.places(1):
        times_s = [refused(admission) for _ in range(3)]

    assert times_s == [FIRST_GUESS_S * n for n in (1, 2, 3)]


def test_many_places_are_guessed_to_become_free_as_many_times_as_fast():
    admission = Admission(8, clock=FakeClock())

    with admission.places(8):
        times_s = [refused(admission) for _ in range(56)]

    assert times_s[-1] == pytest.approx(56 / 8 * FIRST_GUESS_S)


def test_the_time_follows_how_fast_places_become_free():
    clock = FakeClock()
    admission = Admission(1, clock=clock)
    for _ in range(50):
        with admission.places(1):
            clock.advance(4.0)

    with admission.places(1):
        assert refused(admission) == pytest.approx(4.0)


def test_an_idle_server_forgets_whom_it_sent_away():
    admission = Admission(1, clock=FakeClock())
    with admission.places(1):
        for _ in range(9):
            refused(admission)

    with admission.places(1):
        assert refused(admission) <= FIRST_GUESS_S


def test_many_places_become_free_as_many_times_as_fast():
    clock = FakeClock()
    admission = Admission(4, clock=clock)
    with admission.places(1):
        clock.advance(8.0)

    with admission.places(4):
        assert refused(admission) == pytest.approx(2.0)


def test_nobody_is_sent_away_for_ever():
    admission = Admission(1, clock=FakeClock())

    with admission.places(1):
        times_s = [refused(admission) for _ in range(1000)]

    assert max(times_s) == MAX_RETRY_AFTER_S


def test_a_closed_server_refuses_everybody():
    admission = Admission(9)
    admission.close()

    with pytest.raises(Overloaded, match="shutting down"), admission.places(1):
        pass


def test_a_server_is_full_when_all_places_are_taken_or_when_it_is_closed():
    admission = Admission(1, clock=FakeClock())
    assert not admission.is_full

    with admission.places(1):
        assert admission.is_full

    admission.close()
    assert admission.is_full
