"""Which values an option takes: one rule for a flag's word, a variable's and the file's TOML.

Called by `command` on the main thread; pure. A check returns the value as the command wants it, or
raises ValueError with what is allowed (`must be ...`).
"""

from __future__ import annotations

import contextlib
import enum
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, cast, get_args, get_origin

from tgicli.config import Check

if TYPE_CHECKING:
    from typer._coercion import TypeDescriptor
    from typer.models import ParameterInfo

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_Number = TypeVar("_Number", int, float)


def check_of(kind: TypeDescriptor) -> Check | None:
    """Return the check for an option's type; None leaves it to Typer."""
    annotation = get_args(kind.annotation)[0] if kind.is_list else kind.annotation
    parser = cast("Check | None", kind.parameter_info.parser)  # ours take a TOML value, too
    check = parser or _check_one(annotation, kind.parameter_info)
    if check is None or not kind.is_list:
        return check
    return lambda value: check_each(value, check)


def _check_one(annotation: object, info: ParameterInfo) -> Check | None:
    if get_origin(annotation) is Literal:
        words = {str(word): word for word in get_args(annotation)}
        return lambda value: check_choice(value, words)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        members = {str(member.value): member for member in annotation}
        return lambda value: check_choice(value, members)
    if annotation is int:
        return lambda value: check_range(check_int(value), info.min, info.max)
    if annotation is float:
        return lambda value: check_range(check_float(value), info.min, info.max)
    return _PLAIN.get(annotation)


def check_each(value: object, check: Check) -> list[object]:
    """Check a repeatable option's values; one word alone is a list of one."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return [check(item) for item in values]


def check_choice(value: object, choices: Mapping[str, object]) -> object:
    """Check one of a few words."""
    if isinstance(value, str) and value in choices:
        return choices[value]
    if value in choices.values():  # a default
        return value
    raise ValueError(f"must be {_either(list(choices))}")


def _either(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def check_text(value: object) -> str:
    """Check a string; what the shell gave as other bytes can be sent to nobody."""
    text = check_name(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be UTF-8") from None
    return text


def check_name(value: object) -> str:
    """Check a string that may be a file's name, and so any bytes."""
    if not isinstance(value, str):
        raise ValueError("must be a string")
    return value


def check_path(value: object) -> Path:
    """Check a path; whether it exists is its user's business."""
    if not isinstance(value, (str, Path)) or not str(value):
        raise ValueError("must be a path")
    return Path(value)


def check_bool(value: object) -> bool:
    """Check a truth value; as words also yes, on and 1."""
    word = value.strip().lower() if isinstance(value, str) else value
    if isinstance(word, bool):
        return word
    if word not in (*_TRUE, *_FALSE):
        raise ValueError("must be true or false")
    return word in _TRUE


def check_int(value: object) -> int:
    """Check a whole number; 1.5 is none, and neither is true."""
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):
            return int(value)
    raise ValueError("must be a whole number")


def check_float(value: object) -> float:
    """Check a number; NaN is none."""
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):
            number = float(value)
            if not math.isnan(number):
                return number
    raise ValueError("must be a number")


def check_range(value: _Number, least: float | None, most: float | None = None) -> _Number:
    """Check a number's bounds, where it has any."""
    if least is not None and value < least:
        raise ValueError(f"must be >= {least:g}")
    if most is not None and value > most:
        raise ValueError(f"must be <= {most:.15g}")
    return value


_PLAIN: Mapping[object, Check] = {str: check_text, Path: check_path, bool: check_bool}
