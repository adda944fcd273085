"""`tgicli config`: what every option is set to, and where.

Called by `app` on the main thread. Asks Click and the file exactly as the commands do, so it can't
tell another story than they.
"""

from __future__ import annotations

import difflib
import enum
import json as jsonlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from tgicli.cli.command import (
    VARIABLE_PREFIX,
    CommandChecks,
    Option,
    check_file,
    chosen_profile,
    file_settings,
    options_of,
)
from tgicli.cli.help import shown_value
from tgicli.cli.precedence import FILE, PROFILE, VARIABLE, Defaults, rank_of
from tgicli.config import PATH_VARIABLE, PROFILES, ConfigFile, config_path, read_config
from tgicli.errors import ConfigError

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
    origin: str  # `environment`, `profile`, `file` or `default`
    place: str | None  # the variable, or `file:line`
    profile: str | None  # that holds for the command


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
    command, those below `[generate]` for `tgicli generate` alone. Those below `[profiles.work]`
    hold, and win over both, with --profile work or TGICLI_PROFILE=work.
    """
    if ctx.invoked_subcommand is not None:
        return
    root, terminal = ctx.find_root(), ctx.obj.terminal
    check_file(ctx)
    states = list(_states(root))
    profile = _common_profile(states)
    shown = _to_json(states, profile) if json else _to_table(states, profile)
    terminal.write_stdout(shown.encode(errors="surrogateescape"))
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


@app.command("profiles")
def profiles(
    ctx: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
    names: Annotated[bool, typer.Option("--names", help="The names alone, one a line.")] = False,
) -> None:
    """Show the profiles, and what each one sets.

    \b
    Examples:
      tgicli config profiles
      tgicli chat --profile work
    """
    file = read_config()
    if file is None or not file.profiles:
        raise ConfigError(
            f"there is no profile; write [{PROFILES}.NAME] into {config_path()}, and options below"
        )
    if names:
        ctx.obj.terminal.write_stdout("".join(f"{name}\n" for name in file.profiles).encode())
        return
    checks = CommandChecks(ctx.find_root())
    found = {name: list(_profile(name, file, checks)) for name in file.profiles}
    chosen = _common_profile(_states(ctx.find_root()))
    shown = _profiles_to_json(found, chosen) if json else _profiles_to_table(found, chosen)
    ctx.obj.terminal.write_stdout(shown.encode(errors="surrogateescape"))


def _profile(name: str, file: ConfigFile, checks: CommandChecks) -> Iterator[State]:
    """Yield what a profile sets; keys and passwords as `***`."""
    for option, setting in file.profile(name, checks).items():
        check = next(found[option] for found in checks.values() if option in found)
        value = shown_value(option, check(setting.value))
        yield State(
            command="",
            option=option.replace("_", "-"),
            value=value,
            text=_spelled_value(value),
            origin="profile",
            place=setting.place,
            profile=name,
        )


def _profiles_to_json(profiles: dict[str, list[State]], chosen: str | None) -> str:
    tables = {
        name: {s.option: {"value": s.value, "place": s.place} for s in states}
        for name, states in profiles.items()
    }
    found = {"file": str(config_path()), "profile": chosen, "profiles": tables}
    return jsonlib.dumps(found, indent=2, default=_plain) + "\n"


def _profiles_to_table(profiles: dict[str, list[State]], chosen: str | None) -> str:
    lines = [f"# {config_path()}"]
    states = [state for of_profile in profiles.values() for state in of_profile]
    widths = _widths(states)
    for name, of_profile in profiles.items():
        lines += ["", f"{name} (chosen)" if name == chosen else name]
        lines += [_row(state, widths) for state in of_profile]
    return "\n".join(lines) + "\n"


def _states(root: Context) -> Iterator[State]:
    for command, ctx in _leaves(root.command, root):
        profile = _profile_of(ctx)
        file = file_settings(ctx, profile)
        ctx.default_map = Defaults(file)
        for option in options_of(command):
            if option.is_setting and not option.is_eager:
                place = file[option.name].place if option.name in file else None
                yield _state(option, ctx, place, profile)


def _profile_of(ctx: Context) -> str | None:
    """Return the profile that holds for a command: the chosen one, or what the file says of it."""
    chosen = chosen_profile(ctx)
    said = file_settings(ctx, chosen).get("profile")
    return chosen if chosen or said is None else str(said.value) or None


def _common_profile(states: Iterable[State]) -> str | None:
    """Return the profile that holds for every command; None: there is no such."""
    names = {state.profile for state in states}
    return names.pop() if len(names) == 1 else None


def _leaves(command: Command, ctx: Context) -> Iterator[tuple[Command, Context]]:
    """Yield each command without sub-commands, with a context in which nothing was typed."""
    if not isinstance(command, TyperGroup):
        yield command, ctx
        return
    for name in command.list_commands(ctx):
        child = command.get_command(ctx, name)
        assert child is not None
        yield from _leaves(child, child.context_class(child, parent=ctx, info_name=name))


def _state(option: Option, ctx: Context, place: str | None, profile: str | None) -> State:
    option.handle_parse_result(ctx, {}, [])
    value = shown_value(option.name, ctx.params[option.name])
    rank = rank_of(ctx, option.name)
    origin, where = {
        VARIABLE: ("environment", str(option.envvar)),
        PROFILE: ("profile", place),
        FILE: ("file", place),
    }.get(rank, ("default", None))
    return State(
        command=ctx.command_path.partition(" ")[2],
        option=option.flag.removeprefix("--"),
        value=value,
        text=_spelled(option, value),
        origin=origin,
        place=where,
        profile=profile,
    )


def _spelled(option: Option, value: object) -> str:
    """Spell a value about as the file does; in brackets what holds without one."""
    if value in (None, [], ()):
        return f"({option.show_default})" if isinstance(option.show_default, str) else "-"
    return _spelled_value(value)


def _spelled_value(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case list() | tuple():
            return ", ".join(map(str, value))
        case str():
            return value.replace("\n", "\\n")
        case _:
            return _plain(value)


def _to_json(states: list[State], profile: str | None) -> str:
    commands: dict[str, dict[str, object]] = {}
    for state in states:
        commands.setdefault(state.command, {})[state.option] = {
            "value": state.value,
            "origin": state.origin,
            "place": state.place,
        }
    path = config_path()
    found = {
        "file": str(path),
        "exists": path.exists(),
        "profile": profile,
        "commands": commands,
    }
    return jsonlib.dumps(found, indent=2, default=_plain) + "\n"


def _plain(value: object) -> str:
    """Spell a value that JSON has no word for, such as a path."""
    return str(value.value if isinstance(value, enum.Enum) else value)


def _to_table(states: list[State], profile: str | None) -> str:
    path = config_path()
    lines = [f"# {path}{'' if path.exists() else ' does not exist'}"]
    lines += [] if profile is None else [f"# profile {profile}"]
    widths = _widths(states)
    command = None
    for state in states:
        if state.command != command:
            command = state.command
            lines += ["", command]
        lines.append(_row(state, widths))
    return "\n".join(lines) + "\n"


def _widths(states: list[State]) -> tuple[int, int]:
    options, texts = [len(s.option) for s in states], [len(s.text) for s in states]
    return max(options, default=0), max(texts, default=0)


def _row(state: State, widths: tuple[int, int]) -> str:
    place = state.place or state.origin
    return f"  {state.option:{widths[0]}}  {state.text:{widths[1]}}  {place}"


def _unknown_variables(root: Context) -> Iterator[str]:
    known = {PATH_VARIABLE}
    for command, _ in _leaves(root.command, root):
        known |= {str(option.envvar) for option in options_of(command) if option.is_setting}
    for name in sorted(name for name in os.environ if name.startswith(VARIABLE_PREFIX)):
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            yield f"warning: no option is set by {name}{hint}"
