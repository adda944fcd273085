"""One line of a file of prompts, and what it asks for.

Pure; called by `tgicli generate --input` before anything is computed. A line is a prompt as it is,
a JSON string, or a JSON object with `prompt` or `messages`. Beside these an object may have the
sampling parameters by the names of their options; whatever else it has is kept for its answer,
unread and unchanged. Null is the same as absence. What the answer's line says is `batch_answers`'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from tgicli.core import GenerationRequest, Message, SamplingParams
from tgicli.errors import RequestError
from tgicli.wire.batch_answers import ANSWER_KEYS, Kept
from tgicli.wire.chat import ChatMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What the options say of every prompt, or what they and its line say of one."""

    params: SamplingParams
    system: str | None = None
    truncate: int | None = None
    best_of: int = 1


@dataclass(frozen=True, slots=True)
class PromptLine:
    """One prompt, understood."""

    prompt: str | tuple[Message, ...]
    ask: Ask
    kept: Kept = field(default_factory=dict)  # its id, and what we do not know

    def to_request(self, id: str, *, chats: bool | None) -> GenerationRequest:
        """Return the request; chats: whether prompts go through the chat template.

        Raises:
            RequestError: it can't be asked so.
        """
        if not isinstance(self.prompt, str) and not chats:
            raise RequestError("`messages` need a chat template, and prompts go as they are here")
        messages = self._messages() if chats else ()
        return GenerationRequest(
            id=id,
            prompt=messages or self.prompt,
            params=self.ask.params,
            truncate=self.ask.truncate,
            best_of=self.ask.best_of,
            continues=bool(messages) and _is_begun_answer(messages[-1]),
        )

    def _messages(self) -> tuple[Message, ...]:
        given = self.prompt
        messages = (Message("user", given),) if isinstance(given, str) else given
        has_system = any(message.role == "system" for message in messages)
        if self.ask.system is None or has_system:
            return messages
        return (Message("system", self.ask.system), *messages)


def _is_begun_answer(last: Message) -> bool:
    return last.role == "assistant" and not last.tool_calls


class _Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters that a line may have of its own."""

    max_new_tokens: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    typical_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: str | list[str] | None = None
    seed: int | None = None

    def onto(self, params: SamplingParams) -> SamplingParams:
        """Return the parameters with these in their places. Raises RequestError."""
        own: dict[str, Any] = {
            name: value
            for name in _Sampling.__struct_fields__
            if (value := getattr(self, name)) is not None
        }
        if "stop" in own:
            own["stop"] = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        return replace(params, **own) if own else params


class _Line(_Sampling, frozen=True, kw_only=True):
    """All keys with a meaning, but `id`, which has none for us."""

    prompt: str | None = None
    messages: list[ChatMessage] | None = None
    system: str | None = None
    truncate: int | None = None
    best_of: int | None = None


_KNOWN = frozenset(_Line.__struct_fields__)
_VALUE: msgspec.json.Decoder[str | dict[str, msgspec.Raw]] = msgspec.json.Decoder(
    str | dict[str, msgspec.Raw]
)
_LINE = msgspec.json.Decoder(_Line)


def decode_text_line(data: bytes, common: Ask) -> PromptLine:
    """Read a line that is a prompt as it is.

    Raises:
        RequestError: it is not UTF-8.
    """
    try:
        return PromptLine(data.decode(), common)
    except UnicodeDecodeError as error:
        raise RequestError(
            f"it is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"
        ) from None


def decode_json_line(data: bytes, common: Ask) -> PromptLine:
    """Read a line that is a JSON string or object.

    Raises:
        RequestError: it is neither, or asks for what can't be; names the first bad key.
    """
    value = _read(_VALUE, data)
    if isinstance(value, str):
        return PromptLine(_not_empty(value), common)
    line = _read(_LINE, data)
    return PromptLine(_prompt(line), _own(line, common), _kept(value))


def _read(decoder: msgspec.json.Decoder[Any], data: bytes) -> Any:
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        words, _, where = str(error).partition(" - at ")
        key = where.strip("`").removeprefix("$.")
        raise RequestError(f"{key}: {words}" if key else f"the line: {words}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"it is not JSON: {error}") from error


def _prompt(line: _Line) -> str | tuple[Message, ...]:
    match line.prompt, line.messages:
        case str(prompt), None:
            return _not_empty(prompt)
        case None, [*messages] if messages:
            return tuple(m.to_core(f"messages[{index}]") for index, m in enumerate(messages))
        case None, None:
            raise RequestError("it has neither `prompt` nor `messages`")
        case None, _:
            raise RequestError("messages is empty; give one at least")
    raise RequestError("it has both `prompt` and `messages`; leave one out")


def _not_empty(prompt: str) -> str:
    if not prompt:
        raise RequestError("the prompt is empty")
    return prompt


def _own(line: _Line, common: Ask) -> Ask:
    return Ask(
        params=line.onto(common.params),
        system=common.system if line.system is None else line.system,
        truncate=common.truncate if line.truncate is None else line.truncate,
        best_of=common.best_of if line.best_of is None else line.best_of,
    )


def _kept(value: Mapping[str, msgspec.Raw]) -> Kept:
    """Return what the answer's line repeats.

    Raises:
        RequestError: the answer's line says something else by that name.
    """
    kept = {name: raw for name, raw in value.items() if name not in _KNOWN}
    for name in kept:
        if name in ANSWER_KEYS:
            raise RequestError(f"`{name}` is a key of the answers; call yours otherwise")
    return kept
