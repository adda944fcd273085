"""Files of other tools: two that were written by runs of them, one after vLLM's source."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from tgicli.bench.comparable import Comparable
from tgicli.bench.files import to_comparable
from tgicli.bench.gate import GateStatus, Standing, gate, parse_conditions
from tgicli.bench.result import Estimate, Severity
from tgicli.errors import ConfigError

HERE = Path(__file__).parent
GUIDELLM, AIPERF = HERE / "guidellm-0.8.1.json", HERE / "aiperf-0.13.0.json"
TTFTS = [0.1 + 0.01 * (k % 7) for k in range(40)]
GAPS = [[0.02 + 0.001 * ((k + j) % 5) for j in range(9)] for k in range(40)]


def percentile(values: list[float], p: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[p - 1]


def vllm(*, is_detailed: bool = False, **changes: Any) -> dict[str, Any]:
    """Return what `vllm bench serve --save-result` writes; its own formulas."""
    samples = {
        "ttft": TTFTS,
        "tpot": [sum(gaps) / 9 for gaps in GAPS],
        "itl": [gap for gaps in GAPS for gap in gaps],
        "e2el": [ttft + sum(gaps) for ttft, gaps in zip(TTFTS, GAPS, strict=True)],
    }
    told: dict[str, Any] = {
        "date": "20261101-120000",
        "endpoint_type": "openai",
        "backend": "openai",
        "label": None,
        "model_id": "some/model",
        "tokenizer_id": "some/model",
        "num_prompts": 40,
        "request_rate": "inf",
        "burstiness": 1.0,
        "max_concurrency": 8,
        "duration": 10.0,
        "completed": 40,
        "failed": 0,
        "total_input_tokens": 40 * 256,
        "total_output_tokens": 400,
        "request_throughput": 4.0,
        "request_goodput": None,
        "output_throughput": 40.0,
    }
    for name, seconds in samples.items():
        ms = [1000 * one for one in seconds]
        told |= {
            f"mean_{name}_ms": statistics.fmean(ms),
            f"median_{name}_ms": statistics.median(ms),
            f"std_{name}_ms": statistics.pstdev(ms),
            f"p99_{name}_ms": percentile(ms, 99),
        }
    if is_detailed:
        told |= {"ttfts": TTFTS, "itls": GAPS, "output_lens": [10] * 40}
    return told | changes


def read(*documents: object) -> Comparable:
    return to_comparable("\n".join(json.dumps(one) for one in documents).encode())


def test_vllms_figures_are_ours_by_its_definitions():
    found = read(vllm())

    (point,) = found.points
    assert (found.tool, found.model) == ("vllm bench serve", "some/model")
    assert (point.name, point.load) == ("concurrency 8", "concurrency 8")
    assert point.figures["output_tps"] == Estimate(40.0)
    assert point.figures["rps_achieved"] == Estimate(4.0)
    assert point.figures["ttft_ms.p50"].value == pytest.approx(1000 * statistics.median(TTFTS))
    assert point.figures["e2e_ms.p99"].value == vllm()["p99_e2el_ms"]
    assert (point.mean_prompt_tokens, point.mean_new_tokens) == (256, 10)
    assert "goodput_rps" not in point.figures
    assert point.remarks == ()


def test_of_a_summary_only_means_of_requests_have_an_interval():
    (point,) = read(vllm()).points

    with_interval = {name for name, one in point.figures.items() if one.low is not None}
    assert with_interval == {"ttft_ms.mean", "tpot_ms.mean", "e2e_ms.mean"}
    mean = point.figures["ttft_ms.mean"]
    half = 2.023 * vllm()["std_ttft_ms"] / 40**0.5  # Student's t, 39 degrees of freedom
    assert mean.low == pytest.approx((mean.value or 0) - half, rel=1e-3)


def test_details_give_the_same_figures_and_intervals():
    (plain,), (detailed,) = read(vllm()).points, read(vllm(is_detailed=True)).points

    for name in ("ttft_ms.p50", "tpot_ms.mean", "icl_ms.p50", "icl_ms.mean", "e2e_ms.p50"):
        assert detailed.figures[name].value == pytest.approx(plain.figures[name].value)
        # Gaps of one answer hang together, and when they were is not told.
        assert (detailed.figures[name].low is None) == (name == "icl_ms.p50")
    assert detailed.figures["ttft_ms.p99"].low is None  # 40 answers are too few for it


def test_a_rate_is_another_load_and_names_its_arrivals():
    (poisson,) = read(vllm(request_rate=4.0, max_concurrency=None)).points
    (bursty,) = read(vllm(request_rate=4.0, max_concurrency=None, burstiness=0.5)).points
    (at_once,) = read(vllm(max_concurrency=None)).points

    assert (poisson.name, poisson.load) == ("4 requests/s", "4 requests/s (poisson)")
    assert (bursty.name, bursty.load) == ("4 requests/s", "4 requests/s (burstiness 0.5)")
    assert at_once.load == "40 requests at once"


def test_failed_requests_are_told_and_many_make_it_invalid():
    (few,) = read(vllm(completed=98, failed=2)).points
    (many,) = read(vllm(completed=90, failed=10)).points

    assert [(r.severity, r.text) for r in few.remarks] == [
        (Severity.WARNING, "2 of 100 requests failed (2.0%)")
    ]
    assert [remark.severity for remark in many.remarks] == [Severity.INVALID]


def test_appended_results_are_load_points_of_one_file():
    found = read(vllm(), vllm(max_concurrency=16))

    assert [point.name for point in found.points] == ["concurrency 8", "concurrency 16"]


def test_guidellms_figures_are_ours_with_its_own_intervals():
    """88 answers one after the other, then 92 of two users; tgicli serve answered."""
    found = to_comparable(GUIDELLM.read_bytes())

    one, two = found.points
    assert (found.tool, found.model) == ("guidellm", "demo")
    assert [point.name for point in found.points] == ["concurrency 1", "concurrency 2"]
    told = json.loads(GUIDELLM.read_text())["benchmarks"][0]["metrics"]
    ttft = told["time_to_first_token_ms"]["successful"]
    assert one.figures["ttft_ms.p50"] == Estimate(
        ttft["percentiles"]["p50"],
        ttft["percentile_cis"]["p50"]["lower"],
        ttft["percentile_cis"]["p50"]["upper"],
    )
    assert one.figures["ttft_ms.mean"].low == ttft["mean_ci"]["lower"]
    latency = told["request_latency"]["successful"]
    assert one.figures["e2e_ms.p50"].value == 1000 * latency["percentiles"]["p50"]
    assert one.figures["tpot_ms.p50"].low is None  # of tokens, not requests: it gives none
    assert one.figures["output_tps"].value == told["output_tokens_per_second"]["total"]["mean"]
    assert one.mean_new_tokens == told["output_token_count"]["successful"]["mean"]
    assert two.remarks == ()


def test_aiperfs_figures_are_ours():
    found = to_comparable(AIPERF.read_bytes())

    (point,) = found.points
    told = json.loads(AIPERF.read_text())
    assert (found.tool, found.model, point.name) == ("AIPerf", "demo", "concurrency 4")
    assert point.figures["ttft_ms.p90"].value == told["time_to_first_token"]["p90"]
    assert point.figures["tpot_ms.p50"].value == told["inter_token_latency"]["p50"]
    assert point.figures["icl_ms.p99"].value == told["inter_chunk_latency"]["p99"]
    assert point.figures["output_tps"].value == told["output_token_throughput"]["avg"]
    assert point.mean_new_tokens == 16
    assert point.figures["ttft_ms.mean"].low is not None
    assert point.figures["icl_ms.mean"].low is None
    assert found.surroundings == {"aiperf": "0.13.0"}


def test_an_aiperf_run_that_was_ended_early_says_so():
    told = json.loads(AIPERF.read_text()) | {"was_cancelled": True}
    told |= {"error_request_count": {"unit": "requests", "avg": 3.0}}

    (point,) = read(told).points

    assert [(remark.severity, remark.text) for remark in point.remarks] == [
        (Severity.INVALID, "3 of 15 requests failed (20.0%)"),
        (Severity.WARNING, "it was ended early"),
    ]


@pytest.mark.parametrize("path", [GUIDELLM, AIPERF])
def test_a_file_against_itself_shows_no_change(path: Path):
    told = to_comparable(path.read_bytes())

    found = gate(told, told, parse_conditions("ttft.mean>60%,output_tps<-5%"))

    assert found.status is GateStatus.UNDECIDED
    assert {row.ratio for row in found.rows} == {1.0}
    assert found.rows[1].standing is Standing.UNDECIDED  # a figure without an interval
    assert found.notes == ()


def test_two_vllm_runs_are_gated_by_their_details():
    slow = [[gap * 1.2 for gap in gaps] for gaps in GAPS]
    base, new = read(vllm(is_detailed=True)), read(vllm(is_detailed=True, itls=slow))

    found = gate(base, new, parse_conditions("tpot>5%"))

    assert found.status is GateStatus.REGRESSION
    assert found.rows[0].ratio == pytest.approx(1.2)


def test_runs_of_one_load_are_compared_first_with_first():
    slow = vllm(output_throughput=20.0)

    found = gate(read(vllm(), slow), read(slow, vllm()), parse_conditions("output_tps<-5%"))

    assert [(row.point, row.base, row.new) for row in found.rows] == [
        ("concurrency 8", 40, 20),
        ("concurrency 8 (run 2)", 20, 40),
    ]


def test_which_of_several_runs_is_meant_is_not_guessed():
    conditions = parse_conditions("output_tps<-5%")

    for base, new, n_runs in (([vllm()], [vllm()] * 2, (1, 2)), ([vllm()] * 2, [vllm()], (2, 1))):
        found = gate(read(*base), read(*new), conditions)

        assert found.status is GateStatus.NOT_COMPARABLE
        words = "'concurrency 8' was measured {}x in base and {}x in new"
        assert found.reasons == (words.format(*n_runs),)


def test_a_rate_that_is_held_down_is_another_load():
    base, new = read(vllm(request_rate=4.0)), read(vllm(request_rate=4.0, max_concurrency=256))

    found = gate(base, new, parse_conditions("ttft>10%"))

    assert found.reasons == (
        "'4 requests/s' is not the same load in both: 4 requests/s (poisson), at most 8 at once"
        " and 4 requests/s (poisson), at most 256 at once",
    )


def test_two_tools_are_compared_only_if_somebody_insists_and_what_differs_is_told():
    base, new = read(vllm(max_concurrency=4)), to_comparable(AIPERF.read_bytes())
    conditions = parse_conditions("ttft>10%")

    refused = gate(base, new, conditions)
    found = gate(base, new, conditions, allows_differences=True)

    assert refused.status is GateStatus.NOT_COMPARABLE
    assert any("whether they asked the same can't be told" in why for why in refused.reasons)
    assert any("prompts' lengths differ: 256.0 and 51.2 tokens" in why for why in refused.reasons)
    assert len(found.rows) == 1
    assert any(note.startswith("vllm bench serve: TTFT ends with") for note in found.notes)
    assert any(note.startswith("AIPerf: TPOT is") for note in found.notes)


@pytest.mark.parametrize(
    "document",
    [{}, {"metrics": 1}, {"benchmarks": []}, {"benchmarks": [{"metrics": None}]}, {"completed": 3}],
)
def test_what_no_tool_has_written_is_refused(document: object):
    with pytest.raises(ConfigError, match="no result of tgicli bench, vllm bench serve, guidellm"):
        read(document)


@pytest.mark.parametrize(
    "changes",
    [
        {"ttfts": "x", "itls": 3, "output_lens": None},
        {"ttfts": [None, 0.1], "itls": [[0.1], ["x"]], "output_lens": [2, 1]},
        {"mean_ttft_ms": "fast", "std_ttft_ms": float("nan"), "completed": True},
        {"duration": None, "total_input_tokens": None, "completed": 0},
    ],
)
def test_values_that_are_none_are_left_out(changes: dict[str, Any]):
    (point,) = read(vllm(**changes)).points

    assert all(one.value is not None for one in point.figures.values())


def test_lines_that_are_no_json_are_named():
    with pytest.raises(ConfigError, match="line 2 is not JSON"):
        to_comparable(json.dumps(vllm()).encode() + b"\nnot JSON")
