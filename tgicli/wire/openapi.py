"""The OpenAPI document, made of the very structs that decode requests and encode answers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tgicli.wire.chat import ChatBody
from tgicli.wire.chat_answer import ChatCompletion
from tgicli.wire.completions import Completion, CompletionBody
from tgicli.wire.facts import Info, ModelList
from tgicli.wire.openai import ErrorAnswer
from tgicli.wire.tgi import Answer, Error, PlacedToken, StreamEvent, TokenizedChat
from tgicli.wire.tgi_requests import GenerateBody

OPENAPI = "3.1.0"
_EVENTS = "text/event-stream"
_REFUSALS = {
    400: "The body is not JSON, or can't be served as asked.",
    401: "The API key is missing or wrong.",
    413: "The body is larger than the server accepts.",
    415: "The body does not say that it is JSON.",
    422: "The request can't be served as asked.",
    424: "The model failed.",
    429: "Busy; Retry-After says when to come back.",
    500: "A bug in the server.",
    503: "The model is loading, or the server is shutting down.",
}


@dataclass(frozen=True, slots=True)
class _Operation:
    """One route."""

    method: str
    path: str
    summary: str
    body: Any = None
    answer: Any = None
    events: Any = None
    error: Any = Error


_OPERATIONS = (
    _Operation("post", "/generate", "Generate, and answer when all is done.", GenerateBody, Answer),
    _Operation(
        "post", "/generate_stream", "Generate, token by token.", GenerateBody, events=StreamEvent
    ),
    _Operation(
        "post", "/", "Both, as `stream` says.", GenerateBody, list[Answer], events=StreamEvent
    ),
    _Operation("post", "/tokenize", "Tokenise a text.", GenerateBody, list[PlacedToken]),
    _Operation("post", "/chat_tokenize", "Tokenise a conversation.", ChatBody, TokenizedChat),
    _Operation(
        "post",
        "/invocations",
        "Any of the bodies, as SageMaker sends them.",
        GenerateBody,
        list[Answer],
        events=StreamEvent,
    ),
    _Operation(
        "post",
        "/v1/completions",
        "Generate, in OpenAI's shape.",
        CompletionBody,
        Completion,
        events=Completion,
        error=ErrorAnswer,
    ),
    _Operation(
        "post",
        "/v1/chat/completions",
        "Go on with a conversation, in OpenAI's shape.",
        ChatBody,
        ChatCompletion,
        events=ChatCompletion,
        error=ErrorAnswer,
    ),
    _Operation("get", "/info", "The model and the server's limits.", answer=Info),
    _Operation("get", "/v1/models", "The model, in OpenAI's shape.", answer=ModelList),
    _Operation("get", "/health", "Whether a request would be computed now."),
    _Operation("get", "/ping", "The same."),
    _Operation("get", "/metrics", "What Prometheus scrapes.", answer=str),
)


def openapi_document(version: str) -> bytes:
    """Return the document as JSON."""
    types = [t for one in _OPERATIONS for t in (one.body, one.answer, one.events, one.error) if t]
    schemas, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    schema_of = {str(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for operation in _OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _describe(operation, schema_of)
    document = {
        "openapi": OPENAPI,
        "info": {
            "title": "tgicli",
            "version": version,
            "description": "A language model on the protocols of TGI and OpenAI.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"key": []}],
    }
    return msgspec.json.encode(document)


def _describe(operation: _Operation, schema_of: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": operation.method + operation.path.replace("/", "_"),
        "responses": {"200": _answer(operation, schema_of), **_refusals(operation, schema_of)},
    }
    if operation.body is not None:
        content = {"application/json": {"schema": schema_of[str(operation.body)]}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _answer(operation: _Operation, schema_of: dict[str, Any]) -> dict[str, Any]:
    content = {}
    if operation.answer is str:
        content["text/plain"] = {"schema": {"type": "string"}}
    elif operation.answer is not None:
        content["application/json"] = {"schema": schema_of[str(operation.answer)]}
    if operation.events is not None:
        content[_EVENTS] = {"schema": schema_of[str(operation.events)]}
    return {"description": "Done.", **({"content": content} if content else {})}


def _refusals(operation: _Operation, schema_of: dict[str, Any]) -> dict[str, Any]:
    statuses = (
        _REFUSALS if operation.body is not None else {401: _REFUSALS[401], 503: _REFUSALS[503]}
    )
    content = {"application/json": {"schema": schema_of[str(operation.error)]}}
    return {
        str(status): {"description": words, "content": content}
        for status, words in statuses.items()
    }
