"""OpenAI's dialect from the client's side: the answers of both routes, as many servers write them.

Pure; called by the remote backend on the event loop, one OpenAIReader a request. A piece of text
is taken for a token, for the streams tell no more; log-probabilities, if asked for, do.

Calls of tools are turned into the text with which a local model would make them
(`<tool_call>{"name": ..., "arguments": ...}</tool_call>`), so that an answer is text everywhere.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tgicli.core import (
    UNKNOWN_ID,
    Finish,
    FinishReason,
    GenerationRequest,
    Token,
    TopToken,
)
from tgicli.errors import StreamBroken
from tgicli.wire.answers import DONE, check_ended, read_json, to_reason
from tgicli.wire.refusals import event_error, words_of
from tgicli.wire.tool_calls import CLOSE, OPEN


class _FunctionDelta(msgspec.Struct, frozen=True):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None  # TGI before 3.2: an object


class _CallDelta(msgspec.Struct, frozen=True):
    function: _FunctionDelta | None = None
    index: int | None = None  # it is the only one, or they come one after the other
    id: str | None = None


class _Part(msgspec.Struct, frozen=True):
    """A part of a text, or of something else."""

    text: str | None = None


class _Delta(msgspec.Struct, frozen=True):
    """A piece of an answer, or all of it."""

    content: str | list[_Part] | None = None
    reasoning_content: str | None = None  # DeepSeek, SGLang, llama-server, older vLLM
    reasoning: str | dict[str, Any] | None = None  # vLLM, Ollama, OpenRouter; or its settings
    refusal: str | None = None
    tool_calls: list[_CallDelta] | None = None


class _Choice(msgspec.Struct, frozen=True):
    """An answer, or a piece of one; a completion has `text`."""

    index: int | None = 0
    delta: _Delta | None = None
    message: _Delta | None = None
    text: str | None = None
    logprobs: msgspec.Raw = msgspec.Raw(b"null")
    finish_reason: str | None = None
    stop_reason: str | int | None = None  # vLLM: which stop string it was
    matched_stop: str | int | list[int] | None = None  # SGLang


class _PromptDetails(msgspec.Struct, frozen=True):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None


class _Chunk(msgspec.Struct, frozen=True):
    """An event, or a whole answer."""

    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")
    object: str | None = None


class _TopLogprob(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    id: int = UNKNOWN_ID  # llama-server


class _TokenLogprob(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    id: int = UNKNOWN_ID
    top_logprobs: list[_TopLogprob] | None = None


class _Logprobs(msgspec.Struct, frozen=True):
    """Chat's list, or the four lists of a completion."""

    content: list[_TokenLogprob] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


_CHUNK = msgspec.json.Decoder(_Chunk)
_LOGPROBS = msgspec.json.Decoder(_Logprobs | None)


class OpenAIReader:
    """Read one answer of /v1/chat/completions or /v1/completions."""

    def __init__(self, request: GenerationRequest) -> None:
        self._params = request.params
        self._calls = _Calls()
        self._n_pieces = 0
        self._reason: FinishReason | None = None
        self._usage: _Usage | None = None
        self._is_done = False
        self._broken: StreamBroken | None = None  # to be raised after the text beside it

    @property
    def has_ended(self) -> bool:
        """Whether a finish_reason came."""
        return self._reason is not None

    @property
    def is_complete(self) -> bool:
        """Whether the stream was ended, or has told why the answer ended and what it took."""
        return self._is_done or (self.has_ended and self._usage is not None)

    def read_event(self, data: str) -> tuple[Token, ...]:
        """Return the pieces of an event."""
        if self._broken is not None:
            raise self._broken
        if data == DONE:
            check_ended(self)
            self._is_done = True
            return ()
        return self._read(read_json(_CHUNK, data), data)

    def read_whole(self, body: bytes, n_prompt_tokens: int | None) -> tuple[Token, ...]:
        """Return the pieces of a whole answer."""
        tokens = self._read(read_json(_CHUNK, body), body.decode("utf-8", "replace"))
        if self._broken is not None:
            raise self._broken
        if not tokens and not self.has_ended:
            raise StreamBroken(f"the server sent no answer; it says: {words_of(body)}")
        check_ended(self)
        return tokens

    def finish(self) -> Finish:
        """Return the end."""
        assert self._reason is not None
        usage = self._usage or _Usage()
        details, n_told = usage.prompt_tokens_details, usage.completion_tokens
        return Finish(
            tokens=(),
            reason=self._reason,
            n_prompt_tokens=usage.prompt_tokens or 0,
            n_cached_tokens=(details.cached_tokens or 0) if details else 0,
            n_generated_tokens=self._n_pieces if n_told is None else n_told,
            seed=None if self._params.is_greedy else self._params.seed,
            has_usage=self._usage is not None,
        )

    def _read(self, chunk: _Chunk, data: str) -> tuple[Token, ...]:
        if bytes(chunk.error) != b"null" or chunk.object == "error":
            raise event_error(data)
        if chunk.usage is not None and chunk.usage.completion_tokens is not None:
            self._usage = chunk.usage
        tokens = [
            token
            for choice in chunk.choices or ()
            if not choice.index
            for token in self._read_choice(choice)
        ]
        self._n_pieces += len(tokens)
        return tuple(tokens)

    def _read_choice(self, choice: _Choice) -> list[Token]:
        delta = choice.delta or choice.message or _Delta(content=choice.text)
        tokens = []
        thought = delta.reasoning_content or delta.reasoning
        if thought and isinstance(thought, str):
            tokens.append(Token(UNKNOWN_ID, thought, reasoning=True))
        if text := _joined(delta.content) or delta.refusal:
            tokens += self._pieces(text, choice.logprobs)
        written = self._calls.write(delta.tool_calls or [])
        if choice.finish_reason:  # TGI's completions have the empty word while they go on
            written += self._calls.close()
            self._end(choice, choice.finish_reason)
        return [*tokens, Token(UNKNOWN_ID, written)] if written else tokens

    def _end(self, choice: _Choice, word: str) -> None:
        matched = choice.matched_stop if choice.stop_reason is None else choice.stop_reason
        if word == "stop" and isinstance(matched, str) and matched in self._params.stop:
            word = "stop_sequence"
        try:
            self._reason = to_reason(word)
        except StreamBroken as error:
            self._broken = error

    def _pieces(self, text: str, logprobs: msgspec.Raw) -> list[Token]:
        """Return the tokens that make up a text, as far as they are told."""
        told = _read_logprobs(bytes(logprobs)) if self._params.wants_logprobs else None
        tokens = _told_tokens(told) if told else []
        if not tokens:
            return [Token(UNKNOWN_ID, text)]
        if "".join(token.text for token in tokens) == text:
            return tokens
        # Characters in parts, or what a server left out: the last one carries all the text.
        texts = [""] * (len(tokens) - 1) + [text]
        return [
            Token(token.id, piece, token.logprob, top=token.top)
            for token, piece in zip(tokens, texts, strict=True)
        ]


def _read_logprobs(data: bytes) -> _Logprobs | None:
    """Return what is told of tokens; None of a shape that we don't know, such as Together's."""
    try:
        return read_json(_LOGPROBS, data)
    except StreamBroken:
        return None


def _joined(content: str | list[_Part] | None) -> str:
    """Return a text that may come in parts; what is no text in it is left out."""
    if isinstance(content, list):
        return "".join(part.text or "" for part in content)
    return content or ""


def _told_tokens(told: _Logprobs) -> list[Token]:
    if told.content is not None:
        return [_of_chat(token) for token in told.content]
    texts = told.tokens or []
    tops = told.top_logprobs or [None] * len(texts)
    logprobs = told.token_logprobs or [None] * len(texts)
    if not len(texts) == len(tops) == len(logprobs):
        return []
    return [
        Token(UNKNOWN_ID, text, logprob, top=_of_mapping(top or {}))
        for text, logprob, top in zip(texts, logprobs, tops, strict=True)
    ]


def _of_chat(told: _TokenLogprob) -> Token:
    top = tuple(TopToken(one.id, one.token, one.logprob, False) for one in told.top_logprobs or ())
    return Token(told.id, told.token, told.logprob, top=top)


def _of_mapping(top: dict[str, float]) -> tuple[TopToken, ...]:
    best_first = sorted(top.items(), key=lambda item: -item[1])
    return tuple(TopToken(UNKNOWN_ID, text, logprob, False) for text, logprob in best_first)


class _Calls:
    """Writes calls as text while they come: one after the other, whatever order they come in.

    A call is known by its index, and by its id where a server gives several calls one index; also
    by its name, where one behind it is whole.
    """

    def __init__(self) -> None:
        self._open: tuple[int, str] | None = None  # the call that is being written
        self._texts: dict[tuple[int, str], str] = {}  # of all calls, as far as they came
        self._ids: dict[int, str] = {}  # of the last call that began at an index

    def write(self, deltas: list[_CallDelta]) -> str:
        """Return the text that these pieces add."""
        return "".join(self._add(delta) for delta in deltas if delta.function is not None)

    def close(self) -> str:
        """Return the text that the end adds."""
        texts, self._texts = self._texts, {}
        added = "" if self._open is None else _closing(texts.pop(self._open))
        self._open = None
        in_order = sorted(texts.items(), key=lambda item: item[0][0])
        return added + "".join(text + _closing(text) for _, text in in_order)

    def _add(self, delta: _CallDelta) -> str:
        assert delta.function is not None
        index = delta.index or 0
        name, arguments = delta.function.name, delta.function.arguments
        if name and delta.id:
            self._ids[index] = delta.id
        elif name and arguments and self._has_whole(index):
            self._ids[index] = f"unnamed {len(self._texts)}"
        call = index, self._ids.get(index, "")
        before = self._texts.get(call, "")
        piece = _written(delta.function, begins=not before)
        self._texts[call] = before + piece
        if self._open is None:
            self._open = call
        return piece if call == self._open else ""

    def _has_whole(self, index: int) -> bool:
        """Whether the last call of an index is whole; so a further name begins another one."""
        written = self._texts.get((index, self._ids.get(index, "")), "")
        return _is_whole(written.partition(_ARGUMENTS)[2])


_ARGUMENTS = '"arguments": '


def _written(function: _FunctionDelta, *, begins: bool) -> str:
    arguments = function.arguments or ""
    if isinstance(arguments, dict):
        arguments = msgspec.json.encode(arguments).decode()
    if not begins:
        return arguments
    name = msgspec.json.encode(function.name or "").decode()
    return f'{OPEN}\n{{"name": {name}, {_ARGUMENTS}{arguments}'


def _closing(text: str) -> str:
    """Return what ends a call that is written so far; no arguments are an empty object.

    A call that was cut off stays open, so that it is not taken for a whole one.
    """
    if text.endswith(_ARGUMENTS):
        return f"{{}}}}\n{CLOSE}\n"
    return f"}}\n{CLOSE}\n" if _is_whole(text.partition(_ARGUMENTS)[2]) else ""


def _is_whole(arguments: str) -> bool:
    try:
        msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
