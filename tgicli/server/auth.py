"""Who may ask: API keys in the Authorization header.

Checked before a body is read. Keys are compared in constant time and never logged.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from tgicli.errors import Unauthorized
from tgicli.server.service import Service

Endpoint = Callable[[Request], Awaitable[Response]]


def guarded(service: Service, endpoint: Endpoint) -> Endpoint:
    """Return an endpoint for those who have one of the server's keys; for all if it has none."""
    keys = tuple(key.encode() for key in service.options.api_keys)
    if not keys:
        return endpoint

    async def answer(request: Request) -> Response:
        given = _bearer(request).encode()
        matches = [secrets.compare_digest(given, key) for key in keys]
        if not any(matches):  # all were compared, whichever it is
            raise Unauthorized("the API key is missing or wrong; send `Authorization: Bearer KEY`")
        return await endpoint(request)

    return answer


def reuse_key(service: Service, request: Request) -> str:
    """Return what separates this client's cached prefixes from others', empty: nothing does."""
    if not service.options.isolates_keys:
        return ""
    return hashlib.sha256(_bearer(request).encode()).hexdigest()


def _bearer(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""
