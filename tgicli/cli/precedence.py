"""Which place says what holds, a flag, a variable, a profile or the file; and which flags may not.

Used by the commands' options, and by `command`, which fills Click's context, on the main thread.
Where a value comes from is Click's decision. Only a flag is refused: what a variable or the file
says may be meant for other runs, and gives way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tgicli.config import Setting
from tgicli.errors import ConfigError

if TYPE_CHECKING:  # the Click inside Typer: needed to spell signatures, never imported
    from typer._click.core import Context

# Where a value comes from; the greater one wins.
FLAG, VARIABLE, PROFILE, FILE, DEFAULT = 4, 3, 2, 1, 0
_RANKS = {"COMMANDLINE": FLAG, "ENVIRONMENT": VARIABLE, "DEFAULT_MAP": FILE}  # Click's words


class Defaults(dict[str, object]):
    """What the file says about a command's options, for Click; remembers where."""

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        super().__init__({name: found.value for name, found in settings.items()})
        self.settings = settings


def rank_of(ctx: Context, name: str) -> int:
    """Return where a parameter's value comes from: FLAG, VARIABLE, PROFILE, FILE or DEFAULT."""
    source = ctx.get_parameter_source(name)
    rank = DEFAULT if source is None else _RANKS.get(source.name, DEFAULT)
    defaults = ctx.default_map
    if rank == FILE and isinstance(defaults, Defaults) and defaults.settings[name].is_of_profile:
        return PROFILE
    return rank


def strongest(ctx: Context, wanted: Iterable[str]) -> list[str]:
    """Return those whose value comes from the strongest place: a flag, else a variable, ..."""
    ranks = {name: rank_of(ctx, name) for name in wanted}
    return [name for name, rank in ranks.items() if rank == max(ranks.values())]


def only_one(ctx: Context, wanted: Iterable[str]) -> str | None:
    """Return which of these holds, whose values exclude each other; None: there are none.

    Raises:
        ConfigError: two are wanted in the same place.
    """
    first = strongest(ctx, wanted)
    if len(first) > 1:
        spelled = " and ".join(as_set(ctx, name) for name in first)
        raise ConfigError(f"{spelled} exclude each other; choose one")
    return first[0] if first else None


def as_set(ctx: Context, name: str) -> str:
    """Name an option as somebody has set it: by its flag, its variable, or its line in the file."""
    rank, defaults = rank_of(ctx, name), ctx.default_map
    if rank in (PROFILE, FILE) and isinstance(defaults, Defaults):
        return f"{defaults.settings[name].keys[-1]} ({defaults.settings[name].place})"
    if rank == VARIABLE:
        return str(next(param.envvar for param in ctx.command.params if param.name == name))
    return spelled_flag(name)


def is_flag(ctx: Context, name: str) -> bool:
    """Whether a parameter's value stands on the command line."""
    return rank_of(ctx, name) == FLAG


def refuse_flags(ctx: Context, names: Iterable[str], why: str) -> None:
    """Refuse flags that have no meaning here.

    Raises:
        ConfigError: one of them is given.
    """
    for name in names:
        if is_flag(ctx, name):
            raise ConfigError(f"{_typed_flag(ctx, name)} {why}")


def _typed_flag(ctx: Context, name: str) -> str:
    """Spell a flag as it was typed: the one that says no, where a value is false."""
    param = next(param for param in ctx.command.params if param.name == name)
    opposite: list[str] = getattr(param, "secondary_opts", [])
    return opposite[0] if opposite and ctx.params[name] is False else spelled_flag(name)


def spelled_flag(name: str) -> str:
    """Spell a parameter as a flag: top_k is `--top-k`."""
    return f"--{name.replace('_', '-')}"
