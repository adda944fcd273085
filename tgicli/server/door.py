"""Refuse requests unread while the server is full.

Pure ASGI middleware on the event loop, inside what adds headers to every answer. A refusal must be
cheap, because there are many of them just when there is no time. Who may not ask at all is left to
the routes, and so is a request that needs more places than are free.
"""

from __future__ import annotations

from collections.abc import Container

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from tgicli.server.auth import Keys
from tgicli.server.refusals import refusal
from tgicli.server.service import Service


class Door:
    """Lets in whom there may be a place for."""

    def __init__(self, app: ASGIApp, service: Service, keys: Keys, paths: Container[str]) -> None:
        """Guard the paths whose POST takes a place."""
        self._app = app
        self._service = service
        self._keys = keys
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        admission = self._service.admission
        if not (
            admission.is_full
            and scope["type"] == "http"
            and scope["method"] == "POST"
            and scope["path"] in self._paths
            and self._keys.admit(HTTPConnection(scope))
        ):
            await self._app(scope, receive, send)
            return
        response = refusal(self._service, scope["state"]["record"], admission.refusal())
        await response(scope, receive, send)
