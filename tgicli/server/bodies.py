"""Read a request's body, as far as the server is willing to. Used by the routes."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request

from tgicli.errors import BodyTooLarge, WrongMediaType
from tgicli.server.answering import ClientGone


async def read_json_body(request: Request, *, limit_bytes: int) -> bytes:
    """Return the bytes of a body that says that it is JSON.

    Raises:
        WrongMediaType, BodyTooLarge: it is refused, before it is read.
        ClientGone: it never came.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    kind, _, subtype = media_type.partition("/")
    if kind != "application" or not (subtype == "json" or subtype.endswith("+json")):
        raise WrongMediaType("Expected request with `Content-Type: application/json`")
    _check_length(int(request.headers.get("content-length", 0)), limit_bytes)
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            _check_length(len(body), limit_bytes)
    except ClientDisconnect as error:
        raise ClientGone from error
    return bytes(body)


def _check_length(n_bytes: int, limit_bytes: int) -> None:
    if n_bytes > limit_bytes:
        raise BodyTooLarge(
            f"Failed to buffer the request body: length limit exceeded "
            f"({limit_bytes:,} bytes; --payload-limit)"
        )
