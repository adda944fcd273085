"""Results and records as files: JSON, and JSON lines from which every figure is computed again.

Called by the command, which writes the bytes and has read them. Pure: bytes, no paths. Never reads
what a later version of tgicli wrote in another way: it says so instead. `to_csv` and `to_markdown`,
which nobody reads back, are in `sheets`.

A records file has one JSON object a line: what was measured with; then, for each load point, its
plan; for each repeat, what the attack told besides records; and its records. Fields that are at
their usual value are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import NamedTuple

from tgicli.bench.check import CheckResult
from tgicli.bench.comparable import Comparable, from_result
from tgicli.bench.counters import Counted
from tgicli.bench.foreign.tool import TOOLS, from_foreign
from tgicli.bench.json_value import read
from tgicli.bench.plan import Point
from tgicli.bench.record import Record
from tgicli.bench.recording import Measured, PointRun, Recording
from tgicli.bench.result import SCHEMA_VERSION, ClientHealth, Floor, Remark, Result, Setting
from tgicli.bench.slo import Slo
from tgicli.errors import ConfigError

_RESULT, _RECORDS = "tgicli bench result", "tgicli bench records"
_HEAD_BYTES = 300  # in which a file says what it is


def to_json(result: Result) -> bytes:
    """Write a result."""
    points = [asdict(point) | {"is_valid": point.is_valid} for point in result.points]
    document = {
        "kind": _RESULT,
        "schema_version": result.schema_version,
        "is_valid": result.is_valid,
        "setting": asdict(result.setting),
        "points": points,
        "check": _check(result.check),
    }
    return json.dumps(document, indent=2, allow_nan=False).encode() + b"\n"


def _check(check: CheckResult | None) -> Mapping[str, object] | None:
    return None if check is None else asdict(check) | {"is_sound": check.is_sound}


def from_json(data: bytes) -> Result:
    """Read a result.

    Raises:
        ConfigError: it is none, or a later version's; says what is wrong and where.
    """
    return _to_result(_parse(data, "the result"))


def _to_result(document: Mapping[str, object]) -> Result:
    _check_kind(document, _RESULT)
    return read(Result, document, "result")


def to_comparable(data: bytes) -> Comparable:
    """Read a result to be compared, ours or another load generator's.

    Raises:
        ConfigError: it is neither; says what is wrong.
    """
    documents = _parse_all(data)
    if "kind" in documents[0]:
        return from_result(_to_result(documents[0]))
    found = from_foreign(documents)
    if found is None:
        raise ConfigError(f"this is no result of tgicli bench, {TOOLS}")
    return found


def _parse_all(data: bytes) -> list[dict[str, object]]:
    """Read a JSON object, or one a line."""
    lines = [line for line in data.splitlines() if line.strip()]
    try:
        return [_parse(data, "the result")]
    except ConfigError:
        if len(lines) < 2:
            raise
    return [_parse(line, f"line {number}") for number, line in enumerate(lines, start=1)]


def to_lines(recording: Recording) -> bytes:
    """Write all records, and what else the result is computed from, as JSON lines."""
    lines = (json.dumps(line, allow_nan=False) for line in _lines(recording))
    return "".join(line + "\n" for line in lines).encode()


def is_records(data: bytes) -> bool:
    """Whether a file says of itself that it is what `to_lines` wrote."""
    return f'"{_RECORDS}"'.encode() in data[:_HEAD_BYTES]


def from_lines(data: bytes) -> Recording:
    """Read what `to_lines` wrote.

    Raises:
        ConfigError: it is not such a file, or a later version's; says which line.
    """
    lines = data.splitlines()
    if not lines:
        raise ConfigError("the records file is empty")
    head = _parse(lines[0], "line 1")
    _check_kind(head, _RECORDS)
    opening = read(_Head, head, "line 1")
    points = tuple(_read_points(enumerate(lines[1:], start=2)))
    return Recording(
        setting=opening.setting,
        slo=opening.slo,
        expects_cache=opening.expects_cache,
        check=opening.check,
        points=points,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """The first line."""

    setting: Setting
    slo: Slo | None = None
    expects_cache: bool = False
    check: CheckResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _PointLine:
    """What begins a load point."""

    point: Point
    floor: Floor | None = None
    remarks: tuple[Remark, ...] = ()
    n_around: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _RunLine:
    """What begins a repeat: a PointRun without its records."""

    warm_ns: int
    end_ns: int
    n_dropped: int
    n_late: int
    client: ClientHealth
    counted: Counted | None = None
    offsets_ns: tuple[int, ...] = ()


class _Line(NamedTuple):
    where: str
    kind: str  # "point", "run" or "record"
    value: object


def _lines(recording: Recording) -> Iterator[Mapping[str, object]]:
    yield {
        "kind": _RECORDS,
        "schema_version": SCHEMA_VERSION,
        "setting": asdict(recording.setting),
        "slo": None if recording.slo is None else asdict(recording.slo),
        "expects_cache": recording.expects_cache,
        "check": _check(recording.check),
    }
    for measured in recording.points:
        yield asdict(_point_line(measured))
        for run in measured.runs:
            yield {"run": asdict(_run_line(run))}
            yield from ({"record": _sparse(record)} for record in run.records)


def _point_line(measured: Measured) -> _PointLine:
    return _PointLine(
        point=measured.point,
        floor=measured.floor,
        remarks=measured.remarks,
        n_around=measured.n_around,
    )


def _run_line(run: PointRun) -> _RunLine:
    return _RunLine(
        warm_ns=run.warm_ns,
        end_ns=run.end_ns,
        n_dropped=run.n_dropped,
        n_late=run.n_late,
        client=run.client,
        counted=run.counted,
        offsets_ns=run.offsets_ns,
    )


def _sparse(record: Record) -> dict[str, object]:
    values = {field.name: (getattr(record, field.name), field.default) for field in fields(record)}
    return {
        name: value for name, (value, usual) in values.items() if usual is MISSING or value != usual
    }


def _read_points(lines: Iterable[tuple[int, bytes]]) -> Iterator[Measured]:
    """Put points, repeats and records back together, in the order in which they come."""
    measured: Measured | None = None
    run: _RunLine | None = None
    records: list[Record] = []
    for line in (_read_line(number, data) for number, data in lines):
        if line.kind != "record" and measured and run:
            measured, run, records = _with_run(measured, run, records), None, []
        match line.kind:
            case "point":
                if measured:
                    yield measured
                opening = read(_PointLine, line.value, line.where)
                measured = Measured(
                    point=opening.point,
                    runs=(),
                    floor=opening.floor,
                    remarks=opening.remarks,
                    n_around=opening.n_around,
                )
            case "run" if measured:
                run = read(_RunLine, line.value, line.where)
            case "record" if run:
                records.append(read(Record, line.value, line.where))
            case _:
                raise ConfigError(f"{line.where}: a {line.kind} before what it belongs to")
    if measured:
        yield _with_run(measured, run, records) if run else measured


def _with_run(measured: Measured, run: _RunLine, records: Iterable[Record]) -> Measured:
    values = {field.name: getattr(run, field.name) for field in fields(run)}
    whole = PointRun(records=tuple(records), **values)
    return replace(measured, runs=(*measured.runs, whole))


def _read_line(number: int, data: bytes) -> _Line:
    where = f"line {number}"
    document = _parse(data, where)
    for kind in ("record", "run", "point"):
        if kind in document:
            return _Line(where, kind, document if kind == "point" else document[kind])
    raise ConfigError(f"{where} is neither a point, a run nor a record")


def _parse(data: bytes, where: str) -> dict[str, object]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{where} is not a JSON object")
    return document


def _check_kind(document: Mapping[str, object], kind: str) -> None:
    if document.get("kind") != kind:
        raise ConfigError(f"this is no file of {kind}s: its kind is {document.get('kind')!r}")
    version = document.get("schema_version")
    if not isinstance(version, int) or version < 1:
        raise ConfigError(f"schema_version must be a number from 1, got {version!r}")
    if version > SCHEMA_VERSION:
        raise ConfigError(
            f"the file has schema_version {version}, and this tgicli reads up to {SCHEMA_VERSION}:"
            " use a later tgicli"
        )
