from __future__ import annotations

import json

import pytest

from tgicli.core import Message, ToolCall
from tgicli.errors import RequestError
from tgicli.wire.conversation import decode_conversation, encode_conversation

TURNS = (
    Message("system", "Be kind."),
    Message("user", "größer\n\n漢字 🎉"),
    Message("assistant", "", (ToolCall("1", "add", '{"a": 1}'),)),
    Message("tool", "2", (), "1"),
    Message("assistant", " two "),
)


def test_what_is_written_is_read_again() -> None:
    assert decode_conversation(encode_conversation(TURNS)) == TURNS


def test_it_is_openais_list_of_messages() -> None:
    written = json.loads(encode_conversation(TURNS[:2]))

    assert written == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "größer\n\n漢字 🎉"},
    ]


def test_a_requests_body_is_read_too() -> None:
    body = b' {"model": "x", "messages": [{"role": "user", "content": "Hi"}]}'

    assert decode_conversation(body) == (Message("user", "Hi"),)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "^the file is not JSON"),
        (b"Dear reader", "^the file is not JSON"),
        (b"[]", "no message"),
        (b"3", "^the file: Expected `array`"),
        (b'[{"role": "king", "content": ""}]', "king"),
        (b'[{"role": "user"}]', "content is missing"),
        (b'{"text": 1}', "messages"),
    ],
)
def test_something_else_is_refused_with_what_is_wrong(data: bytes, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        decode_conversation(data)
