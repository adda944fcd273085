"""The ASGI app: which route is whose, and how an error becomes an answer.

Made by `run`. Every refusal is JSON with TGI's `error` and `error_type`, on OpenAI's routes within
OpenAI's own shape; both before the first byte of an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tgicli.errors import TgicliError
from tgicli.server.answering import ClientGone
from tgicli.server.auth import Endpoint, Keys, guarded
from tgicli.server.door import Door
from tgicli.server.facts import FactRoutes
from tgicli.server.native import NativeRoutes
from tgicli.server.openai import OpenAIRoutes
from tgicli.server.record import CANCELLED, PLACE_TAKING, Record
from tgicli.server.recording import Recording, Report
from tgicli.server.refusals import JSON, encode_failure, refusal
from tgicli.server.sagemaker import Invocations
from tgicli.server.service import Service

CLIENT_CLOSED_REQUEST = 499  # nginx's; nobody reads it but the access log


def build_app(service: Service, report: Report) -> ASGIApp:
    """Return the app; report is told of each request that is over."""
    errors, keys = _Errors(service), Keys(service.options)
    middleware = [
        Middleware(Recording, service=service, report=report),
        *_cors(service),
        Middleware(Door, service=service, keys=keys, paths=PLACE_TAKING),
    ]
    app = Starlette(
        routes=_routes(service, keys),
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
            allow_headers=["*"],  # OpenAI's client sends a dozen of its own
            expose_headers=["retry-after"],
        )
    ]


def _routes(service: Service, keys: Keys) -> list[Route]:
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
        "/v1/models/{name:path}": facts.model,
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
    ways: dict[str, dict[str, Endpoint]] = {}
    for path, endpoint in posts.items():
        ways.setdefault(path, {})["POST"] = guarded(keys, endpoint)
    for path, endpoint in gets.items():
        ways.setdefault(path, {})["GET"] = guarded(keys, endpoint)
    for path, endpoint in open_gets.items():
        ways.setdefault(path, {})["GET"] = endpoint
    return [Route(path, _by_method(ends), methods=list(ends)) for path, ends in ways.items()]


def _by_method(endpoints: Mapping[str, Endpoint]) -> Endpoint:
    """Return one endpoint for a path, so that a 405 knows all of its methods."""
    if len(endpoints) == 1:
        return next(iter(endpoints.values()))

    async def answer(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await endpoints[method](request)

    return answer


class _Errors:
    """Exceptions to answers."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def refuse(self, request: Request, error: Exception) -> Response:
        """Answer with one of our errors."""
        assert isinstance(error, TgicliError)
        return refusal(self._service, Record.of(request), error)

    async def give_up(self, request: Request, error: Exception) -> Response:
        """Answer nobody."""
        Record.of(request).error_type = CANCELLED
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    async def bug(self, request: Request, error: Exception) -> Response:
        """Answer when something of ours broke; the traceback goes to the log, never to a client."""
        return await self.refuse(request, TgicliError("internal error; the server's log has more"))

    async def no_route(self, request: Request, error: Exception) -> Response:
        """Answer a path or a method that there is not."""
        assert isinstance(error, HTTPException)
        status = HTTPStatus(error.status_code)
        words = f"{status.phrase}: {request.method} {request.url.path}; GET /docs lists the routes"
        body = encode_failure(request.url.path, words, status.name.lower())
        return Response(body, status_code=status, media_type=JSON, headers=error.headers)
