"""What the fake server sends in answer to one request, and when. Pure; called by `reply`.

Made piece by piece, while the one before is under way, so that a long answer delays no other. A
piece is one event, or several where one token each has to be an event of its own (TGI's dialect).

Invariants
    the text depends on the prompt alone: its nonce, then words in a fixed order
    a prompt's tokens are its words; an answer's tokens are what usage and `details` say
    a piece's time depends on its number, never on when the one before was sent
"""

from __future__ import annotations

import enum
import json
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tgicli.bench.fake.options import FakeOptions, Fault

_SENTENCE = (
    "the sea was calm and the old boat went out with two men who had known it for years one "
    "of them sang while his friend looked at the sky and said that it would rain before night"
)
WORDS = _SENTENCE.split()
MODEL = "fake"
_HALF = "\ue000"  # stands for half a character until there are bytes
_REASONS = {False: ("length", "length"), True: ("stop", "eos_token")}  # OpenAI's word, and TGI's


class Route(enum.Enum):
    """What a request asks for."""

    GENERATE = "/generate"
    GENERATE_STREAM = "/generate_stream"
    CHAT = "/v1/chat/completions"
    COMPLETIONS = "/v1/completions"

    @property
    def is_tgi(self) -> bool:
        """Whether it speaks TGI's dialect."""
        return self in (Route.GENERATE, Route.GENERATE_STREAM)


@dataclass(slots=True, kw_only=True)
class Asked:
    """One request. Only its nonce ever changes: a fault swaps it with another's."""

    route: Route
    nonce: str
    n_prompt_tokens: int
    max_tokens: int
    is_stream: bool
    wants_usage: bool = False
    wants_continuous_usage: bool = False
    options: FakeOptions
    fault: Fault = Fault.NONE

    @property
    def n_tokens(self) -> int:
        """How many the answer has."""
        own = self.options.n_tokens
        return self.max_tokens if own is None else min(own, self.max_tokens)

    @property
    def reason(self) -> str:
        """Why it ends, in the route's words."""
        return _REASONS[self.n_tokens < self.max_tokens][self.route.is_tgi]


@dataclass(frozen=True, slots=True)
class Piece:
    """Something to be written at once."""

    at_ms: float  # since the request was taken up
    data: bytes
    is_chunk: bool = True  # it brings tokens
    joins: bool = False  # it comes when other streams' chunks do, if they are aligned
    breaks: bool = False  # behind it the connection is reset


def script(asked: Asked, *, is_cold: bool) -> Iterator[Piece]:
    """Yield all pieces of an answer, in order of time."""
    pieces = _stream(asked, is_cold) if asked.is_stream else _whole(asked, is_cold)
    if asked.fault is Fault.GZIP:
        pieces = _gzipped(pieces)
    return pieces


def sizes(asked: Asked) -> list[int]:
    """Return the numbers of tokens of all chunks."""
    options, n_left = asked.options, asked.n_tokens
    first = min(options.first_chunk_tokens or options.tokens_per_chunk, n_left)
    full, rest = divmod(n_left - first, options.tokens_per_chunk)
    return [first, *[options.tokens_per_chunk] * full, *([rest] if rest else [])]


def times_ms(asked: Asked, n_chunks: int, *, is_cold: bool) -> Iterator[float]:
    """Yield the chunks' times since the request was taken up; they never descend."""
    options, last = asked.options, 0.0
    draw = random.Random(zlib.crc32(asked.nonce.encode()))
    first = options.ttft_ms * options.slow + (options.cold_ms if is_cold else 0.0)
    end = first + (n_chunks - 1) * options.gap_ms * options.slow
    for index in range(n_chunks):
        at = end if asked.fault is Fault.BURST else first + index * options.gap_ms * options.slow
        if options.jitter_ms:
            at += draw.uniform(-options.jitter_ms, options.jitter_ms)
        last = max(last, at)
        yield last


def text_of(asked: Asked, start: int, stop: int) -> str:
    """Return the text of the tokens [start, stop)."""
    return "".join(_token_text(asked, index) for index in range(start, stop))


def _token_text(asked: Asked, index: int) -> str:
    text = f" {WORDS[index % len(WORDS)]}" if index else asked.nonce
    is_half = asked.fault is Fault.UTF8 and index == asked.n_tokens // 2
    return f"{text}{_HALF}" if is_half else text


def _stream(asked: Asked, is_cold: bool) -> Iterator[Piece]:
    counts, start = sizes(asked), 0
    breaks_at = len(counts) // 2 if asked.fault in (Fault.ERROR, Fault.CUT) else None
    early_ms, at_ms = asked.options.role_early_ms, 0.0
    for number, at_ms in enumerate(times_ms(asked, len(counts), is_cold=is_cold)):
        if number == 0 and asked.route is Route.CHAT and early_ms is not None:
            yield Piece(max(0.0, at_ms - early_ms), _chat(asked, {"role": "assistant"}), False)
        if number == breaks_at:
            yield _break(asked, at_ms)
            return
        stop = start + counts[number]
        yield Piece(at_ms, _events(asked, start, stop), joins=number > 0)
        start = stop
    for data in _ending(asked):
        yield Piece(at_ms, data, False, joins=len(counts) > 1)


def _break(asked: Asked, at_ms: float) -> Piece:
    if asked.fault is Fault.CUT:
        return Piece(at_ms, b"", breaks=True)
    body = error_body("the fake server fails, as asked", is_tgi=asked.route.is_tgi)
    return Piece(at_ms, _event(body) if asked.is_stream else _encoded(body))


def _events(asked: Asked, start: int, stop: int) -> bytes:
    """Return the events of the tokens [start, stop): one, or one each."""
    if asked.route.is_tgi:
        return b"".join(_tgi(asked, index) for index in range(start, stop))
    is_last = stop == asked.n_tokens and asked.fault is not Fault.NO_FINISH
    text, reason = text_of(asked, start, stop), asked.reason if is_last else None
    if asked.route is Route.COMPLETIONS:
        return _completion(asked, text, reason, stop)
    if start >= asked.options.n_reasoning:
        return _chat(asked, {"content": text}, reason, stop)
    if stop <= asked.options.n_reasoning:
        return _chat(asked, {"reasoning_content": text}, reason, stop)
    thought = text_of(asked, start, asked.options.n_reasoning)
    said = text_of(asked, asked.options.n_reasoning, stop)
    return _chat(asked, {"reasoning_content": thought, "content": said}, reason, stop)


def _ending(asked: Asked) -> Iterator[bytes]:
    """Yield the events behind the last token's."""
    if not asked.route.is_tgi:
        yield from _openai_ending(asked)
    if asked.fault is Fault.AFTER_DONE:
        yield _events(asked, 0, 1)


def _openai_ending(asked: Asked) -> Iterator[bytes]:
    if asked.wants_usage and asked.fault is not Fault.NO_USAGE:
        for _ in range(2 if asked.fault is Fault.DOUBLE_USAGE else 1):
            yield _event({**_head(asked), "choices": [], "usage": usage(asked, asked.n_tokens)})
    if asked.fault is not Fault.NO_DONE:
        yield b"data: [DONE]\n\n"


def _chat(
    asked: Asked, delta: dict[str, str], reason: str | None = None, n_so_far: int = 0
) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return _event({**_head(asked), "choices": [choice], **_counts(asked, n_so_far)})


def _completion(asked: Asked, text: str, reason: str | None, n_so_far: int) -> bytes:
    choice = {"index": 0, "text": text, "finish_reason": reason}
    return _event({**_head(asked), "choices": [choice], **_counts(asked, n_so_far)})


def _counts(asked: Asked, n_so_far: int) -> dict[str, Any]:
    return {"usage": usage(asked, n_so_far)} if asked.wants_continuous_usage else {}


def _tgi(asked: Asked, index: int) -> bytes:
    is_last = index == asked.n_tokens - 1 and asked.fault is not Fault.NO_FINISH
    return _event(
        {
            "index": index + 1,
            "token": _token(asked, index),
            "generated_text": text_of(asked, 0, asked.n_tokens) if is_last else None,
            "details": _details(asked) if is_last else None,
        }
    )


def _token(asked: Asked, index: int) -> dict[str, Any]:
    text = text_of(asked, index, index + 1)
    return {"id": 100 + index, "text": text, "logprob": -0.5, "special": False}


def _details(asked: Asked) -> dict[str, Any] | None:
    if asked.fault is Fault.NO_USAGE:
        return None
    counts = {"generated_tokens": asked.n_tokens, "input_length": asked.n_prompt_tokens}
    return {"finish_reason": asked.reason, "seed": None, **counts}


def _head(asked: Asked) -> dict[str, Any]:
    is_chat = asked.route is Route.CHAT
    name = "chat.completion" if is_chat else "text_completion"
    suffix = ".chunk" if is_chat and asked.is_stream else ""
    return {"id": "fake", "object": name + suffix, "created": 0, "model": MODEL}


def usage(asked: Asked, n_tokens: int) -> dict[str, Any]:
    """Return OpenAI's counts."""
    return {
        "prompt_tokens": asked.n_prompt_tokens,
        "completion_tokens": n_tokens,
        "total_tokens": asked.n_prompt_tokens + n_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def error_body(words: str, *, is_tgi: bool, kind: str = "generation", code: int = 500) -> Any:
    """Return an error, as the dialect writes it."""
    if is_tgi:
        return {"error": words, "error_type": kind}
    return {"error": {"message": words, "type": "server_error", "code": code}}


def _whole(asked: Asked, is_cold: bool) -> Iterator[Piece]:
    """Yield an answer that was asked for at once; it takes as long as the stream would."""
    *_, at_ms = times_ms(asked, len(sizes(asked)), is_cold=is_cold)
    if asked.fault in (Fault.ERROR, Fault.CUT):
        yield _break(asked, at_ms)
    else:
        yield Piece(at_ms, _encoded(_whole_body(asked)))


def _whole_body(asked: Asked) -> dict[str, Any]:
    if asked.route.is_tgi:
        tokens = [_token(asked, index) for index in range(asked.n_tokens)]
        details = _details(asked)
        text = text_of(asked, 0, asked.n_tokens)
        more = {"prefill": [], "tokens": tokens}
        return {"generated_text": text, "details": details and {**details, **more}}
    n_thought = min(asked.options.n_reasoning, asked.n_tokens) if asked.route is Route.CHAT else 0
    text = text_of(asked, n_thought, asked.n_tokens)
    reason = None if asked.fault is Fault.NO_FINISH else asked.reason
    choice: dict[str, Any] = {"index": 0, "finish_reason": reason}
    if asked.route is Route.CHAT:
        thought = text_of(asked, 0, n_thought) or None
        choice["message"] = {"role": "assistant", "content": text, "reasoning_content": thought}
    else:
        choice["text"] = text
    body = {**_head(asked), "choices": [choice]}
    if asked.fault is not Fault.NO_USAGE:
        body["usage"] = usage(asked, asked.n_tokens)
    return body


def _event(body: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % _encoded(body)


def _encoded(body: dict[str, Any]) -> bytes:
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return data.replace(_HALF.encode(), "é".encode()[:1])


def _gzipped(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Compress a body, so that each piece of it can be read as soon as it is there."""
    made = zlib.compressobj(wbits=31)
    piece = Piece(0.0, b"")
    for piece in pieces:
        data = made.compress(piece.data) + made.flush(zlib.Z_SYNC_FLUSH)
        yield replace(piece, data=data)
    yield replace(piece, data=made.flush(), is_chunk=False)
