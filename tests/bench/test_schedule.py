"""Schedules of an open loop: their distributions, their ends, and what is refused."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgicli.bench.plan import Open
from tgicli.bench.schedule import (
    MAX_REQUESTS,
    Ramp,
    check_arrival,
    dispersion,
    draw_open,
    draw_ramp,
)
from tgicli.errors import ConfigError

SECOND = 1_000_000_000
RANDOM = ["poisson", "gamma:0.5", "gamma:4"]


def drawn(arrival: str, n: int = 20_000, *, rate: float = 8.0, seed: int = 1) -> Open:
    return draw_open(rate=rate, arrival=arrival, seconds=None, n=n, seed=seed)


def gaps_s(load: Open) -> list[float]:
    return [(after - before) / SECOND for before, after in pairwise(load.offsets_ns)]


@pytest.mark.parametrize("seed", range(20))
def test_a_poisson_plan_is_as_dispersed_as_a_poisson_process(seed: int):
    index = dispersion(drawn("poisson", seed=seed).offsets_ns)

    assert index is not None
    assert 0.8 <= index <= 1.2


@pytest.mark.parametrize("arrival", ["constant", *RANDOM, "burst:8"])
def test_the_same_seed_is_the_same_plan(arrival: str):
    assert drawn(arrival, 500, seed=7) == drawn(arrival, 500, seed=7)


@pytest.mark.parametrize("arrival", RANDOM)
def test_another_seed_is_another_plan(arrival: str):
    assert drawn(arrival, 500, seed=7) != drawn(arrival, 500, seed=8)


@pytest.mark.parametrize("arrival", ["constant", *RANDOM, "burst:8"])
def test_the_rate_is_kept_on_average(arrival: str):
    load = drawn(arrival)

    assert fmean(gaps_s(load)) == pytest.approx(1 / 8, rel=0.05)
    assert load.rate == 8.0
    assert load.arrival == arrival


@pytest.mark.parametrize(
    ("arrival", "variation"), [("poisson", 1), ("gamma:0.25", 2), ("gamma:4", 0.5)]
)
def test_the_gaps_vary_as_their_distribution_says(arrival: str, variation: float):
    gaps = gaps_s(drawn(arrival))

    assert pstdev(gaps) / fmean(gaps) == pytest.approx(variation, rel=0.05)  # 1/sqrt(shape)


def test_gamma_is_poisson_at_one_and_constant_at_infinity():
    assert drawn("gamma:1", 50).offsets_ns == drawn("poisson", 50).offsets_ns
    assert drawn("gamma:inf", 50).offsets_ns == drawn("constant", 50).offsets_ns


def test_a_constant_rate_does_not_drift():
    load = drawn("constant", 30_001, rate=3.0)

    assert load.offsets_ns[:2] == (0, 333_333_333)
    assert load.offsets_ns[30_000] == 10_000 * SECOND


def test_a_burst_is_sent_at_once_and_the_next_when_the_rate_allows():
    load = drawn("burst:4", 9, rate=2.0)

    assert load.offsets_ns == (0,) * 4 + (2 * SECOND,) * 4 + (4 * SECOND,)


def test_the_end_is_whichever_comes_first():
    by_time = draw_open(rate=10.0, arrival="constant", seconds=2.0, n=1000, seed=1)
    by_number = draw_open(rate=10.0, arrival="constant", seconds=2.0, n=5, seed=1)

    assert len(by_time.offsets_ns) == 20  # the one at 2 s is past the end
    assert len(by_number.offsets_ns) == 5


def test_a_longer_plan_begins_as_the_shorter_one():
    assert drawn("poisson", 100).offsets_ns == drawn("poisson", 200).offsets_ns[:100]


@given(
    rate=st.floats(20, 500),
    seconds=st.floats(2, 20),
    arrival=st.sampled_from(["constant", "poisson", "gamma:0.3", "burst:3"]),
    seed=st.integers(0, 1000),
)
def test_offsets_ascend_and_stay_within_the_time(
    rate: float, seconds: float, arrival: str, seed: int
):
    load = draw_open(rate=rate, arrival=arrival, seconds=seconds, n=None, seed=seed)
    offsets = load.offsets_ns

    assert list(offsets) == sorted(offsets)
    assert offsets[0] >= 0
    assert offsets[-1] <= round(seconds * SECOND)


def test_a_ramp_grows_along_a_line():
    load = draw_ramp(0.0, 100.0, 60.0, 3)
    n_first = sum(offset < 30 * SECOND for offset in load.offsets_ns)

    # 50/s on average, so 3000; the first half of the time holds a quarter of them.
    assert len(load.offsets_ns) == pytest.approx(3000, rel=0.1)
    assert n_first / len(load.offsets_ns) == pytest.approx(0.25, abs=0.03)
    assert (load.arrival, load.rate) == ("ramp", 50.0)


def test_a_ramp_down_is_a_ramp_up_the_other_way():
    up = draw_ramp(2.0, 10.0, 10.0, 1, arrival="constant").offsets_ns
    down = draw_ramp(10.0, 2.0, 10.0, 1, arrival="constant").offsets_ns

    assert len(up) == len(down) == 60
    assert up[0] == down[0] == 0
    for early, late in zip(up[1:], reversed(down[1:]), strict=True):
        assert early == pytest.approx(10 * SECOND - late, abs=10)


def test_a_level_ramp_is_a_constant_rate():
    level = draw_ramp(5.0, 5.0, 10.0, 1, arrival="constant")

    assert level.offsets_ns == drawn("constant", 50, rate=5.0).offsets_ns


def test_a_ramp_is_read_from_its_text():
    assert Ramp.parse("1:20:60") == Ramp.parse("1:20:60s") == Ramp(1.0, 20.0, 60.0)


@pytest.mark.parametrize(
    "text", ["", "1:2", "1:2:3:4", "a:2:3", "-1:2:3", "0:0:9", "1:2:0", "1:nan:3", "1:2:inf"]
)
def test_a_ramp_that_is_none_is_refused(text: str):
    with pytest.raises(ConfigError, match=r"ramp|duration"):
        Ramp.parse(text)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_a_rate_that_is_none_is_refused_with_its_value(rate: float):
    with pytest.raises(ConfigError, match=f"rate must be > 0.*got {rate}"):
        draw_open(rate=rate, seconds=1.0, n=None, seed=1)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_a_duration_that_is_none_is_refused_with_its_value(seconds: float):
    with pytest.raises(ConfigError, match=f"duration must be > 0.*got {seconds}"):
        draw_open(rate=1.0, seconds=seconds, n=None, seed=1)


@pytest.mark.parametrize("n", [0, -3, MAX_REQUESTS + 1])
def test_a_number_that_is_none_is_refused_with_its_value(n: int):
    with pytest.raises(ConfigError, match=f"got {n}"):
        draw_open(rate=1.0, seconds=None, n=n, seed=1)
    with pytest.raises(ConfigError, match=f"got {n}"):
        draw_open(rate=1.0, seconds=None, n=9, seed=1, max_in_flight=n)


def test_a_plan_without_an_end_is_refused():
    with pytest.raises(ConfigError, match="needs an end"):
        draw_open(rate=1.0, seconds=None, n=None, seed=1)


def test_a_plan_without_a_request_is_refused():
    with pytest.raises(ConfigError, match=r"no request falls into 0\.001 s at 0\.1 requests/s"):
        draw_open(rate=0.1, seconds=0.001, n=None, seed=1)
    with pytest.raises(ConfigError, match="no request falls into a ramp"):
        draw_ramp(0.0, 0.1, 0.001, 1)


def test_a_plan_that_fits_into_no_memory_is_refused():
    with pytest.raises(ConfigError, match="lower the rate or the time"):
        draw_open(rate=1e9, arrival="constant", seconds=1e9, n=None, seed=1)


@pytest.mark.parametrize(
    "arrival",
    [
        *("", "uniform", "poisson:2", "constant:1"),
        *("gamma", "gamma:", "gamma:0", "gamma:-1", "gamma:nan", "gamma:x"),
        *("burst", "burst:0", "burst:1.5", "burst:inf", "burst:1e30"),
    ],
)
def test_arrivals_that_are_none_are_refused(arrival: str):
    with pytest.raises(ConfigError, match=r"arrivals|burst"):
        check_arrival(arrival)


def test_a_constant_rate_is_not_dispersed():
    index = dispersion(drawn("constant", 1000).offsets_ns)

    assert index == pytest.approx(0, abs=0.05)


def test_bursts_are_more_dispersed_than_a_poisson_process():
    gamma = dispersion(drawn("gamma:0.25").offsets_ns)

    assert gamma is not None
    assert gamma == pytest.approx(4, rel=0.3)  # 1/shape, in the limit


@pytest.mark.parametrize("size", [2, 5, 8, 16])
def test_bursts_of_any_size_are_not_smooth(size: int):
    index = dispersion(drawn(f"burst:{size}", 500).offsets_ns)

    assert index == pytest.approx(size - 1, rel=0.1)


@pytest.mark.parametrize("rate", [3.0, 7.0, 8.0])
def test_a_constant_rate_has_no_dispersion_however_its_times_are_rounded(rate: float):
    assert dispersion(drawn("constant", 1000, rate=rate).offsets_ns) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("offsets", [(), (5,), (0,) * 500, tuple(range(0, 80 * SECOND, SECOND))])
def test_too_few_arrivals_have_no_dispersion(offsets: tuple[int, ...]):
    assert dispersion(offsets) is None


def test_a_late_start_is_no_dispersion():
    offsets = drawn("constant", 1000).offsets_ns

    assert dispersion(tuple(offset + 3600 * SECOND for offset in offsets)) == dispersion(offsets)
