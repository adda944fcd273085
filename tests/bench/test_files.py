from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from tests.bench.results import SETTING
from tests.bench.stamped import (
    MS,
    answer,
    arrivals,
    closed,
    opened,
    pieces,
    record,
    run_of,
    users,
)
from tgicli.bench.check import CheckResult, Crossing, Match, MixUp, Stage
from tgicli.bench.counters import Count, Counted
from tgicli.bench.files import from_json, from_lines, to_json, to_lines
from tgicli.bench.record import Outcome, TokenSource
from tgicli.bench.recording import Measured, Recording
from tgicli.bench.report.page import to_html
from tgicli.bench.result import SCHEMA_VERSION, Floor, Remark, Result, Severity
from tgicli.bench.sheets import to_csv, to_markdown
from tgicli.bench.slo import parse_slo
from tgicli.bench.summary import summarize_recording
from tgicli.errors import ConfigError

OFFSETS = [50.0 * k + k % 3 for k in range(440)]
FLOOR = Floor(
    n_streams=4,
    ttft_added_p50_ms=0.9,
    ttft_added_p99_ms=2.1,
    icl_added_p50_ms=0.05,
    icl_added_p99_ms=0.6,
)


CHECK = CheckResult(
    n_prompts=8,
    matches={Stage.LOAD: Match(n=8, n_equal=7, first_differences=(31,))},
    crossings=(Crossing(Stage.LOAD, 3, 4, MixUp.FOREIGN),),
    echoes={Stage.ALONE: 8},
    problems={"no usage": 2},
    errors={},
    n_busy=0,
    n_answered=32,
)


@cache
def a_recording() -> Recording:
    """Return one with all that a record may hold: repeats, failures, an open loop."""
    odd = [
        answer(1500, outcome=Outcome.CUT),
        record(send_ms=1600, outcome=Outcome.ERROR, error="StreamBroken", message='"no"\n\u2028'),
        record(send_ms=1700, outcome=Outcome.BUSY, problems=("no usage", "double usage")),
        answer(
            1800,
            conn_ns=1801 * MS,
            head_ns=1850 * MS,
            first_event_ns=1860 * MS,
            n_cached_tokens=12,
            queue_ms=3.25,
            n_prompt_asked=100,
            n_new_asked=11,
            text="één 😀",
            nonce="x7",
        ),
        record(send_ms=1900, chunks=pieces(2000, 2010.5), token_source=TokenSource.CHUNKS, index=7),
        record(send_ms=1950, chunks=pieces(2050), n_cached_tokens=0, n_hidden_tokens=1),
    ]
    repeats = (
        run_of(users(4) + odd, warm_ms=1000, end_ms=7000),
        run_of(users(4, first_ms=9000, block=1), warm_ms=10_000, end_ms=16_000, n_late=2),
        run_of(users(4, first_ms=19_000, block=2), warm_ms=20_000, end_ms=26_000),
    )
    told = Counted(40, {"queue_ms": Count(39, 117.5)})
    repeats = (replace(repeats[0], counted=told), *repeats[1:])
    rated = run_of(arrivals(OFFSETS), warm_ms=1000, end_ms=21_000, n_dropped=1)
    again = replace(rated, offsets_ns=tuple(round(at * MS) for at in OFFSETS))
    return Recording(
        setting=SETTING,
        slo=parse_slo("ttft:200 tpot:50"),
        expects_cache=True,
        check=CHECK,
        points=(
            Measured(point=closed(4), runs=repeats, floor=FLOOR, n_around=25),
            Measured(point=opened(OFFSETS, arrival="poisson"), runs=(rated, again)),
            Measured(point=closed(2), runs=()),
        ),
    )


@cache
def a_result() -> Result:
    return summarize_recording(a_recording())


def test_a_result_comes_back_from_json_as_it_was():
    result = a_result()

    assert from_json(to_json(result)) == result


def test_a_recording_comes_back_from_lines_as_it_was():
    recording = a_recording()

    assert from_lines(to_lines(recording)) == recording


def test_records_give_the_very_same_result_again():
    again = from_lines(to_lines(a_recording()))

    result = summarize_recording(again)

    assert result == a_result()
    assert to_json(result) == to_json(a_result())


def test_the_check_of_the_text_is_in_every_document():
    document = json.loads(to_json(a_result()))

    assert document["check"]["is_sound"] is False
    assert document["check"]["matches"]["under load"]["n_equal"] == 7
    assert "- under load: answer 3 has the code word of 4" in to_markdown(a_result())
    assert "under load: answer 3 has the code word of 4" in to_html(a_result())


def test_json_says_whether_to_believe_it_and_what_version_it_is():
    document = json.loads(to_json(a_result()))

    assert document["schema_version"] == SCHEMA_VERSION
    assert document["kind"] == "tgicli bench result"
    assert document["is_valid"] is False  # the last point has no run
    assert [point["is_valid"] for point in document["points"]] == [True, True, False]


def test_a_figure_that_could_not_be_measured_is_null():
    document = json.loads(to_json(a_result()))

    assert document["points"][0]["rate"] is None
    assert document["points"][2]["full"]["output_tps"]["value"] is None


def changed(path: list[str | int], value: Any) -> bytes:
    """Return a result's JSON with one value changed; a value of ... takes it away."""
    document = place = json.loads(to_json(a_result()))
    for name in path[:-1]:
        place = place[name]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["schema_version"], 2, "schema_version 2, and this tgicli reads up to 1"),
        (["schema_version"], "1", "schema_version must be a number from 1, got '1'"),
        (["kind"], "other", "its kind is 'other'"),
        (["setting"], ..., "result has no 'setting'"),
        (["points", 0, "full", "n_ok"], "7", "result.points[0].full.n_ok must be int, got '7'"),
        (["points", 0, "full", "n_ok"], True, "result.points[0].full.n_ok must be int, got True"),
        (["points", 1, "client", "gc_ms"], ..., "result.points[1].client has no 'gc_ms'"),
        (
            ["points", 0, "full", "metrics", "ttft_ms", "mean", "value"],
            [],
            "result.points[0].full.metrics.ttft_ms.mean.value must be float, got []",
        ),
        (
            ["points", 0, "remarks", 0, "severity"],
            "dire",
            "severity must be one of note, warning, invalid, got 'dire'",
        ),
        (["points"], {}, "result.points must be a list, got {}"),
        (["points", 1, "client", "gc_ms"], float("nan"), "gc_ms must be float, got nan"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(path: list[str | int], value: Any, words: str):
    with pytest.raises(ConfigError) as refused:
        from_json(changed(path, value))

    assert words in str(refused.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"null", b"{}"])
def test_what_is_no_result_is_refused(data: bytes):
    with pytest.raises(ConfigError):
        from_json(data)
    with pytest.raises(ConfigError):
        from_lines(data)


def test_a_field_of_a_later_version_is_passed_over():
    assert from_json(changed(["points", 0, "flavour"], "sweet")) == a_result()


def test_whole_numbers_are_read_where_there_may_be_a_fraction():
    read = from_json(changed(["points", 0, "client", "gc_ms"], 3))

    assert read.points[0].client.gc_ms == 3.0
    assert isinstance(read.points[0].client.gc_ms, float)


def lines() -> list[bytes]:
    return to_lines(a_recording()).splitlines()


def test_usual_values_are_left_out_of_records():
    plain = json.loads(lines()[3])["record"]

    assert plain["chunks"][0] == [100 * MS, 1, 4, False, 0]
    assert "error" not in plain
    assert "sched_ns" not in plain


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda rows: [*rows[:3], rows[3][:-20], *rows[4:]], "line 4 is not JSON"),
        (lambda rows: [rows[0], *rows[2:]], "line 2: a run before what it belongs to"),
        (lambda rows: [*rows[:2], *rows[3:]], "line 3: a record before what it belongs to"),
        (lambda rows: [*rows, b'{"other": 1}'], "is neither a point, a run nor a record"),
        (lambda rows: [*rows[:3], b'{"record": {"index": 0}}'], "line 4 has no 'send_ns'"),
        (lambda rows: rows[1:], "its kind is None"),
        (
            lambda rows: [rows[0].replace(b'"schema_version": 1', b'"schema_version": 9')],
            "schema_version 9, and this tgicli reads up to 1",
        ),
        (lambda rows: [*rows, rows[3][:-30]], "is not JSON"),
    ],
)
def test_broken_lines_are_refused_by_number(edit: Any, words: str):
    with pytest.raises(ConfigError) as refused:
        from_lines(b"\n".join(edit(lines())))

    assert words in str(refused.value)


def rows_of(result: Result) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(result).decode())))


def test_csv_has_a_row_for_each_point_window_and_metric():
    result = a_result()

    rows = rows_of(result)

    keys = [(row["point"], row["window"], row["metric"]) for row in rows]
    assert len(keys) == len(set(keys))
    (ttft,) = [row for row in rows if keys[0][0] == row["point"] and row["metric"] == "ttft_ms"][:1]
    figures = result.points[0].figures.metrics["ttft_ms"]
    assert (ttft["window"], ttft["unit"], ttft["n"]) == ("steady", "ms", str(figures.n))
    assert float(ttft["value"]) == figures.mean.value
    assert float(ttft["p90_high"]) == figures.quantiles["p90"].high


def test_csv_has_the_windows_own_figures_and_leaves_out_what_was_not_measured():
    rows = {(row["point"], row["window"], row["metric"]): row for row in rows_of(a_result())}

    rate = rows["concurrency 4", "steady", "output_tps"]
    assert rate["unit"] == "tokens/s"
    assert float(rate["low"]) <= float(rate["value"]) <= float(rate["high"])
    assert ("concurrency 4", "steady", "rps_offered") not in rows
    assert rows["open", "steady", "rps_offered"]["unit"] == "1/s"
    assert rows["concurrency 4", "steady", "ttft_ms"]["p99.9"] == ""


def test_markdown_has_a_row_for_each_point_and_shows_the_largest_for_a_percentile_too_far():
    text = to_markdown(a_result())

    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 3
    assert len({line.count(" | ") for line in table}) == 1
    assert "Good requests/s" in table[0]
    assert " ± " in table[2]
    assert "(max)" not in table[3]
    assert "| **no** |" in table[4]
    few = replace(a_recording(), points=(Measured(point=closed(1), runs=(run_of([answer(0)]),)),))
    assert "| 100 | 100 (max) | 100 (max) |" in to_markdown(summarize_recording(few))


def test_markdown_names_the_gaps_by_what_a_chunk_held():
    fives = [
        record(send_ms=99 * k, chunks=pieces(99 * k + 50, 99 * k + 90, n_tokens=5))
        for k in range(9)
    ]
    recording = replace(a_recording(), points=(Measured(point=closed(1), runs=(run_of(fives),)),))

    assert "| ICL (5.0 tok/chunk) p50 |" in to_markdown(summarize_recording(recording))


def test_markdown_lists_the_remarks_and_how_to_do_it_again():
    text = to_markdown(a_result())

    assert "- concurrency 2: **invalid**: no request was sent" in text
    assert f"    {SETTING.command}" in text
    assert "begin when the plan wanted a request sent" in text


def test_a_name_with_a_bar_or_a_newline_does_not_break_the_table():
    result = a_result()
    odd = replace(
        result.points[0],
        name="a|b\nc",
        remarks=(Remark(Severity.NOTE, "x\n| y"),),
    )

    table = [
        line
        for line in to_markdown(replace(result, points=(odd,))).splitlines()
        if line.startswith("|")
    ]

    assert len(table) == 3
    assert table[2].startswith("| a\\|b c |")
