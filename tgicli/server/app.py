"""The ASGI app: which route is whose, and how an error becomes an answer.

Made by `run`. Every refusal is JSON with TGI's `error` and `error_type`, on OpenAI's routes within
OpenAI's own shape; both before the first byte of an answer.
"""

from __future__ import annotations

import math
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tgicli.errors import Overloaded, TgicliError
from tgicli.server.answering import ClientGone
from tgicli.server.auth import Endpoint, guarded
from tgicli.server.facts import FactRoutes
from tgicli.server.native import NativeRoutes
from tgicli.server.openai import OpenAIRoutes
from tgicli.server.record import Record
from tgicli.server.recording import Recording, Report
from tgicli.server.sagemaker import Invocations
from tgicli.server.service import Service
from tgicli.wire import openai, tgi

JSON = "application/json"
CLIENT_CLOSED_REQUEST = 499  # nginx's; nobody reads it but the access log


def build_app(service: Service, report: Report) -> ASGIApp:
    """Return the app; report is told of each request that is over."""
    errors = _Errors(service)
    middleware = [
        Middleware(Recording, service=service, report=report),
        *_cors(service),
    ]
    app = Starlette(
        routes=_routes(service),
        middleware=middleware,
        exception_handlers={
            TgicliError: errors.refuse,
            ClientGone: errors.give_up,
            HTTPException: errors.no_route,
            Exception: errors.bug,
        },
    )
    app.router.redirect_slashes = False  # as TGI: another path is another path
    return app


def _cors(service: Service) -> list[Middleware]:
    origins = service.options.cors_allow_origins
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST"],
            allow_headers=["content-type", "authorization"],
        )
    ]


def _routes(service: Service) -> list[Route]:
    native, facts, chat = NativeRoutes(service), FactRoutes(service), OpenAIRoutes(service)
    posts: dict[str, Endpoint] = {
        "/": native.compatible,
        "/generate": native.generate,
        "/generate_stream": native.generate_stream,
        "/tokenize": native.tokenize,
        "/chat_tokenize": chat.chat_tokenize,
        "/invocations": Invocations(native, chat, service).answer,
        "/v1/completions": chat.completions,
        "/v1/chat/completions": chat.chat,
    }
    gets: dict[str, Endpoint] = {
        "/info": facts.info,
        "/v1/models": facts.models,
        "/metrics": facts.metrics,
        "/openapi.json": facts.openapi,
        "/api-doc/openapi.json": facts.openapi,
    }
    # A browser can't send a key with an address; these two pages hold nothing that is not public.
    open_gets: dict[str, Endpoint] = {
        "/": facts.demo,
        "/docs": facts.docs,
        "/health": facts.health,
        "/ping": facts.health,
    }
    return [
        *(Route(p, guarded(service, e), methods=["POST"]) for p, e in posts.items()),
        *(Route(p, guarded(service, e), methods=["GET"]) for p, e in gets.items()),
        *(Route(p, e, methods=["GET"]) for p, e in open_gets.items()),
    ]


class _Errors:
    """Exceptions to answers."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def refuse(self, request: Request, error: Exception) -> Response:
        """Answer with one of our errors."""
        assert isinstance(error, TgicliError)
        record = Record.of(request)
        record.error_type = error.error_type
        if record.n_started == 0:  # refused before it was counted
            self._service.metrics.request_started()
            self._service.metrics.refused(error)
        if request.url.path.startswith("/v1/"):
            status, body = openai.encode_error(error)
        else:
            status, body = error.http_status, tgi.encode_error(error)
        return Response(body, status_code=status, media_type=JSON, headers=_headers(error))

    async def give_up(self, request: Request, error: Exception) -> Response:
        """Answer nobody."""
        Record.of(request).error_type = "cancelled"
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    async def bug(self, request: Request, error: Exception) -> Response:
        """Answer when something of ours broke; the traceback goes to the log, never to a client."""
        Record.of(request).error_type = TgicliError.error_type
        return await self.refuse(request, TgicliError("internal error; the server's log has more"))

    async def no_route(self, request: Request, error: Exception) -> Response:
        """Answer a path or a method that there is not."""
        assert isinstance(error, HTTPException)
        status = HTTPStatus(error.status_code)
        words = f"{status.phrase}: {request.method} {request.url.path}; GET /docs lists the routes"
        body = tgi.encode_failure(words, status.name.lower())
        return Response(body, status_code=status, media_type=JSON, headers=error.headers)


def _headers(error: TgicliError) -> dict[str, str]:
    if isinstance(error, Overloaded) and error.retry_after_s is not None:
        return {"retry-after": str(max(1, math.ceil(error.retry_after_s)))}
    return {}
