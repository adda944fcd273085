"""A root command that imports each sub-command's module only when that command runs.

Used by `app` on the main thread; `tgicli --help` imports none of them.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import typer

from tgicli.cli.command import Command, Group, adopt, options_of

if TYPE_CHECKING:  # the Click inside Typer: needed to spell signatures, never imported
    from typer._click.core import Command as ClickCommand
    from typer._click.core import Context
    from typer._click.formatting import HelpFormatter


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a command is, and what the help page says of it."""

    module: str
    app: str  # the name of its typer.Typer there
    summary: str

    def load(self, name: str) -> ClickCommand:
        """Import the module; return the app's command of this name, else the app as a group."""
        app = getattr(importlib.import_module(self.module), self.app)
        group = typer.main.get_group(app)
        return group.commands.get(name, group)


class LazyGroup(Group):
    """A group that imports a sub-command when it is asked for; its help page imports none."""

    modules: Mapping[str, LazyCommand]

    def list_commands(self, ctx: Context) -> list[str]:
        """Return the names, in the order of the help page."""
        return list(self.modules)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | Group | None:
        """Import and return a sub-command, None when there is no such."""
        if cmd_name not in self.modules:
            return None
        if cmd_name not in self.commands:
            everywhere = [option for option in options_of(self) if option.is_setting]
            self.commands[cmd_name] = adopt(self.modules[cmd_name].load(cmd_name), everywhere)
        return cast("Command | Group", self.commands[cmd_name])

    def resolve_command(
        self, ctx: Context, args: list[str]
    ) -> tuple[str | None, ClickCommand | None, list[str]]:
        """Find the sub-command that the first word names."""
        if args[0] not in self.modules and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], self.modules, n=1)
            hint = f"did you mean {close[0]}?" if close else f"one of {', '.join(self.modules)}"
            ctx.fail(f"there is no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the list of sub-commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, found.summary) for name, found in self.modules.items()])
