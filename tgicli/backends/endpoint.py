"""Where a remote server is, and how to talk to it: what a URL says, keys, time limits.

Values only, made by commands and used by the remote backend. Never shows a key, a password in a
URL, or a header's value: not in a message, nor in a repr.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from tgicli.errors import ConfigError
from tgicli.wire.api import Api

MASK = "***"
_UNIX = "unix:"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_HIDDEN_IN_NAMES = ("auth", "key", "token", "secret", "cookie", "password", "credential", "sig")


class Route(enum.Enum):
    """What the end of a URL's path says."""

    NONE = ""
    GENERATE_STREAM = "/generate_stream"
    GENERATE = "/generate"
    CHAT = "/chat/completions"
    COMPLETIONS = "/completions"
    V1 = "/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A server's address. Valid once built by `from_url`."""

    origin: str = field(repr=False)  # with a password, if the URL has one
    shown: str  # without it
    host: str
    path: str  # as given, without a slash or a page that takes no request at its end
    route: Route
    query: str = field(default="", repr=False)
    socket: Path | None = None  # a Unix socket instead

    @classmethod
    def from_url(cls, url: str) -> Endpoint:
        """Read `http://...`, `https://...`, `unix:/path` or `host:port`.

        Raises:
            ConfigError: it is none of these.
        """
        if url.startswith(_UNIX):
            return cls._from_socket(url)
        if "://" not in url:
            url = f"http://{url}"
        try:
            parts = urlsplit(url)
            has_host = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
            if parts.netloc.isdecimal() or parts.netloc.endswith(":"):  # a port, or `http:/`
                has_host = False
        except ValueError:
            has_host = False
        if not has_host or not url.isprintable() or " " in url:
            raise ConfigError(
                f"{shown_url(url)!r} is no address of a server; write http://HOST:PORT, "
                f"https://HOST or unix:/PATH"
            )
        return cls._from_parts(parts)

    @classmethod
    def _from_parts(cls, parts: SplitResult) -> Endpoint:
        path = _without_page(parts.path.rstrip("/"))
        route = _route_of(path)
        place = parts.netloc.rpartition("@")[2]
        return cls(
            origin=f"{parts.scheme}://{parts.netloc}",
            shown=f"{parts.scheme}://{place}",
            host=parts.hostname or "",
            path=path,
            route=route,
            query=parts.query,
        )

    @classmethod
    def _from_socket(cls, url: str) -> Endpoint:
        path = url.removeprefix(_UNIX)
        if path.startswith("//"):
            path = path[2:]
        if not path.startswith("/"):
            raise ConfigError(f"{url!r} is no address of a server; write unix:/PATH")
        return cls(
            origin="http://localhost",
            shown=f"{_UNIX}{path}",
            host="localhost",
            path="",
            route=Route.NONE,
            socket=Path(path),
        )

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine, where no proxy leads."""
        return self.socket is not None or self.host in _LOOPBACK

    @property
    def has_password(self) -> bool:
        """Whether the URL says who asks."""
        return "@" in self.origin

    @property
    def openai_prefix(self) -> str:
        """What stands before the names of OpenAI's routes, e.g. `/v1`."""
        if self.route in (Route.CHAT, Route.COMPLETIONS):
            return self.path.removesuffix(self.route.value)
        return f"{self.prefix}/v1"

    @property
    def prefix(self) -> str:
        """What stands before the names of all other routes; often nothing."""
        rest = self.path.removesuffix(self.route.value)
        return rest.removesuffix("/v1") if self.route in (Route.CHAT, Route.COMPLETIONS) else rest

    def url(self, path: str) -> str:
        """Return the whole URL of a path, for a request."""
        return f"{self.origin}{path or '/'}{f'?{self.query}' if self.query else ''}"

    def is_within(self, *domains: str) -> bool:
        """Whether it is a host of one of these domains, and nobody reads along on the way."""
        if not self.origin.startswith("https://"):
            return False
        return any(self.host == one or self.host.endswith(f".{one}") for one in domains)


def _without_page(path: str) -> str:
    """Return what stands before a page that tells of the server, and takes no request."""
    if path.endswith("/v1/models"):
        return path.removesuffix("/models")
    return path.removesuffix("/info").removesuffix("/health")


def _route_of(path: str) -> Route:
    said = (route for route in Route if route is not Route.NONE and path.endswith(route.value))
    return next(said, Route.NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait for what, in seconds; None: as long as it takes."""

    connect_s: float | None = 10.0
    first_token_s: float | None = 600.0  # from the request to its first token
    token_s: float | None = 120.0  # from one token to the next
    total_s: float | None = None  # for the whole answer, with all retries


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteOptions:
    """Which server, and how to ask it."""

    endpoint: Endpoint
    api: Api | None = None  # None: found out
    model: str | None = None  # None: the only one that the server has
    key: str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    timeouts: Timeouts = Timeouts()

    @property
    def prefers_chat(self) -> bool:
        """Whether a prompt is sent as a conversation when nobody says: the URL or --api may."""
        endpoint = self.endpoint
        if self.api is None:
            return endpoint.route in (Route.NONE, Route.V1, Route.CHAT)
        if self.api is Api.TGI:
            return endpoint.route in (Route.V1, Route.CHAT) or not endpoint.path
        return self.api is Api.OPENAI_CHAT

    def __post_init__(self) -> None:
        if self.key is not None and not _can_be_sent(self.key):
            raise ConfigError("the API key is empty, or has characters that no header can carry")
        for name, value in self.headers:
            if not name or not all(c.isalnum() or c in "!#$%&'*+-.^_`|~" for c in name):
                raise ConfigError(f"{name!r} is no name of a header")
            if value and not _can_be_sent(value):
                raise ConfigError(f"the header {name} has characters that no header can carry")
            if name.lower() in ("content-length", "transfer-encoding"):
                raise ConfigError(f"the header {name} follows from the request; leave it out")
        if self.key is not None and self.endpoint.has_password:
            raise ConfigError("the URL has a password, and there is an API key; give one of them")
        if self.model is not None and not _is_utf8(self.model):
            raise ConfigError("the model's name is not UTF-8")


def _can_be_sent(value: str) -> bool:
    return bool(value) and value.isascii() and value.isprintable()


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # it came from a command line as other bytes
        return False
    return True


def _sounds_secret(name: str) -> bool:
    return any(part in name.lower() for part in _HIDDEN_IN_NAMES)


def shown_url(url: str) -> str:
    """Return an address as it may be shown, whether it is a good one or not."""
    scheme, mark, rest = url.rpartition("://")
    before, at, after = rest.rpartition("@")
    hides = at and _may_be_password(before)
    place, question, query = (f"{MASK}@{after}" if hides else rest).partition("?")
    return f"{scheme}{mark}{place}{question}{shown_query(query)}"


def _may_be_password(before: str) -> bool:
    """Whether one may stand before an @: there is no path, or one behind what is no port."""
    place, slash, _ = before.partition("/")
    _, _, port = place.rpartition(":")
    is_port = port == "" or port.isdecimal() or port.endswith("]")  # or an address of IPv6
    return not slash or "@" in place or (":" in place and not is_port)


def shown_query(query: str) -> str:
    """Return what stands behind a URL's `?` as it may be shown."""
    pairs = (part.partition("=") for part in query.split("&"))
    return "&".join(
        f"{name}={MASK}" if _sounds_secret(name) else f"{name}{sign}{value}"
        for name, sign, value in pairs
    )


def shown_header(name: str, value: str) -> str:
    """Return a header's value as it may be shown: hidden if the name sounds secret."""
    if not _sounds_secret(name):
        return value
    scheme, space, _ = value.partition(" ")
    return f"{scheme} {MASK}" if space and name.lower() == "authorization" else MASK
