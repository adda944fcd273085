"""Lines of prompts and of answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgicli.core import Finish, FinishReason, Message, SamplingParams, Token
from tgicli.errors import Overloaded, RequestError
from tgicli.wire.batch import Ask, decode_json_line, decode_text_line
from tgicli.wire.batch_answers import (
    Answer,
    Key,
    Record,
    decode_record,
    encode_answer,
    encode_failure,
    may_be_cut,
)

COMMON = Ask(params=SamplingParams(temperature=0.5, max_new_tokens=9), system="Be brief.")


def line(**keys: Any) -> bytes:
    return json.dumps(keys).encode()


def finish(**facts: Any) -> Finish:
    usual: dict[str, Any] = {
        "tokens": (),
        "reason": FinishReason.LENGTH,
        "n_prompt_tokens": 3,
        "n_cached_tokens": 0,
        "n_generated_tokens": 2,
        "seed": 7,
    }
    return Finish(**{**usual, **facts})


def test_a_string_is_a_prompt_in_json_and_in_text():
    assert decode_json_line(b'"caf\\u00e9"', COMMON).prompt == "café"
    assert decode_text_line("café".encode(), COMMON).prompt == "café"


def test_a_lines_parameters_win_over_the_common_ones():
    own = line(prompt="x", temperature=0, stop="end", system="Rhyme.", truncate=4, top_k=3)

    ask = decode_json_line(own, COMMON).ask

    assert ask.params == SamplingParams(temperature=0, max_new_tokens=9, stop=("end",), top_k=3)
    assert (ask.system, ask.truncate) == ("Rhyme.", 4)


def test_null_is_the_same_as_absence():
    assert decode_json_line(line(prompt="x", temperature=None, system=None), COMMON).ask == COMMON


def test_unknown_keys_are_kept_byte_by_byte():
    data = b'{"prompt":"x","id":12345678901234567890123,"meta":{"a":[1.50,null]}}'

    kept = decode_json_line(data, COMMON).kept

    assert {name: bytes(raw) for name, raw in kept.items()} == {
        "id": b"12345678901234567890123",
        "meta": b'{"a":[1.50,null]}',
    }


def test_a_prompt_becomes_a_conversation_behind_the_system_message_or_goes_as_it_is():
    asked = decode_json_line(line(prompt="Hi"), COMMON)

    assert asked.to_request("a", chats=False).prompt == "Hi"
    assert asked.to_request("a", chats=True).prompt == (
        Message("system", "Be brief."),
        Message("user", "Hi"),
    )


def test_a_conversation_keeps_its_own_system_message():
    turns = [{"role": "system", "content": "Own."}, {"role": "user", "content": "Hi"}]

    request = decode_json_line(line(messages=turns), COMMON).to_request("a", chats=True)

    assert request.prompt == (Message("system", "Own."), Message("user", "Hi"))


def test_an_answer_that_is_begun_is_gone_on_with():
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "He"}]

    request = decode_json_line(line(messages=turns), COMMON).to_request("a", chats=True)

    assert request.continues


def test_a_conversation_needs_a_template():
    asked = decode_json_line(line(messages=[{"role": "user", "content": "Hi"}]), COMMON)

    with pytest.raises(RequestError, match="chat template"):
        asked.to_request("a", chats=False)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{", "not JSON"),
        (b"[1]", "Expected"),
        (b'"\xff"', "not JSON"),
        (b'""', "empty"),
        (line(id=1), "neither `prompt` nor `messages`"),
        (line(prompt="x", messages=[]), "both"),
        (line(messages=[]), "messages is empty"),
        (line(messages=[{"role": "user"}]), r"messages\[0\].content is missing"),
        (line(prompt=3), "prompt: Expected `str"),
        (line(prompt="x", temperature="hot"), "temperature: Expected"),
        (line(prompt="x", temperature=-1), "temperature must be >= 0"),
        (line(prompt="x", text="mine"), "`text` is a key of the answers"),
        (b'{"a":' * 100_000, "not JSON"),
    ],
)
def test_a_line_that_cannot_be_asked_says_why(data: bytes, words: str):
    with pytest.raises(RequestError, match=words):
        decode_json_line(data, COMMON)


def test_an_answers_line_says_what_came_and_repeats_what_was_kept():
    kept = decode_json_line(line(prompt="x", id="a", meta={"n": 1}), COMMON).kept
    tokens = (
        Token(1, "thought", reasoning=True),
        Token(2, "Hello"),
        Token(3, "</s>", special=True),
    )

    encoded = encode_answer(Key(4, "d"), kept, Answer(tokens, finish(decode_s=0.25), 1.5))

    assert json.loads(encoded) == {
        "index": 4,
        "id": "a",
        "meta": {"n": 1},
        "text": "Hello",
        "reasoning": "thought",
        "finish_reason": "length",
        "prompt_tokens": 3,
        "generated_tokens": 2,
        "seed": 7,
        "timings": {"queue_s": 0.0, "prefill_s": 0.0, "decode_s": 0.25, "total_s": 1.5},
        "digest": "d",
    }
    assert encoded.endswith(b"}\n")


def test_counts_that_a_server_did_not_tell_are_null():
    answer = Answer((), finish(has_usage=False, n_prompt_tokens=0), 0.0)

    assert json.loads(encode_answer(Key(0, "d"), {}, answer))["prompt_tokens"] is None


def test_answers_and_failures_are_known_again():
    answer = encode_answer(Key(4, "d"), {}, Answer((), finish(), 0.0))
    failure = encode_failure(Key(5, "e"), {}, Overloaded("busy"))

    assert decode_record(answer) == Record(Key(4, "d"), is_answer=True)
    assert decode_record(failure) == Record(Key(5, "e"), is_answer=False)
    assert json.loads(failure)["error"] == {"type": "overloaded", "message": "busy"}


@pytest.mark.parametrize(
    "data",
    [b"", b"{}\n", b"text\n", b'{"index":1}\n', b'{"index":-1,"digest":"d","text":""}\n'],
)
def test_other_lines_are_not_ours(data: bytes):
    assert decode_record(data) is None


@given(text=st.text(), data=st.data())
def test_no_beginning_of_a_line_is_taken_for_a_whole_one_or_for_a_strangers(
    text: str, data: st.DataObject
):
    text = text.encode("utf-8", "replace").decode()
    whole = encode_answer(Key(1, "d"), {}, Answer((Token(1, text),), finish(), 0.0))
    piece = whole[: data.draw(st.integers(1, len(whole) - 2))]

    assert decode_record(piece) is None
    assert may_be_cut(piece)
