"""What blocks of turns allow to say about two sides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench import results
from tgicli.bench.named_metric import parse_metric
from tgicli.bench.verdict import LENGTH, Block, Verdict, compare, judge, noise_floor
from tgicli.errors import ConfigError

RATIOS = st.floats(0.5, 2.0)


def block(a: tuple[float, float], b: tuple[float, float], name: str = "tpot") -> Block:
    return Block(a=tuple({name: v} for v in a), b=tuple({name: v} for v in b))


def blocks(*ratios: float, name: str = "tpot") -> list[Block]:
    return [block((10, 10), (10 * ratio, 10 * ratio), name) for ratio in ratios]


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.06, 1.12, Verdict.SLOWER),
        (0.88, 0.93, Verdict.FASTER),
        (0.97, 1.04, Verdict.SAME),
        (1.01, 1.04, Verdict.SAME),  # not equal, but as close as was asked for
        (1.01, 1.07, Verdict.SLOWER),
        (0.97, 1.07, Verdict.UNDECIDED),
        (None, None, Verdict.UNDECIDED),
    ],
)
def test_a_verdict_is_drawn_from_the_whole_interval(
    low: float | None, high: float | None, verdict: Verdict
):
    assert judge(low, high, same_within=0.05) is verdict


@given(low=RATIOS, width=st.floats(1.0, 1.5), within=st.floats(0.01, 0.2))
def test_the_sides_exchanged_give_the_opposite_verdict(low: float, width: float, within: float):
    opposite = {Verdict.FASTER: Verdict.SLOWER, Verdict.SLOWER: Verdict.FASTER}
    edges = [1, 1 + within, 1 / (1 + within)]
    high = low * width

    one, other = judge(low, high, same_within=within), judge(1 / high, 1 / low, same_within=within)

    is_near_an_edge = any(abs(end / edge - 1) < 1e-9 for end in (low, high) for edge in edges)
    assert is_near_an_edge or other is opposite.get(one, one)


def test_more_tokens_a_second_are_faster():
    assert judge(1.06, 1.12, same_within=0.05, is_more_better=True) is Verdict.FASTER
    assert judge(0.88, 0.93, same_within=0.05, is_more_better=True) is Verdict.SLOWER


def test_a_ratio_is_the_geometric_mean_of_its_blocks():
    found = compare(blocks(1.1, 1.21), metrics=["tpot"])

    ratio = found.metrics["tpot"]
    assert ratio.value == pytest.approx((1.1 * 1.21) ** 0.5)
    assert ratio.per_block == pytest.approx((1.1, 1.21))
    assert (ratio.a, ratio.b) == pytest.approx((10, 10 * ratio.value))


def test_a_steady_drift_within_a_block_cancels_out():
    drifting = [block((10, 10 * 1.1**3), (10 * 1.1, 10 * 1.1**2)) for _ in range(4)]

    found = compare(drifting, metrics=["tpot"])

    assert found.metrics["tpot"].value == pytest.approx(1)
    assert found.metrics["tpot"].verdict is Verdict.SAME


def test_one_block_decides_nothing():
    ratio = compare(blocks(2.0), metrics=["tpot"]).metrics["tpot"]

    assert (ratio.low, ratio.high) == (None, None)
    assert ratio.verdict is Verdict.UNDECIDED


def test_a_block_that_did_not_measure_a_metric_is_left_out_of_it():
    lacking = Block(a=({}, {"tpot": 10}), b=({"tpot": 10}, {"tpot": 10}))

    found = compare([*blocks(1.1, 1.2), lacking], metrics=["tpot", "ttft"])

    assert len(found.metrics["tpot"].per_block) == 2
    assert "ttft" not in found.metrics


def test_more_metrics_and_more_looks_widen_the_intervals():
    some = blocks(1.1, 1.12, 1.09, 1.11)
    more = [
        Block(*(tuple({**turn, "ttft": 1, "e2e": 2} for turn in side) for side in (one.a, one.b)))
        for one in some
    ]

    alone = compare(some, metrics=["tpot", "ttft", "e2e"]).metrics["tpot"]
    among = compare(more, metrics=["tpot", "ttft", "e2e"]).metrics["tpot"]
    early = compare(some, metrics=["tpot"], share=0.25).metrics["tpot"]

    assert results.width(alone) < results.width(among) < results.width(early)


def test_answers_of_other_lengths_are_told():
    shorter = compare(blocks(0.90, 0.91, 0.89, name=LENGTH), metrics=["tpot"])
    alike = compare(blocks(0.99, 1.01, 1.0, name=LENGTH), metrics=["tpot"])
    equal = compare(blocks(1.0, 1.0, 1.0, name=LENGTH), metrics=["tpot"])

    assert shorter.lengths_differ
    assert not alike.lengths_differ
    assert not equal.lengths_differ


def test_the_noise_floor_is_the_intervals_farther_end():
    found = compare(blocks(1.02, 0.99, 1.01, 0.98), metrics=["tpot"])
    ratio = found.metrics["tpot"]

    assert ratio.low is not None
    assert ratio.high is not None
    assert noise_floor(found)["tpot"] == max(ratio.high, 1 / ratio.low) - 1


def test_a_metric_is_named_as_a_user_writes_it():
    assert [parse_metric(name).label for name in ("ttft", "ttft_ms", "itl.p95", "output_tps")] == [
        "ttft",
        "ttft",
        "icl.p95",
        "output_tps",
    ]


@pytest.mark.parametrize("name", ["latency", "ttft.p42", "output_tps.p50", "", "ttft."])
def test_a_metric_that_is_none_is_refused_with_those_there_are(name: str):
    with pytest.raises(ConfigError, match=r"there (is|are)"):
        parse_metric(name)


def test_a_figure_is_found_in_a_result():
    point = results.point(results.closed_records(4))
    figures = point.figures

    found = {name: parse_metric(name).of(point) for name in ("ttft", "tpot.mean", "output_tps")}

    assert found["ttft"] == figures.metrics["ttft_ms"].quantiles["p50"]
    assert found["tpot.mean"] == figures.metrics["tpot_ms"].mean
    assert found["output_tps"] == figures.output_tps
    assert parse_metric("ttft.p99.9").of(point) is None
    assert parse_metric("goodput").of(point) is None
