"""Check what the environment says about hubs, before their library takes it as it is.

Called by `hub`, on its thread: the library reads most variables when it is imported, and what it
can't use ends there in whatever exception that makes. Never shows a token or a password.
"""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit
from urllib.request import getproxies

from tgicli.errors import ConfigError
from tgicli.models.hub_errors import shown

_SECONDS = ("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT")
_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
_TOKEN = re.compile(r"[!-~]+")


def check_variables() -> None:
    """Check what the library reads when it is imported. An empty variable is as good as none.

    Raises:
        ConfigError: one can't be used.
    """
    for variable in ("HF_ENDPOINT", *_SECONDS):
        if os.environ.get(variable) == "":
            del os.environ[variable]  # the library would take it for a value
    endpoint = os.environ.get("HF_ENDPOINT")
    if endpoint is not None and not _is_address(endpoint, "http", "https"):
        raise ConfigError(
            f"HF_ENDPOINT is {shown(endpoint)!r}, and that is no address of a hub; write "
            "https://HOST, or unset it"
        )
    for variable in _SECONDS:
        value = os.environ.get(variable, "1")
        if not value.strip().isdecimal():
            raise ConfigError(f"{variable} must be a whole number of seconds, got {value!r}")


def check_connection() -> None:
    """Check what every request needs: proxies, certificates and the token.

    Raises:
        ConfigError: one of them can't be used.
    """
    from huggingface_hub import get_session, get_token

    for name, proxy in getproxies().items():
        address = proxy if "://" in proxy else f"http://{proxy}"
        if name in ("http", "https", "all") and not _is_address(address, *_PROXY_SCHEMES):
            raise ConfigError(
                f"{name.upper()}_PROXY is {shown(proxy)!r}, and that is no address of a proxy; "
                "write http://HOST:PORT"
            )
    try:
        get_session()
    except ImportError:
        raise ConfigError(
            "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names a SOCKS proxy, which needs another "
            "library: `pip install socksio`"
        ) from None
    except OSError as error:  # of the file, or of TLS
        raise ConfigError(
            "can't use the certificates that SSL_CERT_FILE or SSL_CERT_DIR names: "
            f"{error.strerror or error}"
        ) from error
    token = get_token()
    if token is not None and not _TOKEN.fullmatch(token):
        raise ConfigError(
            "the token in HF_TOKEN, or in the file that `hf auth login` wrote, has a character "
            "that no token has; copy it again"
        )


def _is_address(url: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(url)
        has_host = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return has_host and url.isprintable() and " " not in url
