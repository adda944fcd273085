"""/v1/chat/completions: answers in the shapes that OpenAI's and TGI's clients read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.answers import EOS, LIMITS, THOUGHT, finish, head, run, word
from tgicli.core import Delta, FinishReason, Run
from tgicli.wire.chat import decode_chat
from tgicli.wire.chat_answer import ChatEncoder

ADD = {"function": {"name": "add"}}
CALL = ('{"na', 'me": "add"', ', "arguments": {"a', '": 1', "}", "}")
AUTO = {"tools": [ADD]}
FORCED = {"tools": [ADD], "tool_choice": "required"}


def encoder(**options: Any) -> ChatEncoder:
    body = {"messages": [{"role": "user", "content": "Hello"}], **options}
    call = decode_chat(json.dumps(body).encode(), LIMITS, id="r1")
    return ChatEncoder(call, head("chatcmpl-r1"))


def stream(encoder: ChatEncoder, *events: Any, index: int = 0) -> list[dict[str, Any]]:
    return [json.loads(chunk) for event in events for chunk in encoder.encode(index, event)]


def deltas(encoder: ChatEncoder, *events: Any) -> list[Any]:
    """Return (delta, finish_reason) of each chunk."""
    choices = [chunk["choices"][0] for chunk in stream(encoder, *events)]
    return [(choice["delta"], choice["finish_reason"]) for choice in choices]


def test_a_stream_has_a_chunk_a_token_and_the_role_once():
    answers = encoder(stream=True)

    chunks = [*answers.encode(0, Delta((word("Hi"), word("!")))), *answers.encode(0, finish(EOS))]

    beginning = (
        b'{"object":"chat.completion.chunk","id":"chatcmpl-r1","created":1700000000,'
        b'"model":"org/model","system_fingerprint":"1.0-native","choices":[{"index":0,"delta":'
    )
    assert chunks == [
        beginning + b'{"role":"assistant","content":"Hi"},"logprobs":null,"finish_reason":null}]}',
        beginning + b'{"content":"!"},"logprobs":null,"finish_reason":null}]}',
        beginning + b'{"content":""},"logprobs":null,"finish_reason":"stop"}]}',
    ]


@pytest.mark.parametrize(
    ("reason", "written"),
    [
        (FinishReason.EOS_TOKEN, "stop"),
        (FinishReason.STOP_SEQUENCE, "stop"),
        (FinishReason.LENGTH, "length"),
    ],
)
def test_the_last_chunk_has_text_and_reason(reason: FinishReason, written: str):
    assert deltas(encoder(), finish(word("x"), reason=reason)) == [
        ({"role": "assistant", "content": "x"}, written)
    ]


@pytest.mark.parametrize("options", [{}, AUTO, FORCED], ids=str)
def test_an_answer_without_a_token_has_one_chunk(options: dict[str, Any]):
    assert deltas(encoder(**options), finish()) == [({"role": "assistant"}, "stop")]


@pytest.mark.parametrize("options", [{}, AUTO], ids=str)
def test_several_answers_begin_in_order_whoever_speaks_first(options: dict[str, Any]):
    answers = encoder(**options, n=3)

    chunks = stream(answers, Delta((word("Hi"),)), index=1) + stream(answers, finish(EOS), index=0)

    (choices,) = zip(*(chunk["choices"] for chunk in chunks), strict=True)
    role = {"role": "assistant", "content": ""}
    assert [(choice["index"], choice["delta"]) for choice in choices[:4]] == [
        (0, role),
        (1, role),
        (2, role),
        (1, {"content": "Hi"}),
    ]
    assert [(choice["index"], choice["finish_reason"]) for choice in choices[4:]] == [(0, "stop")]
    assert "role" not in choices[4]["delta"]


def test_usage_comes_in_a_chunk_without_choices_when_it_is_asked_for():
    answers = encoder(n=2, stream_options={"include_usage": True})

    *_, first, second = stream(answers, finish(EOS)) + stream(answers, finish(EOS), index=1)
    last = json.loads(answers.encode_usage() or b"")

    assert [(chunk["choices"][0]["index"], chunk["usage"]) for chunk in (first, second)] == [
        (0, None),
        (1, None),
    ]
    assert last["choices"] == []
    assert last["usage"] == {
        "prompt_tokens": 5,
        "completion_tokens": 4,
        "total_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 3},
    }


def test_no_usage_comes_unasked():
    answers = encoder()

    assert "usage" not in stream(answers, finish(EOS))[0]
    assert answers.encode_usage() is None


def test_a_whole_answer_is_openais():
    answer = json.loads(encoder(n=2).encode_whole([run(["Hi", "!"]), run(["Ho"])]))

    assert answer == {
        "object": "chat.completion",
        "id": "chatcmpl-r1",
        "created": 1700000000,
        "model": "org/model",
        "system_fingerprint": "1.0-native",
        "choices": [
            {
                "index": index,
                "message": {"content": text, "role": "assistant"},
                "logprobs": None,
                "finish_reason": "stop",
            }
            for index, text in enumerate(["Hi!", "Ho"])
        ],
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 5,
            "total_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 3},
        },
    }


def test_log_probabilities_are_the_visible_tokens_with_their_bytes():
    answers, streamed = (encoder(logprobs=True, top_logprobs=1) for _ in range(2))
    tokens = (word("é", "e"), EOS)
    content = [
        {
            "token": "é",
            "logprob": -1.5,
            "bytes": [195, 169],
            "top_logprobs": [{"token": "e", "logprob": -1.0, "bytes": [101]}],
        }
    ]

    whole = json.loads(answers.encode_whole([Run(tokens, finish(EOS))]))
    chunks = stream(streamed, Delta(tokens[:1]), finish(EOS))

    assert whole["choices"][0]["logprobs"] == {"content": content}
    assert [chunk["choices"][0]["logprobs"] for chunk in chunks] == [{"content": content}, None]


def test_a_thought_has_no_log_probabilities_whole_or_streamed():
    answers, streamed = encoder(logprobs=True), encoder(logprobs=True)

    whole = json.loads(answers.encode_whole([Run((THOUGHT, word("Hi"), EOS), finish(EOS))]))
    chunks = stream(streamed, Delta((THOUGHT,)), Delta((word("Hi"),)))

    content = whole["choices"][0]["logprobs"]["content"]
    assert [token["token"] for token in content] == ["Hi"]
    assert [chunk["choices"][0]["logprobs"] for chunk in chunks] == [None, {"content": content}]


def test_an_alternative_that_is_part_of_a_character_has_no_bytes_to_tell():
    answers = encoder(logprobs=True, top_logprobs=1)

    (chunk,) = stream(answers, Delta((word("é", "\ufffd"),)))

    (token,) = chunk["choices"][0]["logprobs"]["content"]
    assert token["top_logprobs"] == [{"token": "\ufffd", "logprob": -1.0, "bytes": None}]


def called(name: str | None, arguments: str, **first: str) -> dict[str, Any]:
    function = {"arguments": arguments} if name is None else {"arguments": arguments, "name": name}
    return {"tool_calls": [{"index": 0, **first, "function": function}]}


def test_a_forced_call_streams_its_name_and_then_its_arguments():
    events = [*(Delta((word(text),)) for text in CALL), finish(EOS)]

    assert deltas(encoder(**FORCED), *events) == [
        (
            {"role": "assistant", **called("add", "", id="call_r1_0_0", type="function")},
            None,
        ),
        (called(None, '{"a'), None),
        (called(None, '": 1'), None),
        (called(None, "}"), None),
        ({}, "tool_calls"),
    ]


@pytest.mark.parametrize("options", [AUTO, FORCED], ids=["auto", "forced"])
def test_a_whole_call_has_no_content_and_its_own_reason(options: dict[str, Any]):
    answer = json.loads(encoder(**options, logprobs=True).encode_whole([run(CALL)]))

    assert answer["choices"] == [
        {
            "index": 0,
            "message": {
                "content": None,
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": "call_r1_0_0",
                        "type": "function",
                        "function": {"name": "add", "arguments": '{"a": 1}'},
                    }
                ],
            },
            "logprobs": None,
            "finish_reason": "tool_calls",
        }
    ]


SPEAKING = ("Let me", " see.\n", "<tool", "_call>", *CALL, "</tool_call>")


@pytest.mark.parametrize("options", [AUTO, FORCED], ids=["auto", "forced"])
def test_what_is_said_before_a_call_is_its_content(options: dict[str, Any]):
    whole, streamed = (encoder(**options, logprobs=True) for _ in range(2))

    (choice,) = json.loads(whole.encode_whole([run(SPEAKING)]))["choices"]
    chunks = stream(streamed, *(Delta((word(text),)) for text in SPEAKING[:2]))
    (call, *_, last) = deltas(streamed, Delta(tuple(map(word, SPEAKING[2:]))), finish(EOS))

    assert choice["message"]["content"] == "Let me see.\n"
    (function,) = (made["function"] for made in choice["message"]["tool_calls"])
    assert function == {"name": "add", "arguments": '{"a": 1}'}
    assert [token["token"] for token in choice["logprobs"]["content"]] == ["Let me", " see.\n"]
    pieces = [chunk["choices"][0]["delta"]["content"] for chunk in chunks]
    assert pieces == ["Let me", " see.\n"]
    assert call[0] == called("add", "", id="call_r1_0_0", type="function")
    assert choice["finish_reason"] == last[1] == "tool_calls"


def test_a_forced_call_cut_by_the_length_says_so():
    cut = json.loads(encoder(**FORCED).encode_whole([run(CALL[:4], FinishReason.LENGTH)]))
    early = json.loads(encoder(**FORCED).encode_whole([run(CALL[:2], FinishReason.LENGTH)]))

    (choice,), (early_choice,) = cut["choices"], early["choices"]
    assert choice["finish_reason"] == early_choice["finish_reason"] == "length"
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"a": 1'
    assert early_choice["message"] == {"content": '{"name": "add"', "role": "assistant"}


@pytest.mark.parametrize(
    ("n_pieces", "reason"), [(4, "stop"), (5, "tool_calls")], ids=["inside", "behind"]
)
def test_a_stop_string_inside_a_forced_calls_arguments_leaves_no_call(n_pieces: int, reason: str):
    texts, stop = CALL[:n_pieces], FinishReason.STOP_SEQUENCE
    whole, streamed = encoder(**FORCED), encoder(**FORCED)

    cut = json.loads(whole.encode_whole([run(texts, stop)]))
    *_, last = deltas(streamed, Delta(tuple(map(word, texts))), finish(EOS, reason=stop))

    assert cut["choices"][0]["finish_reason"] == last[1] == reason


def test_words_of_a_model_with_tools_come_at_once():
    assert deltas(encoder(**AUTO), Delta((word("Hi"),)), Delta((word("!"),)), finish(EOS)) == [
        ({"role": "assistant", "content": "Hi"}, None),
        ({"content": "!"}, None),
        ({}, "stop"),
    ]


def test_words_that_might_have_been_a_call_keep_their_log_probabilities():
    answers = encoder(**AUTO, logprobs=True)

    assert stream(answers, Delta((word("<"), word("to")))) == []
    (chunk,) = stream(answers, Delta((word("ad"),)))

    (choice,) = chunk["choices"]
    assert choice["delta"]["content"] == "<toad"
    assert [entry["token"] for entry in choice["logprobs"]["content"]] == ["<", "to", "ad"]


def test_several_calls_are_numbered_and_have_ids_of_their_own():
    text = '<tool_call>[{"name":"add","arguments":{}},{"name":"add","arguments":{"a":1}}]'
    answers = encoder(**AUTO, n=2)

    _, _, *chunks = stream(answers, Delta((word(text),)), finish(EOS), index=1)

    calls = [chunk["choices"][0]["delta"].get("tool_calls", [{}])[0] for chunk in chunks]
    assert [(call.get("index"), call.get("id")) for call in calls] == [
        (0, "call_r1_1_0"),
        (0, None),
        (1, "call_r1_1_1"),
        (1, None),
        (None, None),
    ]


TEXTS = st.lists(
    st.sampled_from([*CALL, "".join(CALL), "<tool_call>", "</tool_call>", "Hi", ""]), max_size=8
)


@given(texts=TEXTS, options=st.sampled_from([{}, AUTO, FORCED]))
def test_a_stream_joined_is_the_whole_answer(texts: list[str], options: dict[str, Any]):
    answer = run(texts)
    (whole,) = json.loads(encoder(**options).encode_whole([answer]))["choices"]

    streamed = deltas(encoder(**options), Delta(answer.tokens[:-1]), answer.finish)
    content, calls = "", dict[int, dict[str, str]]()
    for delta, _ in streamed:
        content += delta.get("content", "")
        for piece in delta.get("tool_calls", ()):
            call = calls.setdefault(piece["index"], {"name": "", "arguments": ""})
            for key, text in piece["function"].items():
                call[key] += text

    message = whole["message"]
    assert content == (message["content"] or "")
    assert [*calls.values()] == [call["function"] for call in message.get("tool_calls", ())]
    assert streamed[-1][1] == whole["finish_reason"]
