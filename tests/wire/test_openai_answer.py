"""OpenAI's answers, event by event. Whole streams are in tests/backends/test_golden_streams."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tgicli.core import UNKNOWN_ID, FinishReason, GenerationRequest, SamplingParams, Token
from tgicli.errors import Overloaded, StreamBroken
from tgicli.wire.openai_answer import OpenAIReader
from tgicli.wire.tool_calls import read_calls


def reader(**params: Any) -> OpenAIReader:
    return OpenAIReader(GenerationRequest(id="x", prompt="Hi", params=SamplingParams(**params)))


def event(delta: dict[str, Any] | None = None, **choice: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": delta or {}, **choice}]})


def test_an_event_with_several_tokens_brings_them_all():
    logprobs = {
        "content": [
            {"token": "Hel", "logprob": -0.1, "id": 7, "top_logprobs": []},
            {"token": "lo", "logprob": -0.2, "top_logprobs": [{"token": "x", "logprob": -3}]},
        ]
    }

    first, second = reader(logprobs=True).read_event(event({"content": "Hello"}, logprobs=logprobs))

    assert (first.id, first.text, first.logprob) == (7, "Hel", -0.1)
    assert (second.id, second.text, second.logprob) == (UNKNOWN_ID, "lo", -0.2)
    assert [top.text for top in second.top] == ["x"]


def test_a_character_in_parts_comes_with_the_token_that_ends_it():
    content = [
        {"token": "\\xf0\\x9f", "logprob": -0.1, "bytes": [240, 159]},
        {"token": "\\x8c\\x8d", "logprob": -0.2, "bytes": [140, 141]},
    ]

    tokens = reader(logprobs=True).read_event(
        event({"content": "🌍"}, logprobs={"content": content})
    )

    assert [(token.text, token.logprob) for token in tokens] == [("", -0.1), ("🌍", -0.2)]


def test_a_completions_logprobs_are_four_lists():
    logprobs = {
        "tokens": ["Hel", "lo"],
        "token_logprobs": [None, -0.2],
        "top_logprobs": [None, {"lo": -0.2, "x": -0.1}],
        "text_offset": [0, 3],
    }
    data = json.dumps({"choices": [{"index": 0, "text": "Hello", "logprobs": logprobs}]})

    first, second = reader(top_n_tokens=2).read_event(data)

    assert (first.text, first.logprob, first.top) == ("Hel", None, ())
    assert [top.text for top in second.top] == ["x", "lo"]  # best first


@pytest.mark.parametrize("logprobs", [None, {}, {"content": []}, {"tokens": ["a"]}])
def test_logprobs_that_a_server_does_not_give_take_no_text_away(logprobs: Any):
    [token] = reader(logprobs=True).read_event(event({"content": "Hello"}, logprobs=logprobs))

    assert token.text == "Hello"


def test_logprobs_that_nobody_asked_for_are_not_even_read():
    [token] = reader().read_event(event({"content": "a"}, logprobs="of another shape"))

    assert token == Token(UNKNOWN_ID, "a")


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_told_apart(name: str):
    tokens = reader().read_event(event({name: "hm", "content": "Yes"}))

    assert [(token.text, token.reasoning) for token in tokens] == [("hm", True), ("Yes", False)]


def test_the_settings_of_reasoning_are_no_thought():
    assert reader().read_event(event({"reasoning": {"effort": "high"}, "content": ""})) == ()


def test_empty_pieces_are_no_tokens():
    for delta in ({}, {"role": "assistant"}, {"content": ""}, {"content": None}):
        assert reader().read_event(event(delta)) == ()


def test_other_choices_are_left_alone():
    assert reader().read_event('{"choices":[{"index":1,"delta":{"content":"x"}}]}') == ()


def test_a_text_in_parts_is_joined():
    """Mistral puts its reasoning beside it."""
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "Hel"},
        {"type": "text", "text": "lo"},
    ]

    [token] = reader().read_event(event({"content": parts}))

    assert token.text == "Hello"


def test_a_refusal_is_an_answer():
    [token] = reader().read_event(event({"refusal": "I can't."}))

    assert token.text == "I can't."


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ({"finish_reason": "stop"}, FinishReason.EOS_TOKEN),
        ({"finish_reason": "length"}, FinishReason.LENGTH),
        ({"finish_reason": "eos_token"}, FinishReason.EOS_TOKEN),
        ({"finish_reason": "stop_sequence"}, FinishReason.STOP_SEQUENCE),
        ({"finish_reason": "tool_calls"}, FinishReason.EOS_TOKEN),
        ({"finish_reason": "stop", "stop_reason": "end"}, FinishReason.STOP_SEQUENCE),
        ({"finish_reason": "stop", "stop_reason": 128001}, FinishReason.EOS_TOKEN),
        ({"finish_reason": "stop", "matched_stop": "end"}, FinishReason.STOP_SEQUENCE),
    ],
)
def test_why_it_ended_is_told_in_many_words(choice: dict[str, Any], reason: FinishReason):
    read = reader(stop=("end",))

    read.read_event(event(**choice))

    assert read.has_ended
    assert read.finish().reason is reason


def test_an_answer_is_complete_with_its_counts_or_when_it_is_done():
    read = reader()
    read.read_event(event({"content": "a"}, finish_reason="stop"))
    assert (read.has_ended, read.is_complete) == (True, False)

    read.read_event('{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}')

    assert read.is_complete
    finish = read.finish()
    assert (finish.n_prompt_tokens, finish.n_generated_tokens, finish.has_usage) == (3, 2, True)


def test_an_answer_without_counts_is_complete_when_it_is_done():
    read = reader()
    read.read_event(event({"content": "a"}, finish_reason="stop"))
    assert not read.is_complete

    assert read.read_event("[DONE]") == ()

    assert read.is_complete


def test_a_greedy_answer_has_no_seed():
    read = reader(temperature=0, seed=7)

    read.read_event(event(finish_reason="stop"))

    assert read.finish().seed is None


def test_counts_that_are_null_are_not_told():
    read = reader()
    read.read_event(event({"content": "a"}))

    read.read_event(
        '{"choices":[{"finish_reason":"stop"}],'
        '"usage":{"prompt_tokens":null,"completion_tokens":null}}'
    )

    finish = read.finish()
    assert (finish.n_prompt_tokens, finish.n_generated_tokens) == (0, 1)


def test_usage_in_every_chunk_ends_nothing():
    read = reader()

    read.read_event('{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":3}}')

    assert not read.is_complete


def test_done_before_a_reason_breaks_the_stream():
    """So llama_cpp.server ends an answer that another request interrupts."""
    with pytest.raises(StreamBroken, match="before the answer's end"):
        reader().read_event("[DONE]")


@pytest.mark.parametrize("word", ["abort", "content_filter", "error", "something new"])
def test_an_answer_that_the_server_gave_up_is_broken_behind_its_text(word: str):
    read = reader()

    [token] = read.read_event(event({"content": "a"}, finish_reason=word))

    assert token.text == "a"
    assert not read.has_ended
    with pytest.raises(StreamBroken, match=word):
        read.read_event("[DONE]")


@pytest.mark.parametrize(
    "data", ['{"error":{"message":"x","code":429}}', '{"error":"x","error_type":"overloaded"}']
)
def test_an_error_is_raised_in_both_dialects_shapes(data: str):
    with pytest.raises(Overloaded):
        reader().read_event(data)


def test_an_old_vllms_error_is_raised():
    with pytest.raises(StreamBroken, match="boom"):
        reader().read_event('{"object":"error","message":"boom"}')


@pytest.mark.parametrize("data", ["x", "[]", '{"choices":{}}', '{"choices":[{"delta":"x"}]}'])
def test_what_is_no_chunk_breaks_the_stream(data: str):
    with pytest.raises(StreamBroken):
        reader().read_event(data)


def call(index: int, **function: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "function": function}]}


def calls_of(*deltas: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the calls that a local model's answer with this text would make."""
    read = reader()
    events = [event(delta) for delta in deltas] + [event(finish_reason="tool_calls")]
    text = "".join(token.text for data in events for token in read.read_event(data))
    return [(one.name, one.arguments) for one in read_calls(text, ["f", "g"])]


def test_calls_become_the_text_that_makes_them():
    assert calls_of(
        call(0, name="f", arguments=""),
        call(0, arguments='{"a":'),
        call(0, arguments="1}"),
        call(1, name="g", arguments=""),
    ) == [("f", '{"a":1}'), ("g", "{}")]


def test_calls_that_come_mixed_are_sorted():
    assert calls_of(
        call(0, name="f"),
        call(1, name="g", arguments='{"b":'),
        call(0, name=None, arguments='{"a":1}'),
        call(1, arguments="2}"),
    ) == [("f", '{"a":1}'), ("g", '{"b":2}')]


def test_calls_that_share_an_index_are_told_apart_by_their_ids():
    """So Gemini and others send calls that are made at once."""

    def part(call_id: str | None, **function: Any) -> dict[str, Any]:
        return {"tool_calls": [{"index": 0, "id": call_id, "function": function}]}

    assert calls_of(
        part("1", name="f", arguments='{"a":'),
        part("1", name="f", arguments="1"),
        part(None, arguments="}"),
        part("2", name="g", arguments='{"b":'),
        part("", name="", arguments="2}"),
    ) == [("f", '{"a":1}'), ("g", '{"b":2}')]


@pytest.mark.parametrize("index", [0, None])
def test_calls_that_share_an_index_and_have_no_ids_are_told_apart_by_their_names(index: int | None):
    def part(**function: Any) -> dict[str, Any]:
        return {"tool_calls": [{"index": index, "function": function}]}

    assert calls_of(
        part(name="f", arguments='{"a":1}'),
        part(name="g", arguments='{"b":'),
        part(name="g", arguments="2}"),
        part(name="g", arguments="{}"),
    ) == [("f", '{"a":1}'), ("g", '{"b":2}'), ("g", "{}")]


def test_logprobs_of_an_unknown_shape_are_not_told():
    (token,) = reader(logprobs=True).read_event(event({"content": "Hi"}, logprobs=-0.5))

    assert (token.text, token.logprob) == ("Hi", None)


@pytest.mark.parametrize("written", ['{"a":', '{"a": "x', '{"a":1'])
def test_a_call_that_was_cut_off_stays_open(written: str):
    read = reader()
    events = [event(call(0, name="f", arguments=written)), event(finish_reason="length")]

    text = "".join(token.text for data in events for token in read.read_event(data))

    assert text.endswith(written)
    assert not read_calls(text, ["f"])


def test_an_answer_that_ends_twice_closes_its_call_once():
    read = reader()
    read.read_event(event(call(0, name="f", arguments="{}")))

    ends = [read.read_event(event(finish_reason="tool_calls")) for _ in range(2)]

    assert [[token.text for token in end] for end in ends] == [["}\n</tool_call>\n"], []]


def test_arguments_that_are_an_object_are_written_as_json():
    assert calls_of(call(0, name="f", arguments={"a": 1})) == [("f", '{"a":1}')]


def test_a_whole_answer_is_read_as_one_piece():
    body = {
        "choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
    read = reader(seed=5)

    [token] = read.read_whole(json.dumps(body).encode(), None)

    finish = read.finish()
    assert token.text == "Hello"
    assert (finish.reason, finish.n_prompt_tokens) == (FinishReason.LENGTH, 3)
    assert finish.seed == 5


@pytest.mark.parametrize("reason", [None, "content_filter"])
def test_a_whole_answer_without_its_end_is_broken(reason: str | None):
    body = {"choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": reason}]}

    with pytest.raises(StreamBroken):
        reader().read_whole(json.dumps(body).encode(), None)


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (r"a\ud83d", "a\ufffd"),
        (r"\ude00b", "\ufffdb"),
        (r"\ud83d\ud83d\ude00\ude00", "\ufffd\U0001f600\ufffd"),
        (r"\\ud83d \\\ud83d", "\\ud83d \\\ufffd"),
    ],
)
def test_half_a_character_ends_no_answer(escaped: str, text: str):
    data = event({"content": "@"}).replace("@", escaped)

    [token] = reader().read_event(data)

    assert token.text == text


def test_what_nobody_needs_may_be_null():
    logprobs = {"content": [{"token": "Hi", "logprob": -0.1, "top_logprobs": None}]}
    choice = {"index": None, "delta": {"content": "Hi"}, "logprobs": logprobs}

    [token] = reader(logprobs=True).read_event(json.dumps({"choices": [choice]}))

    assert (token.text, token.logprob) == ("Hi", -0.1)


def test_the_models_own_length_is_a_length():
    read = reader()

    read.read_event(event(finish_reason="model_length"))

    assert read.finish().reason is FinishReason.LENGTH
