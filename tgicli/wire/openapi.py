"""The OpenAPI document, made of the very structs that decode requests and encode answers. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import UnionType
from typing import Any

import msgspec

from tgicli.wire.chat import ChatBody
from tgicli.wire.chat_answer import ChatChunk, ChatCompletion
from tgicli.wire.completions import Completion, CompletionBody
from tgicli.wire.facts import Info, ModelCard, ModelList
from tgicli.wire.openai import ErrorAnswer
from tgicli.wire.tgi import Answer, Error, PlacedToken, StreamEvent, TokenizedChat
from tgicli.wire.tgi_requests import GenerateBody

OPENAPI = "3.1.0"
_COMPONENTS = "#/components/schemas/"
_TGI, _OPENAI, _SERVER = "TGI", "OpenAI", "The server"
_GUARDED = {401: "The API key is missing or wrong."}
_UNKNOWN = {404: "There is none of that name."}
_NOT_READY = {503: "The model is loading, or the server is shutting down."}
_BUG = {500: "A bug in the server."}
_MALFORMED = {
    400: "The body is not JSON.",
    413: "The body is larger than the server accepts.",
    415: "The body does not say that it is JSON.",
}
_UNFIT = {422: "The request can't be served as asked."}
_UNFIT_IN_OPENAI = {400: "The body is not JSON, or can't be served as asked."}
_FAILED = {
    424: "The model failed.",
    429: "Busy; Retry-After says when to come back.",
    502: "The server behind this one can't be reached, or broke off.",
    504: "The server behind this one took too long.",
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
    media_type: str = "text/plain"  # of an answer that is a text
    is_open: bool = False  # to all, also where a key is asked for

    @property
    def tag(self) -> str:
        """Whose dialect it is, or what else."""
        if self.path.startswith("/v1/"):
            return _OPENAI
        return _SERVER if self.body is None else _TGI

    @property
    def parameters(self) -> list[str]:
        """Parts of the path that a client chooses."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def refusals(self) -> dict[int, str]:
        """What else than the answer may come, and why."""
        refusals = _NOT_READY | _BUG | ({} if self.is_open else _GUARDED)
        if self.parameters:
            refusals |= _UNKNOWN
        if self.body is not None:
            kinds = _kinds_of(self.error)
            unfit = _UNFIT if Error in kinds else {}
            unfit_in_openai = _UNFIT_IN_OPENAI if ErrorAnswer in kinds else {}
            refusals |= _MALFORMED | unfit | unfit_in_openai | _FAILED
        return dict(sorted(refusals.items()))


_OPERATIONS = (
    _Operation("post", "/generate", "Generate, and answer when all is done.", GenerateBody, Answer),
    _Operation(
        "post", "/generate_stream", "Generate, token by token.", GenerateBody, events=StreamEvent
    ),
    _Operation(
        "post",
        "/",
        "Both, as the field stream says.",
        GenerateBody,
        list[Answer],
        events=StreamEvent,
    ),
    _Operation("post", "/tokenize", "Tokenise a text.", GenerateBody, list[PlacedToken]),
    _Operation("post", "/chat_tokenize", "Tokenise a conversation.", ChatBody, TokenizedChat),
    _Operation(
        "post",
        "/invocations",
        "Any of the bodies, as SageMaker sends them.",
        GenerateBody | CompletionBody | ChatBody,
        list[Answer] | Completion | ChatCompletion,
        events=StreamEvent | Completion | ChatChunk,
        error=Error | ErrorAnswer,
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
        events=ChatChunk,
        error=ErrorAnswer,
    ),
    _Operation("get", "/info", "The model and the server's limits.", answer=Info),
    _Operation(
        "get", "/v1/models", "The model, in OpenAI's shape.", answer=ModelList, error=ErrorAnswer
    ),
    _Operation(
        "get",
        "/v1/models/{name}",
        "One model, the server's own or an adapter.",
        answer=ModelCard,
        error=ErrorAnswer,
    ),
    _Operation("get", "/metrics", "What Prometheus scrapes.", answer=str),
    _Operation("get", "/health", "Whether a request would be computed now.", is_open=True),
    _Operation("get", "/ping", "The same.", is_open=True),
    _Operation("get", "/", "The demo page for a browser, the same for others.", is_open=True),
    _Operation(
        "get",
        "/docs",
        "All routes, for people.",
        answer=str,
        media_type="text/html",
        is_open=True,
    ),
)


def openapi_document(version: str) -> bytes:
    """Return the document as JSON."""
    schemas = _Schemas()
    paths: dict[str, dict[str, Any]] = {}
    for operation in _OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _describe(operation, schemas)
    document = {
        "openapi": OPENAPI,
        "info": {
            "title": "tgicli",
            "version": version,
            "description": "A language model on the protocols of TGI and OpenAI.",
        },
        "tags": [{"name": tag} for tag in (_TGI, _OPENAI, _SERVER)],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"key": []}],
    }
    return msgspec.json.encode(document)


class _Schemas:
    """Types to references, and what these refer to."""

    def __init__(self) -> None:
        wanted = ((one.body, one.answer, one.events, one.error) for one in _OPERATIONS)
        kinds = [kind for each in wanted for whole in each for kind in _kinds_of(whole)]
        schemas, self.components = msgspec.json.schema_components(
            kinds, ref_template=f"{_COMPONENTS}{{name}}"
        )
        self._of = {str(kind): schema for kind, schema in zip(kinds, schemas, strict=True)}

    def of(self, whole: Any) -> dict[str, Any]:
        """Return the schema of a type, or of a choice between types."""
        return _choice([self._of[str(kind)] for kind in _kinds_of(whole)])

    def of_event(self, whole: Any) -> dict[str, Any]:
        """Return the schema of an event whose data is that, as JSON; OpenAPI 3.2's way."""
        return _choice([self._event(kind) for kind in _kinds_of(whole)])

    def _event(self, kind: Any) -> dict[str, Any]:
        name = f"{kind.__name__}InEvent"
        content = {"contentMediaType": "application/json", "contentSchema": self.of(kind)}
        data = {"type": "string", **content}
        event = {"type": "object", "properties": {"data": data}, "required": ["data"]}
        self.components[name] = event
        return {"$ref": f"{_COMPONENTS}{name}"}


def _kinds_of(whole: Any) -> tuple[Any, ...]:
    if isinstance(whole, UnionType):
        return whole.__args__
    return () if whole is None else (whole,)


def _choice(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _describe(operation: _Operation, schemas: _Schemas) -> dict[str, Any]:
    described: dict[str, Any] = {
        "tags": [operation.tag],
        "summary": operation.summary,
        "operationId": operation.method + re.sub(r"\W", "_", operation.path),
        "responses": {"200": _answer(operation, schemas), **_refusals(operation, schemas)},
    }
    if operation.parameters:
        described["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in operation.parameters
        ]
    if operation.body is not None:
        content = {"application/json": {"schema": schemas.of(operation.body)}}
        described["requestBody"] = {"required": True, "content": content}
    if operation.is_open:
        described["security"] = []
    return described


def _answer(operation: _Operation, schemas: _Schemas) -> dict[str, Any]:
    content = {}
    if operation.answer is str:
        content[operation.media_type] = {"schema": {"type": "string"}}
    elif operation.answer is not None:
        content["application/json"] = {"schema": schemas.of(operation.answer)}
    if operation.events is not None:
        content["text/event-stream"] = {"schema": schemas.of_event(operation.events)}
    return {"description": "Done.", **({"content": content} if content else {})}


def _refusals(operation: _Operation, schemas: _Schemas) -> dict[str, Any]:
    content = {"application/json": {"schema": schemas.of(operation.error)}}
    return {
        str(status): {"description": words, "content": content}
        for status, words in operation.refusals.items()
    }
