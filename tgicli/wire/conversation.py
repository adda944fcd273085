"""A conversation as other tools read and write it: OpenAI's list of messages, in JSON.

Pure; used by `chat` for its files. Read more widely than written: an object with `messages`, such
as a request's body, will do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from tgicli.core import Message
from tgicli.errors import RequestError
from tgicli.wire.chat import ChatMessage
from tgicli.wire.decoding import read
from tgicli.wire.messages import message_to_json


class _Body(msgspec.Struct, frozen=True):
    messages: list[ChatMessage]


_LIST = msgspec.json.Decoder(list[ChatMessage])
_BODY = msgspec.json.Decoder(_Body)


def encode_conversation(messages: Iterable[Message]) -> bytes:
    """Return the messages as JSON, for people as well: indented, and ending with a newline."""
    plain = (replace(message, content=_plain(message.content)) for message in messages)
    data = msgspec.json.encode([message_to_json(message) for message in plain])
    return msgspec.json.format(data, indent=2) + b"\n"


def _plain(text: str) -> str:
    """Return a text that JSON can carry; a byte that was typed and is no text becomes "?"."""
    return text.encode(errors="replace").decode()


def decode_conversation(data: bytes) -> tuple[Message, ...]:
    """Read messages.

    Raises:
        RequestError: it is something else, or there are none; says what and where.
    """
    is_object = data.lstrip().startswith(b"{")
    what = "the file"
    found = read(_BODY, data, what=what).messages if is_object else read(_LIST, data, what=what)
    if not found:
        raise RequestError("there is no message in it")
    return tuple(one.to_core(f"messages[{index}]") for index, one in enumerate(found))
