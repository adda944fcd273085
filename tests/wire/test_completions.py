"""/v1/completions: prompts to requests, and answers in OpenAI's and TGI's shapes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.wire.answers import EOS, LIMITS, THOUGHT, finish, head, run, word
from tgicli.core import UNKNOWN_ID, Delta, FinishReason, Run, Token, TopToken
from tgicli.errors import RequestError
from tgicli.wire.completions import CompletionCall, CompletionEncoder, decode_completion
from tgicli.wire.openai import BatchTooLarge, SuffixRefused

USAGE = {
    "prompt_tokens": 5,
    "completion_tokens": 2,
    "total_tokens": 7,
    "prompt_tokens_details": {"cached_tokens": 3},
}


def decode(**options: Any) -> CompletionCall:
    body = {"prompt": "Once", **options}
    return decode_completion(json.dumps(body).encode(), LIMITS, id="r1")


def encoder(**options: Any) -> CompletionEncoder:
    return CompletionEncoder(decode(**options), head("cmpl-r1"))


def stream(encoder: CompletionEncoder, *events: Any) -> list[dict[str, Any]]:
    """Return the chunks of events of the first request."""
    return [json.loads(chunk) for event in events for chunk in encoder.encode(0, event)]


def test_one_prompt_is_one_request_with_the_calls_id():
    (request,) = decode().requests

    assert (request.id, request.prompt, request.best_of) == ("r1-0", "Once", 1)


def test_several_prompts_times_n_stand_in_the_order_of_the_choices():
    requests = decode(prompt=["a", "b"], n=2, seed=7).requests

    assert [(request.id, request.prompt, request.params.seed) for request in requests] == [
        ("r1-0", "a", 7),
        ("r1-1", "a", 8),
        ("r1-2", "b", 7),
        ("r1-3", "b", 8),
    ]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"prompt": []}, RequestError, "prompt is an empty list; give a text or several"),
        ({"prompt": ""}, RequestError, "the prompt is empty"),
        ({"prompt": [1, 2]}, RequestError, "prompt holds token ids; give a text or a list"),
        ({"prompt": [[1], [2]]}, RequestError, "prompt holds token ids; give a text or a list"),
        ({"prompt": {}}, RequestError, "prompt: Expected `str | array`, got `object`"),
        (
            {"prompt": ["a"] * 5},
            BatchTooLarge,
            "Number of prompts exceeds the maximum allowed batch size of 4",
        ),
        ({"suffix": "end"}, SuffixRefused, "Suffix is not supported and can be achieved by"),
        ({"logprobs": 6}, RequestError, "logprobs must be in [0, 5], got 6"),
        ({"logprobs": -1}, RequestError, "logprobs must be in [0, 5], got -1"),
        ({"logprobs": True}, RequestError, "logprobs is the number of alternatives"),
        ({"best_of": 3}, RequestError, "best_of must be in [1, 2], got 3"),
        ({"best_of": 2, "n": 3}, RequestError, "best_of 2 goes with n 1 only, got n 3"),
        ({"best_of": 2, "stream": True}, RequestError, "best_of 2 can't be streamed"),
        ({"best_of": 2, "seed": 1}, RequestError, "best_of 2 draws its own seeds"),
        (
            {"echo": True, "logprobs": 0, "stream": True},
            RequestError,
            "echo with logprobs can't be streamed",
        ),
    ],
    ids=str,
)
def test_what_no_server_of_texts_can_do_is_refused(
    options: dict[str, Any], error: type[RequestError], words: str
):
    with pytest.raises(error) as caught:
        decode(**options)

    assert str(caught.value).startswith(words)


def test_best_of_is_the_engines_and_all_of_n_runs_are_answers():
    assert [request.best_of for request in decode(best_of=2).requests] == [2]
    assert [request.best_of for request in decode(best_of=2, n=2).requests] == [1, 1]


def test_an_empty_suffix_is_none():
    assert len(decode(suffix="").requests) == 1


@pytest.mark.parametrize(
    ("logprobs", "reported"),
    [(None, (False, 0)), (False, (False, 0)), (0, (True, 0)), (3, (True, 3))],
)
def test_logprobs_counts_the_alternatives(logprobs: int | None, reported: tuple[bool, int]):
    params = decode(logprobs=logprobs).requests[0].params

    assert (params.logprobs, params.top_n_tokens) == reported


@pytest.mark.parametrize(("logprobs", "asked"), [(None, False), (0, True)])
def test_the_prompts_tokens_are_asked_for_when_they_are_shown(logprobs: int | None, asked: bool):
    assert decode(echo=True, logprobs=logprobs).requests[0].prompt_logprobs is asked


def test_a_stream_has_a_chunk_a_token_and_its_last_one_has_reason_and_usage():
    chunks = [*encoder(stream=True).encode(0, Delta((word(" upon"), word(" a"))))]
    chunks += encoder(stream=True).encode(0, finish(EOS))

    beginning = (
        b'{"object":"text_completion","id":"cmpl-r1","created":1700000000,"model":"org/model",'
        b'"system_fingerprint":"1.0-native","choices":[{"index":0,"text":'
    )
    assert chunks == [
        beginning + b'" upon","logprobs":null,"finish_reason":null}]}',
        beginning + b'" a","logprobs":null,"finish_reason":null}]}',
        beginning + b'"","logprobs":null,"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,'
        b'"prompt_tokens_details":{"cached_tokens":3}}}',
    ]


@pytest.mark.parametrize(
    ("reason", "written"),
    [
        (FinishReason.EOS_TOKEN, "stop"),
        (FinishReason.STOP_SEQUENCE, "stop"),
        (FinishReason.LENGTH, "length"),
    ],
)
def test_the_reasons_are_openais(reason: FinishReason, written: str):
    (chunk,) = stream(encoder(), finish(word("x"), reason=reason))

    assert chunk["choices"][0] == {
        "index": 0,
        "text": "x",
        "logprobs": None,
        "finish_reason": written,
    }


def test_an_end_without_tokens_has_its_chunk_all_the_same():
    (chunk,) = stream(encoder(), finish())

    assert (chunk["choices"][0]["text"], chunk["choices"][0]["finish_reason"]) == ("", "stop")


def test_usage_comes_in_a_chunk_of_its_own_when_it_is_asked_for():
    answers = encoder(stream=True, stream_options={"include_usage": True}, n=2)

    chunks = stream(answers, Delta((word("a"),)), finish(EOS))
    list(answers.encode(1, finish(EOS)))
    last = answers.encode_usage()

    assert [chunk["usage"] for chunk in chunks] == [None, None]
    assert last is not None
    assert json.loads(last)["choices"] == []
    assert json.loads(last)["usage"] == {**USAGE, "completion_tokens": 4, "total_tokens": 9}


def test_no_usage_comes_when_it_is_declined():
    answers = encoder(stream_options={"include_usage": False})

    assert "usage" not in stream(answers, finish(EOS))[0]
    assert answers.encode_usage() is None


def test_without_stream_options_no_chunk_of_usage_comes():
    assert encoder(stream=True).encode_usage() is None


def test_a_whole_answer_is_openais_with_the_choices_in_order():
    answers = encoder(prompt=["a", "b"])

    answer = json.loads(answers.encode_whole([run([" x", " y"]), run([" z"])]))

    assert answer == {
        "object": "text_completion",
        "id": "cmpl-r1",
        "created": 1700000000,
        "model": "org/model",
        "system_fingerprint": "1.0-native",
        "choices": [
            {"index": 0, "text": " x y", "logprobs": None, "finish_reason": "stop"},
            {"index": 1, "text": " z", "logprobs": None, "finish_reason": "stop"},
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 6},
        },
    }


def test_echo_begins_the_text_with_the_prompt_streamed_or_not():
    whole = json.loads(encoder(echo=True).encode_whole([run([" upon"])]))
    chunks = stream(encoder(echo=True), Delta((word(" upon"),)), Delta((word(" a"),)))

    assert whole["choices"][0]["text"] == "Once upon"
    assert [chunk["choices"][0]["text"] for chunk in chunks] == ["Once", " upon", " a"]


def test_log_probabilities_are_lists_of_one_length_without_control_tokens():
    tokens = (word(" upon", " upon", " in"), word(" a", " the", " one"), EOS)

    answer = json.loads(encoder(logprobs=2).encode_whole([Run(tokens, finish(EOS))]))

    assert answer["choices"][0]["logprobs"] == {
        "tokens": [" upon", " a"],
        "token_logprobs": [-1.5, -1.5],
        "top_logprobs": [
            {" upon": -1.5, " in": -2.0},
            {" the": -1.0, " one": -2.0, " a": -1.5},
        ],
        "text_offset": [0, 5],
    }


def test_log_probabilities_of_a_stream_have_offsets_in_the_whole_text():
    answers = encoder(logprobs=0)

    chunks = stream(answers, Delta((word("é"),)), Delta((word(" a"), word(" b"))), finish(EOS))

    logprobs = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    assert [piece and piece["text_offset"] for piece in logprobs] == [[0], [1], [3], None]
    assert logprobs[1] == {
        "tokens": [" a"],
        "token_logprobs": [-1.5],
        "top_logprobs": None,
        "text_offset": [1],
    }


def test_a_thought_has_no_log_probabilities_and_moves_no_offset():
    answers, streamed = encoder(logprobs=0), encoder(logprobs=0)
    tokens = (THOUGHT, word("Hi"), word("!"))

    whole = json.loads(answers.encode_whole([Run((*tokens, EOS), finish(EOS))]))
    chunks = stream(streamed, *(Delta((token,)) for token in tokens))

    assert whole["choices"][0]["logprobs"]["tokens"] == ["Hi", "!"]
    assert whole["choices"][0]["logprobs"]["text_offset"] == [0, 2]
    logprobs = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    assert [piece and piece["tokens"] for piece in logprobs] == [None, ["Hi"], ["!"]]


def test_an_echoed_prompt_has_log_probabilities_too():
    prompt = (Token(1, "<s>", None, special=True), Token(9, "On", None), Token(8, "ce", -3.0))
    end = replace(finish(EOS), prompt_tokens=prompt)

    answer = json.loads(
        encoder(echo=True, logprobs=1).encode_whole([Run((word(" a", " a"), EOS), end)])
    )

    assert answer["choices"][0]["text"] == "Once a"
    assert answer["choices"][0]["logprobs"] == {
        "tokens": ["On", "ce", " a"],
        "token_logprobs": [None, -3.0, -1.5],
        "top_logprobs": [None, {"ce": -3.0}, {" a": -1.5}],
        "text_offset": [0, 2, 4],
    }


def test_the_alternatives_are_the_best_first():
    (chunk,) = stream(encoder(logprobs=2), Delta((word("c", "a", "b"),)))

    (top,) = chunk["choices"][0]["logprobs"]["top_logprobs"]
    assert list(top) == ["a", "b", "c"]


def test_of_tokens_without_ids_the_chosen_one_is_among_the_alternatives():
    best = (TopToken(UNKNOWN_ID, "a", -0.5, special=False),)
    chosen = Token(UNKNOWN_ID, "c", -3.0, top=best)

    (chunk,) = stream(encoder(logprobs=1), Delta((chosen,)))

    assert chunk["choices"][0]["logprobs"]["top_logprobs"] == [{"a": -0.5, "c": -3.0}]


def test_of_two_likely_tokens_with_one_text_the_likelier_one_counts():
    answers = encoder(logprobs=2)

    (chunk,) = stream(answers, Delta((word("x", "a", "a"),)))

    (top,) = chunk["choices"][0]["logprobs"]["top_logprobs"]
    assert top == {"a": -1.0, "x": -1.5}


@pytest.mark.parametrize("released", ["", "sq"], ids=["held back", "cut by a stop string"])
def test_a_token_among_the_likely_ones_is_no_alternative_to_itself(released: str):
    likely = (TopToken(7, "squared", -0.5, special=False), TopToken(8, "s", -2.0, special=False))

    (chunk,) = stream(encoder(logprobs=2), Delta((Token(7, released, -0.5, top=likely),)))

    (top,) = chunk["choices"][0]["logprobs"]["top_logprobs"]
    assert top == {"squared": -0.5, "s": -2.0}
