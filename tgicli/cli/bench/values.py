"""Values of bench's options: lists of loads, and times.

Used by `flags`, as parsers: they take a flag's word, a variable's or the file's TOML, and raise
ValueError. Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST_FIRST = sorted(_UNITS, key=len, reverse=True)


@dataclass(frozen=True, slots=True)
class Counts:
    """Whole numbers with commas between them."""

    values: tuple[int, ...]

    def __str__(self) -> str:
        return ",".join(map(str, self.values))


@dataclass(frozen=True, slots=True)
class Rates:
    """Requests a second, with commas between them."""

    values: tuple[float, ...]

    def __str__(self) -> str:
        return ",".join(f"{value:g}" for value in self.values)


@dataclass(frozen=True, slots=True)
class Seconds:
    """A time."""

    value: float

    def __str__(self) -> str:
        return f"{self.value:g}s"


@dataclass(frozen=True, slots=True)
class Warmup:
    """How long to warm up; None: as long as the load wants."""

    seconds: float | None

    def __str__(self) -> str:
        return "auto" if self.seconds is None else f"{self.seconds:g}s"


def parse_counts(value: object) -> Counts:
    """Read `1,8,32`, or a list. Raises ValueError."""
    if isinstance(value, Counts):
        return value
    try:
        counts = tuple(int(item) for item in _items(value))
    except ValueError:
        counts = ()
    if not counts or min(counts) < 1:
        raise ValueError("must be whole numbers >= 1, such as 1,8,32")
    _check_different(Counts(counts))
    return Counts(counts)


def parse_rates(value: object) -> Rates:
    """Read `0.5,2,4`, or a list. Raises ValueError."""
    if isinstance(value, Rates):
        return value
    try:
        rates = tuple(float(item) for item in _items(value))
    except ValueError:
        rates = ()
    if not rates or not all(0 < rate < math.inf for rate in rates):
        raise ValueError("must be requests a second > 0, such as 0.5,2,4")
    _check_different(Rates(rates))
    return Rates(rates)


def _check_different(loads: Counts | Rates) -> None:
    """Refuse two load points of one name."""
    names = str(loads).split(",")
    if len(set(names)) < len(names):
        raise ValueError("must all be different; --repeat N measures each N times")


def _items(value: object) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]
    return str(value).split(",")


def parse_seconds(value: object) -> Seconds:
    """Read `30`, `30s`, `500ms` or `2m`. Raises ValueError."""
    return value if isinstance(value, Seconds) else Seconds(_seconds(value))


def _seconds(value: object) -> float:
    text = str(value).strip()
    unit = next((unit for unit in _LONGEST_FIRST if text.endswith(unit)), "")
    try:
        seconds = float(text.removesuffix(unit)) * _UNITS.get(unit, 1.0)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError("must be a time > 0, such as 30s, 500ms or 2m")
    return seconds


def parse_warmup(value: object) -> Warmup:
    """Read `auto`, `0` or a time. Raises ValueError."""
    if isinstance(value, Warmup):
        return value
    if value == "auto":
        return Warmup(None)
    if str(value).strip() in ("0", "0s", "0.0"):
        return Warmup(0.0)
    try:
        return Warmup(_seconds(value))
    except ValueError:
        raise ValueError("must be auto, 0 or a time such as 10s") from None
