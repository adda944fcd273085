"""Lists of loads and times, as flags and TOML write them."""

from __future__ import annotations

import pytest

from tgicli.cli.bench.values import (
    Counts,
    Rates,
    Seconds,
    Warmup,
    parse_counts,
    parse_rates,
    parse_seconds,
    parse_warmup,
)


@pytest.mark.parametrize("value", ["1,8,32", [1, 8, 32], Counts((1, 8, 32))])
def test_counts_are_words_or_a_list(value: object):
    assert parse_counts(value) == Counts((1, 8, 32))


@pytest.mark.parametrize("value", ["", "0", "1,", "1.5", "a", [], "-1"])
def test_what_is_no_count_is_refused(value: object):
    with pytest.raises(ValueError, match="whole numbers >= 1"):
        parse_counts(value)


@pytest.mark.parametrize("value", ["0", "nan", "inf", "x", "-1", ""])
def test_what_is_no_rate_is_refused(value: object):
    with pytest.raises(ValueError, match="requests a second > 0"):
        parse_rates(value)


def test_rates_say_themselves_again():
    assert str(parse_rates("0.5,2")) == str(Rates((0.5, 2.0))) == "0.5,2"


@pytest.mark.parametrize(
    ("value", "seconds"), [("30", 30), (30, 30), ("30s", 30), ("500ms", 0.5), ("2m", 120)]
)
def test_times_have_units(value: object, seconds: float):
    assert parse_seconds(value) == Seconds(seconds)


@pytest.mark.parametrize("value", ["0", "-1s", "s", "nan", "1d"])
def test_what_is_no_time_is_refused(value: object):
    with pytest.raises(ValueError, match="must be a time"):
        parse_seconds(value)


def test_a_warm_up_may_be_none_at_all():
    assert parse_warmup("auto") == Warmup(None)
    assert parse_warmup("0") == Warmup(0.0)
    assert parse_warmup("10s") == Warmup(10.0)
