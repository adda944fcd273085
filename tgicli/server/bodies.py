"""Read a request's body, as far as the server is willing to. Used by the routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request

from tgicli.errors import BodyTooLarge, WrongMediaType
from tgicli.server.answering import ClientGone
from tgicli.server.service import Service

PATIENCE_S = 1.0  # for the rest of a refused body


async def read_json_body(request: Request, service: Service) -> bytes:
    """Return the bytes of a body that says that it is JSON.

    Raises:
        WrongMediaType, BodyTooLarge: it is refused, before it is read if that can be.
        ClientGone: it never came.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    kind, _, subtype = media_type.partition("/")
    if kind != "application" or not (subtype == "json" or subtype.endswith("+json")):
        raise WrongMediaType("Expected request with `Content-Type: application/json`")
    parts, limit_bytes = request.stream(), service.options.payload_limit_bytes
    n_told = int(request.headers.get("content-length", 0))
    body = bytearray()
    try:
        if n_told <= limit_bytes:
            async for part in parts:
                body += part
                if len(body) > limit_bytes:
                    break
            else:
                return bytes(body)
        await _pass_over(request, parts)
    except ClientDisconnect as error:
        raise ClientGone from error
    raise BodyTooLarge(
        f"Failed to buffer the request body: length limit exceeded ({limit_bytes:,} bytes)",
        aside="--payload-limit",
    )


async def _pass_over(request: Request, parts: AsyncGenerator[bytes, None]) -> None:
    """Read the rest of a refused body if the connection ends with the answer.

    Closed with bytes on their way to it, it would be reset, and the answer with it (RFC 9112,
    9.6). Who expects to be told to go on has sent none.
    """
    headers = request.headers
    options = {word.strip().lower() for word in headers.get("connection", "").split(",")}
    is_kept = request.scope["http_version"] != "1.0" and "close" not in options
    if is_kept or "expect" in headers:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            async for _ in parts:
                pass
