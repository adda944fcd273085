"""Errors to answers: JSON with TGI's `error` and `error_type`, on OpenAI's routes in their shape.

Used by the app and by the door, on the event loop.
"""

from __future__ import annotations

import math

from starlette.responses import Response

from tgicli.errors import Overloaded, StreamBroken, TgicliError, Unauthorized
from tgicli.server.record import Record
from tgicli.server.service import Service
from tgicli.wire import openai, tgi

JSON = "application/json"


class ShutDown(StreamBroken):
    """The server ends before an answer does."""

    http_status = 500

    def __init__(self) -> None:
        super().__init__("the server was shut down")


def refusal(service: Service, record: Record, error: TgicliError) -> Response:
    """Return the answer, and count a request for an answer as one that failed."""
    record.error_type = error.error_type
    if record.n_started == 0 and record.takes_place:  # refused before it was counted
        service.metrics.request_started()
        service.metrics.refused(error)
    status, body = encode(record.route, error)
    return Response(body, status_code=status, media_type=JSON, headers=_headers(error))


def encode(path: str, error: TgicliError) -> tuple[int, bytes]:
    """Return status and body in the dialect of a route."""
    if _is_openais(path):
        return openai.encode_error(error)
    return error.http_status, tgi.encode_error(error)


def encode_failure(path: str, words: str, error_type: str) -> bytes:
    """Return the body of what is no error of ours, in the dialect of a route."""
    if _is_openais(path):
        return openai.encode_failure(words, error_type)
    return tgi.encode_failure(words, error_type)


def _is_openais(path: str) -> bool:
    return path.startswith("/v1/")


def _headers(error: TgicliError) -> dict[str, str]:
    if isinstance(error, Overloaded) and error.retry_after_s is not None:
        return {"retry-after": str(max(1, math.ceil(error.retry_after_s)))}
    if isinstance(error, Unauthorized):
        return {"www-authenticate": "Bearer"}  # as RFC 9110 wants with a 401
    return {}
