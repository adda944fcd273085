"""What came of a run, and how it is shown: tables to stdout, files, and the exit status."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tgicli.bench.check import CheckResult, check_words
from tgicli.bench.paired import Paired
from tgicli.bench.recording import Measured, Recording
from tgicli.bench.result import Remark, Result, Severity
from tgicli.bench.stream_vs_full import StreamVsFull
from tgicli.bench.summary import summarize_recording
from tgicli.bench.verdict import noise_floor
from tgicli.cli.bench.llama_bench_rows import row_table
from tgicli.cli.bench.options import Sweeping
from tgicli.cli.bench.outputs import STDOUT, write_outputs
from tgicli.cli.bench.paired_outputs import side_names, write_comparison, write_streaming
from tgicli.cli.bench.showing import comparison_table, stream_table, to_stdout
from tgicli.cli.bench.single_jobs import Row
from tgicli.cli.bench.status import BenchStatus
from tgicli.cli.bench.sweeping import meets_slo
from tgicli.cli.bench.versus import is_undecided, paired_words, remarks_on_sides
from tgicli.ui.rows import clean
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.cli.bench.runs import Bench

_WHY_LEFT_OUT = "it was ended, or time was up"


@dataclass(slots=True, eq=False)
class Findings:
    """What was found so far, beside load points."""

    rows: tuple[Row, ...] = ()
    paired: Paired[Measured] | None = None
    streaming: StreamVsFull | None = None
    check: CheckResult | None = None
    words: list[str] = field(default_factory=list)


def show(bench: Bench, found: Findings, terminal: Terminal) -> int:
    """Show all of it; return the exit status."""
    statuses = [0]
    if found.rows and not _takes_stdout(bench):
        model = bench.opened[0].model
        drawn = row_table(model, found.rows, terminal.size().columns)
        terminal.write_stdout(to_stdout(drawn, terminal))
    if any(measured.runs for measured in bench.measured):
        statuses.append(_show_points(bench, found.check, terminal))
        left_out = list(_left_out(bench))
        found.words += left_out
        statuses.append(BenchStatus.UNDECIDED if bench.options.is_strict and left_out else 0)
    if found.paired is not None:
        statuses.append(_show_paired(bench, found.paired, terminal))
    if found.streaming is not None:
        statuses.append(_show_streaming(bench, found.streaming, terminal))
    if found.check is not None:
        found.words += check_words(found.check)
        statuses.append(0 if found.check.is_sound else BenchStatus.GATE_FAILED)
    for words in found.words:
        _tell(bench, words, terminal)
    return next(status for status in _by_weight(statuses))


def _tell(bench: Bench, words: str, terminal: Terminal) -> None:
    """Say something beside the tables; on stderr, if stdout is for somebody else."""
    if _takes_stdout(bench):
        terminal.say(words)
    else:
        terminal.write_stdout(f"{clean(words)}\n".encode())


def _by_weight(statuses: list[int]) -> Iterator[int]:
    """Yield the most telling one first: what is invalid can't be judged."""
    for status in (BenchStatus.INVALID, BenchStatus.GATE_FAILED, BenchStatus.UNDECIDED):
        if status in statuses:
            yield status
    yield 0


def _takes_stdout(bench: Bench) -> bool:
    output = bench.options.output
    return STDOUT in (output.out, output.html, output.md, output.csv, output.records)


def _show_points(bench: Bench, check: CheckResult | None, terminal: Terminal) -> int:
    options = bench.options
    assert bench.setting is not None
    recording = Recording(
        setting=bench.setting,
        points=tuple(measured for measured in bench.measured if measured.runs),
        slo=options.slo,
        check=check,
        expects_cache=bench.asking.expects_cache,
    )
    result = summarize_recording(recording)
    write_outputs(result, recording, options.output, terminal)
    if not result.is_valid:
        return BenchStatus.INVALID
    is_missed = misses_slo(result, searches=isinstance(options.plan, Sweeping))
    return BenchStatus.GATE_FAILED if options.is_strict and is_missed else 0


def _left_out(bench: Bench) -> Iterator[str]:
    """Name the load points, and their repeats, for which no time was left."""
    plan, repeat = bench.options.plan, bench.options.measuring.repeat
    if isinstance(plan, Sweeping):
        return
    measured = [one for one in bench.measured if one.runs]
    if n_left := len(plan) - len(measured):
        yield f"{n_left} of {len(plan)} load points were not measured: {_WHY_LEFT_OUT}"
    for one in measured:
        if (n := len(one.runs)) < repeat:
            yield f"{one.point.name} was measured {n} of {repeat} times: {_WHY_LEFT_OUT}"


def misses_slo(result: Result, *, searches: bool) -> bool:
    """Whether a load point was not good enough, or nobody can tell.

    A search goes past what is good enough, and misses the objective only where nothing was.
    """
    if all(point.full.slo_attainment is None for point in result.points):
        return False
    enough = any if searches else all
    return not enough(meets_slo(point) for point in result.points)


def _show_paired(bench: Bench, paired: Paired[Measured], terminal: Terminal) -> int:
    options, comparison = bench.options, paired.comparison
    if options.compares_noise:
        comparison = replace(comparison, noise=noise_floor(comparison))
    names, words = side_names(bench), list(paired_words(comparison, paired.stop))
    if not _takes_stdout(bench):
        terminal.write_stdout(comparison_table(comparison, names, terminal))
    remarks = remarks_on_sides(bench, paired)
    write_comparison(bench, comparison, words, remarks, terminal)
    _tell_remarks(bench, remarks, terminal)
    for line in words:
        _tell(bench, line, terminal)
    if _is_invalid(remarks):
        return BenchStatus.INVALID
    return BenchStatus.UNDECIDED if options.is_strict and is_undecided(comparison) else 0


def _show_streaming(bench: Bench, found: StreamVsFull, terminal: Terminal) -> int:
    if not _takes_stdout(bench):
        terminal.write_stdout(stream_table(found, terminal))
    write_streaming(bench, found, terminal)
    _tell_remarks(bench, found.remarks, terminal)
    return BenchStatus.INVALID if _is_invalid(found.remarks) else 0


def _tell_remarks(bench: Bench, remarks: Iterable[Remark], terminal: Terminal) -> None:
    for remark in remarks:
        _tell(bench, remark.words, terminal)


def _is_invalid(remarks: Iterable[Remark]) -> bool:
    return any(remark.severity is Severity.INVALID for remark in remarks)
