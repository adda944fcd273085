"""The TGI dialect, byte for byte as its documentation and snapshots have it."""

from __future__ import annotations

import json
from dataclasses import replace

from tgicli.core import Delta, Finish, FinishReason, Run, Token, TopToken
from tgicli.wire.tgi import StreamEncoder, encode_answer

AND = Token(323, " and", -1.25)
EOS = Token(2, "</s>", -0.125, special=True)
FINISH = Finish(
    tokens=(EOS,),
    reason=FinishReason.EOS_TOKEN,
    n_prompt_tokens=5,
    n_cached_tokens=0,
    n_generated_tokens=2,
    seed=None,
)


def test_a_stream_is_one_object_a_token_and_the_last_has_the_text() -> None:
    encoder = StreamEncoder()

    lines = [*encoder.encode(Delta((AND,))), *encoder.encode(FINISH)]

    assert lines == [
        b'{"index":1,"token":{"id":323,"text":" and","logprob":-1.25,"special":false},'
        b'"generated_text":null,"details":null}',
        b'{"index":2,"token":{"id":2,"text":"</s>","logprob":-0.125,"special":true},'
        b'"generated_text":" and","details":{"finish_reason":"eos_token","generated_tokens":2,'
        b'"seed":null,"input_length":5}}',
    ]


def test_top_tokens_stand_between_the_token_and_the_text() -> None:
    token = replace(AND, top=(TopToken(323, " and", -1.25, False), TopToken(9, " or", -2.5, False)))

    (line,) = StreamEncoder().encode(Delta((token,)))

    event = json.loads(line)
    assert list(event) == ["index", "token", "top_tokens", "generated_text", "details"]
    assert [top["text"] for top in event["top_tokens"]] == [" and", " or"]


def test_a_whole_answer_leaves_details_out_unless_asked() -> None:
    assert encode_answer(Run((AND, EOS), FINISH), details=False) == b'{"generated_text":" and"}'


def test_details_have_tgis_keys_in_tgis_order() -> None:
    answer = json.loads(encode_answer(Run((AND, EOS), FINISH), details=True))

    assert list(answer["details"]) == [
        "finish_reason",
        "generated_tokens",
        "seed",
        "prefill",
        "tokens",
    ]
    assert answer["details"]["tokens"][1] == {
        "id": 2,
        "text": "</s>",
        "logprob": -0.125,
        "special": True,
    }


def test_the_runs_that_lost_stand_in_the_details_of_the_best() -> None:
    other = Run((AND,), replace(FINISH, seed=7, reason=FinishReason.LENGTH))

    answer = json.loads(encode_answer(Run((AND,), replace(FINISH, others=(other,))), details=True))

    (sequence,) = answer["details"]["best_of_sequences"]
    assert sequence["generated_text"] == " and"
    assert (sequence["seed"], sequence["finish_reason"]) == (7, "length")
