"""OpenAI's dialect from the client's side: requests of /v1/chat/completions and /v1/completions.

Pure; called by the remote backend on the event loop. The answers are read in `openai_answer`.

OpenAI's own fields go to every server. What a server takes beyond them is in the tables below, by
the server's documentation or source; what it would not understand is refused by name. Servers with
defaults of their own are told every option that they have a field for, so that they mean the same
as a local model's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tgicli.core import GenerationRequest, Grammar, GrammarKind, Message, SamplingParams, Tool
from tgicli.errors import RequestError
from tgicli.wire.carrying import grammar_refused, refuse_uncarried, wanted
from tgicli.wire.messages import message_to_json
from tgicli.wire.quirks import NO_QUIRKS, Quirks
from tgicli.wire.servers import Server
from tgicli.wire.tgi_client import tgi_grammar
from tgicli.wire.tool_calls import forced_tools

# Options beyond OpenAI's, and the field that carries each. vLLM: protocol.py; SGLang:
# openai_api/protocol.py; llama-server: server-schema.cpp; llama_cpp.server: types.py.
_FIELDS: Mapping[Server, Mapping[str, str]] = {
    Server.TGICLI: {
        "top_k": "top_k",
        "min_p": "min_p",
        "typical_p": "typical_p",
        "repetition_penalty": "repetition_penalty",
    },
    Server.VLLM: {
        "top_k": "top_k",
        "min_p": "min_p",
        "repetition_penalty": "repetition_penalty",
        "ignore_eos": "ignore_eos",
        "keep_stop": "include_stop_str_in_output",
        "truncate": "truncate_prompt_tokens",
        "reuse_key": "cache_salt",
    },
    Server.SGLANG: {
        "top_k": "top_k",
        "min_p": "min_p",
        "repetition_penalty": "repetition_penalty",
        "ignore_eos": "ignore_eos",
        "keep_stop": "no_stop_trim",
    },
    Server.LLAMA_SERVER: {
        "top_k": "top_k",
        "min_p": "min_p",
        "typical_p": "typical_p",
        "repetition_penalty": "repeat_penalty",
        "ignore_eos": "ignore_eos",
    },
    Server.LLAMA_CPP_PYTHON: {
        "top_k": "top_k",
        "min_p": "min_p",
        "repetition_penalty": "repeat_penalty",
    },
    Server.LM_STUDIO: {"top_k": "top_k", "repetition_penalty": "repeat_penalty"},
}
_OWN_DEFAULTS = frozenset(
    {
        Server.VLLM,
        Server.SGLANG,
        Server.LLAMA_SERVER,
        Server.LLAMA_CPP_PYTHON,
        Server.LM_STUDIO,
    }
)
_NO_TOP_K = {Server.VLLM: -1, Server.SGLANG: -1}  # elsewhere 0 keeps all tokens
_NEUTRAL: Mapping[str, float] = {  # OpenAI's own defaults
    "temperature": 1.0,
    "top_p": 1.0,
    "frequency_penalty": 0.0,
    "presence_penalty": 0.0,
}
_CARRIED = frozenset({"top_p", "frequency_penalty", "presence_penalty", "logit_bias"})
_CARRIED_BY_TGI = frozenset({"top_p", "frequency_penalty", "keep_stop", "adapter"})
_CONTINUING: Mapping[Server, dict[str, bool]] = {  # what makes a server go on from the last turn
    Server.TGI: {},
    Server.TGICLI: {},
    Server.LLAMA_SERVER: {},
    Server.VLLM: {"continue_final_message": True, "add_generation_prompt": False},
    Server.SGLANG: {"continue_final_message": True},
}


def encode_chat(
    request: GenerationRequest,
    *,
    server: Server,
    model: str | None,
    counts_all: bool = False,
    quirks: Quirks = NO_QUIRKS,
) -> bytes:
    """Return a body of /v1/chat/completions; counts_all: each event is to tell counts, if it can.

    Raises:
        RequestError: the request has an option that the server has no field for.
    """
    assert not isinstance(request.prompt, str), "a chat takes messages"
    carried = {"tools", "top_n_tokens"}
    if server in _CONTINUING:
        carried.add("continues")
    _refuse(request, server, carried)
    grammar, forced = request.params.grammar, forced_tools(request.params.grammar, request.tools)
    if request.tools and grammar is not None and not forced:
        raise RequestError("tools and a grammar can't be sent together to a remote server")
    body: dict[str, Any] = {
        **_common(request, server, model, counts_all=counts_all, quirks=quirks),
        "messages": [_message(message) for message in request.prompt],
        **_longest(request.params, server, quirks),
    }
    if request.params.wants_logprobs:
        body |= {"logprobs": True, "top_logprobs": request.params.top_n_tokens}
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.continues:
        body |= _CONTINUING[server]
    if forced:
        body |= _choice(forced)
    elif grammar is not None:
        body |= _chat_grammar(grammar, server)
    return msgspec.json.encode(body)


def encode_completion(
    request: GenerationRequest,
    *,
    server: Server,
    model: str | None,
    counts_all: bool = False,
    quirks: Quirks = NO_QUIRKS,
) -> bytes:
    """Return a body of /v1/completions; counts_all as encode_chat.

    Raises:
        RequestError: the request has an option that the server has no field for.
    """
    _refuse(request, server, {"top_n_tokens"})
    body: dict[str, Any] = {
        **_common(request, server, model, counts_all=counts_all, quirks=quirks),
        "prompt": request.prompt,
        # Absent means 16 tokens to many servers, null what the context holds.
        "max_tokens": request.params.max_new_tokens,
    }
    if request.params.wants_logprobs:
        body["logprobs"] = request.params.top_n_tokens
    if request.params.grammar is not None:
        body |= _completion_grammar(request.params.grammar, server)
    return msgspec.json.encode(body)


def carried_by(server: Server) -> set[str]:
    """Return the options beyond every server's that both of a server's OpenAI routes take."""
    own = _CARRIED_BY_TGI if server is Server.TGI else _CARRIED
    return {*own, *_FIELDS.get(server, {})}


def _refuse(request: GenerationRequest, server: Server, carried: set[str]) -> None:
    refuse_uncarried(request, carried_by(server) | carried, _routes_of(server))


def _routes_of(server: Server) -> str:
    return f"OpenAI's routes of {server.value}"


def _common(
    request: GenerationRequest,
    server: Server,
    model: str | None,
    *,
    counts_all: bool,
    quirks: Quirks,
) -> dict[str, Any]:
    """Return what both routes have."""
    params = request.params
    body: dict[str, Any] = {"stream": request.streams}
    if request.streams and quirks.takes_stream_options:
        own = {"continuous_usage_stats": True} if counts_all and server is Server.VLLM else {}
        body["stream_options"] = {"include_usage": True, **own}
    named = request.adapter or model
    if named is not None:
        body["model"] = named
    body |= {
        name: value
        for name, neutral in _NEUTRAL.items()
        if (value := getattr(params, name)) is not None
        and (value != neutral or _tells(server, name))
    }
    body |= _extensions(request, server)
    if params.seed is not None:
        body["seed"] = params.seed
    if params.stop:
        body["stop"] = list(params.stop)
    if params.logit_bias:
        body["logit_bias"] = {str(token_id): bias for token_id, bias in params.logit_bias}
    return body


def _tells(server: Server, name: str) -> bool:
    """Whether a neutral value must be said, as the server's default may be another."""
    return server in _OWN_DEFAULTS or (name == "temperature" and server is Server.UNKNOWN)


def _extensions(request: GenerationRequest, server: Server) -> dict[str, Any]:
    fields = _FIELDS.get(server, {})
    values = dict(wanted(request))
    if server in _OWN_DEFAULTS:
        neutral = {"top_k": 0, "min_p": 0.0, "typical_p": 1.0, "repetition_penalty": 1.0}
        values = neutral | values
    if values.get("top_k") == 0:
        values["top_k"] = _NO_TOP_K.get(server, 0)
    return {field: values[name] for name, field in fields.items() if name in values}


def _longest(params: SamplingParams, server: Server, quirks: Quirks) -> dict[str, int]:
    if params.max_new_tokens is None:
        return {}
    usual = "max_completion_tokens" if server is Server.OPENAI else "max_tokens"
    return {quirks.limit or usual: params.max_new_tokens}


def _message(message: Message) -> dict[str, Any]:
    fields = message_to_json(message)
    if message.tool_calls and not message.content:
        fields["content"] = None  # as OpenAI writes it beside calls
    return fields


def _tool(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "parameters": msgspec.json.decode(tool.parameters)}
    if tool.description is not None:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _choice(forced: tuple[Tool, ...]) -> dict[str, Any]:
    """Return what makes a server answer with one call of one of these tools."""
    names = {tool.name for tool in forced}
    one = {"type": "function", "function": {"name": forced[0].name}}
    return {"tool_choice": one if len(names) == 1 else "required", "parallel_tool_calls": False}


def _chat_grammar(grammar: Grammar, server: Server) -> dict[str, Any]:
    if server is Server.TGI or (server is Server.TGICLI and grammar.kind is not GrammarKind.GBNF):
        return {"response_format": tgi_grammar(grammar, server)}
    if grammar.kind is not GrammarKind.JSON_SCHEMA:
        return _source_grammar(grammar, server)
    schema = msgspec.json.decode(grammar.source)
    if server is Server.LLAMA_CPP_PYTHON:
        return {"response_format": {"type": "json_object", "schema": schema}}
    return {"response_format": _json_format(schema)}


def _completion_grammar(grammar: Grammar, server: Server) -> dict[str, Any]:
    if grammar.kind is not GrammarKind.JSON_SCHEMA:
        return _source_grammar(grammar, server)
    schema = msgspec.json.decode(grammar.source)
    match server:
        case Server.VLLM | Server.TGICLI:
            return {"response_format": _json_format(schema)}
        case Server.LLAMA_SERVER:
            return {"json_schema": schema}
        case Server.SGLANG:
            return {"json_schema": grammar.source}
        case _:
            raise grammar_refused(grammar, f"/v1/completions of {server.value}")


def _json_format(schema: object) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": schema},
    }


def _source_grammar(grammar: Grammar, server: Server) -> dict[str, Any]:
    """Return the field of the servers that take a grammar's source."""
    if grammar.kind is GrammarKind.REGEX and server is Server.SGLANG:
        return {"regex": grammar.source}
    llamas = (Server.LLAMA_SERVER, Server.LLAMA_CPP_PYTHON)
    if grammar.kind is GrammarKind.GBNF and server in llamas:
        return {"grammar": grammar.source}
    raise grammar_refused(grammar, _routes_of(server))
