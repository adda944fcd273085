"""POST /invocations: SageMaker's one route for all kinds of bodies.

As in TGI (router/src/sagemaker.rs) the body's own fields say what it is.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tgicli.server.bodies import read_json_body
from tgicli.server.native import NativeRoutes
from tgicli.server.openai import OpenAIRoutes
from tgicli.server.record import Record
from tgicli.server.service import Service
from tgicli.wire.tgi_requests import field_names


class Invocations:
    """The endpoint, bound to the routes that it stands for."""

    def __init__(self, native: NativeRoutes, openai: OpenAIRoutes, service: Service) -> None:
        self._native = native
        self._openai = openai
        self._service = service

    async def answer(self, request: Request) -> Response:
        """Answer POST /invocations."""
        body = await read_json_body(request, self._service)
        fields, record = field_names(body), Record.of(request)
        if "messages" in fields:
            record.route = "/v1/chat/completions"
            return await self._openai.answer_chat(request, body)
        if "prompt" in fields:
            record.route = "/v1/completions"
            return await self._openai.answer_completion(request, body)
        return await self._native.answer_compatible(request, body)
