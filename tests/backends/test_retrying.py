"""When a busy server is asked again."""

from __future__ import annotations

from tgicli.backends.retrying import MAX_ADVISED_S, RetryPolicy
from tgicli.errors import Overloaded, Unreachable

REFUSED = Unreachable("nobody listens")


def waits(policy: RetryPolicy) -> list[float]:
    """Return the waits before all retries."""
    retries = (policy.next(number, REFUSED) for number in range(1, 99))
    return [retry.wait_s for retry in retries if retry is not None]


def test_the_ceiling_doubles_up_to_the_last_one():
    policy = RetryPolicy(n_retries=7, draw=lambda: 1.0)

    assert waits(policy) == [1, 2, 4, 8, 16, 30, 30]


def test_jitter_is_full():
    assert waits(RetryPolicy(n_retries=3, draw=lambda: 0.0)) == [0, 0, 0]


def test_what_is_drawn_differs():
    assert len(set(waits(RetryPolicy(n_retries=20)))) == 20


def test_no_retries_are_none():
    assert RetryPolicy(n_retries=0).next(1, REFUSED) is None


def test_a_server_that_says_when_is_not_asked_earlier():
    policy = RetryPolicy(draw=lambda: 0.5)

    first = policy.next(1, Overloaded("busy", retry_after_s=7.0))
    third = policy.next(3, Overloaded("busy", retry_after_s=7.0))

    assert first is not None
    assert third is not None
    assert first.wait_s == third.wait_s == 7.5
    assert (third.number, third.n_retries) == (3, 4)


def test_a_server_that_says_much_later_is_not_waited_for():
    busy = Overloaded("busy", retry_after_s=MAX_ADVISED_S + 1)

    assert RetryPolicy().next(1, busy) is None
