"""What servers tell of a prompt's tokens."""

from __future__ import annotations

import json

import pytest

from tgicli.core import GenerationRequest, Message, PromptToken
from tgicli.errors import StreamBroken
from tgicli.wire.tokenize_client import (
    encode_vllm,
    read_count,
    read_pieces,
    read_tokenized_chat,
    read_tokens,
)


def test_tgis_tokens_have_their_places():
    body = b'[{"id":1,"text":"","start":0,"stop":0},{"id":2,"text":"Hi","start":0,"stop":2}]'

    read = read_tokens(body, "Hi")

    assert read.text == "Hi"
    assert read.tokens == (PromptToken(1, "", 0, 0), PromptToken(2, "Hi", 0, 2))


def test_tgis_chat_tells_what_the_template_made():
    body = {"tokenize_response": [{"id": 2, "text": "H", "start": 0, "stop": 1}]}

    read = read_tokenized_chat(json.dumps({**body, "templated_text": "H"}).encode())

    assert (read.text, len(read.tokens)) == ("H", 1)


def test_llama_servers_pieces_are_found_in_the_text():
    pieces = [
        {"id": 1, "piece": "<s>"},  # not in the text
        {"id": 2, "piece": " Gr"},  # a blank that the vocabulary puts before
        {"id": 3, "piece": [195]},
        {"id": 4, "piece": [188, 195]},
        {"id": 5, "piece": [159]},
        {"id": 6, "piece": "e"},
    ]

    read = read_pieces(json.dumps({"tokens": pieces}).encode(), "Grüße")

    assert [(t.start, t.stop) for t in read.tokens] == [
        (0, 0),
        (0, 2),
        (2, 3),
        (3, 5),
        (5, 6),
        (6, 7),
    ]
    assert [t.text for t in read.tokens][:2] == ["", "Gr"]


def test_vllm_is_asked_for_a_prompt_or_a_conversation():
    prompt = GenerationRequest(id="x", prompt="Hi")
    chat = GenerationRequest(id="x", prompt=(Message("user", "Hi"),))

    assert json.loads(encode_vllm(prompt, "m")) == {"model": "m", "prompt": "Hi"}
    assert json.loads(encode_vllm(chat, None)) == {"messages": [{"role": "user", "content": "Hi"}]}


def test_a_count_is_a_count():
    assert read_count(b'{"count":7,"max_model_len":99,"tokens":[]}') == 7
    with pytest.raises(StreamBroken):
        read_count(b'{"tokens":[]}')
