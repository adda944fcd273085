"""`tgicli bench compare`: two files, a verdict, a status."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.results import closed_run
from tests.cli.conftest import Cli
from tgicli.bench.files import to_json
from tgicli.bench.result import Estimate, Remark, Result, Severity
from tgicli.cli.bench.status import BenchStatus
from tgicli.errors import ExitStatus

FOREIGN = Path(__file__).parents[2] / "bench" / "foreign"


@pytest.fixture(scope="module")
def base() -> Result:
    result, _ = closed_run(4)
    return result


def slower(result: Result, factor: float) -> Result:
    """Return the result with so much throughput."""
    (point,) = result.points
    tps = point.full.output_tps.value
    assert tps is not None
    estimate = Estimate(tps * factor, tps * factor * 0.99, tps * factor * 1.01)
    full = replace(point.full, output_tps=estimate)
    steady = point.steady and replace(point.steady, output_tps=estimate)
    return replace(result, points=(replace(point, full=full, steady=steady),))


def written(folder: Path, **results: Result) -> list[str]:
    paths = []
    for name, result in results.items():
        (folder / f"{name}.json").write_bytes(to_json(result))
        paths.append(str(folder / f"{name}.json"))
    return paths


def test_the_same_result_passes(cli: Cli, tmp_path: Path, base: Result):
    paths = written(tmp_path, base=slower(base, 1.0), new=slower(base, 1.0))

    outcome = cli("bench", "compare", *paths, "--fail-on", "output_tps<-5%")

    assert outcome.status == ExitStatus.OK, outcome.stderr
    assert "passed" in outcome.stdout


def test_a_regression_returns_3_if_somebody_asked(cli: Cli, tmp_path: Path, base: Result):
    paths = written(tmp_path, base=slower(base, 1.0), new=slower(base, 0.5))

    gated = cli("bench", "compare", *paths, "--fail-on", "output_tps<-5%")
    shown = cli("bench", "compare", *paths)

    assert gated.status == BenchStatus.GATE_FAILED
    assert "regression" in gated.stdout
    assert shown.status == ExitStatus.OK
    assert "-50.0 %" in shown.stdout


def test_what_is_undecided_fails_the_strict_alone(cli: Cli, tmp_path: Path, base: Result):
    paths = written(tmp_path, base=slower(base, 1.0), new=slower(base, 0.95))
    flags = ("--fail-on", "output_tps<-5%")

    lenient = cli("bench", "compare", *paths, *flags)
    strict = cli("bench", "compare", *paths, *flags, "--strict")

    assert (lenient.status, strict.status) == (ExitStatus.OK, BenchStatus.UNDECIDED)
    assert lenient.stdout == strict.stdout
    assert lenient.stdout.endswith("\nundecided\n")
    assert "passed" not in lenient.stdout


def test_an_invalid_measurement_is_refused(cli: Cli, tmp_path: Path, base: Result):
    (point,) = base.points
    remark = Remark(Severity.INVALID, "the client was the bottleneck")
    invalid = replace(base, points=(replace(point, remarks=(remark,)),))
    paths = written(tmp_path, base=base, new=invalid)

    outcome = cli("bench", "compare", *paths, "--fail-on", "tpot>5%")

    assert outcome.status == BenchStatus.INVALID
    assert "the client was the bottleneck" in outcome.stderr


def test_other_work_is_refused(cli: Cli, tmp_path: Path, base: Result):
    other = replace(base, setting=replace(base.setting, model="another.gguf"))
    paths = written(tmp_path, base=base, new=other)

    outcome = cli("bench", "compare", *paths)

    assert outcome.status == ExitStatus.USAGE
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("not compared, as the two are of different work:\n  the model")
    assert "another.gguf" in outcome.stderr
    assert "--allow-differences" in outcome.stderr


def test_other_work_is_compared_and_told_if_somebody_wants_that(
    cli: Cli, tmp_path: Path, base: Result
):
    other = replace(slower(base, 0.5), setting=replace(base.setting, model="another.gguf"))
    paths = written(tmp_path, base=slower(base, 1.0), new=other)
    flags = ("--allow-differences", "--fail-on", "output_tps<-5%")

    outcome = cli("bench", "compare", *paths, *flags)

    assert outcome.status == BenchStatus.GATE_FAILED
    assert "-50.0 %" in outcome.stdout
    assert "note: the model was" in outcome.stderr
    assert "not compared" not in outcome.stderr


def test_what_has_no_load_point_in_common_is_refused_all_the_same(
    cli: Cli, tmp_path: Path, base: Result
):
    (point,) = base.points
    other = replace(base, points=(replace(point, name="concurrency 99"),))
    paths = written(tmp_path, base=base, new=other)

    outcome = cli("bench", "compare", *paths, "--allow-differences")

    assert outcome.status == ExitStatus.USAGE
    assert "'concurrency 4' was measured in base only" in outcome.stderr


def test_a_file_that_is_no_result_is_named(cli: Cli, tmp_path: Path, base: Result):
    (path,) = written(tmp_path, base=base)
    (tmp_path / "no.json").write_text("{}")

    outcome = cli("bench", "compare", path, str(tmp_path / "no.json"))

    assert outcome.status == ExitStatus.USAGE
    assert str(tmp_path / "no.json") in outcome.stderr


def test_two_files_of_another_tool_are_compared(cli: Cli):
    path = str(FOREIGN / "guidellm-0.8.1.json")

    outcome = cli("bench", "compare", path, path, "--fail-on", "ttft.mean>20%")

    assert outcome.status == ExitStatus.OK, outcome.stderr
    assert "concurrency 2" in outcome.stdout
    assert outcome.stdout.endswith("passed\n")


def test_our_result_and_another_tools_are_compared_if_somebody_insists(
    cli: Cli, tmp_path: Path, base: Result
):
    (ours,) = written(tmp_path, base=base)
    theirs = str(FOREIGN / "aiperf-0.13.0.json")

    refused = cli("bench", "compare", ours, theirs)
    shown = cli("bench", "compare", ours, theirs, "--allow-differences")

    assert refused.status == ExitStatus.USAGE
    assert "base is tgicli bench's and new is AIPerf's" in refused.stderr
    assert shown.status == ExitStatus.OK
    assert shown.stdout.startswith("concurrency 4 ")
    assert "note: AIPerf: TPOT is what it calls inter-token latency\n" in shown.stderr


def test_a_file_of_nobody_names_who_is_known(cli: Cli, tmp_path: Path):
    (tmp_path / "x.json").write_text('{"a": 1}')

    outcome = cli("bench", "compare", str(tmp_path / "x.json"), str(tmp_path / "x.json"))

    assert outcome.status == ExitStatus.USAGE
    assert "x.json: this is no result of tgicli bench, vllm bench serve, guidellm or AIPerf" in (
        outcome.stderr
    )
