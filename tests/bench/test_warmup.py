"""When a load is warmed up."""

from __future__ import annotations

from tgicli.bench.warmup import MAX_ROUNDS, MAX_S, Warmup


def answered(warmup: Warmup, n_users: int, *seconds: float) -> Warmup:
    """Answer all users once with each time."""
    for one in seconds:
        for user in range(n_users):
            warmup.answered(user, one)
    return warmup


def test_it_is_not_over_before_each_user_was_answered():
    warmup = Warmup(3)
    for _ in range(100):
        warmup.answered(0, 1.0)
        warmup.answered(1, 1.0)

    assert not warmup.is_over(10 * MAX_S)


def test_the_first_answers_say_nothing():
    warmup = answered(Warmup(8), 8, 5.0)

    assert not warmup.is_over(1.0)


def test_it_is_over_once_the_answers_take_the_same_time():
    warmup = answered(Warmup(8), 8, 5.0, 1.0)

    assert warmup.is_over(1.0)


def test_it_goes_on_while_they_do_not():
    warmup = answered(Warmup(8), 8, 5.0)
    for user in range(8):
        warmup.answered(user, 3.0 - 0.2 * user)

    assert not warmup.is_over(1.0)


def test_it_ends_after_some_rounds_however_unsteady():
    warmup = answered(Warmup(4), 4, *(float(n) for n in range(1, MAX_ROUNDS)))
    for user in range(3):
        warmup.answered(user, 10.0 * user)

    assert not warmup.is_over(1.0)
    warmup.answered(3, 99.0)
    assert warmup.is_over(1.0)


def test_it_ends_after_some_time_however_unsteady():
    warmup = Warmup(2)
    warmup.answered(0, 1.0)
    warmup.answered(1, 9.0)

    assert not warmup.is_over(MAX_S - 1)
    assert warmup.is_over(MAX_S)


def test_one_user_needs_few_answers():
    assert answered(Warmup(1), 1, 9.0, 5.0, 1.0).is_over(0.1)
