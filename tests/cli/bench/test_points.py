"""Load points, and prompts without an end."""

from __future__ import annotations

import pickle
from dataclasses import replace
from itertools import islice

import pytest

from tgicli.bench.plan import Closed, Open, Prompt
from tgicli.bench.schedule import Ramp
from tgicli.cli.bench.options import Ramped, Rate, Users
from tgicli.cli.bench.points import TAIL_S, FreshPrompts, Times, drawn_again, point_of

TIMES = Times(warmup_s=None, duration_s=20.0, n_requests=None)
PROMPTS = [
    Prompt(prompt=f"1111111{n} and more", max_new_tokens=4, nonce=f"1111111{n}") for n in (1, 2)
]


def test_users_are_a_closed_loop_that_warms_up_by_itself():
    point = point_of(Users(8), TIMES, seed=1, max_in_flight=None)

    assert point.load == Closed(8)
    assert (point.warmup_s, point.duration_s) == (None, 20.0)


def test_an_open_loops_schedule_goes_on_behind_the_measuring():
    point = point_of(Rate(10.0, "constant"), TIMES, seed=1, max_in_flight=3)

    assert isinstance(point.load, Open)
    assert point.warmup_s == 5.0
    assert point.load.max_in_flight == 3
    assert point.load.offsets_ns[-1] / 1e9 > 5.0 + 20.0 + TAIL_S - 1


def test_an_open_loop_of_some_requests_has_enough_of_them():
    times = Times(warmup_s=1.0, duration_s=None, n_requests=50)

    point = point_of(Rate(10.0, "poisson"), times, seed=1, max_in_flight=None)

    assert isinstance(point.load, Open)
    assert sum(offset > 1e9 for offset in point.load.offsets_ns) > 50


@pytest.mark.parametrize("load", [Rate(10.0, "poisson"), Ramped(Ramp(1, 20, 30), "poisson")])
def test_a_repeat_has_a_schedule_of_its_own(load: Rate | Ramped):
    first = point_of(load, TIMES, seed=1, max_in_flight=3)

    second, again, third = (drawn_again(first, load, seed=1, block=n) for n in (1, 1, 2))

    assert second == again
    assert len({first.load, second.load, third.load}) == 3
    assert replace(second, load=first.load) == first
    assert isinstance(second.load, Open)
    assert second.load.max_in_flight == 3


def test_users_are_the_same_in_each_repeat():
    point = point_of(Users(8), TIMES, seed=1, max_in_flight=None)

    assert drawn_again(point, Users(8), seed=1, block=1) is point


def test_no_two_prompts_begin_alike_and_their_words_repeat():
    fresh = list(islice(FreshPrompts(PROMPTS, "seed"), 100))

    assert len({prompt.nonce for prompt in fresh}) == 100
    assert all(str(prompt.prompt).startswith(f"{prompt.nonce} and more") for prompt in fresh)


def test_prompts_come_out_of_a_pipe_as_they_went_in():
    fresh = FreshPrompts(PROMPTS, "seed")

    there = pickle.loads(pickle.dumps(fresh))

    assert there[7] == fresh[7]
    assert there[5000 % len(there)] != fresh[7]
