"""Make httpx's client for one server: its certificates, its proxy, how long connections are kept.

Called by `http`, once for each server. Never limits the number of connections: a request that
waits for one would look slow, or be late.
"""

from __future__ import annotations

import os
import ssl

from tgicli.backends.connections import DirectTransport
from tgicli.backends.endpoint import Endpoint, RemoteOptions, shown_url
from tgicli.backends.faults import words_of_fault
from tgicli.backends.http_library import httpx
from tgicli.errors import ConfigError

IDLE_S = 2.0  # that a connection is kept for the next request
OBSERVED_IDLE_S = 60.0  # the same, where connecting would be measured
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # beside those that httpx reads


def new_client(
    options: RemoteOptions, *, proxy: str | None, is_observed: bool
) -> httpx.AsyncClient:
    """Return a client; one for observed requests stamps what it reads, but not through a proxy.

    Raises:
        ConfigError: the environment's proxy or certificates can't be used.
    """
    endpoint = options.endpoint
    verify = _certificates() if endpoint.origin.startswith("https") else _no_certificates()
    # Servers close idle connections, many after 5 s; a request had better not meet that.
    idle_s = OBSERVED_IDLE_S if is_observed else IDLE_S
    try:
        return httpx.AsyncClient(
            transport=_direct(endpoint, verify, idle_s, is_observed) if proxy is None else None,
            proxy=proxy,
            verify=verify,
            limits=httpx.Limits(max_connections=None, keepalive_expiry=idle_s),
            timeout=httpx.Timeout(None, connect=options.timeouts.connect_s),
            trust_env=False,
        )
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        # httpx quotes a URL that it can't read, with a part of the password perhaps.
        words = str(error) if isinstance(error, ImportError) else "it is no URL of a proxy"
        raise ConfigError(
            f"the proxy {shown_url(proxy or '')} that the environment names can't be used: "
            f"{words}; see HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY"
        ) from error


def _direct(
    endpoint: Endpoint, verify: ssl.SSLContext, idle_s: float, is_observed: bool
) -> DirectTransport:
    network = None
    if is_observed:
        from tgicli.backends.stamping import StampingNetwork

        network = StampingNetwork()
    socket = None if endpoint.socket is None else str(endpoint.socket)
    return DirectTransport(verify, idle_s=idle_s, socket=socket, network=network)


def _certificates() -> ssl.SSLContext:
    try:
        return _named_certificates()
    except (ValueError, OSError) as error:
        raise ConfigError(
            f"the certificates that the environment names can't be used: "
            f"{words_of_fault(error)}; see SSL_CERT_FILE, SSL_CERT_DIR, {', '.join(_CA_VARIABLES)}"
        ) from error


def _named_certificates() -> ssl.SSLContext:
    for name in _CA_VARIABLES:
        if (path := os.environ.get(name)) and not os.environ.get("SSL_CERT_FILE"):
            is_folder = os.path.isdir(path)
            return ssl.create_default_context(
                cafile=None if is_folder else path, capath=path if is_folder else None
            )
    return httpx.create_ssl_context()


def _no_certificates() -> ssl.SSLContext:
    """Return a context that trusts nobody: for plain HTTP, where reading them costs 20 ms."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
