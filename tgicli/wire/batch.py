"""One line of a file of prompts, and what it asks for.

Pure; called by `tgicli generate --input` before anything is computed. A line is a prompt as it is,
a JSON string, or a JSON object with `prompt` or `messages`, also in the `body` of OpenAI's batches.
Beside these an object may have the sampling parameters and the form by the names of their options,
and the names that TGI and OpenAI give them, also in TGI's `parameters`. Whatever else it has is
kept for its answer, unread and unchanged; but what looks like a parameter and is none of ours is
refused, since an answer without it would look right, unless its value changes nothing. Null is the
same as absence. What the answer's line says is `batch_answers`'.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from tgicli.core import GenerationRequest, Grammar, GrammarKind, Message, SamplingParams
from tgicli.errors import RequestError
from tgicli.wire.batch_answers import ANSWER_KEYS, Kept
from tgicli.wire.chat import ChatMessage, is_begun_answer
from tgicli.wire.decoding import read
from tgicli.wire.grammars import GrammarBody, to_grammar
from tgicli.wire.openai import ResponseFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What the options say of every prompt, or what they and its line say of one."""

    params: SamplingParams
    system: str | None = None
    needs_template: bool = False  # for the system prompt: it is no default that gives way
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
        if self.ask.needs_template and not chats:
            raise RequestError(
                "a system prompt needs a chat template, and prompts go as they are here"
            )
        messages = self._messages() if chats else ()
        return GenerationRequest(
            id=id,
            prompt=messages or self.prompt,
            params=self.ask.params,
            truncate=self.ask.truncate,
            best_of=self.ask.best_of,
            continues=bool(messages) and is_begun_answer(messages[-1]),
        )

    def _messages(self) -> tuple[Message, ...]:
        given = self.prompt
        messages = (Message("user", given),) if isinstance(given, str) else given
        has_system = any(message.role == "system" for message in messages)
        if not self.ask.system or has_system:  # an empty one takes back the common one
            return messages
        return (Message("system", self.ask.system), *messages)


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


class _Foreign(_Sampling, frozen=True, kw_only=True):
    """Parameters as TGI and OpenAI write them."""

    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    do_sample: bool | None = None  # true says nothing of how
    grammar: GrammarBody | None = None
    response_format: ResponseFormat | None = None
    schema: str | dict[str, Any] | None = None  # these three as their options have them
    regex: str | None = None
    gbnf: str | None = None

    def onto(self, params: SamplingParams) -> SamplingParams:
        """Return the parameters with these in their places. Raises RequestError."""
        own: dict[str, Any] = {}
        if (longest := self._longest()) is not None:
            own["max_new_tokens"] = longest
        if self.do_sample is False:
            own["temperature"] = 0.0
        if forms := [name for name in _FORMS if getattr(self, name) is not None]:
            own["grammar"] = self._form(forms)
        return super().onto(replace(params, **own) if own else params)

    def _form(self, names: list[str]) -> Grammar | None:
        if len(names) > 1:
            raise RequestError(f"{names[0]} and {names[1]} exclude each other; leave one out")
        if self.grammar is not None:
            return to_grammar(self.grammar)
        if self.response_format is not None:
            return self.response_format.to_grammar()
        if self.schema is not None:
            return Grammar(GrammarKind.JSON_SCHEMA, _schema(self.schema))
        if self.regex is not None:
            return Grammar(GrammarKind.REGEX, self.regex)
        return Grammar(GrammarKind.GBNF, self.gbnf or "")

    def _longest(self) -> int | None:
        limits = {self.max_new_tokens, self.max_tokens, self.max_completion_tokens} - {None}
        if len(limits) > 1:
            raise RequestError(
                "max_new_tokens, max_tokens and max_completion_tokens are names of one limit; "
                "give one"
            )
        return limits.pop() if limits else None


_FORMS = ("grammar", "response_format", "schema", "regex", "gbnf")


def _schema(given: str | dict[str, Any]) -> str:
    """Return a schema's text. Raises RequestError."""
    if isinstance(given, dict):
        return msgspec.json.encode(given).decode()
    try:
        return _schema(_OBJECT.decode(given))
    except (msgspec.DecodeError, RecursionError):
        raise RequestError("schema: must be a JSON Schema, as an object or as its text") from None


class _Line(_Foreign, frozen=True, kw_only=True):
    """All keys with a meaning, but `id`, which has none for us."""

    prompt: str | None = None
    inputs: str | None = None  # TGI's name for it
    messages: list[ChatMessage] | None = None
    system: str | None = None
    truncate: int | None = None
    best_of: int | None = None


_KNOWN = frozenset(_Line.__struct_fields__)
# What TGI, OpenAI and servers like them know beyond that, and what would change an answer.
_NOT_OURS = frozenset(
    {
        *("adapter_id", "decoder_input_details", "return_full_text", "top_n_tokens"),
        *("watermark", "n", "echo", "suffix"),
        *("logprobs", "top_logprobs", "logit_bias", "reasoning_effort", "modalities"),
        *("tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"),
        *("guided_json", "guided_regex", "guided_choice", "guided_grammar", "json_schema"),
        *("structured_outputs", "min_tokens", "ignore_eos", "stop_token_ids", "bad_words"),
        *("min_new_tokens", "min_length", "length_penalty", "no_repeat_ngram_size", "num_beams"),
        *("use_beam_search", "include_stop_str_in_output", "skip_special_tokens"),
        *("chat_template", "chat_template_kwargs", "add_generation_prompt"),
        *("continue_final_message", "num_ctx", "n_probs", "repeat_last_n", "mirostat"),
        *("mirostat_tau", "mirostat_eta", "tfs_z", "dynatemp_range", "dynatemp_exponent"),
        *("xtc_probability", "xtc_threshold", "dry_multiplier", "dry_base", "top_n_sigma"),
        *("think", "enable_thinking", "stop_tokens"),
    }
)
# What others call what we know.
_OTHER_NAMES = {
    "n_predict": "max_new_tokens",  # llama.cpp's
    "num_predict": "max_new_tokens",  # Ollama's
    "max_length": "max_new_tokens",  # of Transformers, where the prompt counts, too
    "max_output_tokens": "max_new_tokens",  # of OpenAI's responses, and Gemini's
    "repeat_penalty": "repetition_penalty",
    "typ_p": "typical_p",
    "stop_sequences": "stop",
    "system_prompt": "system",
}
# Ollama's, by their values; else they may be anything.
_ELSEWHERE = {
    "options": "write beside the prompt what it holds",
    "format": "say schema, or response_format",
}
_SAYS_NOTHING = (b"null", b"false")
# Other values by which nothing is asked for, and the names of which this is true.
_CHANGES_NOTHING: Mapping[bytes, frozenset[str]] = {
    b"0": frozenset(
        {
            *("top_n_tokens", "top_logprobs", "n_probs", "min_tokens", "min_new_tokens"),
            *("min_length", "no_repeat_ngram_size", "mirostat"),
        }
    ),
    b"1": frozenset({"n", "num_beams"}),
    b"true": frozenset({"parallel_tool_calls", "skip_special_tokens", "add_generation_prompt"}),
    b"[]": frozenset({"tools", "functions", "stop_token_ids", "bad_words"}),
    b"{}": frozenset({"logit_bias", "chat_template_kwargs"}),
    b'""': frozenset({"suffix"}),
    b'"auto"': frozenset({"tool_choice", "function_call"}),  # tools themselves are refused
    b'"none"': frozenset({"tool_choice", "function_call"}),
    b'["text"]': frozenset({"modalities"}),
}
# Names that nobody gives to something else by chance.
_TELLING = sorted(
    {name for name in _KNOWN | _OTHER_NAMES.keys() if "_" in name} | {"temperature", "grammar"}
)
_ALIKE = 0.85  # of two names, by difflib
_VALUE: msgspec.json.Decoder[str | dict[str, msgspec.Raw]] = msgspec.json.Decoder(
    str | dict[str, msgspec.Raw]
)
_PARAMETERS = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
_OBJECT = msgspec.json.Decoder(dict[str, Any])
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
    value = read(_VALUE, data, what="the line")
    if isinstance(value, str):
        return PromptLine(_not_empty(value), common)
    is_of_batch = not value.keys() & {"prompt", "inputs", "messages"} and _is_object(value, "body")
    for outer in (*(("body",) if is_of_batch else ()), "parameters"):
        if outer in value:
            value = _unpacked(value, outer)
            data = msgspec.json.encode(value)
    line = read(_LINE, data, what="the line")
    return PromptLine(_prompt(line), _own(line, common), _kept(value))


def _unpacked(value: dict[str, msgspec.Raw], outer: str) -> dict[str, msgspec.Raw]:
    """Put what stands in an inner object beside what stands beside it."""
    inner = read(_PARAMETERS, bytes(value[outer]), what=f"`{outer}`") or {}
    rest = {name: raw for name, raw in value.items() if name != outer}
    if twice := sorted(rest.keys() & inner.keys()):
        raise RequestError(f"`{twice[0]}` stands in `{outer}` and beside it; leave one out")
    return rest | inner


def _is_object(value: Mapping[str, msgspec.Raw], name: str) -> bool:
    return name in value and bytes(value[name]).startswith(b"{")


def _prompt(line: _Line) -> str | tuple[Message, ...]:
    if line.inputs is not None and line.prompt is not None:
        raise RequestError("it has both `prompt` and `inputs`; leave one out")
    match line.inputs if line.prompt is None else line.prompt, line.messages:
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
        needs_template=common.needs_template if line.system is None else bool(line.system),
        truncate=common.truncate if line.truncate is None else line.truncate,
        best_of=common.best_of if line.best_of is None else line.best_of,
    )


def _kept(value: Mapping[str, msgspec.Raw]) -> Kept:
    """Return what the answer's line repeats.

    Raises:
        RequestError: the answer's line says something else by that name, or it asks for something.
    """
    kept = {name: raw for name, raw in value.items() if name not in _KNOWN}
    for name, raw in kept.items():
        if name in ANSWER_KEYS:
            raise RequestError(f"`{name}` is a key of the answers; call yours otherwise")
        if name not in _NOT_OURS | _OTHER_NAMES.keys():
            _refuse_misspelt(name)
        if bytes(raw) not in _SAYS_NOTHING and name not in _CHANGES_NOTHING.get(bytes(raw), ()):
            _refuse_foreign(name, bytes(raw))
    return kept


def _refuse_misspelt(name: str) -> None:
    if near := _nearest(name.lower().replace("-", "_")):
        meant = _OTHER_NAMES.get(near, near)
        raise RequestError(
            f"`{name}` is no parameter; did you mean {meant}? Or call yours otherwise"
        )


def _refuse_foreign(name: str, raw: bytes) -> None:
    """Refuse what others have for a parameter, and we have not, or call otherwise."""
    if name in _NOT_OURS:
        raise RequestError(f"`{name}` can't be asked for here; leave it out")
    if name in _OTHER_NAMES:
        raise RequestError(f"`{name}` is no parameter; say {_OTHER_NAMES[name]}")
    if name in _ELSEWHERE and (raw.startswith(b"{") or raw == b'"json"'):
        raise RequestError(f"`{name}` is no parameter; {_ELSEWHERE[name]}")


@functools.lru_cache  # most lines have the same names
def _nearest(name: str) -> str | None:
    near = difflib.get_close_matches(name, _TELLING, n=1, cutoff=_ALIKE)
    return near[0] if near else None
