"""Messages to prompt text, by the model's own template.

Called before admission, never on the engine thread; importing it imports jinja2. A template comes
with the model file, so it is a stranger's program: it runs in jinja2's sandbox and reaches nothing
but what is handed in. The environment is set up as transformers does it, so that templates mean
here what they mean there. Never tokenises.

NOTE: the text may begin with the BOS token's text, if the template writes it. So tokenise it with
parse_special, and with one BOS at most.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import Any, NoReturn

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tgicli.core import Message
from tgicli.errors import RequestError

# What a template can raise beside TemplateError: it computes with Python's operators and methods.
_FAILURES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_INSTEAD = "send a prompt instead of messages (--no-chat)"


class ChatTemplate:
    """A model's way to write a conversation down."""

    def __init__(self, source: str, *, bos: str, eos: str) -> None:
        """Compile the template; a long one takes tens of milliseconds.

        Raises:
            RequestError: it is no template that jinja2 understands.
        """
        self._bos, self._eos = bos, eos
        try:
            self._template = _environment().from_string(source)
        except (TemplateSyntaxError, RecursionError, SyntaxError) as error:
            # The last two are Python's own: jinja2's output is nested too deeply for it.
            raise RequestError(
                f"the model's chat template does not compile: {_describe(error)}; {_INSTEAD}"
            ) from error

    def render(self, messages: Sequence[Message]) -> str:
        """Return the conversation's text, up to where the assistant speaks next.

        Raises:
            RequestError: the template refuses these messages or fails, in its own words.
        """
        try:
            return self._template.render(
                messages=[{"role": m.role, "content": m.content} for m in messages],
                tools=None,
                documents=None,
                add_generation_prompt=True,
                bos_token=self._bos,
                eos_token=self._eos,
            )
        except _Refusal as error:
            raise RequestError(_explain_refusal(error, messages)) from error
        except (TemplateError, *_FAILURES) as error:
            raise RequestError(
                f"the model's chat template fails: {_describe(error)}; {_INSTEAD}"
            ) from error


def _describe(error: Exception) -> str:
    if isinstance(error, TemplateSyntaxError):
        return f"line {error.lineno}: {error.message}"
    return f"{type(error).__name__}: {error}"


class _Refusal(TemplateError):
    """The template called raise_exception."""


def _explain_refusal(error: _Refusal, messages: Sequence[Message]) -> str:
    roles = [message.role for message in messages]
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
