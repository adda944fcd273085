"""Read one entry of a data set, already parsed from JSON: what it asks, and when.

Called by `datasets`. Pure. What is wrong is a ValueError whose words go behind the entry's place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tgicli.bench.trace_blocks import Opening
from tgicli.core import Message

_NEW_TOKENS = ("max_tokens", "output_tokens", "max_new_tokens", "output_length")
_ASKING = frozenset({"human", "user"})
_ANSWERING = frozenset({"gpt", "chatgpt", "assistant", "bing", "bard"})
_MAX_TIMESTAMP = 1e18
_SHOWN = 40  # characters of a value in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What a file has for one request."""

    prompt: str | tuple[Message, ...] | None  # None: one of n_prompt_tokens is to be made
    n_prompt_tokens: int | None = None
    max_new_tokens: int | None = None  # None: not told
    answer: str = ""  # what somebody answered once; as long as it shall the answer be
    opening: Opening | None = None  # of a prompt that is to be made: what others begin with, too


@dataclass(frozen=True, slots=True)
class Timed:
    """A line of a trace."""

    timestamp: int | float
    item: Item
    block_ids: tuple[int, ...]  # equal ones stand for equal tokens; empty: it does not say


def to_item(entry: object) -> Item:
    """Read `{"prompt": ...}` or `{"messages": [...]}`, with a number of new tokens or without."""
    fields = _object(entry)
    if "prompt" in fields and "messages" in fields:
        raise ValueError("both `prompt` and `messages`; leave one out")
    if "prompt" in fields:
        prompt: str | tuple[Message, ...] = _text(fields["prompt"], "`prompt`")
    elif "messages" in fields:
        prompt = _messages(fields["messages"])
    else:
        raise ValueError("neither `prompt` nor `messages`")
    return Item(prompt=prompt, max_new_tokens=_new_tokens(fields))


def to_timed(entry: object) -> Timed:
    """Read a line of a trace: `timestamp`, and a prompt or its `input_length`."""
    fields = _object(entry)
    timestamp, block_ids = _timestamp(fields.get("timestamp")), _block_ids(fields.get("hash_ids"))
    if "prompt" in fields or "messages" in fields:
        return Timed(timestamp, to_item(fields), ())
    if "input_length" not in fields:
        raise ValueError("none of `prompt`, `messages` and `input_length`")
    n_tokens = _count(fields["input_length"], "input_length")
    item = Item(prompt=None, n_prompt_tokens=n_tokens, max_new_tokens=_new_tokens(fields))
    return Timed(timestamp, item, block_ids)


def to_question(entry: object) -> Item | None:
    """Read one conversation in ShareGPT's shape; None: no person asks in it."""
    turns = _list(_object(entry).get("conversations"), "`conversations`")
    said = [_turn(turn) for turn in turns]
    for place, (who, text) in enumerate(said):
        if who in _ASKING and text.strip():
            return Item(prompt=_sound(text, "a turn's `value`"), answer=_answer(said[place + 1 :]))
    return None


def _turn(entry: object) -> tuple[str, str]:
    fields = _object(entry, "a turn")
    who, text = fields.get("from"), fields.get("value")
    if not isinstance(who, str) or not isinstance(text, str):
        raise ValueError(f"a turn must have `from` and `value`, got {_show(entry)}")
    return who, text


def _answer(rest: Sequence[tuple[str, str]]) -> str:
    return rest[0][1] if rest and rest[0][0] in _ANSWERING else ""


def _messages(entry: object) -> tuple[Message, ...]:
    turns = _list(entry, "`messages`")
    if not turns:
        raise ValueError("`messages` is empty")
    return tuple(_message(turn) for turn in turns)


def _message(entry: object) -> Message:
    fields = _object(entry, "a message")
    role = _text(fields.get("role"), "a message's `role`")
    content = fields.get("content")
    if isinstance(content, str):
        return Message(role, _sound(content, "a message's `content`"))
    parts = [_part(part) for part in _list(content, "a message's `content`")]
    return Message(role, "".join(parts))


def _part(entry: object) -> str:
    fields = _object(entry, "a part of a message's `content`")
    if not isinstance(fields.get("text"), str):
        raise ValueError(f"a part of a message's `content` is no text: {_show(entry)}")
    return _sound(fields["text"], "a part of a message's `content`")


def _new_tokens(fields: Mapping[str, Any]) -> int | None:
    for name in _NEW_TOKENS:
        if fields.get(name) is not None:
            return _count(fields[name], name)
    return None


def _count(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`{name}` must be a whole number > 0, got {_show(value)}")
    return value


def _timestamp(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_time(value):
        raise ValueError(f"`timestamp` must be a number, got {_show(value)}")
    return value


def _is_time(value: int | float) -> bool:
    return abs(value) < _MAX_TIMESTAMP  # not a number is not, either


def _block_ids(value: object) -> tuple[int, ...]:
    ids = () if value is None else _list(value, "`hash_ids`")
    return tuple(_block_id(one) for one in ids)


def _block_id(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"`hash_ids` must be whole numbers, got {_show(value)}")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be text, and not empty, got {_show(value)}")
    return _sound(value, name)


def _sound(text: str, name: str) -> str:
    """Refuse half a surrogate pair, which JSON can write and nothing can send."""
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{name} has half a character in it: {_show(ascii(text))}")
    return text


def _list(value: object, name: str) -> Sequence[object]:
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list, got {_show(value)}")
    return value


def _object(value: object, name: str = "it") -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object, got {_show(value)}")
    return value


def _show(value: object) -> str:
    shown = "nothing" if value is None else repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
