"""OpenAI's /v1/chat/completions: what is answered.

Pure; called on the event loop by the server, one ChatEncoder a request. Never frames events and
never reads a clock.

A stream has one chunk a token, but for tokens that are held back while they may be a tool call.
`role` is in each answer's first delta only: OpenAI's client joins the strings of all deltas, so a
role in each, as TGI writes it, would become "assistantassistant". The last chunk of an answer has
its finish_reason and perhaps text, as TGI's has. Several answers begin in order, each with its role
alone: OpenAI's client fails on a second one before the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, assert_never

import msgspec
from msgspec import UNSET, UnsetType

from tgicli.core import Delta, Finish, Run, Token, TopToken, visible_text
from tgicli.wire.chat import ChatCall, ToolUse
from tgicli.wire.openai import (
    AnswerHead,
    Usage,
    WireReason,
    usage_of,
    wire_logprob,
    wire_reason,
)
from tgicli.wire.tool_calls import (
    CallArguments,
    CallStart,
    ForcedCall,
    FreeAnswer,
    Piece,
    TextPiece,
)

_NO_CHARACTER = "\ufffd"  # stands where the bytes are none


class TopLogprob(msgspec.Struct, frozen=True):
    """A token that was likely."""

    token: str
    logprob: float
    bytes: list[int] | None  # the text as UTF-8; null for a part of a character


class TokenLogprob(msgspec.Struct, frozen=True):
    """A token of the answer."""

    token: str
    logprob: float
    bytes: list[int]  # the text as UTF-8
    top_logprobs: list[TopLogprob]  # best first


class ChatLogprobs(msgspec.Struct, frozen=True):
    """Log-probabilities of the tokens that have text in the answer."""

    content: list[TokenLogprob]


class AnswerFunction(msgspec.Struct, frozen=True):
    """The function to call."""

    name: str
    arguments: str  # JSON


class AnswerToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that the model wants made."""

    id: str
    type: Literal["function"] = "function"
    function: AnswerFunction


class AnswerMessage(msgspec.Struct, frozen=True):
    """The assistant's turn."""

    content: str | None  # null beside tool_calls, if nothing was said before them
    role: Literal["assistant"] = "assistant"
    tool_calls: list[AnswerToolCall] | UnsetType = UNSET


class ChatChoice(msgspec.Struct, frozen=True):
    """One answer."""

    index: int
    message: AnswerMessage
    logprobs: ChatLogprobs | None
    finish_reason: WireReason


class ChatCompletion(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of /v1/chat/completions."""

    object: Literal["chat.completion"] = "chat.completion"
    id: str
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChoice]
    usage: Usage


class FunctionDelta(msgspec.Struct, frozen=True):
    """A piece of a function to call: its name, or some of its arguments' JSON."""

    arguments: str
    name: str | UnsetType = UNSET


class ToolCallDelta(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a call: the first one has its id, type and name."""

    index: int
    id: str | UnsetType = UNSET
    type: Literal["function"] | UnsetType = UNSET
    function: FunctionDelta


class ChatDelta(msgspec.Struct, frozen=True, kw_only=True):
    """What a chunk adds to the assistant's turn."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET
    tool_calls: list[ToolCallDelta] | UnsetType = UNSET


class ChatChunkChoice(msgspec.Struct, frozen=True):
    """A piece of one answer."""

    index: int
    delta: ChatDelta
    logprobs: ChatLogprobs | None
    finish_reason: WireReason | None


class ChatChunk(msgspec.Struct, frozen=True, kw_only=True):
    """A chunk of a stream; the one with usage has no choices."""

    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    id: str
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChunkChoice]
    usage: Usage | UnsetType | None = UNSET


@dataclass(slots=True)
class _Answer:
    """How far one answer is."""

    splitter: ForcedCall | FreeAnswer | None  # None: no tools, all is text
    has_begun: bool = False
    has_calls: bool = False
    finish: Finish | None = None
    held: list[Token] = field(default_factory=list)  # not yet known to be text

    def take(self, token: Token) -> Iterator[Piece]:
        """Yield what a token brings."""
        text = visible_text([token])
        self.held.append(token)
        yield from [TextPiece(text)] if self.splitter is None else self.splitter.push(text)

    def end(self) -> Iterator[Piece]:
        """Yield what the end brings."""
        if self.splitter is not None:
            yield from self.splitter.finish()

    def release(self) -> list[Token]:
        """Return the tokens that have now become text."""
        held, self.held = self.held, []
        return held

    def reason(self, finish: Finish) -> WireReason:
        """Return why it ended; a call that the length or a stop string cut is cut."""
        reason = wire_reason(finish.reason)
        is_cut = self.splitter is not None and self.splitter.is_cut
        return "tool_calls" if self.has_calls and reason == "stop" and not is_cut else reason


@dataclass(slots=True)
class ChatEncoder:
    """Encode the answers to one call."""

    call: ChatCall
    head: AnswerHead
    _answers: list[_Answer] = field(init=False)

    def __post_init__(self) -> None:
        self._answers = [_Answer(_splitter(self.call.tool_use)) for _ in self.call.requests]

    def encode(self, index: int, event: Delta | Finish) -> Iterator[bytes]:
        """Yield the chunks of an event of the index-th request."""
        yield from self._beginnings()
        chunks = [chunk for token in event.tokens for chunk in self._chunks_of(index, token)]
        if isinstance(event, Finish):
            chunks = self._finished(index, event, chunks)
        for chunk in chunks:
            yield self._encode([chunk], None)

    def encode_usage(self) -> bytes | None:
        """Return the chunk that ends the stream, if it was asked for; all answers are finished."""
        if not self.call.include_usage:
            return None
        finishes = [answer.finish for answer in self._answers if answer.finish is not None]
        return self._encode([], usage_of(finishes, n=len(self._answers)))

    def encode_whole(self, runs: Sequence[Run]) -> bytes:
        """Return the whole answer; the runs stand in the order of the call's requests."""
        return msgspec.json.encode(
            ChatCompletion(
                id=self.head.id,
                created=self.head.created,
                model=self.head.model,
                system_fingerprint=self.head.system_fingerprint,
                choices=[self._whole_choice(index, run) for index, run in enumerate(runs)],
                usage=usage_of([run.finish for run in runs], n=len(runs)),
            )
        )

    def _whole_choice(self, index: int, run: Run) -> ChatChoice:
        answer = self._answers[index]
        pieces, said = list[Piece](), list[Token]()
        for token in run.tokens:
            pieces += (brought := list(answer.take(token)))
            said += answer.release() if _has_text(brought) else ()
        pieces += answer.end()
        calls = self._whole_calls(index, pieces)
        answer.has_calls = bool(calls)
        text = "".join(piece.text for piece in pieces if isinstance(piece, TextPiece))
        message = AnswerMessage(text or None if calls else text, tool_calls=calls or UNSET)
        logprobs = self._logprobs(said if calls else run.tokens)
        return ChatChoice(index, message, logprobs, answer.reason(run.finish))

    def _whole_calls(self, index: int, pieces: Iterable[Piece]) -> list[AnswerToolCall]:
        names, arguments = {}, {}
        for piece in pieces:
            match piece:
                case CallStart():
                    names[piece.index], arguments[piece.index] = piece.name, ""
                case CallArguments():
                    arguments[piece.index] += piece.text
                case TextPiece():
                    pass
                case _:
                    assert_never(piece)
        return [
            AnswerToolCall(
                id=self._call_id(index, number), function=AnswerFunction(name, arguments[number])
            )
            for number, name in names.items()
        ]

    def _beginnings(self) -> Iterator[bytes]:
        """Yield the first chunk of each of several answers, once."""
        if len(self._answers) == 1 or self._answers[0].has_begun:
            return
        for index, answer in enumerate(self._answers):
            delta = self._delta(answer, content="")
            yield self._encode([ChatChunkChoice(index, delta, None, None)], None)

    def _chunks_of(self, index: int, token: Token) -> list[ChatChunkChoice]:
        return [self._chunk(index, piece) for piece in self._answers[index].take(token)]

    def _finished(
        self, index: int, finish: Finish, chunks: list[ChatChunkChoice]
    ) -> list[ChatChunkChoice]:
        """Add what the end brings, and the finish_reason to the last chunk: there is one always."""
        answer = self._answers[index]
        answer.finish = finish
        chunks += [self._chunk(index, piece) for piece in answer.end()]
        if not chunks or answer.has_calls:
            chunks.append(ChatChunkChoice(index, self._delta(answer), None, None))
        last = msgspec.structs.replace(chunks[-1], finish_reason=answer.reason(finish))
        return [*chunks[:-1], last]

    def _chunk(self, index: int, piece: Piece) -> ChatChunkChoice:
        answer = self._answers[index]
        match piece:
            case TextPiece(text):
                logprobs = self._logprobs(answer.release())
                return ChatChunkChoice(index, self._delta(answer, content=text), logprobs, None)
            case CallStart(number, name):
                call = ToolCallDelta(
                    index=number,
                    id=self._call_id(index, number),
                    type="function",
                    function=FunctionDelta("", name),
                )
            case CallArguments(number, text):
                call = ToolCallDelta(index=number, function=FunctionDelta(text))
            case _:
                assert_never(piece)
        answer.has_calls = True
        return ChatChunkChoice(index, self._delta(answer, calls=[call]), None, None)

    def _delta(
        self,
        answer: _Answer,
        *,
        content: str | UnsetType = UNSET,
        calls: list[ToolCallDelta] | UnsetType = UNSET,
    ) -> ChatDelta:
        role: Literal["assistant"] | UnsetType = UNSET if answer.has_begun else "assistant"
        answer.has_begun = True
        return ChatDelta(role=role, content=content, tool_calls=calls)

    def _call_id(self, index: int, number: int) -> str:
        return f"call_{self.head.id.removeprefix('chatcmpl-')}_{index}_{number}"

    def _logprobs(self, tokens: Iterable[Token]) -> ChatLogprobs | None:
        if not self.call.logprobs:
            return None
        shown = [_token_logprob(token) for token in tokens if token.is_answer]
        return ChatLogprobs(shown) if shown else None

    def _encode(self, choices: list[ChatChunkChoice], usage: Usage | None) -> bytes:
        return msgspec.json.encode(
            ChatChunk(
                id=self.head.id,
                created=self.head.created,
                model=self.head.model,
                system_fingerprint=self.head.system_fingerprint,
                choices=choices,
                usage=usage if self.call.include_usage else UNSET,
            )
        )


def _has_text(pieces: Iterable[Piece]) -> bool:
    return any(isinstance(piece, TextPiece) for piece in pieces)


def _splitter(use: ToolUse) -> ForcedCall | FreeAnswer | None:
    if use.forced:
        return ForcedCall()
    if use.tools:
        return FreeAnswer((tool.name for tool in use.tools), parallel=use.parallel)
    return None


def _token_logprob(token: Token) -> TokenLogprob:
    return TokenLogprob(
        token.text,
        wire_logprob(token.logprob),
        list(token.text.encode()),
        [_top_logprob(top) for top in token.top],
    )


def _top_logprob(top: TopToken) -> TopLogprob:
    utf_8 = None if _NO_CHARACTER in top.text else list(top.text.encode())
    return TopLogprob(top.text, wire_logprob(top.logprob), utf_8)
