"""`tgicli config`: what every option is set to, and where.

Called by `app` on the main thread. Asks Click and the file exactly as the commands do, so it can't
tell another story than they.
"""

from __future__ import annotations

import difflib
import enum
import json as jsonlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from tgicli.cli.command import (
    FILE,
    VARIABLE,
    VARIABLE_PREFIX,
    Option,
    file_settings,
    options_of,
    rank_of,
)
from tgicli.config import PATH_VARIABLE, config_path

if TYPE_CHECKING:  # the Click inside Typer: needed to spell signatures, never imported
    from typer._click.core import Command, Context

app = typer.Typer(add_completion=False, rich_markup_mode=None, invoke_without_command=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One option of one command."""

    command: str  # e.g. `models pull`
    option: str  # e.g. `top-k`
    value: object
    text: str  # the value for people
    origin: str  # `environment`, `file` or `default`
    place: str | None  # the variable, or `file:line`


@app.callback()
def config(
    ctx: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Show what every option is set to, and where.

    \b
    Examples:
      tgicli config
      tgicli config --json
      ${EDITOR:-vi} "$(tgicli config path)"

    That is a variable's name, a line of the configuration file, or the default. A flag wins over a
    variable, and that over the file. The file is TOML: lines above the first table are for every
    command, those below `[generate]` for `tgicli generate` alone.
    """
    if ctx.invoked_subcommand is not None:
        return
    root, terminal = ctx.find_root(), ctx.obj.terminal
    states = list(_states(root))
    terminal.write_stdout((_to_json(states) if json else _to_table(states)).encode())
    for warning in _unknown_variables(root):
        terminal.say(warning)


@app.command("path")
def path(ctx: typer.Context) -> None:
    """Print the configuration file's path, whether there is one or not.

    \b
    Examples:
      ${EDITOR:-vi} "$(tgicli config path)"
    """
    ctx.obj.terminal.write_stdout(os.fsencode(config_path()) + b"\n")


def _states(root: Context) -> Iterator[State]:
    for command, ctx in _leaves(root.command, root):
        file = file_settings(ctx)
        ctx.default_map = {name: found.value for name, found in file.items()}
        for option in options_of(command):
            if option.is_setting and not option.is_eager:
                place = file[option.name].place if option.name in file else None
                yield _state(option, ctx, place)


def _leaves(command: Command, ctx: Context) -> Iterator[tuple[Command, Context]]:
    """Yield each command without sub-commands, with a context in which nothing was typed."""
    if not isinstance(command, TyperGroup):
        yield command, ctx
        return
    for name in command.list_commands(ctx):
        child = command.get_command(ctx, name)
        assert child is not None
        yield from _leaves(child, child.context_class(child, parent=ctx, info_name=name))


def _state(option: Option, ctx: Context, place: str | None) -> State:
    option.handle_parse_result(ctx, {}, [])
    value, rank = ctx.params[option.name], rank_of(ctx, option.name)
    origin, where = {
        VARIABLE: ("environment", str(option.envvar)),
        FILE: ("file", place),
    }.get(rank, ("default", None))
    return State(
        command=ctx.command_path.partition(" ")[2],
        option=option.flag.removeprefix("--"),
        value=value,
        text=_spelled(option, value),
        origin=origin,
        place=where,
    )


def _spelled(option: Option, value: object) -> str:
    """Spell a value about as the file does; in brackets what holds without one."""
    match value:
        case None | [] | ():
            return f"({option.show_default})" if isinstance(option.show_default, str) else "-"
        case bool():
            return str(value).lower()
        case list() | tuple():
            return ", ".join(map(str, value))
        case _:
            return _plain(value)


def _to_json(states: list[State]) -> str:
    commands: dict[str, dict[str, object]] = {}
    for state in states:
        commands.setdefault(state.command, {})[state.option] = {
            "value": state.value,
            "origin": state.origin,
            "place": state.place,
        }
    path = config_path()
    found = {"file": str(path), "exists": path.exists(), "commands": commands}
    return jsonlib.dumps(found, indent=2, default=_plain) + "\n"


def _plain(value: object) -> str:
    """Spell a value that JSON has no word for, such as a path."""
    return str(value.value if isinstance(value, enum.Enum) else value)


def _to_table(states: list[State]) -> str:
    path = config_path()
    lines = [f"# {path}{'' if path.exists() else ' does not exist'}"]
    widths = [max(len(getattr(s, column)) for s in states) for column in ("option", "text")]
    command = None
    for state in states:
        if state.command != command:
            command = state.command
            lines += ["", command]
        place = state.place or state.origin
        lines.append(f"  {state.option:{widths[0]}}  {state.text:{widths[1]}}  {place}")
    return "\n".join(lines) + "\n"


def _unknown_variables(root: Context) -> Iterator[str]:
    known = {PATH_VARIABLE}
    for command, _ in _leaves(root.command, root):
        known |= {str(option.envvar) for option in options_of(command) if option.is_setting}
    for name in sorted(name for name in os.environ if name.startswith(VARIABLE_PREFIX)):
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            yield f"warning: no option is set by {name}{hint}"
