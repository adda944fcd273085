"""The flags of `tgicli serve --connect`: which server requests are passed on to.

Imported by the command's module. Nothing heavy is imported and nothing is sent.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from tgicli.cli.endpoint import Secret, parse_secret, read_key
from tgicli.cli.flags import LoadingFlags
from tgicli.cli.precedence import is_flag, only_one, refuse_flags
from tgicli.cli.signature import option
from tgicli.errors import ConfigError

if TYPE_CHECKING:
    from tgicli.backends.endpoint import RemoteOptions

PANEL = "Another server"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectFlags:
    """Which server, and how to ask it."""

    connect: str | None = option(
        None,
        metavar="URL",
        panel=PANEL,
        default_text="a model in this process",
        help="Pass requests on to a TGI or OpenAI server: http://HOST:PORT, the URL of one of its "
        "routes, or unix:/PATH.",
    )
    connect_api: Literal["tgi", "openai-chat", "openai-completions"] | None = option(
        None,
        metavar="DIALECT",
        panel=PANEL,
        default_text="found out",
        help="Speak tgi, openai-chat or openai-completions with it.",
    )
    connect_model: str | None = option(
        None, metavar="NAME", panel=PANEL, default_text="its only one", help="Ask for this model."
    )
    connect_key: Secret | None = option(
        None,
        metavar="",
        panel=PANEL,
        parser=parse_secret,
        default_text=False,
        help="Its key, in TGICLI_CONNECT_KEY or the configuration file: others see a command line.",
    )
    connect_key_file: Path | None = option(
        None, metavar="FILE", panel=PANEL, help="Read its key from FILE."
    )

    def to_remote(self) -> RemoteOptions | None:
        """Return what the backend needs; None: a model in this process.

        Raises:
            ConfigError: something in it is wrong.
        """
        if not self.connect:
            return None
        from tgicli.backends.endpoint import Endpoint, RemoteOptions
        from tgicli.wire.api import Api

        return RemoteOptions(
            endpoint=Endpoint.from_url(self.connect),
            api=None if self.connect_api is None else Api(self.connect_api),
            model=self.connect_model,
            key=self._key(),
        )

    def _key(self) -> str | None:
        if self.connect_key_file is not None:
            return read_key(self.connect_key_file, "--connect-key-file")
        return None if self.connect_key is None else self.connect_key.value


def checked_connect(ctx: typer.Context, flags: ConnectFlags) -> ConnectFlags:
    """Return the flags with one key at most: a flag's source wins over a variable's.

    Raises:
        ConfigError: a flag is of a model in this process beside --connect, or of another server
            without it; or two keys are named in one place.
    """
    if is_flag(ctx, "connect_key"):
        raise ConfigError(
            "--connect-key on the command line is seen by others; set TGICLI_CONNECT_KEY, "
            "or use --connect-key-file"
        )
    if flags.connect:
        alien = [field.name for field in dataclasses.fields(LoadingFlags)]
        words = "is for a model in this process; leave it out, or --connect"
    else:
        alien = [f.name for f in dataclasses.fields(ConnectFlags) if f.name != "connect"]
        words = "is for another server; name it with --connect"
    refuse_flags(ctx, alien, words)
    if not flags.connect:  # a variable that is set for other runs says nothing here
        return flags
    named = [name for name in ("connect_key", "connect_key_file") if getattr(flags, name)]
    chosen = only_one(ctx, named)
    return dataclasses.replace(flags, **{name: None for name in named if name != chosen})
