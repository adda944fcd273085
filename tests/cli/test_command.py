"""Typer's commands after adoption, on a command of the test's own."""

from __future__ import annotations

import io
from typing import Annotated

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from tgicli.cli.app import Run
from tgicli.cli.command import Argument, Command, Group, Option, adopt, options_of
from tgicli.cli.precedence import is_flag
from tgicli.errors import ConfigError
from tgicli.ui.terminal import Terminal

Seen = dict[str, object]


def made(seen: Seen) -> Command | Group:
    """Return a command with one of everything; it puts what it gets into `seen`."""
    app = typer.Typer(add_completion=False)

    @app.command()
    def paint(
        ctx: typer.Context,
        walls: Annotated[list[str], typer.Argument(help="Which.")],
        colour: Annotated[str, typer.Option("--colour", "-c", help="Which.")],
        coats: Annotated[int, typer.Option(help="How many.")] = 2,
        weight: Annotated[complex, typer.Option(help="How heavy.", parser=complex)] = 1j,
        secret: Annotated[str, typer.Option(hidden=True)] = "",
        phase: Annotated[complex, typer.Option(help="Typer itself reads it.")] = 1j,
    ) -> None:
        """Paint walls."""
        seen.update(ctx.params, coats_is_flag=is_flag(ctx, "coats"))

    return adopt(typer.main.get_command(app))


def paint(*args: str) -> Seen:
    seen: Seen = {}
    command = made(seen)
    with command.make_context("paint", list(args)) as ctx:
        command.invoke(ctx)
    return seen


def help_page() -> str:
    stdout = io.StringIO()
    terminal = Terminal(stdin=None, stdout=stdout, stderr=None)
    with pytest.raises(typer.Exit):
        made({}).make_context("paint", ["--help"], obj=Run(terminal))
    return stdout.getvalue()


def test_words_and_flags_arrive_converted():
    seen = paint("north", "-c", "red", "south", "--coats", "3", "--weight", "2", "--phase", "1+1j")

    assert seen["walls"] == ["north", "south"]
    assert (seen["colour"], seen["coats"], seen["weight"]) == ("red", 3, 2 + 0j)
    assert seen["phase"] == 1 + 1j


def test_defaults_arrive_where_nothing_is_said():
    seen = paint("north", "-c", "red")

    assert (seen["coats"], seen["secret"], seen["coats_is_flag"]) == (2, "", False)


def test_a_value_on_the_command_line_is_known_to_be_there():
    assert paint("north", "-c", "red", "--coats", "2")["coats_is_flag"] is True


def test_a_required_option_is_missed():
    with pytest.raises(typer.TyperException) as caught:
        paint("north")

    assert caught.value.format_message() == "Missing option '--colour' / '-c'."


def test_a_required_argument_is_missed():
    with pytest.raises(typer.TyperException) as caught:
        paint("-c", "red")

    assert "Missing argument" in caught.value.format_message()


def test_a_required_option_may_come_from_its_variable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TGICLI_COLOUR", "blue")

    assert paint("north")["colour"] == "blue"


def test_a_wrong_value_is_named_by_its_long_flag():
    with pytest.raises(ConfigError, match=r"^--coats few: must be a whole number$"):
        paint("north", "-c", "red", "--coats", "few")


def test_the_help_page_lists_what_is_not_hidden():
    page = help_page()

    assert page.startswith("Usage: paint [OPTIONS] WALLS...\n\n  Paint walls.\n")
    assert "\n  WALLS...  " in page
    assert "[2]" in page
    assert "secret" not in page


def test_everything_is_adopted_and_a_second_time_changes_nothing():
    command = made({})

    assert {type(param) for param in command.params} == {Option, Argument}
    assert {type(param) for param in adopt(command).params} == {Option, Argument}


def test_a_group_is_adopted_with_its_commands():
    app, inner = typer.Typer(add_completion=False), typer.Typer()

    @inner.command()
    def leaf() -> None: ...

    @inner.command()
    def other() -> None: ...

    app.add_typer(inner, name="inner")
    group = adopt(typer.main.get_group(app))

    assert isinstance(group, Group)
    nested = group.commands["inner"]
    assert isinstance(nested, Group)
    assert {type(command) for command in nested.commands.values()} == {Command}


def test_every_option_that_is_no_deed_has_a_variable():
    variables = {option.name: option.envvar for option in options_of(made({}))}

    assert variables["coats"] == "TGICLI_COATS"
    assert variables["colour"] == "TGICLI_COLOUR"


def test_ours_are_typers_so_typer_runs_them():
    assert issubclass(Command, TyperCommand)
    assert issubclass(Group, TyperGroup)
