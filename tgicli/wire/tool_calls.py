"""What a model writes when it calls tools: the grammar that forces it, and the way back.

Pure; called by `chat` and `chat_answer`. A call is written `{"name": ..., "arguments": {...}}`.

Invariants
    text split anywhere gives the same pieces once neighbours of a kind are joined
    nothing is lost: what is no call comes out as text
    words come out at once: held back is only what may be calls, or the beginning of their tag
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Raw

from tgicli.core import Grammar, GrammarKind, Tool
from tgicli.errors import RequestError

OPEN, CLOSE = "<tool_call>", "</tool_call>"  # as Hermes', Qwen's and SmolLM2's templates teach it
_KEY = '"name"'
_STRING = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"'
_START = rf"\s*(?:{OPEN}\s*)?"  # a remote server's call comes within tags
_HEAD = re.compile(rf'{_START}\{{\s*{_KEY}\s*:\s*({_STRING})\s*,\s*"arguments"\s*:\s*(?=\{{)')


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A piece of an answer in words."""

    text: str


@dataclass(frozen=True, slots=True)
class CallStart:
    """A call begins; its arguments follow."""

    index: int  # counts the answer's calls from 0
    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """A piece of a call's arguments, which joined are JSON."""

    index: int
    text: str


Piece = TextPiece | CallStart | CallArguments


def calls_grammar(tools: Sequence[Tool]) -> Grammar:
    """Return the grammar of one call of one of these tools; its arguments are an object always.

    Raises:
        RequestError: a tool's parameters are nested too deeply.
    """
    try:
        definitions = {
            f"tool{index}": _moved(msgspec.json.decode(tool.parameters), f"#/$defs/tool{index}")
            | {"type": "object"}
            for index, tool in enumerate(tools)
        }
    except RecursionError as error:
        raise RequestError("a tool's parameters are nested too deeply") from error
    calls = [_call_schema(tool.name, f"#/$defs/tool{index}") for index, tool in enumerate(tools)]
    schema = {"$defs": definitions, "anyOf": calls}
    return Grammar(GrammarKind.JSON_SCHEMA, msgspec.json.encode(schema).decode())


def forced_tools(grammar: Grammar | None, tools: Sequence[Tool]) -> tuple[Tool, ...]:
    """Return those of the tools one of which a grammar of calls_grammar's forces; else none."""
    names = dict.fromkeys(tool.name for tool in tools)
    of_each = (tuple(tool for tool in tools if tool.name == name) for name in names)
    choices = (tuple(tools), *of_each) if grammar is not None else ()
    return next((choice for choice in choices if calls_grammar(choice) == grammar), ())


def _call_schema(name: str, arguments: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"name": {"const": name}, "arguments": {"$ref": arguments}},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _moved(schema: Any, place: str) -> Any:
    """Point a schema's references to where the schema now is."""
    match schema:
        case dict():
            return {key: _moved_item(key, value, place) for key, value in schema.items()}
        case list():
            return [_moved(item, place) for item in schema]
        case _:
            return schema


def _moved_item(key: str, value: Any, place: str) -> Any:
    if key == "$ref" and isinstance(value, str) and value.startswith("#"):
        return place + value[1:]
    return _moved(value, place)


class _Opening:
    """Tell the words with which an answer begins from the calls that may follow.

    1. An answer that may be calls from its first character on is held, with tags or without.
    2. Any other is words up to the first tag, and held from there on.
    """

    def __init__(self) -> None:
        self.held = ""
        self._has_words = False

    def push(self, text: str) -> str:
        """Return the words that a piece of the answer decides."""
        self.held += text
        self._has_words = self._has_words or not _may_be_calls(self.held)
        end = _end_of_words(self.held) if self._has_words else 0
        words, self.held = self.held[:end], self.held[end:]
        return words


def _may_be_calls(text: str) -> bool:
    text = text.lstrip()
    if OPEN.startswith(text[: len(OPEN)]):  # empty, too
        return True
    return text.startswith("{") and _KEY.startswith(text[1:].lstrip()[: len(_KEY)])


def _end_of_words(text: str) -> int:
    """Return where the first tag begins, or what may become one."""
    start = text.find(OPEN)
    if start >= 0:
        return start
    last = text.rfind(OPEN[0])  # a tag has no other such character
    return last if last >= 0 and OPEN.startswith(text[last:]) else len(text)


class ForcedCall:
    """Split an answer that calls_grammar forces, while it is being written.

    The name comes once it is complete, then the arguments as they are written. A remote server
    may let words come before.
    """

    def __init__(self) -> None:
        self._opening = _Opening()
        self._arguments: _ObjectEnd | None = None

    def push(self, text: str) -> Iterator[Piece]:
        """Yield what a piece of the answer decides."""
        if self._arguments is None:
            if words := self._opening.push(text):
                yield TextPiece(words)
            match = _HEAD.match(self._opening.held)
            if match is None:
                return
            yield CallStart(0, json.loads(match[1]))
            self._arguments = _ObjectEnd()
            text = self._opening.held[match.end() :]
        if inside := self._arguments.cut(text):
            yield CallArguments(0, inside)

    @property
    def is_cut(self) -> bool:
        """Whether the arguments have begun, and not come to their end."""
        return self._arguments is not None and not self._arguments.has_ended

    def finish(self) -> Iterator[Piece]:
        """Yield what is left at the end: text, if a limit cut the name off."""
        if self._arguments is None and self._opening.held:
            yield TextPiece(self._opening.held)


class _ObjectEnd:
    """Find the end of a JSON object that comes in pieces."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self.has_ended = False

    def cut(self, text: str) -> str:
        """Return the part of the text that belongs to the object."""
        if self.has_ended:
            return ""
        for index, character in enumerate(text):
            self._read(character)
            if self._depth == 0:
                self.has_ended = True
                return text[: index + 1]
        return text

    def _read(self, character: str) -> None:
        if self._escaped:
            self._escaped = False
        elif self._in_string:
            self._escaped = character == "\\"
            self._in_string = character != '"'
        elif character == '"':
            self._in_string = True
        elif character in "{[":
            self._depth += 1
        elif character in "}]":
            self._depth -= 1


class FreeAnswer:
    """Split an answer of a model that may call tools, or say something, or first say something.

    What may be calls is held back to the end: only then it is known to be nothing else.
    """

    is_cut = False  # what it gives are whole calls

    def __init__(self, names: Iterable[str], *, parallel: bool = True) -> None:
        self._names = frozenset(names)
        self._parallel = parallel
        self._opening = _Opening()

    def push(self, text: str) -> Iterator[Piece]:
        """Yield what a piece of the answer decides."""
        if words := self._opening.push(text):
            yield TextPiece(words)

    def finish(self) -> Iterator[Piece]:
        """Yield the calls, or the text that was none."""
        held = self._opening.held
        calls = read_calls(held, self._names)
        if held and not calls:
            yield TextPiece(held)
        for index, call in enumerate(calls if self._parallel else calls[:1]):
            yield CallStart(index, call.name)
            yield CallArguments(index, call.arguments)


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A call as it was written."""

    name: str
    arguments: str  # JSON


class _CallBody(msgspec.Struct, frozen=True):
    """Llama 3's models say `parameters`."""

    name: str
    arguments: Raw = Raw(b"")
    parameters: Raw = Raw(b"")


_CALL = msgspec.json.Decoder(_CallBody)
_CALLS = msgspec.json.Decoder(list[_CallBody])


def read_calls(text: str, names: Iterable[str]) -> list[WrittenCall]:
    """Return the calls that a text consists of; none if it has anything else in it.

    They stand one after the other, each in a pair of <tool_call> tags or without; the last tag may
    be missing. A pair of tags may hold a list. Calls of unknown names are no calls.
    """
    known, calls, rest = frozenset(names), [], text.strip()
    while rest:
        tagged = rest.startswith(OPEN)
        body, rest = _split_json(rest.removeprefix(OPEN).lstrip() if tagged else rest)
        if tagged and rest:
            if not rest.startswith(CLOSE):
                return []
            rest = rest.removeprefix(CLOSE).lstrip()
        read = _read_bodies(body, as_list=tagged and body.startswith("["))
        if not read or any(call.name not in known for call in read):
            return []
        calls += read
    return calls


def _split_json(text: str) -> tuple[str, str]:
    """Return the JSON value that a text begins with, and what comes after; "" if it does not."""
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return "", text
    return text[:end], text[end:].lstrip()


def _read_bodies(body: str, *, as_list: bool) -> list[WrittenCall]:
    try:
        bodies = _CALLS.decode(body) if as_list else [_CALL.decode(body)]
    except (msgspec.DecodeError, RecursionError):
        return []  # it is something else, and stays text
    calls = [WrittenCall(body.name, _arguments(body)) for body in bodies]
    return calls if all(call.arguments.startswith("{") for call in calls) else []


def _arguments(body: _CallBody) -> str:
    return (bytes(body.arguments) or bytes(body.parameters)).decode()
