"""What OpenAI's two routes share, read and refused through /v1/completions."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from tests.wire.answers import LIMITS, finish
from tgicli.core import Grammar, GrammarKind, Run, SamplingParams
from tgicli.errors import (
    ContextOverflow,
    DecodeFailed,
    MalformedBody,
    Overloaded,
    RequestError,
    TemplateFailed,
    TgicliError,
    Unauthorized,
)
from tgicli.wire.chat import ChatBody, decode_chat
from tgicli.wire.chat_answer import ChatChunk, ChatCompletion
from tgicli.wire.completions import Completion, CompletionBody, decode_completion
from tgicli.wire.limits import Limits
from tgicli.wire.openai import (
    BatchTooLarge,
    ErrorAnswer,
    ToolError,
    encode_error,
    of_answer,
    usage_of,
    wire_logprob,
)


def params(limits: Limits = LIMITS, **options: Any) -> SamplingParams:
    """Decode a completion with these options; return what the engine is told."""
    body = json.dumps({"prompt": "Hi", **options}).encode()
    return decode_completion(body, limits, id="x").requests[0].params


def refusal(**options: Any) -> str:
    """Return the words in which these options are refused."""
    with pytest.raises(RequestError) as caught:
        params(**options)
    return str(caught.value)


def test_without_options_openais_defaults_hold():
    assert params() == SamplingParams(temperature=1.0)


def test_null_is_the_same_as_nothing():
    fields = msgspec.structs.fields(CompletionBody)
    nulls: dict[str, Any] = {field.name: None for field in fields if field.name != "prompt"}

    assert params(**nulls) == params()


def test_unknown_fields_and_foreign_models_are_left_alone():
    assert params(model="gpt-17", user="me", metadata={"a": [1]}, n_ctx=3) == params()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"temperature": 0}, {"temperature": 0.0}),
        ({"temperature": 1.7}, {"temperature": 1.7}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"top_p": 1}, {"top_p": 1.0}),
        ({"top_k": 40}, {"top_k": 40}),
        ({"min_p": 0.1}, {"min_p": 0.1}),
        ({"typical_p": 0.9}, {"typical_p": 0.9}),
        ({"repetition_penalty": 1.2}, {"repetition_penalty": 1.2}),
        ({"frequency_penalty": -2}, {"frequency_penalty": -2.0}),
        ({"presence_penalty": 0.5}, {"presence_penalty": 0.5}),
        ({"seed": 2**64 - 1}, {"seed": 2**64 - 1}),
        ({"seed": -1}, {"seed": 2**64 - 1}),
        ({"seed": -(2**63)}, {"seed": 2**63}),
        ({"max_tokens": 1}, {"max_new_tokens": 1}),
        ({"stop": "\n"}, {"stop": ("\n",)}),
        ({"stop": ["a", "b"]}, {"stop": ("a", "b")}),
        ({"stop": []}, {"stop": ()}),
        ({"logit_bias": {"50256": -100, "7": 1.5}}, {"logit_bias": ((50256, -100.0), (7, 1.5))}),
        ({"logit_bias": [0.5]}, {"logit_bias": ()}),
        ({"stream_options": {}}, {}),
    ],
    ids=str,
)
def test_an_option_reaches_the_engine(options: dict[str, Any], expected: dict[str, Any]):
    assert params(**options) == replace(SamplingParams(temperature=1.0), **expected)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"temperature": -1}, "temperature must be >= 0, got -1.0"),
        ({"temperature": "hot"}, "temperature: Expected `float | null`, got `str`"),
        ({"top_p": 0}, "top_p must be in (0, 1], got 0.0"),
        ({"top_p": 1.5}, "top_p must be in (0, 1], got 1.5"),
        ({"top_k": -1}, "top_k must be >= 0, got -1"),
        ({"min_p": 1}, "min_p must be in [0, 1), got 1.0"),
        ({"typical_p": 0}, "typical_p must be in (0, 1], got 0.0"),
        ({"repetition_penalty": 0}, "repetition_penalty must be > 0, got 0.0"),
        ({"frequency_penalty": 2.5}, "frequency_penalty must be in [-2, 2], got 2.5"),
        ({"presence_penalty": -3}, "presence_penalty must be in [-2, 2], got -3.0"),
        ({"seed": -(2**63) - 1}, f"seed must be in [0, 2**64), got {-(2**63) - 1}"),
        ({"seed": 2**64}, f"seed must be in [0, 2**64), got {2**64}"),
        ({"max_tokens": 0}, "max_tokens must be >= 1, got 0"),
        ({"max_tokens": 1.5}, "max_tokens: Expected `int | null`, got `float`"),
        ({"stop": ["a"] * 5}, "stop supports up to 4 stop sequences, got 5"),
        ({"stop": [1]}, "stop[0]: Expected `str`, got `int`"),
        ({"stop": ""}, "a stop string must not be empty"),
        ({"logit_bias": {"7": 101}}, "logit_bias must be in [-100, 100], got 101.0 for token 7"),
        ({"logit_bias": {"-7": 1}}, "logit_bias maps token ids (>= 0), got -7"),
        ({"logit_bias": {"4294967324": 1}}, "logit_bias: no vocabulary has a token 4294967324"),
        ({"top_k": 2**31}, f"top_k must be <= {2**31 - 1}, got {2**31}"),
        ({"logit_bias": {"and": 1}}, "key in logit_bias: Expected `int`, got `str`"),
        ({"stream": "yes"}, "stream: Expected `bool | null`, got `str`"),
        ({"n": 0}, "n must be >= 1, got 0"),
    ],
    ids=str,
)
def test_a_refusal_names_the_option_its_value_and_what_is_allowed(
    options: dict[str, Any], words: str
):
    assert refusal(**options) == words


def test_more_answers_than_the_server_gives_at_once_are_refused():
    with pytest.raises(BatchTooLarge, match=r"1 prompts with n 5 are 5 answers; .* size is 4"):
        params(n=5)


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (b"", MalformedBody, "the body is not JSON: Input data was truncated"),
        (b"\xff", MalformedBody, "the body is not JSON: "),
        (b'{"prompt": "\xff"}', MalformedBody, "the body is not JSON: "),
        (b'{"prompt": "\\ud800"}', MalformedBody, "the body is not JSON: "),
        (b"[]", RequestError, "the body: Expected `object`, got `array`"),
        (b"{}", RequestError, "the body: Object missing required field `prompt`"),
        (
            b'{"x": ' + b"[" * 100_000,
            RequestError,
            "the body is nested too deeply",
        ),
    ],
    ids=["empty", "bytes", "utf-8", "surrogate", "list", "nothing", "deep"],
)
def test_a_body_of_another_shape_is_refused(
    body: bytes, error: type[RequestError], words: str
) -> None:
    with pytest.raises(error) as caught:
        decode_completion(body, LIMITS, id="x")

    assert str(caught.value).startswith(words)


def test_bytes_that_are_no_utf_8_are_refused_by_that_name() -> None:
    with pytest.raises(MalformedBody, match=r"(?i)^the body is not JSON: .*utf-8"):
        decode_completion(b'{"prompt": "\xff"}', LIMITS, id="x")


@pytest.mark.parametrize(
    ("model", "adapter"),
    [("red", "red"), ("org/model", None), ("gpt-4o", None), ("", None), (None, None)],
)
def test_the_models_name_may_be_an_adapters(model: str | None, adapter: str | None):
    limits = replace(LIMITS, adapters=("red", "blue"))
    text = json.dumps({"model": model, "prompt": "Hi"}).encode()
    chat = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hi"}]}).encode()

    (completion,) = decode_completion(text, limits, id="x").requests
    (answer,) = decode_chat(chat, limits, id="x").requests

    assert (completion.adapter, answer.adapter) == (adapter, adapter)


SCHEMA = {"type": "object", "properties": {"b": {"type": "integer"}, "a": {}}, "required": ["a"]}
SCHEMA_JSON = Grammar(
    GrammarKind.JSON_SCHEMA,
    '{"type":"object","properties":{"b":{"type":"integer"},"a":{}},"required":["a"]}',
)
ANY_OBJECT = Grammar(GrammarKind.JSON_SCHEMA, '{"type":"object"}')


@pytest.mark.parametrize(
    ("response_format", "grammar"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, ANY_OBJECT),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}},
            SCHEMA_JSON,
        ),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, ANY_OBJECT),
        ({"type": "json_object", "value": SCHEMA}, SCHEMA_JSON),
        ({"type": "json", "value": SCHEMA}, SCHEMA_JSON),
        ({"type": "json", "value": SCHEMA_JSON.source}, SCHEMA_JSON),
        ({"type": "json_schema", "value": {"name": "x", "schema": SCHEMA}}, SCHEMA_JSON),
        ({"type": "json_schema", "value": SCHEMA}, SCHEMA_JSON),
        ({"type": "regex", "value": "[0-9]+"}, Grammar(GrammarKind.REGEX, "[0-9]+")),
    ],
    ids=str,
)
def test_a_response_format_of_either_family_is_a_grammar_with_its_keys_in_order(
    response_format: dict[str, Any], grammar: Grammar | None
):
    assert params(response_format=response_format).grammar == grammar


@pytest.mark.parametrize(
    ("response_format", "words"),
    [
        ({"type": "xml"}, "response_format.type: Invalid enum value 'xml'"),
        ({"type": "json"}, "response_format json needs a JSON Schema, in `json_schema.schema`"),
        ({"type": "json_schema"}, "response_format json_schema needs a JSON Schema, in"),
        ({"type": "regex"}, "response_format regex needs the expression, a string, in `value`"),
        ({"type": "regex", "value": {}}, "response_format regex needs the expression"),
        ({"type": "json", "value": 3}, "response_format.value: Expected `str | object | null`"),
        (
            {"type": "json_schema", "json_schema": SCHEMA},
            "response_format.json_schema.schema is missing",
        ),
    ],
    ids=str,
)
def test_a_response_format_without_its_value_is_refused(
    response_format: dict[str, Any], words: str
):
    assert refusal(response_format=response_format).startswith(words)


def test_a_server_without_grammars_refuses_them_and_nothing_else():
    limits = replace(LIMITS, allows_grammar=False)

    assert params(limits, response_format={"type": "text"}).grammar is None
    with pytest.raises(RequestError, match="grammar is not supported"):
        params(limits, response_format={"type": "json_object"})


@pytest.mark.parametrize(
    ("seed", "index", "expected"), [(None, 3, None), (7, 0, 7), (7, 2, 9), (2**64 - 1, 1, 0)]
)
def test_each_answer_has_a_seed_of_its_own(seed: int | None, index: int, expected: int | None):
    assert of_answer(SamplingParams(seed=seed), index).seed == expected


def test_usage_counts_a_prompt_once_and_every_run():
    chosen = replace(finish(n_generated=2), others=(Run((), finish(n_generated=10)),))

    usage = usage_of([chosen, finish(n_generated=3)], n=2)

    assert msgspec.to_builtins(usage) == {
        "prompt_tokens": 5,
        "completion_tokens": 15,
        "total_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 3},
    }


@pytest.mark.parametrize(
    ("logprob", "written"), [(-0.5, -0.5), (float("-inf"), -9999.0), (None, -9999.0)]
)
def test_a_log_probability_is_a_number(logprob: float | None, written: float):
    assert wire_logprob(logprob) == written


@pytest.mark.parametrize(
    ("error", "status", "type", "code", "error_type"),
    [
        (RequestError("m"), 400, "invalid_request_error", None, "validation"),
        (
            ContextOverflow("m"),
            400,
            "invalid_request_error",
            "context_length_exceeded",
            "validation",
        ),
        (TemplateFailed("m"), 400, "invalid_request_error", None, "template_error"),
        (ToolError("m"), 400, "invalid_request_error", None, "tool_error"),
        (MalformedBody("m"), 400, "invalid_request_error", None, "validation"),
        (Unauthorized("m"), 401, "invalid_request_error", "invalid_api_key", "authentication"),
        (Overloaded("m"), 429, "overloaded", None, "overloaded"),
        (DecodeFailed("m"), 424, "generation", None, "generation"),
        (TgicliError("m"), 500, "internal", None, "internal"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_openais_object_with_tgis_word_beside_it(
    error: TgicliError, status: int, type: str, code: str | None, error_type: str
):
    answer = {
        "error": {"message": "m", "type": type, "param": None, "code": code},
        "error_type": error_type,
    }

    encoded_status, encoded = encode_error(error)

    assert (encoded_status, json.loads(encoded)) == (status, answer)


def test_every_shape_has_a_json_schema_with_words_for_each_struct():
    shapes = [CompletionBody, Completion, ChatBody, ChatCompletion, ChatChunk, ErrorAnswer]

    _, components = msgspec.json.schema_components(shapes)

    assert {shape.__name__ for shape in shapes} <= components.keys()
    assert all(component["description"] for component in components.values())
    assert components["ChatBody"]["properties"]["temperature"]["minimum"] == 0
