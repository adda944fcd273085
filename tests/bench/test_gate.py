"""When a new result fails, when it does not, and when it is not compared at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import pytest

from tests.bench import results
from tgicli.bench import gate as gating
from tgicli.bench.comparable import from_result
from tgicli.bench.gate import (
    DEFAULT_CONDITIONS,
    Condition,
    GateResult,
    GateStatus,
    Standing,
    parse_conditions,
    ratio_of,
)
from tgicli.bench.result import Distribution, Estimate, Remark, Result, Severity
from tgicli.errors import ConfigError

TPOT = parse_conditions("tpot>5%")


def gate(base: Result, new: Result, conditions: Sequence[Condition], **flags: bool) -> GateResult:
    return gating.gate(from_result(base), from_result(new), conditions, **flags)


@lru_cache
def base() -> Result:
    return results.closed_run(1, 4)[0]


def with_tpot(factor: float, *, spread: float = 0.01, result: Result | None = None) -> Result:
    """Return a result whose median TPOT is exactly so much of 10 ms, give or take the spread."""
    value = 10 * factor
    median = Estimate(value, value * (1 - spread), value * (1 + spread))

    def changed(sample: Distribution) -> Distribution:
        return replace(sample, quantiles={**sample.quantiles, "p50": median})

    points = []
    for point in (result or base()).points:
        metrics = {**point.full.metrics, "tpot_ms": changed(point.full.metrics["tpot_ms"])}
        window = replace(point.full, metrics=metrics)
        points.append(replace(point, full=window, steady=window))
    return replace(base(), points=tuple(points))


@pytest.mark.parametrize(
    ("factor", "spread", "standing"),
    [
        (1.0, 0.01, Standing.PASSED),
        (1.2, 0.01, Standing.REGRESSION),
        (0.5, 0.01, Standing.PASSED),
        (1.06, 0.05, Standing.UNDECIDED),  # the figure is past it, the interval is not
        (1.03, 0.05, Standing.UNDECIDED),
    ],
)
def test_only_a_whole_interval_past_the_threshold_fails(
    factor: float, spread: float, standing: Standing
):
    found = gate(with_tpot(1, spread=spread), with_tpot(factor, spread=spread), TPOT)

    assert {row.standing for row in found.rows} == {standing}
    assert len(found.rows) == 2
    assert found.status.name == standing.name


def test_a_fall_below_a_threshold_fails_as_well():
    condition = parse_conditions("output_tps<-5%")
    fallen = tuple(
        replace(
            point,
            full=(window := replace(point.full, output_tps=Estimate(1.0, 0.99, 1.01))),
            steady=window,
        )
        for point in base().points
    )

    assert gate(base(), replace(base(), points=fallen), condition).status is GateStatus.REGRESSION
    assert gate(replace(base(), points=fallen), base(), condition).status is GateStatus.PASSED


def with_goodput(estimate: Estimate) -> Result:
    """Return a result with so many good requests a second."""
    points = []
    for point in base().points:
        window = replace(point.full, goodput_rps=estimate)
        points.append(replace(point, full=window, steady=window))
    return replace(base(), points=tuple(points))


@pytest.mark.parametrize("new", [Estimate(0, 0, 0.7), Estimate(0, 0, 0), Estimate(0)])
def test_a_fall_to_nothing_fails_as_any_other_does(new: Estimate):
    good, condition = with_goodput(Estimate(6.5, 5.9, 6.6)), parse_conditions("goodput<-5%")

    found = gate(good, with_goodput(new), condition)

    assert found.status is GateStatus.REGRESSION
    assert {row.ratio for row in found.rows} == {0}


def test_a_fall_to_nothing_of_what_may_have_been_much_is_undecided():
    good, condition = with_goodput(Estimate(0.5, 0.4, 0.6)), parse_conditions("goodput<-5%")

    found = gate(good, with_goodput(Estimate(0, 0, 0.5)), condition)

    assert found.status is GateStatus.UNDECIDED


def test_a_result_against_itself_is_no_regression():
    found = gate(base(), base(), parse_conditions(DEFAULT_CONDITIONS))

    assert Standing.REGRESSION not in {row.standing for row in found.rows}
    assert all(row.ratio == 1 for row in found.rows)


def test_what_is_undecided_at_one_point_is_undecided():
    old, new = with_tpot(1, spread=0.05), with_tpot(1.06, spread=0.05)
    points = (new.points[0], old.points[1])

    assert gate(old, new, TPOT).status is GateStatus.UNDECIDED
    assert gate(old, replace(new, points=points), TPOT).status is GateStatus.UNDECIDED


def test_fewer_requests_a_second_fail():
    def with_rps(rps: float) -> Result:
        points = []
        for point in base().points:
            window = replace(point.full, rps_achieved=rps, rps_within=0.1)
            points.append(replace(point, full=window, steady=window))
        return replace(base(), points=tuple(points))

    condition = parse_conditions("rps_achieved<-5%")

    assert gate(with_rps(10), with_rps(6), condition).status is GateStatus.REGRESSION
    assert gate(with_rps(10), with_rps(10), condition).status is GateStatus.PASSED


def test_what_was_not_measured_has_not_passed():
    found = gate(base(), base(), parse_conditions("goodput<-5%"))

    assert {row.standing for row in found.rows} == {Standing.MISSING}
    assert found.status is GateStatus.UNDECIDED


def test_a_figure_without_an_interval_decides_nothing():
    plain = with_goodput(Estimate(5.0))

    found = gate(plain, with_goodput(Estimate(2.5)), parse_conditions("goodput<-5%"))

    assert {row.standing for row in found.rows} == {Standing.UNDECIDED}
    assert found.status is GateStatus.UNDECIDED


@pytest.mark.parametrize("which", ["base", "new"])
def test_a_measurement_that_cannot_be_believed_is_refused_before_any_regression(which: str):
    bad = Remark(Severity.INVALID, "the client used 97 % of a core")
    slow = with_tpot(2)
    points = (replace(slow.points[0], remarks=(bad,)), *slow.points[1:])
    doubtful = replace(slow, points=points)

    found = gate(*((doubtful, base()) if which == "base" else (base(), doubtful)), TPOT)

    assert found.status is GateStatus.INVALID
    assert found.reasons == (f"{which}, 'concurrency 1': the client used 97 % of a core",)


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (replace(base(), setting=replace(base().setting, model="other.gguf")), "the model was"),
        (
            replace(base(), setting=replace(base().setting, options={"prompt_tokens": "512"})),
            "prompt_tokens was '256' and is '512'",
        ),
        (replace(base(), points=base().points[:1]), "'concurrency 4' was measured in base only"),
        (
            replace(base(), points=tuple(replace(p, concurrency=9) for p in base().points)),
            "is not the same load in both",
        ),
        (
            replace(
                base(),
                points=tuple(
                    replace(p, steady=replace(p.figures, mean_new_tokens=40.0))
                    for p in base().points
                ),
            ),
            "lengths differ: 64.0 and 40.0 tokens",
        ),
    ],
)
def test_different_work_is_refused_with_what_differs(new: Result, reason: str):
    found = gate(base(), new, TPOT)

    assert found.status is GateStatus.NOT_COMPARABLE
    assert reason in "; ".join(found.reasons)
    assert not found.rows


def test_different_work_is_compared_if_somebody_insists_and_noted():
    new = replace(with_tpot(1), setting=replace(base().setting, model="other.gguf"))

    found = gate(with_tpot(1), new, TPOT, allows_differences=True)

    assert found.status is GateStatus.PASSED
    assert "the model was" in found.notes[0]


def test_a_longer_run_and_another_server_are_the_same_work():
    options = {**base().setting.options, "duration_s": 90, "repeat": 5}
    setting = replace(base().setting, options=options, server="tgicli", seed=8)

    found = gate(with_tpot(1), replace(with_tpot(1), setting=setting), TPOT)

    assert found.status is GateStatus.PASSED
    assert found.notes == ("server: llama-server in base, tgicli in new",)


def with_objective(result: Result, slo: str | None) -> Result:
    options = {**result.setting.options, "slo": slo}
    return replace(result, setting=replace(result.setting, options=options))


@pytest.mark.parametrize("condition", ["goodput<-5%", "slo_attainment<-5%"])
def test_requests_that_were_good_by_other_measures_are_not_compared(condition: str):
    was, now = (with_objective(base(), slo) for slo in ("ttft:200", "ttft:500"))

    found = gate(was, now, parse_conditions(condition))

    assert found.status is GateStatus.NOT_COMPARABLE
    assert found.reasons == ("what a good request is was ttft:200 and is ttft:500",)
    assert gate(was, base(), parse_conditions(condition)).reasons == (
        "what a good request is was ttft:200 and is not told",
    )


def test_times_are_compared_whatever_a_good_request_is():
    was, now = (with_objective(with_tpot(1), slo) for slo in ("ttft:200", None))

    assert gate(was, now, TPOT).status is GateStatus.PASSED


@pytest.mark.parametrize(
    "text",
    ["tpot", "tpot>5", "tpot=5%", "5%>tpot", "nothing>5%", "tpot>5%,", "output_tps<-100%", ""],
)
def test_a_condition_that_is_none_is_refused(text: str):
    with pytest.raises(ConfigError):
        parse_conditions(text)


def test_conditions_are_shown_as_they_are_written():
    text = "ttft.p90>10%,tpot>5%,output_tps<-2.5%"

    assert ",".join(str(condition) for condition in parse_conditions(text)) == text
    assert str(parse_conditions(" itl_ms > 5 % ".replace("itl_ms", "icl_ms"))[0]) == "icl>5%"


def test_independent_errors_add_up_like_errors():
    found = ratio_of(Estimate(100, 97, 103), Estimate(110, 106, 114))

    assert found is not None
    ratio, low, high = found
    assert low is not None
    assert high is not None
    assert ratio == pytest.approx(1.1)
    assert high - ratio == pytest.approx(1.1 * (0.03**2 + 0.0364**2) ** 0.5, rel=0.05)
    assert ratio - low == pytest.approx(high - ratio, rel=0.06)


def test_a_base_that_may_have_been_higher_lowers_the_ratios_low_end():
    found = ratio_of(Estimate(100, 99, 120), Estimate(100, 99.9, 100.1))

    assert found is not None
    assert found[1] == pytest.approx(100 / 120, rel=0.01)
    assert found[2] == pytest.approx(100 / 99, rel=0.01)


def test_an_interval_that_reaches_zero_decides_nothing():
    assert ratio_of(Estimate(1, -1, 3), Estimate(1, 0.9, 1.1)) == (1, None, None)


@pytest.mark.parametrize(("base", "new"), [(0, 1), (-1, 1), (1, -1), (-1, -1)])
def test_a_base_of_zero_and_figures_below_it_have_no_ratio(base: float, new: float):
    assert ratio_of(Estimate(base, base, base), Estimate(new, new, new)) is None
