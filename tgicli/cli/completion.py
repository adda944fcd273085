"""`tgicli completion SHELL`: print what makes a shell complete commands, options and values.

Called by `app` on the main thread. The scripts are static: a shell asks us when TAB is pressed for
names of models and profiles alone. Those in completions/ are this command's output.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer.core import TyperArgument, TyperGroup, TyperOption

from tgicli.cli.command import DefaultGroup
from tgicli.cli.shells import Flag, Node, Word, to_bash, to_fish, to_zsh

if TYPE_CHECKING:  # the Click inside Typer: needed to spell signatures, never imported
    from typer._click.core import Command, Context

_RENDERERS = {"bash": to_bash, "zsh": to_zsh, "fish": to_fish}
_FILE_NAMES = ("FILE", "MODEL", "PATH")  # how metavars of files begin

_LISTS = {  # by an option's or argument's name: what prints its values
    "model": "models list --names",
    "name": "models list --names",
    "profile": "config profiles --names",
}

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command("completion")
def completion(
    ctx: typer.Context,
    shell: Annotated[
        Literal["bash", "zsh", "fish"], typer.Argument(metavar="bash|zsh|fish", help="The shell.")
    ],
) -> None:
    """Print a shell's completions.

    \b
    Examples:
      tgicli completion bash > ~/.local/share/bash-completion/completions/tgicli
      tgicli completion zsh > ~/.zfunc/_tgicli        # a directory of $fpath
      tgicli completion fish > ~/.config/fish/completions/tgicli.fish
    """
    root = ctx.find_root()
    script = _RENDERERS[shell](node_of(root.command, root))
    ctx.obj.terminal.write_stdout(script.encode())


def node_of(command: Command, ctx: Context) -> Node:
    """Return a command's tree, with all that the help pages show."""
    return Node(
        path=ctx.command_path,
        help=command.get_short_help_str(limit=200),
        flags=tuple(_flags(_meant(command), ctx)),
        arguments=tuple(_words(_meant(command))),
        children=tuple(_children(command, ctx)),
    )


def _meant(command: Command) -> Command:
    return command.meant if isinstance(command, DefaultGroup) else command


def _children(command: Command, ctx: Context) -> Iterator[Node]:
    if isinstance(command, TyperGroup):
        for name in command.list_commands(ctx):
            child = command.get_command(ctx, name)
            assert child is not None
            if not child.hidden:
                yield node_of(child, child.context_class(child, parent=ctx, info_name=name))


def _flags(command: Command, ctx: Context) -> Iterator[Flag]:
    for option in command.get_params(ctx):
        if isinstance(option, TyperOption) and not option.hidden:
            yield Flag(
                names=(*sorted(option.opts, key=len), *option.secondary_opts),
                help=option.help or "",
                value=None if option.is_flag else _word(option),
                is_repeatable=option.multiple,
            )


def _words(command: Command) -> Iterator[Word]:
    for argument in command.params:
        if isinstance(argument, TyperArgument) and not argument.hidden:
            yield _word(argument)


def _word(param: TyperOption | TyperArgument) -> Word:
    kind, name = param.type_descriptor, param.metavar or param.name.upper()
    choices = [str(getattr(choice, "value", choice)) for choice in kind.choices or ()]
    choices = choices or [word for word in name.split("|") if word.islower()]  # `auto` in auto|N
    is_file = kind.is_path or name.startswith(_FILE_NAMES)
    listed_by = _LISTS.get(param.name or "", "")
    return Word(name=name, choices=tuple(choices), is_file=is_file, listed_by=listed_by)
