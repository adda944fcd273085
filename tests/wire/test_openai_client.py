"""OpenAI's dialect from the client's side: what each server is sent, and what it is not."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from tgicli.core import (
    GenerationRequest,
    Grammar,
    GrammarKind,
    Message,
    SamplingParams,
    Tool,
    ToolCall,
)
from tgicli.errors import RequestError
from tgicli.wire.chat import decode_chat
from tgicli.wire.completions import decode_completion
from tgicli.wire.limits import Limits
from tgicli.wire.openai_client import encode_chat, encode_completion
from tgicli.wire.servers import Server
from tgicli.wire.tool_calls import calls_grammar

LIMITS = Limits(max_total_tokens=99, max_input_tokens=98)
PROMPT = GenerationRequest(id="x", prompt="Hello", params=SamplingParams(temperature=1))
CHAT = replace(PROMPT, prompt=(Message("user", "Hello"),))
SCHEMA = '{"properties":{"a":{"type":"integer"}},"type":"object"}'
JSON = Grammar(GrammarKind.JSON_SCHEMA, SCHEMA)
REGEX = Grammar(GrammarKind.REGEX, "a+")
GBNF = Grammar(GrammarKind.GBNF, 'root ::= "a"')
STREAM = {"stream": True, "stream_options": {"include_usage": True}}


def chat(server: Server = Server.OPENAI, model: str | None = None, **params: Any) -> Any:
    request = replace(CHAT, params=replace(CHAT.params, **params))
    return json.loads(encode_chat(request, server=server, model=model))


def completion(server: Server = Server.OPENAI, model: str | None = None, **params: Any) -> Any:
    request = replace(PROMPT, params=replace(PROMPT.params, **params))
    return json.loads(encode_completion(request, server=server, model=model))


def test_what_openai_itself_takes_as_granted_is_not_said():
    assert chat(model="gpt") == {
        **STREAM,
        "model": "gpt",
        "messages": [{"role": "user", "content": "Hello"}],
    }


def test_every_option_of_openais_is_sent():
    body = chat(
        temperature=0.5,
        top_p=0.9,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        seed=3,
        stop=("a",),
        max_new_tokens=9,
        logit_bias=((7, -100.0),),
        top_n_tokens=2,
        grammar=JSON,
    )

    assert body == {
        **STREAM,
        "messages": [{"role": "user", "content": "Hello"}],
        "temperature": 0.5,
        "top_p": 0.9,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "seed": 3,
        "stop": ["a"],
        "max_completion_tokens": 9,
        "logit_bias": {"7": -100.0},
        "logprobs": True,
        "top_logprobs": 2,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": json.loads(SCHEMA)},
        },
    }


def test_a_completion_says_that_it_may_be_as_long_as_it_likes():
    """Absent, max_tokens is 16 for many servers."""
    assert completion()["max_tokens"] is None
    assert completion(max_new_tokens=3)["max_tokens"] == 3


@pytest.mark.parametrize(
    ("server", "told"),
    [
        (Server.VLLM, {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}),
        (Server.SGLANG, {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}),
        (
            Server.LLAMA_SERVER,
            {"top_k": 0, "min_p": 0.0, "typical_p": 1.0, "repeat_penalty": 1.0},
        ),
        (Server.LLAMA_CPP_PYTHON, {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0}),
        (Server.LM_STUDIO, {"top_k": 0, "repeat_penalty": 1.0}),
    ],
)
def test_a_server_with_a_taste_of_its_own_is_told_everything(server: Server, told: dict[str, Any]):
    neutral = {"temperature": 1, "top_p": 1.0, "frequency_penalty": 0.0, "presence_penalty": 0.0}

    assert completion(server) == {
        **STREAM,
        "prompt": "Hello",
        "max_tokens": None,
        **neutral,
        **told,
    }


@pytest.mark.parametrize("server", Server)
def test_a_temperature_that_nobody_said_is_the_servers(server: Server):
    assert "temperature" not in completion(server, temperature=None)


@pytest.mark.parametrize(
    ("server", "option", "field"),
    [
        (Server.VLLM, {"top_k": 5}, {"top_k": 5}),
        (Server.VLLM, {"ignore_eos": True}, {"ignore_eos": True}),
        (
            Server.VLLM,
            {"stop": ("a",), "keep_stop": True},
            {"stop": ["a"], "include_stop_str_in_output": True},
        ),
        (Server.SGLANG, {"stop": ("a",), "keep_stop": True}, {"no_stop_trim": True}),
        (Server.LLAMA_SERVER, {"repetition_penalty": 1.5}, {"repeat_penalty": 1.5}),
        (Server.TGICLI, {"min_p": 0.5, "typical_p": 0.5}, {"min_p": 0.5, "typical_p": 0.5}),
        (Server.TGI, {"top_p": 0.5, "frequency_penalty": 1}, {"top_p": 0.5}),
    ],
)
def test_an_option_goes_by_the_servers_own_name(
    server: Server, option: dict[str, Any], field: dict[str, Any]
):
    assert field.items() <= chat(server, **option).items()


@pytest.mark.parametrize(
    ("server", "option"),
    [
        (Server.OPENAI, {"top_k": 5}),
        (Server.OLLAMA, {"min_p": 0.1}),
        (Server.UNKNOWN, {"repetition_penalty": 1.1}),
        (Server.LM_STUDIO, {"typical_p": 0.5}),
        (Server.VLLM, {"typical_p": 0.5}),
        (Server.TGI, {"presence_penalty": 0.5}),  # it would be taken for another
        (Server.TGI, {"logit_bias": ((1, 1.0),)}),
        (Server.TGI, {"top_k": 5}),
        (Server.OPENAI, {"watermark": True}),
        (Server.OPENAI, {"ignore_eos": True}),
        (Server.OPENAI, {"keep_stop": True, "stop": ("a",)}),
        (Server.TGICLI, {"keep_stop": True, "stop": ("a",)}),
    ],
)
def test_an_option_that_a_server_would_not_understand_is_refused(
    server: Server, option: dict[str, Any]
):
    [name, *_] = option

    with pytest.raises(RequestError, match=rf"^{name} .* can't be sent to OpenAI's routes of "):
        chat(server, **option)
    with pytest.raises(RequestError, match=name):
        completion(server, **option)


@pytest.mark.parametrize(
    "changes",
    [
        {"truncate": 5},
        {"best_of": 2},
        {"prompt_logprobs": True},
        {"reuse_key": "k"},
        {"adapter": "a"},
        {"continues": True},
    ],
    ids=str,
)
def test_a_request_that_a_server_would_not_understand_is_refused(changes: dict[str, Any]):
    [name] = changes

    with pytest.raises(RequestError, match=rf"^{name} "):
        encode_chat(replace(CHAT, **changes), server=Server.OPENAI, model=None)
    with pytest.raises(RequestError, match=rf"^{name} "):
        encode_completion(replace(PROMPT, **changes), server=Server.OPENAI, model=None)


def test_what_is_made_from_a_clients_key_is_not_said():
    with pytest.raises(RequestError, match=r"^reuse_key as asked can't be sent to") as caught:
        encode_chat(replace(CHAT, reuse_key="ba78"), server=Server.OPENAI, model=None)

    assert "ba78" not in str(caught.value)


def is_sent_or_refused(name: str, value: Any) -> bool:
    try:
        return bool(chat(**{name: value}) != chat())
    except RequestError as error:
        return str(error).startswith(name)


def test_no_option_of_cores_is_ever_dropped():
    """Also one that core learns later: until somebody says how it is sent, it is refused."""
    changed: dict[str, Any] = {
        "temperature": 0.5,
        "top_k": 5,
        "top_p": 0.5,
        "typical_p": 0.5,
        "min_p": 0.5,
        "repetition_penalty": 1.5,
        "frequency_penalty": 0.5,
        "presence_penalty": 0.5,
        "seed": 5,
        "max_new_tokens": 5,
        "stop": ("a",),
        "grammar": JSON,
        "logit_bias": ((5, 5.0),),
        "watermark": True,
        "top_n_tokens": 5,
        "ignore_eos": True,
    }
    never_alone = {"keep_stop", "logprobs"}  # says how, not what
    assert changed.keys() | never_alone == {field.name for field in fields(SamplingParams)}

    dropped = [name for name, value in changed.items() if not is_sent_or_refused(name, value)]

    assert dropped == []


def test_filters_that_change_nothing_for_greedy_are_no_reason_to_refuse():
    assert "top_k" not in chat(temperature=0, top_k=5, min_p=0.1)


@pytest.mark.parametrize(
    ("server", "grammar", "field"),
    [
        (Server.TGI, JSON, {"response_format": {"type": "json", "value": json.loads(SCHEMA)}}),
        (Server.TGI, REGEX, {"response_format": {"type": "regex", "value": "a+"}}),
        (Server.TGICLI, REGEX, {"response_format": {"type": "regex", "value": "a+"}}),
        (Server.SGLANG, REGEX, {"regex": "a+"}),
        (Server.LLAMA_SERVER, GBNF, {"grammar": GBNF.source}),
        (
            Server.LLAMA_CPP_PYTHON,
            JSON,
            {"response_format": {"type": "json_object", "schema": json.loads(SCHEMA)}},
        ),
    ],
)
def test_a_grammar_goes_in_the_servers_own_form(
    server: Server, grammar: Grammar, field: dict[str, Any]
):
    assert field.items() <= chat(server, grammar=grammar).items()


@pytest.mark.parametrize(
    ("server", "grammar"),
    [
        (Server.VLLM, REGEX),
        (Server.VLLM, GBNF),
        (Server.TGI, GBNF),
        (Server.TGICLI, GBNF),
        (Server.LLAMA_SERVER, REGEX),
        (Server.OPENAI, GBNF),
    ],
)
def test_a_grammar_that_a_server_does_not_know_is_refused(server: Server, grammar: Grammar):
    with pytest.raises(RequestError, match=f"kind {grammar.kind}"):
        chat(server, grammar=grammar)


@pytest.mark.parametrize(
    ("server", "names"),
    [
        (Server.VLLM, {"response_format"}),
        (Server.TGICLI, {"response_format"}),
        (Server.LLAMA_SERVER, {"json_schema"}),
        (Server.SGLANG, {"json_schema"}),
    ],
)
def test_a_schema_for_a_completion_goes_where_there_is_a_field(server: Server, names: set[str]):
    assert names <= completion(server, grammar=JSON).keys()


@pytest.mark.parametrize("server", [Server.OPENAI, Server.OLLAMA, Server.LLAMA_CPP_PYTHON])
def test_a_schema_for_a_completion_is_refused_elsewhere(server: Server):
    with pytest.raises(RequestError, match="kind json_schema"):
        completion(server, grammar=JSON)


TOOL = Tool("weather", "Tells it.", '{"type":"object","properties":{}}')


def test_tools_and_their_answers_are_written_as_openai_does():
    call = ToolCall("c1", "weather", '{"a":1}')
    turns = (
        Message("user", "Hello"),
        Message("assistant", "", (call,)),
        Message("tool", "sunny", tool_call_id="c1"),
    )
    request = replace(CHAT, prompt=turns, tools=(TOOL, replace(TOOL, description=None)))

    body = json.loads(encode_chat(request, server=Server.OPENAI, model=None))

    function = {"name": "weather", "parameters": {"type": "object", "properties": {}}}
    assert body["tools"] == [
        {"type": "function", "function": {**function, "description": "Tells it."}},
        {"type": "function", "function": function},
    ]
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"a":1}'},
                }
            ],
        },
        {"role": "tool", "content": "sunny", "tool_call_id": "c1"},
    ]


NAMED = {"type": "function", "function": {"name": "weather"}}


@pytest.mark.parametrize(
    ("forced", "choice"),
    [
        ((TOOL, replace(TOOL, name="now")), "required"),
        ((TOOL,), NAMED),
        ((), None),
    ],
    ids=["required", "named", "auto"],
)
def test_a_call_that_is_forced_is_chosen_as_openai_does(forced: tuple[Tool, ...], choice: object):
    grammar = calls_grammar(forced) if forced else None
    tools = (TOOL, replace(TOOL, name="now"))
    request = replace(CHAT, tools=tools, params=replace(CHAT.params, grammar=grammar))

    body = json.loads(encode_chat(request, server=Server.OPENAI, model=None))

    assert len(body["tools"]) == 2
    assert "response_format" not in body
    assert body.get("tool_choice") == choice
    assert body.get("parallel_tool_calls") == (False if forced else None)


def test_tools_go_with_no_grammar_and_into_no_completion():
    with pytest.raises(RequestError, match="tools and a grammar"):
        encode_chat(
            replace(CHAT, tools=(TOOL,), params=SamplingParams(grammar=JSON)),
            server=Server.OPENAI,
            model=None,
        )
    with pytest.raises(RequestError, match=r"^tools "):
        encode_completion(replace(PROMPT, tools=(TOOL,)), server=Server.OPENAI, model=None)


@pytest.mark.parametrize(
    ("server", "extra"),
    [
        (Server.VLLM, {"continue_final_message": True, "add_generation_prompt": False}),
        (Server.SGLANG, {"continue_final_message": True}),
        (Server.TGI, {}),
        (Server.LLAMA_SERVER, {}),
    ],
)
def test_a_last_turn_is_gone_on_from_where_the_server_can(server: Server, extra: dict[str, Any]):
    turns = (Message("user", "Hello"), Message("assistant", "I"))
    request = replace(CHAT, prompt=turns, continues=True)

    body = json.loads(encode_chat(request, server=server, model=None))

    assert extra.items() <= body.items()


def test_an_adapter_is_a_model_to_tgi():
    body = json.loads(encode_chat(replace(CHAT, adapter="pirate"), server=Server.TGI, model="tgi"))

    assert body["model"] == "pirate"


OURS = SamplingParams(
    temperature=0.5,
    top_k=5,
    top_p=0.9,
    typical_p=0.8,
    min_p=0.1,
    repetition_penalty=1.5,
    frequency_penalty=0.5,
    presence_penalty=0.5,
    seed=5,
    max_new_tokens=5,
    stop=("a",),
    logit_bias=((5, 5.0),),
    logprobs=True,
    top_n_tokens=3,
    grammar=JSON,
)


def test_our_own_server_reads_what_is_sent():
    chats, prompts = replace(CHAT, params=OURS), replace(PROMPT, params=OURS)

    chat_call = decode_chat(encode_chat(chats, server=Server.TGICLI, model=None), LIMITS, id="x")
    call = decode_completion(
        encode_completion(prompts, server=Server.TGICLI, model=None), LIMITS, id="x"
    )

    assert chat_call.stream
    assert call.stream
    assert replace(chat_call.requests[0], id="x") == chats
    assert replace(call.requests[0], id="x") == prompts
