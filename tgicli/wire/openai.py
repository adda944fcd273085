"""What OpenAI's two text routes share: sampling options, usage, refusals.

Pure; used by `completions`, `chat` and `chat_answer`, by `batch` for response_format, and by the
server for refusals. OpenAI's and TGI's spellings of an option are both read, null is the same as
absence, and unknown fields are left alone. Never invents an id or a time: they are handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from tgicli.core import Finish, FinishReason, Grammar, GrammarKind, SamplingParams
from tgicli.errors import ContextOverflow, RequestError, TgicliError, Unauthorized
from tgicli.wire.limits import Limits

WireReason = Literal["stop", "length", "tool_calls"]
_ANY_OBJECT = Grammar(GrammarKind.JSON_SCHEMA, '{"type":"object"}')
_MAX_BIAS = 100.0
_MAX_INT = 2**31 - 1  # llama.cpp's tokens and counts have 32 bits
_MIN_SEED = -(2**63)  # OpenAI's seeds have a sign
_LEAST_LOGPROB = -9999.0  # what OpenAI writes for minus infinity, which JSON does not know


class ToolError(RequestError):
    """The tools can't be offered as asked."""

    error_type = "tool_error"


class SuffixRefused(RequestError):
    """The text after the gap was given; models are asked for what comes next only."""

    error_type = "suffix not supported"


class BatchTooLarge(RequestError):
    """One request asks for more answers than the server gives at once."""

    error_type = "batch size exceeded"


class StreamOptions(msgspec.Struct, frozen=True):
    """What a stream carries beside the answer."""

    include_usage: Annotated[
        bool | None, Meta(description="End the stream with a chunk that has the token counts.")
    ] = None


class JsonSchemaFormat(msgspec.Struct, frozen=True):
    """A JSON Schema, as OpenAI wraps it; its name and `strict` change nothing."""

    schema: Annotated[
        dict[str, Any] | None, Meta(description="Absent beside a name: any JSON object will do.")
    ] = None
    name: str | None = None

    def to_json(self) -> str:
        """Return the schema. Without a name, too, it may stand where the wrapper should."""
        if self.schema is not None:
            return _to_json(self.schema)
        if self.name is None:
            raise RequestError("response_format.json_schema.schema is missing")
        return _ANY_OBJECT.source


class ResponseFormat(msgspec.Struct, frozen=True):
    """What the answer must look like: OpenAI's form, or TGI's with `value`."""

    type: Literal["text", "json_object", "json_schema", "json", "regex"]
    json_schema: Annotated[
        JsonSchemaFormat | None, Meta(description="OpenAI's place for the schema.")
    ] = None
    value: Annotated[
        dict[str, Any] | str | None,
        Meta(description="TGI's place for the schema, or the regular expression."),
    ] = None

    def to_grammar(self) -> Grammar | None:
        """Return the grammar that enforces it; None for plain text."""
        match self.type:
            case "text":
                return None
            case "regex":
                return Grammar(GrammarKind.REGEX, self._regex())
            case "json_object" if self.value is None:
                return _ANY_OBJECT
            case _:
                return Grammar(GrammarKind.JSON_SCHEMA, self._schema())

    def _regex(self) -> str:
        if not isinstance(self.value, str):
            raise RequestError("response_format regex needs the expression, a string, in `value`")
        return self.value

    def _schema(self) -> str:
        if self.type == "json_schema" and self.json_schema is not None:
            return self.json_schema.to_json()
        if isinstance(self.value, str):
            return self.value
        if self.value is None:
            raise RequestError(
                f"response_format {self.type} needs a JSON Schema, in `json_schema.schema`"
                " (as OpenAI) or in `value` (as TGI)"
            )
        inner = self.value.get("schema") if self.type == "json_schema" else None
        return _to_json(inner if isinstance(inner, dict) else self.value)


def _at_least(bound: int, description: str) -> Meta:
    return Meta(description=description, extra_json_schema={"minimum": bound})


def _within(low: float, high: float, description: str) -> Meta:
    return Meta(description=description, extra_json_schema={"minimum": low, "maximum": high})


class SamplingBody(msgspec.Struct, frozen=True, kw_only=True):
    """The options that both routes have. Null and absent are the same."""

    model: Annotated[
        str | None, Meta(description="A LoRA adapter's name; any other means the server's model.")
    ] = None
    stream: Annotated[bool | None, Meta(description="Answer with server-sent events.")] = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[
        float | None, _at_least(0, "0 takes the most likely token always; absent: 1.")
    ] = None
    top_p: Annotated[
        float | None, _within(0, 1, "Sample from the tokens that make up this mass; above 0.")
    ] = None
    top_k: Annotated[
        int | None, _at_least(0, "Sample from the k most likely tokens; 0: from all. Extension.")
    ] = None
    min_p: Annotated[
        float | None,
        _within(0, 1, "Least share of the best token's probability; below 1. Extension."),
    ] = None
    typical_p: Annotated[
        float | None, _within(0, 1, "Locally typical mass; above 0. Extension.")
    ] = None
    repetition_penalty: Annotated[
        float | None, _at_least(0, "CTRL's penalty on earlier tokens; above 0. Extension.")
    ] = None
    frequency_penalty: Annotated[
        float | None, _within(-2, 2, "Subtracted once for each time that a token occurred.")
    ] = None
    presence_penalty: Annotated[
        float | None, _within(-2, 2, "Subtracted once if a token occurred.")
    ] = None
    logit_bias: Annotated[
        dict[int, float] | list[float] | None,
        Meta(
            description="What is added to the logits of token ids, -100 to 100."
            " A list, which TGI's clients may send, changes nothing, as in TGI."
        ),
    ] = None
    seed: Annotated[
        int | None,
        _at_least(_MIN_SEED, "Makes sampling repeatable; the i-th of n answers adds i."),
    ] = None
    stop: Annotated[
        str | list[str] | None,
        Meta(description="The answer ends before any of these texts, which are not shown."),
    ] = None
    n: Annotated[int | None, _at_least(1, "How many answers to give; absent: 1.")] = None
    response_format: ResponseFormat | None = None

    @property
    def include_usage(self) -> bool | None:
        """Whether the stream must end with the token counts; None: nothing was said."""
        return None if self.stream_options is None else self.stream_options.include_usage

    def count_answers(self, n_prompts: int, limits: Limits) -> int:
        """Return n.

        Raises:
            BatchTooLarge: it makes more answers than the server gives to one request.
        """
        n = 1 if self.n is None else self.n
        if n < 1:
            raise RequestError(f"n must be >= 1, got {n}")
        if n_prompts * n > limits.max_client_batch_size:
            raise BatchTooLarge(
                f"{n_prompts} prompts with n {n} are {n_prompts * n} answers; the allowed batch"
                f" size is {limits.max_client_batch_size}"
            )
        return n

    def to_params(
        self,
        limits: Limits,
        *,
        max_tokens: int | None,
        grammar: Grammar | None,
        n_top: int | None,  # None: no log-probabilities are asked for
    ) -> SamplingParams:
        """Return the sampling parameters of the first answer.

        Raises:
            RequestError: a value is out of its range.
        """
        if max_tokens is not None and max_tokens < 1:
            raise RequestError(f"max_tokens must be >= 1, got {max_tokens}")
        if self.top_k is not None and self.top_k > _MAX_INT:
            raise RequestError(f"top_k must be <= {_MAX_INT}, got {self.top_k}")
        if grammar is not None and not limits.allows_grammar:
            raise RequestError("grammar is not supported: the server was started without grammars")
        return SamplingParams(
            temperature=_or(self.temperature, 1.0),
            top_k=_or(self.top_k, 0),
            top_p=_or(self.top_p, 1.0),
            typical_p=_or(self.typical_p, 1.0),
            min_p=_or(self.min_p, 0.0),
            repetition_penalty=_or(self.repetition_penalty, 1.0),
            frequency_penalty=_or(self.frequency_penalty, 0.0),
            presence_penalty=_or(self.presence_penalty, 0.0),
            seed=self._seed(),
            max_new_tokens=max_tokens,
            stop=self._stop(limits),
            grammar=grammar,
            logit_bias=self._logit_bias(),
            logprobs=n_top is not None,
            top_n_tokens=n_top or 0,
        )

    def adapter(self, limits: Limits) -> str | None:
        """Return the adapter that `model` names, if it does."""
        return self.model if self.model in limits.adapters else None

    def grammar(self) -> Grammar | None:
        """Return what response_format asks for."""
        return None if self.response_format is None else self.response_format.to_grammar()

    def _seed(self) -> int | None:
        """Return the seed with its bits as they are, but without a sign."""
        if self.seed is None or not _MIN_SEED <= self.seed < 0:
            return self.seed
        return self.seed % 2**64

    def _stop(self, limits: Limits) -> tuple[str, ...]:
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        if len(stop) > limits.max_stop_sequences:
            raise RequestError(
                f"stop supports up to {limits.max_stop_sequences} stop sequences, got {len(stop)}"
            )
        return stop

    def _logit_bias(self) -> tuple[tuple[int, float], ...]:
        biases = self.logit_bias if isinstance(self.logit_bias, dict) else {}
        for token_id, bias in biases.items():
            if token_id < 0:
                raise RequestError(f"logit_bias maps token ids (>= 0), got {token_id}")
            if token_id > _MAX_INT:
                raise RequestError(f"logit_bias: no vocabulary has a token {token_id}")
            if not -_MAX_BIAS <= bias <= _MAX_BIAS:
                raise RequestError(
                    f"logit_bias must be in [-100, 100], got {bias} for token {token_id}"
                )
        return tuple(biases.items())


_Number = TypeVar("_Number", int, float)


def _or(value: _Number | None, default: _Number) -> _Number:
    return default if value is None else value


def _to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def check_n_top(name: str, count: int, limits: Limits) -> None:
    """Refuse more alternatives a token than the server reports."""
    if not 0 <= count <= limits.max_top_n_tokens:
        raise RequestError(f"{name} must be in [0, {limits.max_top_n_tokens}], got {count}")


def of_answer(params: SamplingParams, index: int) -> SamplingParams:
    """Return the parameters of the index-th answer to one prompt: with another seed, if any."""
    seed = params.seed
    return params if seed is None else replace(params, seed=(seed + index) % 2**64)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHead:
    """What every chunk of an answer repeats."""

    id: str  # begins with cmpl- or chatcmpl-
    created: int  # seconds since 1970
    model: str
    system_fingerprint: str


class PromptTokensDetails(msgspec.Struct, frozen=True):
    """Where the prompt's tokens came from."""

    cached_tokens: int  # taken from an earlier request's computation


class Usage(msgspec.Struct, frozen=True):
    """How many tokens a request took."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails


def usage_of(finishes: Sequence[Finish], *, n: int = 1) -> Usage:
    """Add up a request's answers, n to each prompt; a prompt counts once."""
    prompts = finishes[::n]
    n_prompt = sum(finish.n_prompt_tokens for finish in prompts)
    n_generated = sum(finish.n_tokens_of_all_runs for finish in finishes)
    cached = sum(finish.n_cached_tokens for finish in prompts)
    return Usage(n_prompt, n_generated, n_prompt + n_generated, PromptTokensDetails(cached))


def wire_reason(reason: FinishReason) -> WireReason:
    """Return OpenAI's word: it does not tell the end of a text from a stop string."""
    return "length" if reason is FinishReason.LENGTH else "stop"


def wire_logprob(logprob: float | None) -> float:
    """Return a number that JSON can carry."""
    return _LEAST_LOGPROB if logprob is None else max(logprob, _LEAST_LOGPROB)


class ErrorObject(msgspec.Struct, frozen=True):
    """What went wrong, as OpenAI's clients read it."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorAnswer(msgspec.Struct, frozen=True):
    """A refusal, or the last event of a stream that failed."""

    error: ErrorObject
    error_type: str  # TGI's word for it


def encode_error(error: TgicliError) -> tuple[int, bytes]:
    """Return the HTTP status and the JSON of a refusal."""
    refused = isinstance(error, RequestError)
    answer = ErrorAnswer(
        ErrorObject(
            error.message,
            "invalid_request_error" if refused else error.error_type,
            code=_code_of(error),
        ),
        error.error_type,
    )
    return _openai_status(error.http_status), msgspec.json.encode(answer)


def _code_of(error: TgicliError) -> str | None:
    """Return OpenAI's own code, where clients act on it."""
    match error:
        case ContextOverflow():
            return "context_length_exceeded"  # they shorten the conversation
        case Unauthorized():
            return "invalid_api_key"
        case _:
            return None


def encode_failure(words: str, error_type: str) -> bytes:
    """Return the JSON of what is no error of ours."""
    answer = ErrorAnswer(ErrorObject(words, "invalid_request_error", code=error_type), error_type)
    return msgspec.json.encode(answer)


def _openai_status(status: int) -> int:
    """Return what OpenAI answers where TGI has its own number for a value that is refused."""
    return HTTPStatus.BAD_REQUEST if status == HTTPStatus.UNPROCESSABLE_ENTITY else status
