"""What the server says of itself: health, facts, models, metrics, documentation, the demo page.

Called by Starlette on the event loop.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tgicli.server.metrics import CONTENT_TYPE
from tgicli.server.pages import page
from tgicli.server.refusals import JSON, encode_failure
from tgicli.server.service import Service
from tgicli.wire.facts import Info, encode_info, encode_model, encode_models
from tgicli.wire.openapi import openapi_document


class FactRoutes:
    """The endpoints, bound to one service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def health(self, request: Request) -> Response:
        """Answer GET /health and /ping."""
        if not self._service.admission.is_closed and await self._service.backend.health():
            return Response()
        body = encode_failure(request.url.path, "unhealthy", "healthcheck")
        return Response(body, status_code=503, media_type=JSON)

    async def info(self, request: Request) -> Response:
        """Answer GET /info."""
        service, limits = self._service, self._service.limits
        info = Info(
            model_id=service.model_id,
            max_concurrent_requests=service.options.max_concurrent_requests,
            max_best_of=limits.max_best_of,
            max_stop_sequences=limits.max_stop_sequences,
            max_input_tokens=limits.max_input_tokens,
            max_total_tokens=limits.max_total_tokens,
            max_client_batch_size=limits.max_client_batch_size,
            version=service.version,
        )
        return Response(encode_info(info), media_type=JSON)

    async def models(self, request: Request) -> Response:
        """Answer GET /v1/models."""
        body = encode_models(self._service.model_id, self._service.limits.adapters)
        return Response(body, media_type=JSON)

    async def model(self, request: Request) -> Response:
        """Answer GET /v1/models/NAME."""
        name, path = request.path_params["name"], request.url.path
        if name in (self._service.model_id, *self._service.limits.adapters):
            return Response(encode_model(name, self._service.model_id), media_type=JSON)
        words = f"there is no model {name!r} here; GET /v1/models lists them"
        body = encode_failure(path, words, "model_not_found")
        return Response(body, status_code=404, media_type=JSON)

    async def metrics(self, request: Request) -> Response:
        """Answer GET /metrics."""
        body = self._service.metrics.expose(self._service.backend.stats())
        return Response(body, headers={"content-type": CONTENT_TYPE})

    async def openapi(self, request: Request) -> Response:
        """Answer GET /openapi.json."""
        return Response(openapi_document(self._service.version), media_type=JSON)

    async def docs(self, request: Request) -> Response:
        """Answer GET /docs, with or without a key; the document that the page reads wants one."""
        return page("docs.html")

    async def demo(self, request: Request) -> Response:
        """Answer GET /: the demo page for a browser, nothing for who only asks for health."""
        is_browser = "text/html" in request.headers.get("accept", "")
        response = page("index.html") if is_browser else await self.health(request)
        response.headers["vary"] = "Accept"
        return response
