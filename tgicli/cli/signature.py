"""Write a command's options as a dataclass, and let Typer see them as a function's parameters.

Used by the command modules when they are imported. A field made by `option` is an option with the
field's name, type and default, one made by `argument` is an argument. A field whose type is a
dataclass stands for that one's fields, so that commands share groups of options. `tuple[X, ...]` is
a repeatable option.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import types
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Annotated, Any, TypeGuard, TypeVar, get_args, get_origin, get_type_hints

import typer

_DECLARATION = "typer"  # the metadata's key
_Flags = TypeVar("_Flags")
_Value = TypeVar("_Value")


def option(
    default: _Value,
    *flags: str,
    panel: str,
    help: str,
    metavar: str | None = None,
    default_text: str | bool = True,  # what holds without a value, in words
    least: float | None = None,
    most: float | None = None,
    parser: Callable[[object], object] | None = None,
) -> _Value:
    """Declare an option. Without flags, its name is the field's."""
    declared = typer.Option(
        *flags,
        rich_help_panel=panel,
        help=help,
        metavar=metavar,
        show_default=default_text,
        min=least,
        max=most,
        parser=parser,
    )
    return dataclasses.field(default=default, metadata={_DECLARATION: declared})


def argument(
    default: _Value, *, metavar: str, help: str, parser: Callable[[object], object] | None = None
) -> _Value:
    """Declare an argument."""
    declared = typer.Argument(metavar=metavar, help=help, show_default=False, parser=parser)
    return dataclasses.field(default=default, metadata={_DECLARATION: declared})


def takes(
    kind: type[_Flags],
) -> Callable[[Callable[[typer.Context, _Flags], None]], Callable[..., None]]:
    """Make a command of a function that takes its flags as one value."""
    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    signature = inspect.Signature([context, *_parameters(kind)])

    def decorate(function: Callable[[typer.Context, _Flags], None]) -> Callable[..., None]:
        def command(*, ctx: typer.Context, **values: object) -> None:
            function(ctx, _build(kind, values))

        command.__name__, command.__doc__ = function.__name__, function.__doc__
        command.__annotations__ = {name: p.annotation for name, p in signature.parameters.items()}
        command.__dict__["__signature__"] = signature  # what inspect.signature looks at first
        return command

    return decorate


def _parameters(kind: type[object]) -> Iterator[inspect.Parameter]:
    for field, hint in _fields(kind):
        if _is_group(hint):
            yield from _parameters(hint)
        else:
            declared = field.metadata[_DECLARATION]
            yield inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=Annotated[(_as_list(hint), declared)],
            )


def _build(kind: type[_Flags], values: Mapping[str, Any]) -> _Flags:
    return kind(**{field.name: _value(field.name, hint, values) for field, hint in _fields(kind)})


def _value(name: str, hint: object, values: Mapping[str, Any]) -> object:
    if _is_group(hint):
        return _build(hint, values)
    return tuple(values[name] or ()) if _is_repeatable(hint) else values[name]


def _fields(kind: type[object]) -> Iterator[tuple[dataclasses.Field[Any], object]]:
    assert dataclasses.is_dataclass(kind)
    hints = _hints(kind)
    return ((field, hints[field.name]) for field in dataclasses.fields(kind))


@functools.cache
def _hints(kind: Hashable) -> dict[str, object]:
    return get_type_hints(kind)


def _is_group(hint: object) -> TypeGuard[type[object]]:
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


def _is_repeatable(hint: object) -> bool:
    return get_origin(hint) is tuple


def _as_list(hint: object) -> object:
    """Spell `tuple[X, ...]` as Typer does, which takes it for a pair."""
    return types.GenericAlias(list, get_args(hint)[:1]) if _is_repeatable(hint) else hint
