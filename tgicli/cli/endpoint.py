"""Flags of commands that can ask a remote server, and what they make of them.

Imported by the commands' flags and options. Nothing heavy is imported and nothing is sent: who does
the work does that. A key is read where it is safe, and shown nowhere.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import typer

from tgicli.backends.endpoint import MASK, Endpoint, RemoteOptions, Timeouts, shown_header
from tgicli.cli.flags import LoadingFlags, SamplingFlags
from tgicli.cli.precedence import DEFAULT, is_flag, only_one, rank_of, refuse_flags
from tgicli.cli.signature import option
from tgicli.errors import ConfigError
from tgicli.wire.api import Api

if TYPE_CHECKING:
    from tgicli.backends.retrying import Retry
    from tgicli.ui.terminal import Terminal

PANEL = "Server"
_KEYS = {  # variables that other tools set, and the only hosts that they are sent to
    "HF_TOKEN": ("huggingface.co", "huggingface.cloud", "hf.space"),
    "OPENAI_API_KEY": ("api.openai.com",),
}


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that is shown to nobody."""

    value: str

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return MASK


@dataclass(frozen=True, slots=True)
class Header:
    """A header of every request."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}: {shown_header(self.name, self.value)}"

    def __repr__(self) -> str:
        return str(self)


def parse_secret(value: object) -> Secret:
    """Read a key. Raises ValueError."""
    if not isinstance(value, str | Secret):
        raise ValueError("must be a string")
    return value if isinstance(value, Secret) else Secret(value.strip())


def parse_header(value: object) -> Header:
    """Read `NAME: VALUE`. Raises ValueError."""
    if isinstance(value, Header):
        return value
    name, colon, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
    if not colon or not name.strip():
        raise ValueError("must be NAME: VALUE")
    return Header(name.strip(), rest.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFlags:
    """Which server to ask, and how."""

    endpoint: str | None = option(
        None,
        "--endpoint",
        "-e",
        metavar="URL",
        panel=PANEL,
        default_text="a model in this process",
        help="Ask a TGI or OpenAI server: http://HOST:PORT, the URL of one of its routes, or "
        "unix:/PATH. --model then names one of its models.",
    )
    api: Literal["tgi", "openai-chat", "openai-completions"] | None = option(
        None,
        metavar="DIALECT",
        panel=PANEL,
        default_text="found out",
        help="Speak tgi, openai-chat or openai-completions.",
    )
    api_key: Secret | None = option(
        None,
        metavar="KEY",
        panel=PANEL,
        parser=parse_secret,
        default_text="HF_TOKEN for Hugging Face's hosts",
        help="The key; in TGICLI_API_KEY or the configuration file, for others see a command line.",
    )
    api_key_file: Path | None = option(
        None, metavar="FILE", panel=PANEL, help="Read the key from FILE."
    )
    api_key_command: str | None = option(
        None, metavar="COMMAND", panel=PANEL, help="Let a shell run COMMAND, which prints the key."
    )
    header: tuple[Header, ...] = option(
        (),
        "--header",
        "-H",
        metavar="'NAME: VALUE'",
        panel=PANEL,
        parser=parse_header,
        help="Send a header. Repeatable; TGICLI_HEADER holds one.",
    )
    retries: int = option(
        4,
        metavar="N",
        panel=PANEL,
        least=0,
        help="Ask a server that is busy or not there up to N times again, before the first token.",
    )
    timeout: float = option(
        0.0,
        metavar="S",
        panel=PANEL,
        least=0,
        help="Give up an answer after S seconds, a model's here, too; 0: never.",
    )
    connect_timeout: float = option(
        10.0, metavar="S", panel=PANEL, least=0, help="Seconds to wait for a connection; 0: any."
    )
    first_token_timeout: float = option(
        600.0, metavar="S", panel=PANEL, least=0, help="Seconds to the first token; 0: any."
    )
    token_timeout: float = option(
        120.0, metavar="S", panel=PANEL, least=0, help="Seconds between two tokens; 0: any."
    )

    @property
    def is_remote(self) -> bool:
        """Whether a server is asked."""
        return bool(self.endpoint)

    def unless_here(self, ctx: typer.Context, model: str | None) -> Self:
        """Return them without a server that a weaker source names than the model, which is here.

        A file's name was typed for this machine: with it the prompt is to stay on it, too.
        """
        if not self.is_remote or model is None or rank_of(ctx, "model") <= rank_of(ctx, "endpoint"):
            return self
        from tgicli.models.resolve import DEMO, is_spelled_as_path

        is_here = model == DEMO or is_spelled_as_path(model)
        return replace(self, endpoint=None) if is_here else self

    @property
    def own_timeout_s(self) -> float | None:
        """How long an answer of a model in this process may take; a server's limits are its own."""
        return None if self.is_remote else self.timeout or None

    def to_remote(self, ctx: typer.Context, model: str | None) -> RemoteOptions:
        """Return what the backend needs; reads the key.

        Raises:
            ConfigError: something in it is wrong.
        """
        assert self.endpoint is not None
        endpoint = Endpoint.from_url(self.endpoint)
        # A model that a variable or the file names for this process is not the server's.
        is_meant = rank_of(ctx, "model") >= rank_of(ctx, "endpoint")
        return RemoteOptions(
            endpoint=endpoint,
            api=None if self.api is None else Api(self.api),
            model=model if is_meant else None,
            key=self._key(ctx, endpoint),
            headers=tuple((header.name, header.value) for header in self.header),
            timeouts=Timeouts(
                connect_s=self.connect_timeout or None,
                first_token_s=self.first_token_timeout or None,
                token_s=self.token_timeout or None,
                total_s=self.timeout or None,
            ),
        )

    def _key(self, ctx: typer.Context, endpoint: Endpoint) -> str | None:
        """Return the key: a flag's source wins over a variable's, and that over the file's.

        Raises:
            ConfigError: it is on the command line, or two sources are named in one place.
        """
        if is_flag(ctx, "api_key"):
            raise ConfigError(
                "--api-key on the command line is seen by others; set TGICLI_API_KEY, "
                "or use --api-key-file or --api-key-command"
            )
        named = ("api_key", "api_key_file", "api_key_command")
        match only_one(ctx, (name for name in named if getattr(self, name))):
            case "api_key":
                assert self.api_key is not None
                return self.api_key.value
            case "api_key_file":
                assert self.api_key_file is not None
                return read_key(self.api_key_file, "--api-key-file")
            case "api_key_command":
                assert self.api_key_command is not None
                return _run_key_command(self.api_key_command)
        return _usual_key(endpoint)


def _usual_key(endpoint: Endpoint) -> str | None:
    for variable, domains in _KEYS.items():
        if (key := os.environ.get(variable, "").strip()) and endpoint.is_within(*domains):
            return key
    return None


def read_key(path: Path, flag: str) -> str:
    """Read a key from the file that a flag names.

    Raises:
        ConfigError: it can't be read.
    """
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"can't read {flag} {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{flag} {path} is not text") from None


def _run_key_command(command: str) -> str:
    import subprocess

    # Its stderr is the user's; stdin may be the prompt's, and was read.
    done = subprocess.run(
        command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False
    )
    if done.returncode != 0:
        raise ConfigError(f"--api-key-command returned {done.returncode}, and so no key")
    return done.stdout.decode("utf-8", "replace").strip()


def check_endpoint(
    ctx: typer.Context,
    flags: EndpointFlags,
    *also_remote: str,
    for_any: Collection[str] = (),
) -> None:
    """Refuse flags of a local model beside an endpoint, and an endpoint's flags without one.

    for_any are an endpoint's that hold without one, too.

    Raises:
        ConfigError: there is one.
    """
    if flags.is_remote:
        alien = [f.name for f in dataclasses.fields(LoadingFlags) if f.name != "model"]
        words = "is for a model in this process; leave it out, or --endpoint"
    else:
        alien = [f.name for f in dataclasses.fields(EndpointFlags) if f.name != "endpoint"]
        alien += also_remote
        words = "is for a server; name one with --endpoint"
    refuse_flags(ctx, (name for name in alien if name not in for_any), words)


def sampling_for_server(ctx: typer.Context, sampling: SamplingFlags) -> SamplingFlags:
    """Return how a server is to choose tokens: it is told what is said, and no taste of ours."""
    if rank_of(ctx, "temperature") == DEFAULT:
        sampling = replace(sampling, temperature=None)  # some models take none but their own
    if rank_of(ctx, "min_p") == DEFAULT:
        sampling = replace(sampling, min_p=0.0)  # few servers have such an option
    return sampling


def announce(retry: Retry, terminal: Terminal) -> None:
    """Say on stderr that a server is asked again, and when."""
    from tgicli.errors import Overloaded

    reason = "busy" if isinstance(retry.reason, Overloaded) else "no connection"
    wait = f"{retry.wait_s:.0f}" if retry.wait_s >= 1 else f"{retry.wait_s:.1f}"
    terminal.say(f"{reason}, retrying {retry.number}/{retry.n_retries} in {wait} s")
