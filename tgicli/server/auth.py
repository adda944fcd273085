"""Who may ask: API keys in the Authorization header.

Checked before a body is read. Keys are compared in constant time and never logged.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from tgicli.errors import Unauthorized
from tgicli.server.service import ServerOptions, Service

Endpoint = Callable[[Request], Awaitable[Response]]


class Keys:
    """Who has one; everybody, if the server asks for none."""

    def __init__(self, options: ServerOptions) -> None:
        self._keys = tuple(form for key in options.api_keys for form in _forms(key))
        self._keyless_socket = options.keyless_socket

    def admit(self, connection: HTTPConnection) -> bool:
        """Say whether a client may ask."""
        if not self._keys or self._came_by_socket(connection):
            return True
        given = _bearer(connection)
        matches = [secrets.compare_digest(given, key) for key in self._keys]
        return any(matches)  # all were compared, whichever it is

    def _came_by_socket(self, connection: HTTPConnection) -> bool:
        """Say whether a request came through the Unix socket that needs no key."""
        place = connection.scope.get("server")
        return bool(self._keyless_socket and place and place[0] == self._keyless_socket)


def guarded(keys: Keys, endpoint: Endpoint) -> Endpoint:
    """Return an endpoint for those who have one of the keys."""

    async def answer(request: Request) -> Response:
        if not keys.admit(request):
            raise Unauthorized("the API key is missing or wrong; send `Authorization: Bearer KEY`")
        return await endpoint(request)

    return answer


def reuse_key(service: Service, request: Request) -> str:
    """Return what separates this client's cached prefixes from others', empty: nothing does."""
    if not service.options.isolates_keys:
        return ""
    return hashlib.sha256(_bearer(request)).hexdigest()


def _forms(key: str) -> set[bytes]:
    """Return what clients send for a key: UTF-8 mostly, Latin-1 if they are Python's."""
    return {key.encode(), key.encode("latin-1" if max(key) <= "\xff" else "utf-8")}


def _bearer(request: HTTPConnection) -> bytes:
    header = request.headers.get("authorization", "").encode("latin-1")  # as it came
    scheme, _, key = header.partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else b""
