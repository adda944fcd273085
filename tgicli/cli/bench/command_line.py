"""Say a command line again, without anything secret, so that whoever reads a result can repeat it.

Used by `options` on the main thread. Built from what was understood, never from what was typed.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import typer

from tgicli.backends.endpoint import MASK, Endpoint
from tgicli.cli.bench.target import is_url, shown_url
from tgicli.cli.command import Option
from tgicli.cli.precedence import is_flag

_ADDRESSES = ("target", "endpoint", "vs")
_HIDDEN = ("api_key", "api_key_command")


def shown_command(ctx: typer.Context) -> str:
    """Return what was typed, in our spelling."""
    return shlex.join(["tgicli", "bench", *_words(ctx)])


def _words(ctx: typer.Context) -> Iterator[str]:
    for param in ctx.command.params:
        name = str(param.name)
        if not is_flag(ctx, name):
            continue
        value = ctx.params.get(name)
        if not isinstance(param, Option):
            yield _shown(name, value)
        elif isinstance(value, bool):
            yield (param.opts if value or not param.secondary_opts else param.secondary_opts)[0]
        else:
            for item in value if isinstance(value, list) else [value]:
                yield from (param.flag, _shown(name, item))


def _shown(name: str, value: object) -> str:
    if name in _HIDDEN:
        return MASK
    text = str(value)
    return shown_url(Endpoint.from_url(text)) if name in _ADDRESSES and is_url(text) else text
