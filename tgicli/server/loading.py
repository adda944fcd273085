"""What every route answers while the model loads: 503, come back soon. A tiny ASGI app."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tgicli.errors import TgicliError
from tgicli.server.refusals import JSON, encode

RETRY_AFTER_S = 1


class StillLoading(TgicliError):
    """The model is on its way into memory."""

    http_status = 503
    error_type = "loading"


async def answer_while_loading(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request."""
    status, body = encode(scope["path"], StillLoading("the model is loading"))
    headers = {"retry-after": str(RETRY_AFTER_S)}
    response = Response(body, status_code=status, media_type=JSON, headers=headers)
    await response(scope, receive, send)
