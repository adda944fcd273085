"""What goes wrong on the way to a server, as our errors.

Used by `http` on the event loop. Never says a class of httpx's: nobody knows what that means.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tgicli.backends.endpoint import shown_url
from tgicli.backends.http_library import httpx
from tgicli.errors import DeadlineExceeded, Unreachable

# A connection breaks; of TLS httpcore lets what breaks a read through as it is.
BREAKS = (httpx.HTTPError, ssl.SSLError)
_UNKNOWN_SIGNER = (18, 19, 20, 21)  # OpenSSL's X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT and so on


class ConnectionRefused(Unreachable):
    """Nobody listens there, now."""


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of one server, or of the proxy that leads to it."""

    shown: str
    proxy: str | None
    connect_s: float | None  # how long connecting may take

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what goes wrong before an answer begins into our errors."""
        shown = self.shown
        proxy = None if self.proxy is None else shown_url(self.proxy)
        try:
            yield
        except httpx.ConnectTimeout as error:
            where, aside = (shown, "") if proxy is None else ("the proxy", f"{proxy}; ")
            raise DeadlineExceeded(
                f"no connection to {where} within {self.connect_s:g} s",
                aside=f"{aside}--connect-timeout",
            ) from error
        except httpx.ConnectError as error:
            raise _no_connection(error, shown, proxy) from error
        except httpx.ProxyError as error:
            raise Unreachable(f"the proxy does not lead to {shown}: {error}") from error
        except BREAKS as error:
            words = words_of_fault(error) or "the connection broke"
            raise Unreachable(f"{shown} gave no answer: {words}") from error


def _no_connection(error: httpx.ConnectError, shown: str, proxy: str | None) -> Unreachable:
    """Return the error; behind a proxy only encryption is the server's affair."""
    causes = list(_causes(error))
    is_refused = any(isinstance(cause, ConnectionRefusedError) for cause in causes)
    if is_refused and not proxy:
        return ConnectionRefused(f"nobody listens at {shown}: connection refused")
    words = next(filter(None, map(words_of_fault, reversed(causes))), "no connection")
    if proxy and not any(isinstance(cause, ssl.SSLError) for cause in causes):
        words = "connection refused" if is_refused else words
        aside = f"{proxy}; see HTTP_PROXY, HTTPS_PROXY, ALL_PROXY"
        return Unreachable(f"can't connect to the proxy: {words}", aside=aside)
    is_strange = any(
        isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code in _UNKNOWN_SIGNER
        for cause in causes
    )
    aside = "SSL_CERT_FILE names a file of certificates to trust" if is_strange else ""
    return Unreachable(f"can't connect to {shown}: {words}", aside=aside)


def words_of_fault(error: BaseException) -> str:
    """Return what an error says, without the names and numbers in C."""
    return re.sub(r"^\[[\w: -]+\] | \(_ssl\.c:\d+\)$", "", str(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and all that it came from."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__
