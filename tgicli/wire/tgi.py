"""The TGI dialect: answers as the JSON that text-generation-inference documents.

Pure; called wherever an answer becomes JSON. Keys, their order and which of them are left out are
TGI's (router/src/lib.rs at v3.3): a client written for TGI reads these bytes unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from tgicli.core import (
    Delta,
    Finish,
    PromptToken,
    Run,
    Token,
    TokenizedPrompt,
    TopToken,
    visible_text,
)
from tgicli.errors import (
    BodyTooLarge,
    MalformedBody,
    ModelError,
    RequestError,
    TemplateFailed,
    TgicliError,
    Unauthorized,
    WrongMediaType,
)


class WireToken(msgspec.Struct, frozen=True):
    """One token."""

    id: int
    text: str
    logprob: float | None
    special: bool


class PrefillToken(msgspec.Struct, frozen=True):
    """One token of the prompt; the first one has no log-probability."""

    id: int
    text: str
    logprob: float | None


class StreamDetails(msgspec.Struct, frozen=True):
    """How a stream ended."""

    finish_reason: str
    generated_tokens: int
    seed: int | None
    input_length: int


class StreamEvent(msgspec.Struct, frozen=True):
    """One event of /generate_stream: one token, and in the last event the whole text."""

    index: int  # counts from 1
    token: WireToken
    top_tokens: list[WireToken] | msgspec.UnsetType = msgspec.UNSET
    generated_text: str | None = None
    details: StreamDetails | None = None


class BestOfSequence(msgspec.Struct, frozen=True):
    """One of several answers, in the details of the best one."""

    generated_text: str
    finish_reason: str
    generated_tokens: int
    seed: int | None
    prefill: list[PrefillToken]
    tokens: list[WireToken]
    top_tokens: list[list[WireToken]] | msgspec.UnsetType = msgspec.UNSET


class Details(msgspec.Struct, frozen=True):
    """The details of a whole answer."""

    finish_reason: str
    generated_tokens: int
    seed: int | None
    prefill: list[PrefillToken]
    tokens: list[WireToken]
    top_tokens: list[list[WireToken]] | msgspec.UnsetType = msgspec.UNSET
    best_of_sequences: list[BestOfSequence] | msgspec.UnsetType = msgspec.UNSET


class Answer(msgspec.Struct, frozen=True):
    """The answer of /generate."""

    generated_text: str
    details: Details | msgspec.UnsetType = msgspec.UNSET


class PlacedToken(msgspec.Struct, frozen=True):
    """One token of a tokenised text, and the bytes [start, stop) that it stands for."""

    id: int
    text: str
    start: int
    stop: int


class TokenizedChat(msgspec.Struct, frozen=True):
    """The answer of /chat_tokenize."""

    tokenize_response: list[PlacedToken]
    templated_text: str


class Error(msgspec.Struct, frozen=True):
    """What went wrong."""

    error: str
    error_type: str


class StreamEncoder:
    """Encode one answer's events, each token as a JSON object of its own."""

    def __init__(self, *, prefix: str = "", details: bool = True) -> None:
        """Put prefix before the whole text; details says whether the last event has them."""
        self._encode = msgspec.json.Encoder().encode
        self._details = details
        self._texts = [prefix]
        self._index = 0

    def encode(self, event: Delta | Finish) -> Iterator[bytes]:
        """Yield one JSON object a token, without a line break."""
        for token in event.tokens:
            self._index += 1
            self._texts.append(visible_text([token]))
            is_last = isinstance(event, Finish) and token is event.tokens[-1]
            yield self._encode(
                StreamEvent(
                    index=self._index,
                    token=_to_wire(token),
                    top_tokens=_all_to_wire(token.top) or msgspec.UNSET,
                    generated_text="".join(self._texts) if is_last else None,
                    details=_stream_details(event)
                    if isinstance(event, Finish) and is_last and self._details
                    else None,
                )
            )


def encode_answer(run: Run, *, details: bool, prefix: str = "") -> bytes:
    """Return the JSON of a whole answer; prefix stands before its text."""
    text = prefix + visible_text(run.tokens)
    return msgspec.json.encode(
        Answer(text, _details(run.tokens, run.finish) if details else msgspec.UNSET)
    )


def encode_tokens(tokens: Iterable[PromptToken]) -> bytes:
    """Return the JSON of a tokenised text."""
    return msgspec.json.encode(_placed(tokens))


def encode_tokenized_chat(prompt: TokenizedPrompt) -> bytes:
    """Return the JSON of a tokenised conversation."""
    return msgspec.json.encode(TokenizedChat(_placed(prompt.tokens), prompt.text))


def encode_error(error: TgicliError) -> bytes:
    """Return the JSON of an error, in TGI's words."""
    return msgspec.json.encode(Error(_words(error), error.error_type))


def encode_failure(words: str, error_type: str) -> bytes:
    """Return the JSON of what is no error of ours."""
    return msgspec.json.encode(Error(words, error_type))


def _words(error: TgicliError) -> str:
    match error:
        case TemplateFailed():
            return f"Template error: {error.message}"
        case MalformedBody() | BodyTooLarge() | WrongMediaType() | Unauthorized():
            return error.message
        case RequestError() if not error.message.startswith("Failed to deserialize"):
            return f"Input validation error: {error.message}"
        case ModelError():
            return f"Request failed during generation: {error.message}"
        case _:
            return error.message


def _placed(tokens: Iterable[PromptToken]) -> list[PlacedToken]:
    return [PlacedToken(token.id, token.text, token.start, token.stop) for token in tokens]


def _stream_details(finish: Finish) -> StreamDetails:
    return StreamDetails(
        finish.reason, finish.n_generated_tokens, finish.seed, finish.n_prompt_tokens
    )


def _details(tokens: tuple[Token, ...], finish: Finish) -> Details:
    return Details(
        finish_reason=finish.reason,
        generated_tokens=finish.n_generated_tokens,
        seed=finish.seed,
        prefill=_prefill(finish),
        tokens=_all_to_wire(tokens),
        top_tokens=_top_tokens(tokens),
        best_of_sequences=[_sequence(run) for run in finish.others] or msgspec.UNSET,
    )


def _sequence(run: Run) -> BestOfSequence:
    return BestOfSequence(
        generated_text=visible_text(run.tokens),
        finish_reason=run.finish.reason,
        generated_tokens=run.finish.n_generated_tokens,
        seed=run.finish.seed,
        prefill=_prefill(run.finish),
        tokens=_all_to_wire(run.tokens),
        top_tokens=_top_tokens(run.tokens),
    )


def _prefill(finish: Finish) -> list[PrefillToken]:
    return [PrefillToken(token.id, token.text, token.logprob) for token in finish.prompt_tokens]


def _top_tokens(tokens: Iterable[Token]) -> list[list[WireToken]] | msgspec.UnsetType:
    lists = [_all_to_wire(token.top) for token in tokens]
    return lists if any(lists) else msgspec.UNSET


def _all_to_wire(tokens: Iterable[Token | TopToken]) -> list[WireToken]:
    return [_to_wire(token) for token in tokens]


def _to_wire(token: Token | TopToken) -> WireToken:
    return WireToken(token.id, token.text, token.logprob, token.special)
