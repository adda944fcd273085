"""The help pages: usage, what it does, examples, then options in their groups.

Called by `command` on the main thread. Plain text: with Rich, a page would take twice as long.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from typer.core import TyperArgument, TyperGroup, TyperOption

if TYPE_CHECKING:  # the Click inside Typer: needed to spell signatures, never imported
    from typer._click.core import Command, Context, Parameter
    from typer._click.formatting import HelpFormatter

ARGUMENTS, OPTIONS = "Arguments", "Options"  # the groups of what names none
_SECRETS = frozenset({"api_key", "connect_key", "header"})  # options, as the file may set them
_ADDRESSES = frozenset({"endpoint", "connect", "vs"})
MAX_NAME_WIDTH = 26  # of the first column; a longer name gets a line of its own


def write_help(command: Command, ctx: Context, formatter: HelpFormatter) -> None:
    """Write a command's help page."""
    command.format_usage(ctx, formatter)
    command.format_help_text(ctx, formatter)
    groups = {
        title: [record for param in params if (record := _record(param, ctx))]
        for title, params in _grouped(command.get_params(ctx)).items()
    }
    names = [name for records in groups.values() for name, _ in records]
    width = min(max(map(len, names)), MAX_NAME_WIDTH)
    for title, records in groups.items():
        if records:
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in records], width)
    if isinstance(command, TyperGroup):
        command.format_commands(ctx, formatter)
    if command.epilog:
        formatter.write(f"\n{command.epilog}\n")


def _grouped(params: list[Parameter]) -> dict[str, list[Parameter]]:
    """Sort parameters into titled groups, in their order; those without a group come last."""
    groups: dict[str, list[Parameter]] = {}
    for param in params:
        groups.setdefault(_title(param), []).append(param)
    rest = groups.pop(OPTIONS, [])
    return {**groups, OPTIONS: rest}


def _title(param: Parameter) -> str:
    if isinstance(param, TyperOption):
        return param.rich_help_panel or OPTIONS
    return ARGUMENTS


def _record(param: Parameter, ctx: Context) -> tuple[str, str] | None:
    """Return a parameter's name and what it does; None when it is hidden."""
    record = param.get_help_record(ctx)
    if record is None:
        return None
    if isinstance(param, TyperArgument):
        return param.get_usage_pieces(ctx)[0], param.help or ""
    assert isinstance(param, TyperOption)
    default = _default(param, ctx)
    return record[0], f"{param.help or ''}  [{default}]" if default else param.help or ""


def shown_value(option: str, value: object) -> object:
    """Return a value without the password that an address may have."""
    if option not in _ADDRESSES or not isinstance(value, str):
        return value
    from tgicli.backends.endpoint import shown_url

    return shown_url(value)


def _default(option: TyperOption, ctx: Context) -> str:
    """Say what holds when the flag is not given: what the file says, or what is built in."""
    value = shown_value(option.name, option.get_default(ctx))
    match value:
        case _ if value and option.name in _SECRETS:
            return "***"
        case None | () | []:
            return option.show_default if isinstance(option.show_default, str) else ""
        case bool() if option.secondary_opts:
            return (option.opts if value else option.secondary_opts)[0]
        case bool():
            return option.opts[0] if value else ""
        case enum.Enum():
            return str(value.value)
        case list() | tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value)
