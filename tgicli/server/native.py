"""TGI's own routes: /, /generate, /generate_stream and /tokenize.

Called by Starlette on the event loop. What a request means is `wire`'s; how an answer is sent is
`answering`'s and `streaming`'s.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

from starlette.requests import Request
from starlette.responses import Response

from tgicli.core import GenerationRequest, collect
from tgicli.errors import TgicliError
from tgicli.server.answering import Events, accepted, while_connected
from tgicli.server.auth import reuse_key
from tgicli.server.bodies import read_json_body
from tgicli.server.record import Record
from tgicli.server.refusals import JSON, ShutDown
from tgicli.server.service import Service
from tgicli.server.streaming import EventStream, framed
from tgicli.server.timings import compute_headers, timing_headers, wall_header
from tgicli.wire.sse import encode_event
from tgicli.wire.tgi import StreamEncoder, encode_answer, encode_error, encode_tokens
from tgicli.wire.tgi_requests import GenerateCall, check_best_of, decode_generate, fit

_LAST_WORDS = encode_event(encode_error(ShutDown()))


class NativeRoutes:
    """The endpoints, bound to one service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def generate(self, request: Request) -> Response:
        """Answer POST /generate."""
        body = await read_json_body(request, self._service)
        return await self._whole(request, decode_generate(body, streams=False))

    async def generate_stream(self, request: Request) -> Response:
        """Answer POST /generate_stream."""
        body = await read_json_body(request, self._service)
        return await self._stream(request, decode_generate(body, streams=True))

    async def compatible(self, request: Request) -> Response:
        """Answer POST /: as the body says, and whole answers in a list."""
        return await self.answer_compatible(request, await read_json_body(request, self._service))

    async def answer_compatible(self, request: Request, body: bytes) -> Response:
        """Answer a body in the shape of POST /."""
        call = decode_generate(body, streams=None, compatible=True)
        if call.streams:
            return await self._stream(request, call)
        return await self._whole(request, call, as_list=True)

    async def tokenize(self, request: Request) -> Response:
        """Answer POST /tokenize."""
        call = decode_generate(await read_json_body(request, self._service), streams=False)
        asked = GenerationRequest(
            id=self._service.new_id(), prompt=call.body.inputs, generates=False
        )
        tokenized = await self._service.backend.tokenize(asked)
        return Response(encode_tokens(tokenized.tokens), media_type=JSON)

    async def _settle(self, request: Request, call: GenerateCall) -> GenerationRequest:
        """Check a call against the limits, and count its tokens."""
        service = self._service
        asked = call.to_request(
            Record.of(request).request_id, service.limits, reuse_key=reuse_key(service, request)
        )
        return fit(asked, await service.backend.count_tokens(asked), service.limits)

    def _compute_headers(self, call: GenerateCall) -> dict[str, str]:
        return compute_headers(len(call.body.inputs), on_gpu=self._service.options.on_gpu)

    async def _whole(
        self, request: Request, call: GenerateCall, *, as_list: bool = False
    ) -> Response:
        service, record = self._service, Record.of(request)
        check_best_of(call, service.limits)
        with service.admission.places(call.n_places):
            asked = await self._settle(request, call)
            validated_s = record.elapsed_s
            async with accepted(service, request, [asked]) as (events,):
                run = await while_connected(request, collect(events))
        body = encode_answer(run, prefix=call.prefix, details=call.wants_details)
        headers = {
            **self._compute_headers(call),
            **wall_header(record),
            **timing_headers(record, [run.finish], validated_s=validated_s),
        }
        return Response(b"[%b]" % body if as_list else body, media_type=JSON, headers=headers)

    async def _stream(self, request: Request, call: GenerateCall) -> Response:
        service, record = self._service, Record.of(request)
        async with AsyncExitStack() as stack:
            stack.enter_context(service.admission.places(1))
            asked = await self._settle(request, call)
            (events,) = await stack.enter_async_context(accepted(service, request, [asked]))
            return EventStream(
                service,
                record,
                _body(call, events, record),
                stack.pop_all(),
                headers=self._compute_headers(call),
                last_words=_LAST_WORDS,
            )


async def _body(call: GenerateCall, events: Events, record: Record) -> AsyncGenerator[bytes, None]:
    """Yield what to send, the events of one step together."""
    encoder = StreamEncoder(prefix=call.prefix, details=call.wants_details)
    try:
        async for event in events:
            for piece in framed(encoder.encode(event)):
                yield piece
    except TgicliError as error:  # too late for a status
        record.error_type = error.error_type
        yield encode_event(encode_error(error))
