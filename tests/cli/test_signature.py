"""A dataclass as a command's signature."""

from __future__ import annotations

from dataclasses import dataclass

import typer

from tgicli.cli.command import adopt
from tgicli.cli.signature import argument, option, takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    names: tuple[str, ...] = option((), metavar="NAME", panel="Shared", help="Names.")
    size: int = option(3, "--size", "-n", panel="Shared", help="Size.", least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    word: str | None = argument(None, metavar="WORD", help="A word.")
    is_loud: bool | None = option(None, panel="Own", help="Shout.", default_text="by mood")
    shared: Shared


def call(*args: str) -> Flags:
    """Run a command with these flags; return what it was called with."""
    app, seen = typer.Typer(add_completion=False), list[Flags]()

    @app.command("try")
    @takes(Flags)
    def attempt(ctx: typer.Context, flags: Flags) -> None:
        """Try."""
        assert ctx.info_name == "try"
        seen.append(flags)

    command = adopt(typer.main.get_command(app))
    with command.make_context("try", list(args)) as ctx:
        command.invoke(ctx)
    return seen[0]


def test_without_words_every_field_has_its_default():
    assert call() == Flags(shared=Shared())


def test_each_field_is_set_by_its_flag_or_word():
    flags = call("hello", "--is-loud", "-n", "5", "--names", "a", "--names", "b")

    assert flags == Flags(word="hello", is_loud=True, shared=Shared(names=("a", "b"), size=5))


def test_a_truth_value_without_flags_of_its_own_can_be_denied():
    assert call("--no-is-loud").is_loud is False


def test_the_options_are_a_value_with_names_and_not_a_dictionary():
    assert call("x").shared.size == 3
