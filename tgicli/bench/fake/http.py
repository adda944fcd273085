"""HTTP for the fake server, by hand: it must be cheap, exact, and able to break every rule.

Lives on the fake server's event loop, one Connection a client. HTTP/1.1, kept alive, bodies of a
told length only. Never speaks to anything but this machine unless told to.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tgicli.bench.fake.options import FakeOptions, Fault
from tgicli.bench.fake.reply import Desk, Reply
from tgicli.bench.fake.script import MODEL, Asked, Route, error_body
from tgicli.errors import ConfigError

N_TOKENS = 128  # of an answer whose request does not say
_DIRECTIVE = re.compile(r"\[fake ([^\]]*)\]")
_NONCE = re.compile(r"\b\d{8}\b")  # as the bench's prompts have one
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_ROUTES = {route.value: route for route in Route}
_INFO = {
    "model_id": MODEL,
    "max_concurrent_requests": 1024,
    "max_best_of": 1,
    "max_stop_sequences": 4,
    "max_input_tokens": 1 << 20,
    "max_total_tokens": 1 << 21,
    "max_client_batch_size": 1,
    "router": "fake",
    "version": "1.0.0",
}
# vLLM's name makes clients send what only vLLM understands: ignore_eos, counts in every chunk.
_MODELS = {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "vllm"}]}
_PHRASES = {200: "OK", 400: "Bad Request", 404: "Not Found", 422: "Unprocessable Entity"}


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._data = b""
        self._reply: Reply | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        stats = self._desk.stats
        stats.n_connections += 1
        stats.n_open += 1
        stats.max_open = max(stats.max_open, stats.n_open)

    def connection_lost(self, error: Exception | None) -> None:
        """Answer nobody."""
        self._desk.stats.n_open -= 1
        if self._reply is not None:
            self._reply.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer a request when all of it is there."""
        self._data += data
        self._read()

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        """Send the body's end, and read what the client wants next."""
        self._transport.write(b"0\r\n\r\n")
        self._reply = None
        self._read()

    def reset(self) -> None:
        """Break the connection off."""
        self._transport.abort()

    def _read(self) -> None:
        while self._reply is None:
            head, end, rest = self._data.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            n_body = int(length[1]) if length else 0
            if not end or len(rest) < n_body:
                return
            self._data = rest[n_body:]
            method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
            self._serve(method, target, rest[:n_body])

    def _serve(self, method: str, target: str, body: bytes) -> None:
        parts = urlsplit(target)
        if method == "GET":
            self._page(parts.path)
            return
        try:
            told = json.loads(body)
            if (route := _route_of(parts.path, told)) is not None:
                self._generate(route, told, parse_qsl(parts.query))
            else:
                self._tokenize(parts.path, told)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._answer(400, error_body(f"unreadable: {error!r}", is_tgi=True, kind="validation"))
        except ConfigError as error:
            self._answer(422, error_body(str(error), is_tgi=True, kind="validation"))

    def _page(self, path: str) -> None:
        pages = {"/info": _INFO, "/v1/models": _MODELS, "/health": {}}
        if path == "/stats":
            self._answer(200, self._desk.stats.told())
        elif path == "/times":
            self._answer(200, self._desk.stats.told_times())
        elif path in pages:
            self._answer(200, pages[path])
        else:
            self._answer(404, {"error": f"no page {path}"})

    def _tokenize(self, path: str, told: Mapping[str, Any]) -> None:
        if path not in ("/tokenize", "/chat_tokenize"):
            self._answer(404, {"error": f"no route {path}"})
            return
        text = _prompt_of(told)
        tokens = [
            {"id": number, "text": word[0], "start": word.start(), "stop": word.end()}
            for number, word in enumerate(re.finditer(r"\S+", text))
        ]
        if path == "/chat_tokenize":
            self._answer(200, {"tokenize_response": tokens, "templated_text": text})
        elif "inputs" in told:
            self._answer(200, tokens)
        else:
            self._answer(200, {"count": len(tokens), "max_model_len": 1 << 21})

    def _generate(
        self, route: Route, told: Mapping[str, Any], query: list[tuple[str, str]]
    ) -> None:
        desk = self._desk
        asked = to_asked(route, told, desk.options.changed(query))
        number = desk.number()
        if (number + 1) % asked.options.fault_every:
            asked.fault = Fault.NONE
        if asked.fault is Fault.BUSY or (asked.options.refuses and desk.is_full):
            words, kind = "Model is overloaded", "overloaded"
            body = error_body(words, is_tgi=route.is_tgi, kind=kind, code=429)
            self._answer(429, body, "retry-after: 1\r\n")
            return
        self._reply = Reply(desk, asked, self, lambda queue_s: self._begin(asked, queue_s))
        self._reply.is_cold = number < asked.options.n_cold
        desk.take(self._reply)

    def _begin(self, asked: Asked, queue_s: float) -> None:
        """Send an answer's head; as TGI does, tell the wait with whole answers only."""
        fails = asked.fault is Fault.ERROR and not asked.is_stream
        media_type = "text/event-stream" if asked.is_stream else "application/json"
        more = f"content-type: {media_type}\r\ntransfer-encoding: chunked\r\n"
        if asked.fault is Fault.GZIP:
            more += "content-encoding: gzip\r\n"
        if asked.route.is_tgi and not asked.is_stream:
            more += f"x-queue-time: {queue_s * 1e3:.0f}\r\n"
            more += f"x-prompt-tokens: {asked.n_prompt_tokens}\r\n"
        self._transport.write(_head(500 if fails else 200, more))

    def _answer(self, status: int, body: object, more: str = "") -> None:
        data = json.dumps(body).encode()
        more += f"content-type: application/json\r\ncontent-length: {len(data)}\r\n"
        self._transport.write(_head(status, more) + data)


def _head(status: int, more: str) -> bytes:
    return f"HTTP/1.1 {status} {_PHRASES.get(status, 'Other')}\r\n{more}\r\n".encode()


def _route_of(path: str, told: Mapping[str, Any]) -> Route | None:
    if path == "/":  # TGI's route for both
        return Route.GENERATE_STREAM if told.get("stream") else Route.GENERATE
    return _ROUTES.get(path)


def to_asked(route: Route, told: Mapping[str, Any], options: FakeOptions) -> Asked:
    """Read a request's body.

    Raises:
        ConfigError: its prompt changes an option that there is not.
        KeyError, TypeError, ValueError: it has another shape.
    """
    prompt = _prompt_of(told)
    for found in _DIRECTIVE.finditer(prompt):
        pairs = (word.partition("=") for word in found[1].split())
        options = options.changed((name, text) for name, _, text in pairs)
    plain = _DIRECTIVE.sub("", prompt)
    nonce = _NONCE.search(plain) or re.search(r"\S+", plain)
    stream_options = told.get("stream_options") or {}
    return Asked(
        route=route,
        nonce=nonce[0] if nonce else "",
        n_prompt_tokens=len(prompt.split()),
        max_tokens=_max_tokens(told),
        is_stream=route is Route.GENERATE_STREAM or bool(told.get("stream")),
        wants_usage=bool(stream_options.get("include_usage")),
        wants_continuous_usage=bool(stream_options.get("continuous_usage_stats")),
        options=options,
        fault=options.fault,
    )


def _prompt_of(told: Mapping[str, Any]) -> str:
    if "messages" in told:
        return "\n".join(str(message["content"]) for message in told["messages"])
    return str(told["inputs"] if "inputs" in told else told["prompt"])


def _max_tokens(told: Mapping[str, Any]) -> int:
    within = told.get("parameters") or told
    names = ("max_new_tokens", "max_tokens", "max_completion_tokens")
    return next((int(within[name]) for name in names if within.get(name)), N_TOKENS)
