"""Where to listen: addresses, the sockets bound to them, and the URLs that clients use.

Called by the command before its event loop runs. Knows no HTTP.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from tgicli.errors import ConfigError

UNSENT_BYTES = 16_384  # that the kernel holds for a slow reader, and then we; then its answer waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen."""

    host: str = "127.0.0.1"
    port: int = 3000  # 0: any free one
    uds: Path | None = None  # a Unix socket instead
    certfile: Path | None = None
    keyfile: Path | None = None


def bind(address: Address) -> socket.socket:
    """Return a socket bound to the address.

    Raises:
        ConfigError: it is taken, or there is no such host.
    """
    if address.uds is not None:
        return _bind_unix(address.uds)
    try:
        family, kind, proto, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise ConfigError(
            f"there is no host {address.host!r}: {error.strerror}; choose another --hostname"
        ) from error
    bound = socket.socket(family, kind, proto)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            # Else a kernel takes megabytes for a reader that stands still, and nobody notices.
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        bound.bind(place)
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"can't listen on {address.host}:{address.port}: {error.strerror}; "
            f"choose another --port, or end what uses it"
        ) from error
    return bound


def _bind_unix(path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket() and not _answers(path):
            path.unlink()  # left by a server that was killed
        bound.bind(str(path))
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"can't listen on {path}: {error.strerror or error}; choose another --uds"
        ) from error
    return bound


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


def url_of(bound: socket.socket, address: Address) -> str:
    """Return where a client finds the server."""
    if address.uds is not None:
        return f"unix:{address.uds}"
    host, port = bound.getsockname()[:2]
    scheme = "http" if address.certfile is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
