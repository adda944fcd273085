"""What every route answers while the model loads: 503, come back soon. A tiny ASGI app."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tgicli.wire.tgi import encode_failure

RETRY_AFTER_S = 1


async def answer_while_loading(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request."""
    body = encode_failure("the model is loading", "loading")
    headers = {"retry-after": str(RETRY_AFTER_S)}
    response = Response(body, status_code=503, media_type="application/json", headers=headers)
    await response(scope, receive, send)
