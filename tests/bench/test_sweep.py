"""Which load is measured next: a server of a known curve is driven to its knee."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgicli.bench.sweep import MAX_USERS, FindMax, Step, Sweep

Curve = Callable[[int], Step]


def saturating(limit: float, *, per_user: float = 10.0, slo: float = math.inf) -> Curve:
    """Return a server that gives each user the same until it is full, and meets slo users."""

    def measure(load: int) -> Step:
        tps = min(load * per_user, limit)
        return Step(load=load, output_tps=tps, meets=None if slo == math.inf else load <= slo)

    return measure


def driven(sweep: Sweep, measure: Curve) -> list[Step]:
    steps: list[Step] = []
    while (load := sweep.next(steps)) is not None:
        steps.append(measure(load))
        assert len(steps) < 50
    return steps


def searched(find: FindMax, measure: Curve) -> list[Step]:
    steps: list[Step] = []
    while (load := find.next(steps)) is not None:
        steps.append(measure(load))
        assert len(steps) < 50
    return steps


def loads(steps: list[Step]) -> list[int]:
    return [step.load for step in steps]


def test_users_double_until_it_brings_no_more_then_the_knee_is_looked_at():
    sweep = Sweep()

    steps = driven(sweep, saturating(100))

    # 16 users give all of it, 32 no more; 11 give it as well, 9 do not.
    assert loads(steps) == [1, 2, 4, 8, 16, 32, 11, 9]
    knee = sweep.knee(steps)
    assert knee is not None
    assert (knee.load, knee.output_tps, knee.best_tps) == (11, 100, 100)
    assert knee.text == "knee at 11 users: 100% of the throughput of 11"


def test_the_knee_is_the_least_load_with_nearly_the_best():
    steps = [Step(load=load, output_tps=tps) for load, tps in [(1, 10), (2, 60), (4, 97), (8, 100)]]

    knee = Sweep().knee(steps)

    assert knee is not None
    assert (knee.load, knee.best_load) == (4, 8)
    assert knee.text == "knee at 4 users: 97% of the throughput of 8"


def test_a_gain_that_may_be_more_is_looked_at_once_more():
    def measure(load: int) -> Step:  # flat, but too noisy to say so
        return Step(load=load, output_tps=100, low=90, high=110)

    assert loads(driven(Sweep(), measure)) == [1, 2, 4]


def test_a_gain_that_is_surely_little_ends_it():
    def measure(load: int) -> Step:
        return Step(load=load, output_tps=100, low=99, high=101)

    assert loads(driven(Sweep(), measure)) == [1, 2]


def test_an_objective_that_is_missed_ends_it_and_its_border_is_looked_at():
    sweep = Sweep()

    steps = driven(sweep, saturating(1000, slo=11))

    assert loads(steps) == [1, 2, 4, 8, 16, 11, 13]
    knee = sweep.knee(steps)
    assert knee is not None
    assert (knee.load, knee.is_limited_by_slo) == (11, True)
    assert knee.text == "knee at 11 users: the most that the objective allows"


def test_an_objective_that_nobody_meets_has_no_knee():
    sweep = Sweep()

    steps = driven(sweep, saturating(1000, slo=0))

    assert loads(steps) == [1]
    assert sweep.knee(steps) is None


def test_a_server_that_gives_nothing_is_not_asked_forever():
    steps = driven(Sweep(), lambda load: Step(load=load, output_tps=0.0))

    assert loads(steps) == [1, 2]


def test_the_largest_load_is_the_last():
    steps = driven(Sweep(largest=24, n_refinements=0), saturating(1e9))

    assert loads(steps) == [1, 2, 4, 8, 16, 24]


@given(st.floats(5, 1e5), st.one_of(st.just(math.inf), st.floats(1, 5000)))
def test_a_sweep_ends_and_measures_no_load_twice(limit: float, slo: float):
    sweep = Sweep()

    steps = driven(sweep, saturating(limit, slo=slo))

    assert len(set(loads(steps))) == len(steps) <= 16
    knee = sweep.knee(steps)
    assert knee is not None
    assert knee.load <= slo
    assert knee.output_tps >= 0.95 * max(step.output_tps for step in steps if step.load <= slo)


@given(st.integers(1, MAX_USERS - 1))
def test_the_largest_good_number_of_users_is_found(slo: int):
    find = FindMax(precision=0.0)

    steps = searched(find, saturating(1e9, slo=slo))

    assert find.best(steps) == slo
    assert len(steps) <= 25


def test_an_objective_that_nobody_meets_has_no_largest_load():
    find = FindMax()

    steps = searched(find, saturating(1e9, slo=0))

    assert loads(steps) == [1]
    assert find.best(steps) is None


def test_an_objective_that_all_meet_has_the_largest_load_there_is():
    find = FindMax(largest=24)

    steps = searched(find, saturating(1e9, slo=1e9 - 1))

    assert loads(steps) == [1, 2, 4, 8, 16, 24]
    assert find.best(steps) == 24


@pytest.mark.parametrize("meets", [False, None])
def test_what_misses_below_what_meets_is_the_border(meets: bool | None):
    steps = [
        Step(load=4, output_tps=1, meets=True),
        Step(load=8, output_tps=1, meets=meets),
        Step(load=16, output_tps=1, meets=True),
    ]

    assert FindMax().best(steps) == 4
    assert FindMax().next(steps) == 6
