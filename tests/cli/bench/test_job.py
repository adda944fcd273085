"""`tgicli bench` from the command line to its exit status: real servers, a real model."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.results import closed_run
from tests.cli.conftest import Cli, Outcome
from tgicli.bench.files import from_json
from tgicli.bench.result import Estimate
from tgicli.cli.bench.budget import LAST_S
from tgicli.cli.bench.findings import misses_slo
from tgicli.cli.bench.status import BenchStatus
from tgicli.errors import ExitStatus

# A busy machine makes figures invalid, and that is no failure of a test.
MEASURED = {ExitStatus.OK, BenchStatus.INVALID}
BRIEF = ("--requests", "6", "--output-tokens", "8", "--warmup", "0", "--no-floor", "--seed", "5")


def bench(cli: Cli, *args: str) -> Outcome:
    return cli("bench", *args)


def test_a_server_is_measured_and_every_file_written(cli: Cli, url: str, tmp_path: Path):
    names = ("json", "html", "md", "csv", "records")
    files = {name: tmp_path / f"result.{name}" for name in names}
    flags = [word for name, path in files.items() for word in (f"--{name}", str(path))]

    outcome = bench(cli, url, "--concurrency", "1,3", *BRIEF, *flags)

    assert outcome.status in MEASURED, outcome.stderr
    result = from_json(files["json"].read_bytes())
    assert [point.name for point in result.points] == ["concurrency 1", "concurrency 3"]
    assert all(point.full.n_ok >= 6 and not point.full.n_errors for point in result.points)
    assert result.setting.server == "text-generation-inference"
    assert result.setting.seed == 5
    assert outcome.stdout.splitlines()[0].startswith(("VALID  client", "INVALID  client"))
    assert outcome.stderr.count("requests/s") == 2
    assert files["html"].read_text().startswith("<!doctype html>")
    assert "concurrency 3" in files["md"].read_text()
    assert "concurrency 3" in files["csv"].read_text()

    again = bench(cli, "report", str(files["records"]), "--json", str(tmp_path / "again.json"))

    assert again.status == outcome.status
    assert (tmp_path / "again.json").read_bytes() == files["json"].read_bytes()
    assert again.stdout == outcome.stdout


def test_a_file_that_can_not_be_written_loses_nothing_else(cli: Cli, url: str, tmp_path: Path):
    files = {name: tmp_path / f"result.{name}" for name in ("json", "html", "records")}
    flags = [word for name, path in files.items() for word in (f"--{name}", str(path))]

    outcome = bench(cli, url, "-c", "1", *BRIEF, "--md", "/dev/full", *flags)

    assert outcome.status == ExitStatus.USAGE
    assert "can't write /dev/full: No space left on device" in outcome.stderr
    assert "concurrency 1" in outcome.stdout
    assert all(path.stat().st_size for path in files.values())


def test_json_goes_to_stdout_alone(cli: Cli, url: str):
    outcome = bench(cli, url, "--rate", "20", *BRIEF, "--json", "-", "--quiet")

    found = json.loads(outcome.stdout)
    assert found["points"][0]["rate"] == 20.0
    assert found["points"][0]["full"]["n_ok"] >= 6
    assert outcome.stderr == ""


def test_the_clients_floor_is_shown_beside_a_servers_figures(cli: Cli, url: str):
    outcome = bench(cli, url, "-c", "2", *(word for word in BRIEF if word != "--no-floor"))

    assert "this client adds by itself: TTFT +" in outcome.stdout


def test_a_model_is_measured_in_the_loads_process(cli: Cli, tiny_model: Path):
    outcome = bench(cli, str(tiny_model), "-c", "2", *BRIEF, "--prompt-tokens", "32", "--json", "-")

    assert outcome.status in MEASURED, outcome.stderr
    found = json.loads(outcome.stdout)
    assert found["setting"]["server"] == "this process"
    assert found["points"][0]["full"]["n_ok"] >= 6
    assert found["points"][0]["full"]["token_sources"] == {
        "engine": found["points"][0]["full"]["n_ok"]
    }


def test_a_data_set_is_asked(cli: Cli, url: str, tmp_path: Path):
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "Name a colour", "max_tokens": 3}\n')

    flags = ("-c", "1", *BRIEF[:2], *BRIEF[4:], "--dataset", str(file))
    records = tmp_path / "records.jsonl"

    outcome = bench(cli, url, *flags, "--json", "-", "--records", str(records))

    (point,) = json.loads(outcome.stdout)["points"]
    n_asked = sum('"record"' in line[:10] for line in records.read_text().splitlines())
    assert point["full"]["mean_new_tokens"] == 3
    words = f"prompts repeat: 1 for {n_asked} requests, each time behind another number"
    assert {"severity": "note", "text": words} in point["remarks"]
    assert words in bench(cli, "report", str(records)).stdout.replace("\n  ", " ")


def test_a_trace_is_replayed(cli: Cli, url: str, tmp_path: Path):
    file = tmp_path / "trace.jsonl"
    lines = [{"timestamp": t / 10, "input_length": 20, "output_length": 4} for t in range(5)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))

    outcome = bench(cli, url, "--trace", str(file), "--no-floor", "--json", "-")

    (point,) = json.loads(outcome.stdout)["points"]
    assert (point["name"], point["full"]["n_ok"]) == ("trace trace.jsonl", 5)
    told = "trace: 5 requests within 0.4 s; timestamps read as seconds"
    assert told in [remark["text"] for remark in point["remarks"]]
    assert f"note: {told}" in outcome.stderr


def test_repeats_are_measured_one_round_after_the_other(cli: Cli, url: str, tmp_path: Path):
    records = tmp_path / "records.jsonl"

    bench(cli, url, "-c", "1,2", *BRIEF, "--repeat", "2", "--records", str(records))

    found = [
        json.loads(line)["record"]
        for line in records.read_text().splitlines()
        if '"record"' in line[:10]
    ]
    rounds = sorted(found, key=lambda record: record["send_ns"])
    order = [(record.get("block", 0), record.get("point", 0)) for record in rounds]
    assert sorted(set(order), key=order.index) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert len({record["nonce"] for record in found}) == len(found)


def test_text_is_checked_under_load(cli: Cli, url: str):
    outcome = bench(cli, f"{url}?gap_ms=0.5", "-c", "2", *BRIEF, "--check")

    assert outcome.stdout.count("8 of 8 texts as alone") == 3
    # A busy machine makes one burst of so quick a stream, and nothing else of it.
    assert "text: sound, " in outcome.stdout or "  whole answer in one burst: " in outcome.stdout


def test_streams_are_held_against_whole_answers(cli: Cli, url: str, tmp_path: Path):
    files = {name: tmp_path / f"streams.{name}" for name in ("json", "html", "md", "csv")}
    flags = [word for name, path in files.items() for word in (f"--{name}", str(path))]

    outcome = bench(
        cli, url, "--stream-vs-full", "--requests", "2", "--output-tokens", "16", *flags
    )

    assert outcome.status == ExitStatus.OK, outcome.stderr
    assert "head start of the stream" in outcome.stdout
    found = json.loads(files["json"].read_text())["found"]
    rows = {row["metric"]: row for row in csv.DictReader(files["csv"].read_text().splitlines())}
    assert float(rows["head_start_ms"]["value"]) == found["head_start_ms"]["value"]
    assert rows["n_text_equal"]["value"] == str(found["n_text_equal"])
    assert "| head start of the stream, ms | " in files["md"].read_text()
    assert files["html"].read_text().startswith("<!doctype html>")


def test_a_server_is_compared_with_itself(cli: Cli, url: str, tmp_path: Path):
    files = {name: tmp_path / f"comparison.{name}" for name in ("json", "html", "md", "csv")}
    flags = [word for name, path in files.items() for word in (f"--{name}", str(path))]

    outcome = bench(cli, url, "--noise", *BRIEF, "--repeat", "2", "-c", "2", *flags)

    assert outcome.status in MEASURED, outcome.stderr
    found = json.loads(files["json"].read_text())["found"]
    assert found["n_blocks"] == 2
    assert found["noise"]["output_tps"] > 0
    assert f"noise floor: ttft {100 * found['noise']['ttft']:.1f} %, " in outcome.stdout
    table = files["md"].read_text()
    assert "| output_tps, tokens/s | " in table
    assert "noise floor: ttft " in table
    rows = {row["metric"]: row for row in csv.DictReader(files["csv"].read_text().splitlines())}
    assert float(rows["tpot"]["ratio"]) == found["metrics"]["tpot"]["value"]
    assert len(rows["tpot"]["per_block"].split()) == 2
    assert files["html"].read_text().startswith("<!doctype html>")


def test_answers_of_other_lengths_are_told_and_decide_nothing(cli: Cli, url: str):
    flags = (*BRIEF, "--repeat", "2", "-c", "2", "--no-ignore-eos", "--strict")

    outcome = bench(cli, f"{url}?n_tokens=8", "--vs", f"{url}?n_tokens=4", *flags)

    assert outcome.status in {BenchStatus.UNDECIDED, BenchStatus.INVALID}, outcome.stderr
    assert "lengths differ, so the times do not compare: 8.0 tokens of A's, 4.0" in outcome.stdout


def test_a_side_that_can_not_be_believed_is_not_compared_in_silence(
    cli: Cli, url: str, tmp_path: Path
):
    files = {name: tmp_path / f"comparison.{name}" for name in ("json", "html", "md")}
    flags = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    broken = f"{url}?fault=cut&fault_every=2"

    outcome = bench(cli, url, "--vs", broken, *BRIEF, "--repeat", "2", "-c", "2", *flags)

    assert outcome.status == BenchStatus.INVALID, outcome.stderr
    told = next(line for line in outcome.stdout.splitlines() if "requests failed" in line)
    assert told.startswith("invalid: B: ")
    found = json.loads(files["json"].read_text())
    assert {"severity": "invalid", "text": told.removeprefix("invalid: ")} in found["remarks"]
    assert f"- {told}" in files["md"].read_text()
    assert '<section class="verdict invalid"' in files["html"].read_text()


def test_a_side_that_refuses_is_told_of(cli: Cli, url: str):
    busy = f"{url}?fault=busy&fault_every=2"

    outcome = bench(cli, url, "--vs", busy, *BRIEF, "--repeat", "2", "-c", "2")

    assert re.search(r"^warning: B: \d+ of \d+ requests were refused", outcome.stdout, re.M)
    assert not re.search(r"^warning: A: .* refused", outcome.stdout, re.M)


def test_a_search_ends_with_what_it_found(cli: Cli, url: str):
    outcome = bench(cli, url, "--find-max", "--slo", "e2el:0.001", *BRIEF, "--strict")

    assert outcome.status in {BenchStatus.GATE_FAILED, BenchStatus.INVALID}
    assert "no concurrency meets e2el:0.001" in outcome.stdout


def test_a_search_that_found_a_load_has_met_the_objective():
    met, missed = Estimate(1.0), Estimate(0.5)
    result, _ = closed_run(1, 2)
    points = tuple(
        replace(point, full=(figures := replace(point.full, slo_attainment=share)), steady=figures)
        for point, share in zip(result.points, (met, missed), strict=True)
    )
    searched, nothing = replace(result, points=points), replace(result, points=points[1:])

    assert misses_slo(searched, searches=False)
    assert not misses_slo(searched, searches=True)
    assert misses_slo(nothing, searches=True)


def test_nobody_there_is_told_as_by_every_command(cli: Cli):
    outcome = bench(cli, "http://127.0.0.1:9", "--no-floor")

    assert outcome.status == ExitStatus.UNREACHABLE


def test_when_time_is_up_the_rest_is_left_out_and_named(
    cli: Cli, url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tgicli.cli.bench.budget.TOTAL_S", LAST_S + 2.0)

    outcome = bench(cli, url, "--no-floor", "--output-tokens", "4")

    assert outcome.status in MEASURED, outcome.stderr
    assert "2 of 3 load points were not measured" in outcome.stdout


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("-c", "1,2"), "1 of 2 load points were not measured"),
        (("-c", "1", "--repeat", "5"), "concurrency 1 was measured 1 of 5 times"),
    ],
)
def test_who_is_strict_takes_nothing_for_good_that_was_left_out(
    cli: Cli, url: str, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], words: str
):
    monkeypatch.setattr("tgicli.cli.bench.budget.TOTAL_S", LAST_S + 2.0)
    easy = ("--slo", "e2el:100000", "--strict")

    outcome = bench(cli, url, *flags, *easy, "--no-floor", "--output-tokens", "4")

    assert outcome.status in {BenchStatus.UNDECIDED, BenchStatus.INVALID}, outcome.stderr
    assert words in outcome.stdout


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, ExitStatus.INTERRUPTED), (signal.SIGTERM, ExitStatus.TERMINATED)],
)
def test_whoever_ends_it_is_shown_what_was_measured(
    url: str, number: signal.Signals, status: ExitStatus
):
    process = subprocess.Popen(
        [sys.executable, "-m", "tgicli", "bench", url, "-c", "1", *BRIEF, "--repeat", "10000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    first = process.stderr.readline()  # a round is over

    os.killpg(process.pid, number)  # as a terminal and `timeout` do: to the load's process, too

    stdout, stderr = process.communicate(timeout=30)
    assert first.startswith(b"concurrency 1: "), first + stderr
    assert process.returncode == status, stderr.decode()
    assert b"concurrency 1" in stdout
