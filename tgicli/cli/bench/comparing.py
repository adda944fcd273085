"""`tgicli bench compare BASE NEW`: two results side by side, and the gate. On the main thread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tgicli.bench.comparable import Comparable
from tgicli.bench.files import to_comparable
from tgicli.bench.gate import (
    DEFAULT_CONDITIONS,
    GateResult,
    GateStatus,
    Row,
    gate,
    parse_conditions,
)
from tgicli.cli.bench.outputs import read_file
from tgicli.cli.bench.showing import to_stdout
from tgicli.cli.bench.status import BenchStatus
from tgicli.errors import ConfigError, ExitStatus
from tgicli.ui.rows import row
from tgicli.ui.tables import RatioRow, ratio_rows
from tgicli.ui.terminal import Terminal

_STATUSES = {
    GateStatus.PASSED: ExitStatus.OK,
    GateStatus.NOT_COMPARABLE: ExitStatus.USAGE,
    GateStatus.REGRESSION: BenchStatus.GATE_FAILED,
    GateStatus.INVALID: BenchStatus.INVALID,
    GateStatus.UNDECIDED: BenchStatus.UNDECIDED,
}


def compare_files(
    base: Path,
    new: Path,
    fail_on: str | None,
    terminal: Terminal,
    *,
    is_strict: bool,
    allows_differences: bool,
) -> int:
    """Show it; return the exit status. Without conditions of the user's, nothing fails.

    Two results of different work are refused unless allows_differences.

    Raises:
        ConfigError: a file is no result, or a condition is none.
    """
    conditions = parse_conditions(fail_on or DEFAULT_CONDITIONS)
    found = gate(_read(base), _read(new), conditions, allows_differences=allows_differences)
    terminal.write_stdout(_table(found, terminal, has_gate=fail_on is not None))
    for words in _words(found, allows_differences=allows_differences):
        terminal.say(words)
    is_free = fail_on is None and not found.reasons
    is_lenient = found.status is GateStatus.UNDECIDED and not is_strict
    return ExitStatus.OK if is_free or is_lenient else _STATUSES[found.status]


def _words(found: GateResult, *, allows_differences: bool) -> Iterator[str]:
    """Say why it refuses, and what else must be known."""
    if found.status is GateStatus.NOT_COMPARABLE:
        yield "not compared, as the two are of different work:"
    elif found.reasons:
        yield "a measurement can't be believed:"
    yield from (f"  {reason}" for reason in found.reasons)
    if found.status is GateStatus.NOT_COMPARABLE and not allows_differences:
        yield "--allow-differences compares the load points that both have all the same"
    yield from (f"note: {note}" for note in found.notes)


def _read(path: Path) -> Comparable:
    try:
        return to_comparable(read_file(path))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _table(found: GateResult, terminal: Terminal, *, has_gate: bool) -> bytes:
    drawn = []
    for point in dict.fromkeys(one.point for one in found.rows):
        rows = [_ratio_row(one, has_gate=has_gate) for one in found.rows if one.point == point]
        drawn += ratio_rows(rows, ("base", "new"), terminal.size().columns, title=point)
    if has_gate:
        drawn.append(row(found.status.value))
    return to_stdout(drawn, terminal)


def _ratio_row(one: Row, *, has_gate: bool) -> RatioRow:
    return RatioRow(
        name=str(one.condition) if has_gate else one.condition.metric.label,
        first=one.base,
        second=one.new,
        change=None if one.ratio is None else one.ratio - 1,
        low=None if one.low is None else one.low - 1,
        high=None if one.high is None else one.high - 1,
        verdict=one.standing.value if has_gate else "",
    )
