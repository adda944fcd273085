"""OpenAI's /v1/chat/completions: what is asked.

Pure; called on the event loop by the server. The answer's shapes are in `chat_answer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from tgicli.core import GenerationRequest, Grammar, Message, Tool, ToolCall
from tgicli.errors import RequestError
from tgicli.wire.decoding import read
from tgicli.wire.limits import Limits
from tgicli.wire.openai import SamplingBody, ToolError, check_n_top, of_answer
from tgicli.wire.tool_calls import calls_grammar

_NO_PARAMETERS = '{"type":"object","properties":{},"additionalProperties":false}'
_SERVERS_OWN = "tgi"  # the name by which TGI's clients mean whatever is served
_ROLES = {"developer": "system"}  # what templates call it


class ContentPart(msgspec.Struct, frozen=True):
    """A part of a message: `text`, or the `refusal` of an assistant; others are refused."""

    type: str
    text: str | None = None
    refusal: str | None = None


class CalledFunction(msgspec.Struct, frozen=True):
    """The function that an assistant called."""

    name: str
    arguments: Annotated[
        str | dict[str, Any], Meta(description="JSON in a string, or the object itself.")
    ] = ""


class MessageToolCall(msgspec.Struct, frozen=True):
    """A call that an assistant's earlier message made."""

    function: CalledFunction
    id: str = ""
    type: Literal["function"] = "function"

    def to_core(self) -> ToolCall:
        """Return it with its arguments as JSON."""
        arguments = self.function.arguments
        if isinstance(arguments, dict):
            arguments = msgspec.json.encode(arguments).decode()
        return ToolCall(self.id, self.function.name, arguments)


class ChatMessage(msgspec.Struct, frozen=True):
    """One turn of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Annotated[
        str | list[ContentPart] | None,
        Meta(description="Text, or a list of text parts; null beside the next two only."),
    ] = None
    refusal: Annotated[
        str | None, Meta(description="What an assistant said instead of `content`.")
    ] = None
    tool_calls: list[MessageToolCall] | None = None
    tool_call_id: Annotated[
        str | None, Meta(description="Of the call that a tool's message answers.")
    ] = None

    def to_core(self, place: str) -> Message:
        """Return core's message; `place` names it in complaints."""
        if self.content is None and self.refusal is None and not self.tool_calls:
            raise RequestError(
                f"{place}.content is missing; only tool_calls or a refusal can stand instead"
            )
        return Message(
            _ROLES.get(self.role, self.role),
            self._text(place),
            tuple(call.to_core() for call in self.tool_calls or ()),
            self.tool_call_id,
        )

    def _text(self, place: str) -> str:
        if self.content is None or isinstance(self.content, str):
            return (self.refusal if self.content is None else self.content) or ""
        parts = enumerate(self.content)
        return "".join(_part_text(part, f"{place}.content[{index}]") for index, part in parts)


def _part_text(part: ContentPart, place: str) -> str:
    if part.type not in ("text", "refusal"):
        raise RequestError(f"{place} has the type {part.type}, but the model reads text only")
    text = part.text if part.type == "text" else part.refusal
    if text is None:
        raise RequestError(f"{place}.{part.type} is missing")
    return text


class FunctionDefinition(msgspec.Struct, frozen=True):
    """A function that the model may call."""

    name: Annotated[str, Meta(min_length=1)]
    description: str | None = None
    parameters: Annotated[
        dict[str, Any] | None, Meta(description="The JSON Schema of its arguments.")
    ] = None
    arguments: Annotated[
        dict[str, Any] | None, Meta(description="TGI's other name for `parameters`.")
    ] = None

    def to_core(self) -> Tool:
        """Return core's tool; without parameters, or names of any, it takes none."""
        schema = self.parameters if self.parameters is not None else self.arguments
        takes_some = schema and not _names_none(schema)
        source = msgspec.json.encode(schema).decode() if takes_some else _NO_PARAMETERS
        return Tool(self.name, self.description, source)


def _names_none(schema: Mapping[str, object]) -> bool:
    """Whether a schema says with an empty list of properties that there are none."""
    says_more = schema.keys() - {"type", "properties", "required", "additionalProperties"}
    has_others = schema.get("required") or schema.get("additionalProperties")
    return schema.get("properties") == {} and not says_more and not has_others


class ToolDefinition(msgspec.Struct, frozen=True):
    """A tool: a function."""

    function: FunctionDefinition
    type: Literal["function"] = "function"


class ChosenFunction(msgspec.Struct, frozen=True):
    """The name of a function."""

    name: str


class AllowedTool(msgspec.Struct, frozen=True):
    """A tool that may be called."""

    function: ChosenFunction
    type: Literal["function"] = "function"


class AllowedTools(msgspec.Struct, frozen=True):
    """Those of the tools that may be called, and whether one must be."""

    mode: Literal["auto", "required"]
    tools: list[AllowedTool]

    def among(self, tools: tuple[Tool, ...]) -> tuple[Tool, ...]:
        """Return these of the tools; an unknown name is refused."""
        names = {one.function.name for one in self.tools}
        if unknown := names - {tool.name for tool in tools}:
            raise _no_tool(min(unknown))
        return tuple(tool for tool in tools if tool.name in names)


class ToolChoice(msgspec.Struct, frozen=True):
    """The one tool that must be called, or OpenAI's choice of several."""

    type: Literal["function", "allowed_tools"] = "function"
    function: ChosenFunction | None = None
    allowed_tools: AllowedTools | None = None

    @property
    def name(self) -> str:
        """The name of the one tool."""
        if self.function is None:
            raise RequestError("tool_choice.function is missing")
        return self.function.name

    @property
    def allowed(self) -> AllowedTools | None:
        """The choice of several; None: it is the one tool."""
        if self.type == "allowed_tools" and self.allowed_tools is None:
            raise RequestError("tool_choice.allowed_tools is missing")
        return self.allowed_tools if self.type == "allowed_tools" else None


class ChatBody(SamplingBody, frozen=True, kw_only=True):
    """A request of /v1/chat/completions."""

    messages: list[ChatMessage]
    max_tokens: Annotated[
        int | None,
        Meta(
            description="Longest answer; absent: until the context is full.",
            extra_json_schema={"minimum": 1},
        ),
    ] = None
    max_completion_tokens: Annotated[
        int | None,
        Meta(description="The newer name of max_tokens.", extra_json_schema={"minimum": 1}),
    ] = None
    logprobs: Annotated[bool | None, Meta(description="Report each token's log-probability.")] = (
        None
    )
    top_logprobs: Annotated[
        int | None, Meta(description="Report so many alternatives to each token.")
    ] = None
    tools: list[ToolDefinition] | None = None
    tool_choice: Annotated[
        str | ToolChoice | None,
        Meta(
            description="none, auto (also if absent), required, the tool that must be called, or"
            " those of the tools that may be."
        ),
    ] = None
    parallel_tool_calls: Annotated[
        bool | None, Meta(description="false: at most one call in an answer.")
    ] = None

    def longest(self) -> int | None:
        """Return the largest number of tokens to generate."""
        if self.max_tokens is None:
            return self.max_completion_tokens
        if self.max_completion_tokens not in (None, self.max_tokens):
            raise RequestError(
                f"max_tokens {self.max_tokens} and max_completion_tokens"
                f" {self.max_completion_tokens} are two names of one limit; give one"
            )
        return self.max_tokens

    def n_top(self, limits: Limits) -> int | None:
        """Return how many alternatives to report; None: no log-probabilities at all."""
        count = self.top_logprobs or 0
        check_n_top("top_logprobs", count, limits)
        if self.logprobs:
            return count
        if count:
            raise RequestError(f"top_logprobs {count} needs logprobs, which is not true")
        return None

    def to_messages(self) -> tuple[Message, ...]:
        """Return the conversation."""
        if not self.messages:
            raise RequestError("messages is empty; give one at least")
        return tuple(
            message.to_core(f"messages[{index}]") for index, message in enumerate(self.messages)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """Which tools the model may call, and whether it must."""

    tools: tuple[Tool, ...] = ()
    forced: tuple[Tool, ...] = ()  # one of these must be called
    parallel: bool = True  # several calls in one answer

    @property
    def grammar(self) -> Grammar | None:
        """What forces the call."""
        return calls_grammar(self.forced) if self.forced else None


def _tool_use(body: ChatBody) -> ToolUse:
    tools, choice = tuple(tool.function.to_core() for tool in body.tools or ()), body.tool_choice
    if choice == "none":
        return ToolUse()
    if isinstance(choice, ToolChoice) and (allowed := choice.allowed) is not None:
        tools, choice = allowed.among(tools), allowed.mode
    return ToolUse(
        tools=tools,
        forced=_forced(tools, choice),
        parallel=body.parallel_tool_calls is not False,
    )


def _forced(tools: tuple[Tool, ...], choice: str | ToolChoice | None) -> tuple[Tool, ...]:
    if choice in (None, "auto"):
        return ()
    if choice == "required":
        if not tools:
            raise ToolError("Tool error: tool_choice is required, but there are no tools")
        return tools
    return _named(tools, choice.name if isinstance(choice, ToolChoice) else choice)


def _named(tools: tuple[Tool, ...], name: str | None) -> tuple[Tool, ...]:
    named = tuple(tool for tool in tools if tool.name == name)
    if not named:
        raise _no_tool(name)
    return named


def _no_tool(name: str | None) -> ToolError:
    return ToolError(f"Tool error: Tool with name {name} not found")


def _grammar(body: ChatBody, use: ToolUse) -> Grammar | None:
    asked = body.grammar()
    if asked is not None and use.tools:
        raise ToolError("Tool error: Grammar and tools are mutually exclusive")
    return asked or use.grammar


_BODY = msgspec.json.Decoder(ChatBody)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatCall:
    """A request of /v1/chat/completions, understood."""

    requests: tuple[GenerationRequest, ...]  # one an answer
    stream: bool
    include_usage: bool
    logprobs: bool
    tool_use: ToolUse
    model: str | None  # what the answer calls the model; None: by the server's own id

    @property
    def n(self) -> int:
        """How many answers there are to the conversation."""
        return len(self.requests)


def decode_chat(body: bytes, limits: Limits, *, id: str) -> ChatCall:
    """Read a body of /v1/chat/completions; the requests' ids are `{id}-{index}`.

    Raises:
        RequestError: it can't be served; names the option, its value and what is allowed.
    """
    asked = read(_BODY, body, what="the body")
    messages, use, n_top = asked.to_messages(), _tool_use(asked), asked.n_top(limits)
    params = asked.to_params(
        limits, max_tokens=asked.longest(), grammar=_grammar(asked, use), n_top=n_top
    )
    requests = (
        GenerationRequest(
            id=f"{id}-{index}",
            prompt=messages,
            params=of_answer(params, index),
            tools=use.tools,
            continues=is_begun_answer(messages[-1]),
            adapter=asked.adapter(limits),
        )
        for index in range(asked.count_answers(1, limits))
    )
    return ChatCall(
        requests=tuple(requests),
        stream=bool(asked.stream),
        include_usage=bool(asked.include_usage),
        logprobs=n_top is not None,
        tool_use=use,
        model=None if asked.model == _SERVERS_OWN else asked.model,
    )


def is_begun_answer(last: Message) -> bool:
    """Say whether the answer goes on where the last message stops, as in TGI."""
    return last.role == "assistant" and not last.tool_calls
