"""Turn plain JSON values back into our own values, checked by the types these declare.

Called by files. Pure. Never guesses: a value that does not fit is named by its place in the file.
Fields that a type does not have are passed over, since a later version may add some.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import TypeVar, get_args, get_origin, get_type_hints

from tgicli.errors import ConfigError

T = TypeVar("T")


def read(kind: type[T], value: object, where: str) -> T:
    """Return a value of this type. Raises ConfigError, which names the place."""
    made = _read(kind, value, where)
    assert isinstance(made, kind)
    return made


def _read(kind: object, value: object, where: str) -> object:
    origin = get_origin(kind)
    if isinstance(kind, UnionType):
        return _read_union(kind, value, where)
    if origin is tuple:
        return _read_tuple(kind, value, where)
    if origin is Mapping:
        return _read_mapping(kind, value, where)
    assert isinstance(kind, type)
    if dataclasses.is_dataclass(kind):
        return _read_fields(kind, value, where)
    if issubclass(kind, tuple):
        return _read_named(kind, value, where)
    return _read_plain(kind, value, where)


def _read_plain(kind: type, value: object, where: str) -> object:
    if issubclass(kind, enum.Enum):
        try:
            return kind(value)
        except ValueError:
            known = ", ".join(str(member.value) for member in kind)
            raise ConfigError(f"{where} must be one of {known}, got {value!r}") from None
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
        raise _misfit(where, kind.__name__, value)
    return value


def _read_union(kind: UnionType, value: object, where: str) -> object:
    members = [member for member in get_args(kind) if member is not NoneType]
    if value is None and len(members) < len(get_args(kind)):
        return None
    fitting = (member for member in members if _looks_like(member, value))
    return _read(next(fitting, members[0]), value, where)


def _looks_like(kind: object, value: object) -> bool:
    if isinstance(value, dict):
        return _has_fields(kind, value)
    return type(value) is kind or (isinstance(value, list) and get_origin(kind) is tuple)


def _has_fields(kind: object, value: Mapping[str, object]) -> bool:
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        return False
    return all(field.name in value for field in dataclasses.fields(kind) if _is_needed(field))


def _is_needed(field: dataclasses.Field[object]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _read_fields(kind: type, value: object, where: str) -> object:
    if not isinstance(value, dict):
        raise _misfit(where, "an object", value)
    hints = _hints(kind)
    fields = dataclasses.fields(kind)
    for field in fields:
        if field.name not in value and _is_needed(field):
            raise ConfigError(f"{where} has no {field.name!r}")
    return kind(
        **{
            field.name: _read(hints[field.name], value[field.name], f"{where}.{field.name}")
            for field in fields
            if field.name in value
        }
    )


def _read_named(kind: type, value: object, where: str) -> object:
    """A named tuple, written as a list."""
    hints = _hints(kind)
    if isinstance(value, list) and tuple(map(type, value)) == tuple(hints.values()):
        return kind(*value)  # there may be a hundred thousand
    if not isinstance(value, list) or len(value) != len(hints):
        raise _misfit(where, f"a list of {len(hints)}", value)
    parts = zip(hints.items(), value, strict=True)
    return kind(*(_read(hint, part, f"{where}.{name}") for (name, hint), part in parts))


def _read_tuple(kind: object, value: object, where: str) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise _misfit(where, "a list", value)
    (member, *_) = get_args(kind)
    return tuple(_read(member, part, f"{where}[{k}]") for k, part in enumerate(value))


def _read_mapping(kind: object, value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _misfit(where, "an object", value)
    _, member = get_args(kind)
    return {str(name): _read(member, part, f"{where}.{name}") for name, part in value.items()}


@cache
def _hints(kind: type) -> Mapping[str, object]:
    return get_type_hints(kind)


def _misfit(where: str, wanted: str, value: object) -> ConfigError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return ConfigError(f"{where} must be {wanted}, got {shown}")
