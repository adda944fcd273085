"""Watch each request from its first byte to its last, and tell of it when it is over.

Pure ASGI middleware, outside all others but the server's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tgicli.errors import TgicliError
from tgicli.server.record import Record
from tgicli.server.refusals import ShutDown, refusal
from tgicli.server.service import Service
from tgicli.server.streaming import HANG_UP

Report = Callable[[Record], None]


class Recording:
    """Put a Record into each request's state."""

    def __init__(self, app: ASGIApp, service: Service, report: Report) -> None:
        self._app = app
        self._service = service
        self._report = report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client, _ = scope.get("client") or ("", 0)
        record = Record(self._service.new_id(), scope["method"], scope["path"], client)
        scope.setdefault("state", {})["record"] = record

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                if self._service.admission.is_closed:  # nobody should send another one here
                    message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except asyncio.CancelledError:
            if record.status == 0:
                await refusal(self._service, record, ShutDown())(scope, receive, watch)
            else:
                record.error_type = ShutDown.error_type
                scope["state"][HANG_UP]()
        finally:
            if record.status == 0:  # a bug; the answer is made outside
                record.status, record.error_type = 500, TgicliError.error_type
            self._report(record)
