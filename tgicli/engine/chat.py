"""Messages to prompt text, by the model's own template.

Called before admission, never on the engine thread; importing it imports jinja2. A template comes
with the model file, so it is a stranger's program: it runs in jinja2's sandbox and reaches nothing
but what is handed in. The environment is set up as transformers does it, so that templates mean
here what they mean there. Never tokenises.

A template that knows no tools gets them in words, before the conversation, where templates that
know them put them: so a longer conversation still begins with the same tokens.

NOTE: the text may begin with the BOS token's text, if the template writes it. So tokenise it with
parse_special, and with one BOS at most.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tgicli.core import Message, Tool, ToolCall
from tgicli.errors import TemplateFailed

# What a template can raise beside TemplateError: it computes with Python's operators and methods.
_FAILURES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_Json = dict[str, Any]
_INSTEAD = "send a prompt instead of messages"


_MARK = "[[the answer goes on from here]] "  # its blank shows whether the template trims
_TOOLS = """\
You can call these functions:
{tools}
To call one, answer with a JSON object and nothing else: \
{{"name": the function's name, "arguments": {{an argument's name: its value}}}}"""


class ChatTemplate:
    """A model's way to write a conversation down."""

    def __init__(self, source: str, *, bos: str, eos: str) -> None:
        """Compile the template; a long one takes tens of milliseconds.

        Raises:
            TemplateFailed: it is no template that jinja2 understands.
        """
        self._bos, self._eos = bos, eos
        environment = _environment()
        try:
            tree = environment.parse(source)
            words = frozenset(_words(tree))  # compiling changes the tree
            self._template = environment.from_string(tree)
        except (TemplateSyntaxError, RecursionError, SyntaxError) as error:
            # The last two are Python's own: jinja2's output is nested too deeply for it.
            raise TemplateFailed(
                f"the model's chat template does not compile: {_describe(error)}; {_INSTEAD}",
                aside="--no-chat",
            ) from error
        self._knows_tools = "tools" in words
        self._knows_calls = "tool_calls" in words

    def render(
        self, messages: Sequence[Message], *, tools: Sequence[Tool] = (), continues: bool = False
    ) -> str:
        """Return the conversation's text, up to where the assistant speaks next.

        If it continues, that is the end of the last message, which must be the assistant's.

        Raises:
            TemplateFailed: the template refuses these messages or fails, in its own words.
        """
        try:
            names = {call.id: call.name for message in messages for call in message.tool_calls}
            turns = [self._to_turn(message, names) for message in messages]
            if tools and not self._knows_tools:
                turns = _tell_tools(turns, tools)
            definitions = [_to_definition(tool) for tool in tools]
        except RecursionError as error:
            raise TemplateFailed("the tools, or their calls, are nested too deeply") from error
        if continues:
            turns[-1]["content"] += _MARK
        text = self._run(turns, definitions, continues)
        return _before_mark(text) if continues else text

    def _run(self, turns: list[_Json], tools: list[_Json], continues: bool) -> str:
        try:
            return self._template.render(
                messages=turns,
                tools=tools or None,
                documents=None,
                add_generation_prompt=not continues,
                bos_token=self._bos,
                eos_token=self._eos,
            )
        except _Refusal as error:
            raise TemplateFailed(_explain_refusal(error, turns)) from error
        except (TemplateError, *_FAILURES) as error:
            raise TemplateFailed(
                f"the model's chat template fails: {_describe(error)}; {_INSTEAD}",
                aside="--no-chat",
            ) from error

    def _to_turn(self, message: Message, names: Mapping[str, str]) -> _Json:
        turn: _Json = {"role": message.role, "content": message.content}
        if message.tool_calls and self._knows_calls:
            turn["tool_calls"] = [_to_call(call) for call in message.tool_calls]
        elif message.tool_calls:
            turn["content"] += "\n".join(map(_tell_call, message.tool_calls))
        if message.tool_call_id is not None:
            turn["tool_call_id"] = message.tool_call_id
            if message.tool_call_id in names:  # some templates want it beside a tool's answer
                turn["name"] = names[message.tool_call_id]
        return turn


def _words(tree: nodes.Template) -> Iterator[str]:
    """Yield the names that a template reads, of variables and of their parts."""
    for node in tree.find_all((nodes.Name, nodes.Getattr, nodes.Const)):
        match node:
            case nodes.Name(name=str(word)):
                yield word
            case nodes.Getattr(attr=str(word)):
                yield word
            case nodes.Const(value=str(word)):
                yield word


def _to_definition(tool: Tool) -> _Json:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description or "",
            "parameters": json.loads(tool.parameters),
        },
    }


def _to_call(call: ToolCall) -> _Json:
    function = {"name": call.name, "arguments": _parsed(call.arguments)}
    return {"id": call.id, "type": "function", "function": function}


def _parsed(arguments: str) -> Any:
    """Return arguments as templates want them, a dict; what is no JSON stays as it is."""
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments


def _tell_call(call: ToolCall) -> str:
    return _to_json({"name": call.name, "arguments": _parsed(call.arguments)})


def _tell_tools(turns: list[_Json], tools: Sequence[Tool]) -> list[_Json]:
    """Describe the tools at the end of the first message."""
    definitions = "\n".join(_to_json(_to_definition(tool)["function"]) for tool in tools)
    words = _TOOLS.format(tools=definitions)
    first, *rest = turns
    if first["role"] not in ("system", "user"):
        return [{"role": "user", "content": words}, *turns]
    return [{**first, "content": f"{first['content']}\n\n{words}"}, *rest]


def _before_mark(text: str) -> str:
    """Cut what the template writes after the last message's text (as transformers does)."""
    end = text.rfind(_MARK.rstrip())
    if end < 0:
        raise TemplateFailed(
            "the model's chat template does not show the text of the last message, which is the"
            " assistant's: the answer can't go on from it; end with a user message"
        )
    is_trimmed = not text.startswith(_MARK, end)
    return text[:end].rstrip() if is_trimmed else text[:end]


def _describe(error: Exception) -> str:
    if isinstance(error, TemplateSyntaxError):
        return f"line {error.lineno}: {error.message}"
    return f"{type(error).__name__}: {error}"


class _Refusal(TemplateError):
    """The template called raise_exception."""


def _explain_refusal(error: _Refusal, turns: list[_Json]) -> str:
    roles = [turn["role"] for turn in turns]
    hint = "; try it without the system message" if "system" in roles else ""
    return f"the model's chat template refuses the roles {', '.join(roles)}: {error}{hint}"


class _Generation(Extension):
    """`{% generation %}` marks the assistant's words for training; here it changes nothing."""

    tags = {"generation"}  # noqa: RUF012  # jinja2 declares it so

    def parse(self, parser: Parser) -> nodes.Node:
        """Return the block's body, in a scope of its own."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, LoopControlExtension]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = _strftime_now
    return environment


def _refuse(words: str) -> NoReturn:
    raise _Refusal(words)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Write JSON as transformers does: jinja2's own filter escapes for HTML."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _strftime_now(format: str) -> str:
    return datetime.datetime.now().strftime(format)
