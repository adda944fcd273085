"""Lines of prompts and of answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgicli.core import Finish, FinishReason, Grammar, GrammarKind, Message, SamplingParams, Token
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


def test_what_a_line_does_not_say_the_options_say():
    params = SamplingParams(temperature=0.5, max_new_tokens=9, stop=("END",), seed=3, top_k=5)
    common = Ask(params=params, system="Be brief.", truncate=4, best_of=2)

    assert decode_json_line(line(prompt="x"), common).ask == common
    assert decode_json_line(line(prompt="x", stop=[]), common).ask.params.stop == ()


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


def test_an_empty_system_message_is_none():
    asked = decode_json_line(line(prompt="Hi", system=""), COMMON)

    assert asked.to_request("a", chats=True).prompt == (Message("user", "Hi"),)


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


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def grammar_of(**keys: Any) -> Grammar | None:
    return decode_json_line(line(prompt="x", **keys), CONSTRAINED).ask.params.grammar


CONSTRAINED = Ask(params=SamplingParams(grammar=Grammar(GrammarKind.REGEX, "a+")))
OF_SCHEMA = Grammar(GrammarKind.JSON_SCHEMA, json.dumps(SCHEMA, separators=(",", ":")))


def test_a_grammar_may_be_written_as_in_tgis_and_in_openais_requests():
    as_openai = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}

    assert grammar_of() == Grammar(GrammarKind.REGEX, "a+")
    assert grammar_of(grammar={"type": "json", "value": SCHEMA}) == OF_SCHEMA
    assert grammar_of(grammar={"type": "regex", "value": "b"}) == Grammar(GrammarKind.REGEX, "b")
    assert grammar_of(response_format=as_openai) == OF_SCHEMA
    assert grammar_of(response_format={"type": "text"}) is None
    any_object = grammar_of(response_format={"type": "json_object"})
    assert any_object == Grammar(GrammarKind.JSON_SCHEMA, '{"type":"object"}')


def test_a_form_may_be_written_by_the_names_of_the_options():
    assert grammar_of(schema=SCHEMA) == OF_SCHEMA
    assert grammar_of(schema=json.dumps(SCHEMA)) == OF_SCHEMA
    assert grammar_of(regex="b") == Grammar(GrammarKind.REGEX, "b")
    assert grammar_of(gbnf='root ::= "b"') == Grammar(GrammarKind.GBNF, 'root ::= "b"')


@pytest.mark.parametrize("name", ["max_new_tokens", "max_tokens", "max_completion_tokens"])
def test_the_longest_answer_has_three_names(name: str):
    assert decode_json_line(line(prompt="x", **{name: 3}), COMMON).ask.params.max_new_tokens == 3


def test_tgis_own_body_is_a_line():
    own = {
        "max_new_tokens": 3,
        "do_sample": False,
        "stop": ["end"],
        "details": False,
        "truncate": 4,
    }

    asked = decode_json_line(line(inputs="Hi", parameters=own, id=7), COMMON)

    assert asked.prompt == "Hi"
    assert asked.ask.params == SamplingParams(temperature=0, max_new_tokens=3, stop=("end",))
    assert asked.ask.truncate == 4
    assert "id" in asked.kept


@pytest.mark.parametrize("name", ["tools", "logit_bias", "n", "guided_json", "watermark"])
def test_a_parameter_that_is_not_carried_is_refused_by_name(name: str):
    with pytest.raises(RequestError, match=f"`{name}` can't be asked for here"):
        decode_json_line(line(prompt="x", **{name: 2}), COMMON)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("n_predict", 3, "say max_new_tokens"),
        ("num_predict", 3, "say max_new_tokens"),
        ("max_length", 3, "say max_new_tokens"),
        ("repeat_penalty", 1.1, "say repetition_penalty"),
        ("stop_sequences", ["a"], "say stop"),
        ("system_prompt", "Rhyme.", "say system"),
        ("options", {"num_predict": 3}, "write beside the prompt what it holds"),
        ("format", "json", "say schema, or response_format"),
    ],
)
def test_what_others_call_a_parameter_is_refused_with_our_name(name: str, value: Any, words: str):
    assert decode_json_line(line(prompt="x", **{name: None}), COMMON).ask == COMMON
    with pytest.raises(RequestError, match=f"`{name}` is no parameter; {words}"):
        decode_json_line(line(prompt="x", **{name: value}), COMMON)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("temprature", "temperature"),
        ("topk", "top_k"),
        ("max-new-tokens", "max_new_tokens"),
        ("maxTokens", "max_tokens"),
        ("responseFormat", "response_format"),
        ("stopSequences", "stop"),
    ],
)
def test_a_misspelt_parameter_is_refused_with_what_may_be_meant(name: str, meant: str):
    with pytest.raises(RequestError, match=f"`{name}` is no parameter; did you mean {meant}"):
        decode_json_line(line(prompt="x", **{name: 1}), COMMON)


@pytest.mark.parametrize("nothing", [None, False])
def test_a_parameter_that_is_not_carried_may_say_that_it_is_not_wanted(nothing: bool | None):
    assert "echo" in decode_json_line(line(prompt="x", echo=nothing), COMMON).kept


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 1),
        ("top_n_tokens", 0),
        ("top_logprobs", 0),
        ("tools", []),
        ("logit_bias", {}),
        ("suffix", ""),
        ("tool_choice", "auto"),
        ("parallel_tool_calls", True),
        ("modalities", ["text"]),
    ],
)
def test_a_parameter_that_is_not_carried_may_have_a_value_that_changes_nothing(
    name: str, value: Any
):
    asked = decode_json_line(line(prompt="x", **{name: value}), COMMON)

    assert (asked.ask, list(asked.kept)) == (COMMON, [name])


@pytest.mark.parametrize(("name", "value"), [("n", 0), ("top_n_tokens", 1), ("logprobs", 0)])
def test_a_value_that_changes_nothing_of_another_parameter_is_refused(name: str, value: int):
    with pytest.raises(RequestError, match=f"`{name}` can't be asked for here"):
        decode_json_line(line(prompt="x", **{name: value}), COMMON)


def test_parameters_that_are_null_are_none():
    assert decode_json_line(line(prompt="x", parameters=None), COMMON).ask == COMMON


@pytest.mark.parametrize(
    "name",
    [
        *("prompt_id", "topic", "input", "label", "speed", "user", "type", "stream", "details"),
        *("metadata", "meta_data", "source", "context", "body", "format", "options", "reference"),
        *(
            "thinking",
            "n_tokens",
            "top_choice",
            "expected_output",
            "max_score",
            "user_prompt",
            "length",
            "min",
            "stop_words",
            "answers",
        ),
    ],
)
def test_a_name_of_its_own_is_kept(name: str):
    assert name in decode_json_line(line(prompt="x", **{name: 1}), COMMON).kept


def test_a_models_name_is_kept_as_datasets_and_openais_batches_have_it():
    assert "model" in decode_json_line(line(prompt="x", model="gpt-4"), COMMON).kept


def test_a_line_of_openais_batches_is_read():
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3, "user": "u"}

    asked = decode_json_line(line(custom_id="a", method="POST", url="/v1", body=body), COMMON)

    assert asked.prompt == (Message("user", "Hi"),)
    assert asked.ask.params.max_new_tokens == 3
    assert list(asked.kept) == ["custom_id", "method", "url", "user"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (line(prompt="x", inputs="y"), "both `prompt` and `inputs`"),
        (line(inputs="x", parameters=3), "`parameters`: Expected `object"),
        (line(inputs="x", seed=1, parameters={"seed": 2}), "`seed` stands in `parameters` and"),
        (line(id=1, body={"id": 2, "prompt": "x"}), "`id` stands in `body` and"),
        (line(prompt="x", schema="person.json"), "schema: must be a JSON Schema, as an object"),
        (line(prompt="x", schema=SCHEMA, regex="a"), "schema and regex exclude each other"),
        (line(inputs="x", parameters={"top_k": "many"}), "top_k: Expected"),
        (line(prompt="x", max_tokens=3, max_new_tokens=4), "names of one limit"),
        (line(prompt="x", grammar={"type": "json", "value": 3}), "grammar is not supported"),
        (
            line(
                prompt="x",
                grammar={"type": "regex", "value": "a"},
                response_format={"type": "text"},
            ),
            "exclude each other",
        ),
        (b"{", "not JSON"),
        (b"{bad", r"the line is not JSON: object keys must be strings \(byte 1\)"),
        (b"[1]", "Expected"),
        (json.dumps("\ud83d").encode(), "half of a character"),
        (b'"\xff"', "not JSON"),
        (b'{"prompt":"x","parameters":{"\xff":1}}', "`parameters` is not JSON"),
        (b'""', "empty"),
        (line(id=1), "neither `prompt` nor `messages`"),
        (line(prompt="x", messages=[]), "both"),
        (line(messages=[]), "messages is empty"),
        (line(messages=[{"role": "user"}]), r"messages\[0\].content is missing"),
        (line(prompt=3), "prompt: Expected `str"),
        (line(prompt="x", temperature="hot"), "temperature: Expected"),
        (line(prompt="x", temperature=-1), "temperature must be >= 0"),
        (line(prompt="x", text="mine"), "`text` is a key of the answers"),
        (b'{"a":' * 100_000, "nested too deeply"),
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
    answer = encode_answer(Key(0, "d"), {}, Answer((), finish(), 0.0))
    failure = encode_failure(Key(5, "e"), {}, Overloaded("busy"))

    assert decode_record(answer) == Record(Key(0, "d"), is_answer=True)
    assert decode_record(failure) == Record(Key(5, "e"), is_answer=False)
    assert json.loads(failure)["error"] == {"type": "overloaded", "message": "busy"}


def test_no_line_may_have_a_key_of_the_answers():
    tokens = (Token(1, "hm", reasoning=True), Token(2, "yes"))
    answer = encode_answer(Key(0, "d"), {}, Answer(tokens, finish(), 1.0))
    failure = encode_failure(Key(0, "d"), {}, Overloaded("busy"))

    for key in (json.loads(answer) | json.loads(failure)).keys() - {"seed"}:  # a parameter, too
        with pytest.raises(RequestError, match=f"`{key}` is a key of the answers"):
            decode_json_line(line(prompt="x", **{key: 1}), COMMON)


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
