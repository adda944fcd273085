"""What is measured: a server, or a model in the process that makes the load.

Used by `options` on the main thread; values that are pickled into that process. Nothing is sent and
nothing loaded here. A key goes to the host that it was given for, and to no other.
"""

from __future__ import annotations

import dataclasses
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import typer

from tgicli.backends.endpoint import Endpoint, RemoteOptions, shown_query
from tgicli.cli.bench.flags import BenchFlags
from tgicli.cli.endpoint import EndpointFlags, check_endpoint, read_key
from tgicli.cli.flags import LoadingFlags
from tgicli.cli.precedence import is_flag
from tgicli.errors import ConfigError

_HOST_AND_PORT = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5}(/\S*)?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteTarget:
    """A server."""

    options: RemoteOptions
    is_remote: ClassVar[bool] = True

    @property
    def shown(self) -> str:
        """What it is called, without anything secret."""
        return shown_url(self.options.endpoint)

    @property
    def is_same_host(self) -> bool:
        """Whether it shares this machine."""
        endpoint = self.options.endpoint
        return endpoint.is_local or endpoint.host in (socket.gethostname(), socket.getfqdn())


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTarget:
    """A model, to be loaded."""

    loading: LoadingFlags
    path: Path | None = None  # None: not looked for yet
    name: str = ""
    is_remote: ClassVar[bool] = False

    @property
    def shown(self) -> str:
        """What it is called."""
        return self.name or self.loading.model or "the demo model"

    @property
    def is_same_host(self) -> bool:
        """It is in this very process."""
        return True


Target = RemoteTarget | LocalTarget


def shown_url(endpoint: Endpoint) -> str:
    """Return a server's URL with its path, and nothing secret."""
    query = f"?{shown_query(endpoint.query)}" if endpoint.query else ""
    return f"{endpoint.shown}{endpoint.path}{query}"


def is_url(word: str) -> bool:
    """Whether a word names a server, not a model."""
    if "://" in word or word.startswith("unix:"):
        return True
    return bool(_HOST_AND_PORT.match(word)) and not Path(word).exists()


def target_of(ctx: typer.Context, flags: BenchFlags) -> Target:
    """Return what TARGET, --endpoint or --model mean.

    Raises:
        ConfigError: flags contradict each other, or one is wrong.
    """
    word = flags.target
    if word is not None and is_flag(ctx, "endpoint"):
        raise ConfigError("TARGET and --endpoint exclude each other; name one server")
    if word is None:
        check_endpoint(ctx, flags.remote)
        return _target(ctx, flags.remote, _loading(ctx, flags))
    if is_url(word):
        remote = dataclasses.replace(flags.remote, endpoint=word)
        check_endpoint(ctx, remote)
        return RemoteTarget(options=_asked(ctx, remote, flags.loading))
    if is_flag(ctx, "model"):
        raise ConfigError("TARGET and --model exclude each other; name one model")
    check_endpoint(ctx, dataclasses.replace(flags.remote, endpoint=None))
    return LocalTarget(loading=dataclasses.replace(_loading(ctx, flags), model=word))


def _target(ctx: typer.Context, remote: EndpointFlags, loading: LoadingFlags) -> Target:
    if remote.is_remote:
        return RemoteTarget(options=remote.to_remote(ctx, loading.model))
    return LocalTarget(loading=loading)


def _loading(ctx: typer.Context, flags: BenchFlags) -> LoadingFlags:
    """Return how to load a model: it reuses prefixes if they are measured, or somebody says so."""
    loading, has_shared = flags.loading, flags.prompts.shared_prefix or flags.load.trace
    if has_shared or is_flag(ctx, "prefix_reuse"):
        return loading
    return dataclasses.replace(loading, prefix_reuse=False)


def _asked(ctx: typer.Context, remote: EndpointFlags, loading: LoadingFlags) -> RemoteOptions:
    """Return how to ask a server that the command line names."""
    # A model that a variable or the file names for this process is not the server's.
    return remote.to_remote(ctx, loading.model if is_flag(ctx, "model") else None)


def other_of(ctx: typer.Context, flags: BenchFlags, first: Target) -> Target | None:
    """Return what --vs and --noise mean; None: nothing is compared.

    Raises:
        ConfigError: flags contradict each other, or one is wrong.
    """
    word = flags.comparing.vs
    if flags.comparing.noise:
        if word is not None:
            raise ConfigError("--noise compares with the same TARGET; leave out --vs or --noise")
        return first
    if word is None:
        return None
    if not is_url(word):
        return LocalTarget(loading=dataclasses.replace(_loading(ctx, flags), model=word))
    endpoint = Endpoint.from_url(word)
    return RemoteTarget(options=_other_options(flags, first, endpoint))


def _other_options(flags: BenchFlags, first: Target, endpoint: Endpoint) -> RemoteOptions:
    file = flags.comparing.vs_api_key_file
    key = None if file is None else read_key(file, "--vs-api-key-file")
    if not isinstance(first, RemoteTarget):
        return RemoteOptions(endpoint=endpoint, key=key)
    options = dataclasses.replace(first.options, endpoint=endpoint)
    if endpoint.origin != first.options.endpoint.origin or endpoint.socket:
        return dataclasses.replace(options, key=key, headers=())
    return options if key is None else dataclasses.replace(options, key=key)
