"""OpenAI's routes: completions and chat completions; and /chat_tokenize, which reads a chat, too.

Called by Starlette on the event loop. What a request means is `wire`'s.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from tgicli.core import Delta, Finish, GenerationRequest, Run
from tgicli.errors import TgicliError
from tgicli.server.answering import Events, accepted, collect_all, while_connected
from tgicli.server.auth import reuse_key
from tgicli.server.bodies import read_json_body
from tgicli.server.merging import merge
from tgicli.server.record import Record
from tgicli.server.refusals import JSON, ShutDown
from tgicli.server.service import Service
from tgicli.server.streaming import EventStream, framed
from tgicli.server.timings import compute_headers, timing_headers, wall_header
from tgicli.wire.chat import ChatCall, decode_chat
from tgicli.wire.chat_answer import ChatEncoder
from tgicli.wire.completions import CompletionCall, CompletionEncoder, decode_completion
from tgicli.wire.openai import AnswerHead, encode_error
from tgicli.wire.sse import DONE_EVENT, encode_event
from tgicli.wire.tgi import encode_tokenized_chat
from tgicli.wire.tgi_requests import fit

_LAST_WORDS = encode_event(encode_error(ShutDown())[1]) + DONE_EVENT
Call = CompletionCall | ChatCall


class Encoder(Protocol):
    """What both dialects' encoders can do."""

    def encode(self, index: int, event: Delta | Finish) -> Iterator[bytes]: ...
    def encode_usage(self) -> bytes | None: ...
    def encode_whole(self, runs: list[Run]) -> bytes: ...


class OpenAIRoutes:
    """The endpoints, bound to one service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def completions(self, request: Request) -> Response:
        """Answer POST /v1/completions."""
        return await self.answer_completion(request, await read_json_body(request, self._service))

    async def chat(self, request: Request) -> Response:
        """Answer POST /v1/chat/completions."""
        return await self.answer_chat(request, await read_json_body(request, self._service))

    async def answer_completion(self, request: Request, body: bytes) -> Response:
        """Answer a body in the shape of /v1/completions."""
        request_id = Record.of(request).request_id
        call = decode_completion(body, self._service.limits, id=request_id)
        encoder = CompletionEncoder(call, self._head(f"cmpl-{request_id}"))
        return await self._answer(request, call, encoder)

    async def answer_chat(self, request: Request, body: bytes) -> Response:
        """Answer a body in the shape of /v1/chat/completions."""
        request_id = Record.of(request).request_id
        call = decode_chat(body, self._service.limits, id=request_id)
        head = self._head(f"chatcmpl-{request_id}")
        encoder = ChatEncoder(call, replace(head, model=call.model or head.model))
        return await self._answer(request, call, encoder)

    async def chat_tokenize(self, request: Request) -> Response:
        """Answer POST /chat_tokenize."""
        body = await read_json_body(request, self._service)
        call = decode_chat(body, self._service.limits, id="")
        tokenized = await self._service.backend.tokenize(call.requests[0])
        return Response(encode_tokenized_chat(tokenized), media_type=JSON)

    def _head(self, answer_id: str) -> AnswerHead:
        service = self._service
        return AnswerHead(
            id=answer_id,
            created=int(time.time()),
            model=service.model_id,
            system_fingerprint=f"{service.version}-native",
        )

    async def _answer(self, request: Request, call: Call, encoder: Encoder) -> Response:
        service, record = self._service, Record.of(request)
        async with AsyncExitStack() as stack:
            n_runs = sum(one.best_of for one in call.requests)
            stack.enter_context(service.admission.places(n_runs))
            asked = [await self._settle(request, one) for one in call.requests]
            validated_s = record.elapsed_s
            headers = compute_headers(_count_characters(call), on_gpu=service.options.on_gpu)
            streams = await stack.enter_async_context(accepted(service, request, asked, n=call.n))
            if call.stream:
                return EventStream(
                    service,
                    record,
                    _body(encoder, streams, record),
                    stack.pop_all(),
                    headers=headers,
                    last_words=_LAST_WORDS,
                )
            runs = await while_connected(request, collect_all(streams))
            finishes = [run.finish for run in runs]
            headers |= timing_headers(record, finishes, validated_s=validated_s, n=call.n)
            if isinstance(call, ChatCall):
                headers |= wall_header(record)
            return Response(encoder.encode_whole(runs), media_type=JSON, headers=headers)

    async def _settle(self, request: Request, one: GenerationRequest) -> GenerationRequest:
        service = self._service
        asked = replace(one, reuse_key=reuse_key(service, request))
        return fit(asked, await service.backend.count_tokens(asked), service.limits)


def _count_characters(call: Call) -> int:
    """Return the length of the prompts; of a conversation, that of what its turns say."""
    prompts = [one.prompt for one in call.requests[:: call.n]]
    texts = [prompt for prompt in prompts if isinstance(prompt, str)]
    turns = [turn for prompt in prompts if not isinstance(prompt, str) for turn in prompt]
    return sum(map(len, texts)) + sum(len(turn.content) for turn in turns)


async def _body(
    encoder: Encoder, streams: list[Events], record: Record
) -> AsyncGenerator[bytes, None]:
    """Yield what to send, the chunks of all choices as they come."""
    try:
        async with aclosing(merge(streams)) as events:
            async for index, event in events:
                for piece in framed(encoder.encode(index, event)):
                    yield piece
        usage = encoder.encode_usage()
        if usage is not None:
            yield encode_event(usage)
    except TgicliError as error:  # too late for a status
        record.error_type = error.error_type
        yield encode_event(encode_error(error)[1])
    yield DONE_EVENT
