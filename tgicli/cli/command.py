"""How tgicli's commands and options behave, where Typer would do otherwise.

Typer reads the functions' signatures; then `adopt` takes its finished commands over, so that
    every option has a variable TGICLI_<NAME>, and the configuration file for its defaults
    values are converted without pydantic, whose import takes as long as Typer's
    a bad one is reported with the flag, the variable or the line that it came from
Where a value comes from is Click's decision: envvar, default_map, get_parameter_source.
Used on the main thread. Knows no command by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar, cast

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from tgicli.cli.help import write_help
from tgicli.cli.precedence import VARIABLE, Defaults, is_flag, rank_of
from tgicli.cli.value import check_of
from tgicli.config import Check, Checks, Setting, config_path, read_config
from tgicli.errors import ConfigError, ExitStatus

if TYPE_CHECKING:  # the Click inside Typer: needed to spell signatures, never imported
    from typer._click.core import Command as ClickCommand
    from typer._click.core import Context, Parameter
    from typer._click.formatting import HelpFormatter

VARIABLE_PREFIX = "TGICLI_"
_CHOSEN = "tgicli.profile"  # in a context's meta: the profile's name
_BROKEN = "tgicli.broken"  # in a context's meta: what is wrong with the file
_GOES_ON = "_goes_on_beside_a_broken_file"  # of a command's function
_Made = TypeVar("_Made")


class Option(TyperOption):
    """A flag that can also be set by its variable or in the file."""

    @property
    def is_setting(self) -> bool:
        """Whether it has a value to set, unlike --help and --version, which are deeds."""
        return self.envvar is not None

    @property
    def flag(self) -> str:
        """Its long name, e.g. `--top-k`."""
        return max(self.opts, key=len)

    def process_value(self, ctx: Context, value: object) -> object:
        """Check a value, wherever it came from, and pass it to the option's callback.

        Raises:
            ConfigError: it is not allowed; the message begins with the flag or variable.
        """
        return _process(self, ctx, value, super().process_value)

    def value_from_envvar(self, ctx: Context) -> str | list[str] | None:
        """Return the variable's value, whole: Click would split a repeatable option's at spaces."""
        value = self.resolve_envvar_value(ctx)
        return [value] if value is not None and self.multiple else value

    def as_written(self, ctx: Context, value: object) -> str:
        """Spell it with a value, as somebody wrote it."""
        if rank_of(ctx, self.name) == VARIABLE:
            return f"{self.envvar}={_words(value)}"
        return f"{self.flag} {_words(value)}"


class Argument(TyperArgument):
    """A word on the command line that is no flag."""

    @property
    def label(self) -> str:
        """Its name on the help page, e.g. `FILE...`."""
        return (self.metavar or self.name.upper()) + ("" if self.nargs == 1 else "...")

    def get_usage_pieces(self, ctx: Context) -> list[str]:
        """Return its place in the usage line."""
        return [self.label if self.required else f"[{self.label}]"]

    def process_value(self, ctx: Context, value: object) -> object:
        """Check a value, and pass it to the argument's callback.

        Raises:
            ConfigError: it is not allowed; the message begins with the label.
        """
        return _process(self, ctx, value, super().process_value)

    def as_written(self, ctx: Context, value: object) -> str:
        """Spell it with a value."""
        return f"{self.label} {_words(value)}"


def _process(
    param: Option | Argument,
    ctx: Context,
    value: object,
    by_typer: Callable[[Context, object], object],
) -> object:
    """Check a value by our rules, or by Typer's where we have none or nothing is there."""
    check = check_of(param.type_descriptor)
    if check is None or (param.required and value in (None, (), [])):
        return by_typer(ctx, value)
    try:
        checked = None if value is None else check(value)
    except ValueError as error:
        raise ConfigError(f"{param.as_written(ctx, value)}: {error}") from None
    return checked if param.callback is None else param.callback(ctx, param, checked)


def _words(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


class Command(TyperCommand):
    """A command whose options default to what the configuration file says."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the file, then the flags. With a broken file, --help still works.

        Raises:
            ConfigError: the file is wrong, and the command does not go on beside it.
        """
        try:
            ctx.default_map = Defaults(file_settings(ctx, chosen_profile(ctx)))
        except ConfigError as error:
            rest = self._parse_flags(ctx, args)
            if not hasattr(self.callback, _GOES_ON):
                raise
            ctx.meta[_BROKEN] = error
            return rest
        return self._parse_flags(ctx, args)

    def _parse_flags(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the flags; an error knows whose they are, where Click would name the group."""
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            if getattr(error, "ctx", ctx) is None:
                vars(error)["ctx"] = ctx
            raise

    def get_help_option(self, ctx: Context) -> TyperOption | None:
        """Return --help, adopted; always the same one, as Click asks."""
        self._help_option = _adopt_help(super().get_help_option(ctx))
        return self._help_option

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the help page."""
        write_help(self, ctx, formatter)


class Group(TyperGroup):
    """A command with sub-commands. Its own options are not in the configuration file."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the flags; without any word where one is needed, show what there is."""
        if not args and not self.invoke_without_command:
            ctx.obj.terminal.write_stderr(f"{ctx.get_help()}\n".encode())
            raise typer.Exit(ExitStatus.USAGE)
        return super().parse_args(ctx, args)

    def get_help_option(self, ctx: Context) -> TyperOption | None:
        """Return --help, adopted; always the same one, as Click asks."""
        self._help_option = _adopt_help(super().get_help_option(ctx))
        return self._help_option

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the help page."""
        write_help(self, ctx, formatter)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the list of sub-commands, with all of what they do."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [
            (name, one.get_short_help_str(200)) for name, one in found if one and not one.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class DefaultGroup(Group):
    """A group that means one of its commands where the first word names none."""

    default: str  # its name

    @property
    def meant(self) -> Command:
        """The command that is meant."""
        return cast("Command", self.commands[self.default])

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the flags; put the name there where it was left out."""
        names = {*self.commands, *ctx.help_option_names}
        if not args or args[0] not in names:
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the page of the command that is meant, and what others there are."""
        meant = self.meant
        page = meant.context_class(meant, parent=ctx.parent, info_name=ctx.info_name)
        write_help(meant, page, formatter)
        self.format_commands(ctx, formatter)
        if self.epilog:
            formatter.write(f"\n{self.epilog}\n")


def adopt(command: ClickCommand, everywhere: Iterable[Option] = ()) -> Command | Group:
    """Turn what Typer made into a Command or Group, with its parameters and sub-commands.

    everywhere are options that each command gets, e.g. --traceback.
    """
    params: list[Parameter] = [_adopt_param(param) for param in command.params]
    params += [_remake(Option, option, expose_value=False) for option in everywhere]
    if isinstance(command, TyperGroup):
        kind = type(command) if isinstance(command, Group) else Group
        children = {name: adopt(child, everywhere) for name, child in command.commands.items()}
        return _remake(kind, command, params=params, commands=children)
    return _remake(Command, command, params=params)


def _adopt_param(param: Parameter) -> Option | Argument:
    if isinstance(param, TyperOption):
        return adopt_option(param)
    assert isinstance(param, TyperArgument)
    return _remake(Argument, param)


def adopt_option(option: TyperOption) -> Option:
    """Turn an option that Typer made into ours, with its variable."""
    if isinstance(option, Option):
        return option
    variable = None if option.is_eager else VARIABLE_PREFIX + option.name.upper()
    return _remake(Option, option, envvar=option.envvar or variable, show_envvar=False)


def options_of(command: ClickCommand) -> list[Option]:
    """Return a command's own options."""
    return [param for param in command.params if isinstance(param, Option)]


def _adopt_help(option: TyperOption | None) -> Option | None:
    if option is None or isinstance(option, Option):
        return option
    return _remake(Option, option, callback=_show_help, help="Show this page and exit.")


def _show_help(ctx: Context, _option: object, value: object) -> None:
    if value and not ctx.resilient_parsing:
        ctx.obj.terminal.write_stdout(f"{ctx.get_help()}\n".encode())
        raise typer.Exit


def choose_profile(ctx: Context, name: str | None) -> None:
    """Let a profile hold for this command and those below; called before others are processed.

    Raises:
        ConfigError: there is no such profile, or something in it is wrong.
    """
    is_said_above = _CHOSEN in ctx.meta and not is_flag(ctx, "profile")
    if not name or is_said_above or ctx.resilient_parsing:
        return
    ctx.meta[_CHOSEN] = name
    if isinstance(ctx.command, Command):
        ctx.default_map = Defaults(file_settings(ctx, name))


def chosen_profile(ctx: Context) -> str | None:
    """Return the name of the profile that was chosen, above this command or for it."""
    name = ctx.meta.get(_CHOSEN)
    assert name is None or isinstance(name, str)
    return name


def goes_on_beside_a_broken_file(function: Callable[..., None]) -> Callable[..., None]:
    """Let a command run without the file's settings; `file_problem` says what is wrong with it."""
    setattr(function, _GOES_ON, True)
    return function


def file_problem(ctx: Context) -> ConfigError | None:
    """Return what is wrong with the configuration file, beside which a command goes on."""
    problem = ctx.meta.get(_BROKEN)
    assert problem is None or isinstance(problem, ConfigError)
    return problem


def file_settings(ctx: Context, profile: str | None) -> dict[str, Setting]:
    """Return what the configuration file says about this command's options, with a profile or not.

    Raises:
        ConfigError: the file is wrong.
    """
    settings = [option for option in options_of(ctx.command) if option.is_setting]
    if all(option.is_eager for option in settings):
        return {}  # e.g. `tgicli config path`, which works beside a broken file
    config = read_config()
    if config is None:
        if profile is not None:
            raise ConfigError(f"there is no profile {profile}: {config_path()} does not exist")
        return {}
    top = ctx
    while top.parent is not None and top.parent.parent is not None:
        top = top.parent
    assert top.info_name is not None
    names = [option.name for option in settings]
    return config.settings(top.info_name, names, CommandChecks(ctx.find_root()), profile)


def check_file(ctx: Context) -> None:
    """Look at all of the configuration file, also at what the command would never look at.

    Raises:
        ConfigError: the file is wrong.
    """
    if config := read_config():
        config.check(CommandChecks(ctx.find_root()))


class CommandChecks(Mapping[str, Checks]):
    """Each command's options and their checks; imports a command when it is looked at."""

    def __init__(self, root: Context) -> None:
        self._root = root
        self._group = cast(TyperGroup, root.command)

    def __getitem__(self, name: str) -> Checks:
        command = self._group.get_command(self._root, name)
        if command is None:
            raise KeyError(name)
        return dict(_checks_in(command))

    def __contains__(self, name: object) -> bool:
        return name in self._group.list_commands(self._root)

    def __iter__(self) -> Iterator[str]:
        return iter(self._group.list_commands(self._root))

    def __len__(self) -> int:
        return len(self._group.list_commands(self._root))


def _checks_in(command: ClickCommand) -> Iterator[tuple[str, Check]]:
    """Yield the settings of a command, or of all of a group's commands."""
    if isinstance(command, TyperGroup):
        for child in command.commands.values():
            yield from _checks_in(child)
        return
    for option in options_of(command):
        if option.is_setting:
            yield option.name, check_of(option.type_descriptor) or _accept


def _accept(value: object) -> object:
    return value


def _remake(kind: type[_Made], made: object, **changes: object) -> _Made:
    """Return an object of our kind with the state of Typer's, which lets nobody choose its kind."""
    ours = kind.__new__(kind)
    vars(ours).update(vars(made) | changes)
    return ours
