"""/v1/chat/completions: conversations, tools and options to requests."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.wire.answers import LIMITS
from tgicli.core import Message, Tool, ToolCall
from tgicli.errors import RequestError
from tgicli.wire.chat import ChatCall, decode_chat
from tgicli.wire.openai import BatchTooLarge, ToolError
from tgicli.wire.tool_calls import calls_grammar

HELLO = {"role": "user", "content": "Hello"}
ADD = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
NOW = {"type": "function", "function": {"name": "now", "description": "The time."}}
ADD_TOOL = Tool("add", None, '{"type":"object"}')
NOW_TOOL = Tool(
    "now", "The time.", '{"type":"object","properties":{},"additionalProperties":false}'
)


def decode(**options: Any) -> ChatCall:
    return decode_chat(json.dumps({"messages": [HELLO], **options}).encode(), LIMITS, id="r1")


def messages(*given: dict[str, Any]) -> tuple[Message, ...]:
    prompt = decode(messages=given).requests[0].prompt
    assert isinstance(prompt, tuple)
    return prompt


def allowed(mode: str, *names: str) -> dict[str, Any]:
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


def test_a_conversation_is_one_request_that_samples():
    call = decode()

    (request,) = call.requests
    assert (request.id, request.prompt) == ("r1-0", (Message("user", "Hello"),))
    assert (request.params.temperature, request.tools, request.continues) == (1.0, (), False)
    assert (call.stream, call.include_usage, call.logprobs) == (False, False, False)


def test_null_is_the_same_as_nothing():
    options = ["max_tokens", "max_completion_tokens", "logprobs", "top_logprobs", "tools"]
    options += ["tool_choice", "parallel_tool_calls", "stream_options", "n", "user", "tool_prompt"]

    assert decode(**dict.fromkeys(options)) == decode()


def test_n_is_copies_with_seeds_of_their_own():
    requests = decode(n=3, seed=7).requests

    assert [(request.id, request.params.seed) for request in requests] == [
        ("r1-0", 7),
        ("r1-1", 8),
        ("r1-2", 9),
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"role": "system", "content": "a"}, Message("system", "a")),
        ({"role": "developer", "content": "a"}, Message("system", "a")),
        ({"role": "user", "content": "a", "name": "Bo"}, Message("user", "a")),
        (
            {"role": "user", "content": [{"type": "text", "text": t} for t in "ab"]},
            Message("user", "ab"),
        ),
        ({"role": "user", "content": []}, Message("user", "")),
        (
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            Message("assistant", "no"),
        ),
        (
            {"role": "assistant", "content": None, "refusal": "no"},
            Message("assistant", "no"),
        ),
        (
            {"role": "assistant", "content": "yes", "refusal": None},
            Message("assistant", "yes"),
        ),
        (
            {"role": "tool", "content": "3", "tool_call_id": "c1"},
            Message("tool", "3", tool_call_id="c1"),
        ),
        (
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
            Message("assistant", "", (ToolCall("c1", "f", "{}"),)),
        ),
        (
            {
                "role": "assistant",
                "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}],
            },
            Message("assistant", "", (ToolCall("", "f", '{"a":1}'),)),
        ),
    ],
    ids=str,
)
def test_a_message_of_either_family_is_cores(given: dict[str, Any], message: Message):
    assert messages(given, HELLO) == (message, Message("user", "Hello"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "messages is empty; give one at least"),
        ([{"role": "king", "content": ""}], "messages[0].role: Invalid enum value 'king'"),
        (
            [{"role": "user"}],
            "messages[0].content is missing; only tool_calls or a refusal can stand instead",
        ),
        ([HELLO, {"role": "assistant", "content": None}], "messages[1].content is missing"),
        ([{"role": "user", "content": 3}], "messages[0].content: Expected `str | array | null`"),
        (
            [
                HELLO,
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
            ],
            "messages[1].content[0] has the type image_url, but the model reads text only",
        ),
        (
            [{"role": "user", "content": [{"type": "text"}]}],
            "messages[0].content[0].text is missing",
        ),
        (
            [{"role": "assistant", "content": [{"type": "refusal", "text": "no"}]}],
            "messages[0].content[0].refusal is missing",
        ),
    ],
    ids=str,
)
def test_a_message_that_no_text_model_reads_is_refused(given: list[dict[str, Any]], words: str):
    with pytest.raises(RequestError) as caught:
        messages(*given)

    assert str(caught.value).startswith(words)


CALLED = [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]


@pytest.mark.parametrize(
    ("last", "continues"),
    [
        (HELLO, False),
        ({"role": "assistant", "content": "Once"}, True),
        ({"role": "assistant", "content": "I call", "tool_calls": CALLED}, False),
        ({"role": "tool", "content": "3"}, False),
    ],
    ids=str,
)
def test_an_assistants_last_words_are_gone_on_from(last: dict[str, Any], continues: bool):
    assert decode(messages=[HELLO, last]).requests[0].continues is continues


@pytest.mark.parametrize(
    ("options", "longest"),
    [
        ({}, None),
        ({"max_tokens": 3}, 3),
        ({"max_completion_tokens": 4}, 4),
        ({"max_tokens": 3, "max_completion_tokens": 3}, 3),
    ],
    ids=str,
)
def test_the_length_has_two_names(options: dict[str, Any], longest: int | None):
    assert decode(**options).requests[0].params.max_new_tokens == longest


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (
            {"max_tokens": 3, "max_completion_tokens": 4},
            RequestError,
            "max_tokens 3 and max_completion_tokens 4 are two names of one limit; give one",
        ),
        ({"top_logprobs": 2}, RequestError, "top_logprobs 2 needs logprobs, which is not true"),
        (
            {"top_logprobs": 6, "logprobs": True},
            RequestError,
            "top_logprobs must be in [0, 5], got 6",
        ),
        ({"logprobs": 3}, RequestError, "logprobs: Expected `bool | null`, got `int`"),
        ({"n": 5}, BatchTooLarge, "1 prompts with n 5 are 5 answers; the allowed batch size is 4"),
        ({"tool_choice": "required"}, ToolError, "Tool error: tool_choice is required, but there"),
        (
            {"tools": [ADD], "tool_choice": "sub"},
            ToolError,
            "Tool error: Tool with name sub not found",
        ),
        (
            {"tools": [ADD], "tool_choice": {"type": "function", "function": {"name": "sub"}}},
            ToolError,
            "Tool error: Tool with name sub not found",
        ),
        (
            {"tools": [ADD], "tool_choice": allowed("auto", "add", "sub")},
            ToolError,
            "Tool error: Tool with name sub not found",
        ),
        (
            {"tools": [ADD], "tool_choice": allowed("required")},
            ToolError,
            "Tool error: tool_choice is required, but there are no tools",
        ),
        ({"tool_choice": {}}, RequestError, "tool_choice.function is missing"),
        (
            {"tool_choice": {"type": "allowed_tools"}},
            RequestError,
            "tool_choice.allowed_tools is missing",
        ),
        (
            {"tools": [ADD], "response_format": {"type": "json_object"}},
            ToolError,
            "Tool error: Grammar and tools are mutually exclusive",
        ),
        ({"tools": [{"type": "custom"}]}, RequestError, "tools[0].type: Invalid enum value"),
        ({"tools": [{"function": {"name": ""}}]}, RequestError, "tools[0].function.name: Expected"),
    ],
    ids=str,
)
def test_what_contradicts_itself_is_refused(
    options: dict[str, Any], error: type[RequestError], words: str
):
    with pytest.raises(error) as caught:
        decode(**options)

    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        ({}, (False, 0)),
        ({"logprobs": False, "top_logprobs": 0}, (False, 0)),
        ({"logprobs": True}, (True, 0)),
        ({"logprobs": True, "top_logprobs": 5}, (True, 5)),
    ],
    ids=str,
)
def test_logprobs_is_a_flag_with_a_number_beside_it(
    options: dict[str, Any], reported: tuple[bool, int]
):
    call = decode(**options)

    params = call.requests[0].params
    assert (params.logprobs, params.top_n_tokens) == reported
    assert call.logprobs is reported[0]


@pytest.mark.parametrize("choice", [None, "auto"])
def test_tools_go_to_the_template_and_force_nothing(choice: str | None):
    call = decode(tools=[ADD, NOW], tool_choice=choice)

    assert call.requests[0].tools == (ADD_TOOL, NOW_TOOL)
    assert call.requests[0].params.grammar is None


def test_tgis_name_for_a_tools_parameters_is_read():
    tool = {"function": {"name": "add", "arguments": {"type": "object"}}}

    assert decode(tools=[tool]).requests[0].tools == (ADD_TOOL,)


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"parameters": None},
        {"parameters": {}},
        {"parameters": {"type": "object", "properties": {}}},
        {"parameters": {"properties": {}, "required": [], "additionalProperties": False}},
    ],
    ids=str,
)
def test_a_tool_without_parameters_takes_no_arguments(written: dict[str, Any]):
    tool = {"function": {"name": "now", "description": "The time.", **written}}

    assert decode(tools=[tool]).requests[0].tools == (NOW_TOOL,)


@pytest.mark.parametrize(
    ("choice", "forced"),
    [
        ("required", (ADD_TOOL, NOW_TOOL)),
        ("now", (NOW_TOOL,)),
        ({"type": "function", "function": {"name": "add"}}, (ADD_TOOL,)),
        ({"function": {"name": "add"}}, (ADD_TOOL,)),
    ],
    ids=str,
)
def test_a_choice_is_forced_by_a_grammar(choice: object, forced: tuple[Tool, ...]):
    call = decode(tools=[ADD, NOW], tool_choice=choice)

    assert call.tool_use.forced == forced
    assert call.requests[0].params.grammar == calls_grammar(forced)
    assert call.requests[0].tools == (ADD_TOOL, NOW_TOOL)


@pytest.mark.parametrize(
    ("choice", "offered", "forced"),
    [
        (allowed("auto", "now"), (NOW_TOOL,), ()),
        (allowed("required", "now"), (NOW_TOOL,), (NOW_TOOL,)),
        (allowed("required", "now", "add"), (ADD_TOOL, NOW_TOOL), (ADD_TOOL, NOW_TOOL)),
        (allowed("auto"), (), ()),
    ],
    ids=str,
)
def test_of_the_tools_only_those_that_are_allowed_are_offered(
    choice: object, offered: tuple[Tool, ...], forced: tuple[Tool, ...]
):
    call = decode(tools=[ADD, NOW], tool_choice=choice)

    assert call.requests[0].tools == call.tool_use.tools == offered
    assert call.tool_use.forced == forced


def test_with_the_choice_none_the_model_never_hears_of_the_tools():
    call = decode(tools=[ADD], tool_choice="none", response_format={"type": "json_object"})

    assert call.requests[0].tools == ()
    assert not call.tool_use.tools


def test_no_tools_and_a_response_format_go_together():
    call = decode(tools=[], response_format={"type": "json_object"})

    assert call.requests[0].params.grammar is not None


def test_a_server_without_grammars_can_offer_tools_but_force_none():
    limits = replace(LIMITS, allows_grammar=False)
    body = {"messages": [HELLO], "tools": [ADD]}

    assert decode_chat(json.dumps(body).encode(), limits, id="x").tool_use.tools == (ADD_TOOL,)
    with pytest.raises(RequestError, match="grammar is not supported"):
        decode_chat(json.dumps({**body, "tool_choice": "add"}).encode(), limits, id="x")
