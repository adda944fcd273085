"""Three minutes, shared out."""

from __future__ import annotations

from tgicli.cli.bench.budget import LEAST_S, MOST_S, TOTAL_S, Budget


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_quick_server_is_measured_as_long_as_is_worth_it():
    budget = Budget(0.0, 3, clock=Clock())

    shares_s = []
    for n_users in (1, 4, 16):
        shares_s.append(budget.next_s(n_users))
        budget.took(0.5, n_users)

    assert shares_s == [MOST_S] * 3


def test_the_end_that_is_told_is_nearer_than_the_three_minutes_where_answers_are_quick():
    budget = Budget(0.0, 3, clock=Clock())
    all_s = budget.expected_s
    for n_users in (1, 4):
        budget.next_s(n_users)
        budget.took(1.0, n_users)

    assert 3 * MOST_S < all_s < TOTAL_S
    assert MOST_S < budget.expected_s < 2 * MOST_S


def test_a_slow_server_gets_less_the_longer_its_answers_take():
    clock = Clock()
    budget = Budget(0.0, 3, clock=clock)
    clock.now_s = 100.0
    budget.took(5.0, 1)

    shown_s = budget.next_s(2)

    assert LEAST_S <= shown_s < MOST_S


def test_nothing_is_measured_too_briefly_to_tell_anything():
    clock = Clock()
    budget = Budget(0.0, 3, clock=clock)
    clock.now_s = TOTAL_S

    assert budget.next_s(16) == LEAST_S
    assert budget.left_s == 0
