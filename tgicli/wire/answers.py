"""What all readers of a remote server's answer have in common. Pure."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Protocol, TypeVar

import msgspec

from tgicli.core import UNKNOWN_ID, Finish, FinishReason, Token
from tgicli.errors import StreamBroken

DONE = "[DONE]"
END = Token(UNKNOWN_ID, "", special=True)  # for an answer that ends without a token
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_SHOWN = 80  # characters of an event that nobody can read
_Read = TypeVar("_Read")


class AnswerReader(Protocol):
    """Reads one answer: its events one by one, or the whole of it."""

    @property
    def has_ended(self) -> bool:
        """Whether the answer came to its end; counts may still come."""
        ...

    @property
    def is_complete(self) -> bool:
        """Whether nothing of use is still to come."""
        ...

    def read_event(self, data: str) -> tuple[Token, ...]:
        """Return the tokens of an event's data; often none.

        Raises:
            TgicliError: the event tells an error.
            StreamBroken: the event can't be read.
        """
        ...

    def read_whole(self, body: bytes, n_prompt_tokens: int | None) -> tuple[Token, ...]:
        """Return all tokens of an answer that is no stream. Raises as read_event.

        n_prompt_tokens is what the answer's headers tell; TGI tells it there only.
        """
        ...

    def finish(self) -> Finish:
        """Return the end, without tokens and times; has_ended holds."""
        ...


def check_ended(reader: AnswerReader) -> None:
    """Check that a stream that the server ends has come to the answer's end.

    Raises:
        StreamBroken: it has not.
    """
    if not reader.has_ended:
        raise StreamBroken("the server ended the stream before the answer's end")


def read_json(decoder: msgspec.json.Decoder[_Read], data: str | bytes) -> _Read:
    """Decode a piece of an answer; half a character becomes U+FFFD.

    Raises:
        StreamBroken: it is no JSON, or of another shape.
    """
    try:
        return decoder.decode(data)
    except _UNREADABLE as error:
        text = data if isinstance(data, str) else data.decode("utf-8", "replace")
        if r"\ud" in text.lower():
            with suppress(msgspec.DecodeError, ValueError, RecursionError):
                return decoder.decode(_with_whole_characters(text))
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        raise StreamBroken(f"the server sent what can't be read ({error}): {shown}") from error


def try_json(kind: type[_Read], data: bytes) -> _Read | None:
    """Decode an answer that may be something else; None when it is."""
    try:
        return msgspec.json.decode(data, type=kind)
    except _UNREADABLE:
        return None


def _with_whole_characters(text: str) -> str:
    """Return JSON without escaped halves of a pair, as programs write that cut a text there."""
    kept = json.dumps(json.loads(text), ensure_ascii=False)
    return kept.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def to_reason(word: str) -> FinishReason:
    """Return core's word for TGI's or OpenAI's.

    OpenAI's `stop` may be the model's end or a stop string; it is taken for the former.

    Raises:
        StreamBroken: the server says that it gave up.
    """
    match word:
        case "length" | "max_tokens" | "model_length":
            return FinishReason.LENGTH
        case "stop_sequence":
            return FinishReason.STOP_SEQUENCE
        case "stop" | "eos_token" | "eos" | "end_turn" | "tool_calls" | "function_call":
            return FinishReason.EOS_TOKEN
    raise StreamBroken(f"the server ended the answer before its end: {word}")
