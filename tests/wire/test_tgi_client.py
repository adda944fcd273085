"""TGI's dialect from the client's side. Whole streams are in tests/backends/test_golden_streams."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tgicli.core import (
    UNKNOWN_ID,
    FinishReason,
    GenerationRequest,
    Grammar,
    GrammarKind,
    Run,
    SamplingParams,
)
from tgicli.errors import ModelError, RequestError, StreamBroken
from tgicli.wire.limits import Limits
from tgicli.wire.servers import Server
from tgicli.wire.tgi_client import TgiReader, encode_generate
from tgicli.wire.tgi_requests import decode_generate

GREEDY = SamplingParams(temperature=0)
HELLO = GenerationRequest(id="x", prompt="Hello", params=GREEDY)
SCHEMA = '{"properties":{"a":{"type":"integer"}},"type":"object"}'


def sent(params: SamplingParams = GREEDY, *, server: Server = Server.TGI, **fields: Any) -> Any:
    """Return the `parameters` that a request is written as."""
    request = replace(HELLO, params=params, **fields)
    body = json.loads(encode_generate(request, stream=None, server=server))
    assert body.keys() == {"inputs", "parameters"}
    assert body["inputs"] == "Hello"
    return body["parameters"]


ALWAYS = {"return_full_text": False, "details": True, "max_new_tokens": None}


def test_greedy_sends_nothing_that_would_make_tgi_draw():
    parameters = sent(SamplingParams(temperature=0, top_k=5, top_p=0.5, typical_p=0.5, seed=3))

    assert parameters == {**ALWAYS, "do_sample": False}


def test_values_that_tgi_refuses_although_they_change_nothing_are_left_out():
    assert sent(SamplingParams(temperature=1)) == {
        **ALWAYS,
        "do_sample": True,
        "temperature": 1,
    }


def test_a_temperature_that_nobody_said_is_the_servers():
    assert sent(SamplingParams(temperature=None)) == {**ALWAYS, "do_sample": True}


def test_every_option_of_tgis_is_sent():
    params = SamplingParams(
        temperature=0.5,
        top_k=40,
        top_p=0.9,
        typical_p=0.8,
        repetition_penalty=1.2,
        frequency_penalty=0.5,
        seed=2**64 - 1,
        max_new_tokens=9,
        stop=("a", "b"),
        keep_stop=True,
        watermark=True,
        top_n_tokens=3,
        grammar=Grammar(GrammarKind.REGEX, "a+"),
    )

    assert sent(params, truncate=7, prompt_logprobs=True, adapter="pirate") == {
        **ALWAYS,
        "do_sample": True,
        "temperature": 0.5,
        "top_k": 40,
        "top_p": 0.9,
        "typical_p": 0.8,
        "repetition_penalty": 1.2,
        "frequency_penalty": 0.5,
        "seed": 2**64 - 1,
        "max_new_tokens": 9,
        "stop": ["a", "b"],
        "watermark": True,
        "top_n_tokens": 3,
        "grammar": {"type": "regex", "value": "a+"},
        "truncate": 7,
        "decoder_input_details": True,
        "adapter_id": "pirate",
    }


def test_our_own_server_reads_what_is_sent():
    params = SamplingParams(
        temperature=0.5,
        top_k=40,
        top_p=0.9,
        repetition_penalty=1.2,
        seed=7,
        max_new_tokens=9,
        stop=("a",),
        keep_stop=True,
        logprobs=True,
        top_n_tokens=3,
        grammar=Grammar(GrammarKind.JSON_SCHEMA, SCHEMA),
    )
    request = replace(HELLO, params=params, truncate=7)
    limits = Limits(max_total_tokens=99, max_input_tokens=98)

    call = decode_generate(encode_generate(request, stream=True), streams=None)

    assert call.streams
    assert call.to_request("x", limits) == request


@pytest.mark.parametrize(
    "changes",
    [
        {"params": SamplingParams(min_p=0.1)},
        {"params": SamplingParams(presence_penalty=0.1)},
        {"params": SamplingParams(logit_bias=((1, 2.0),))},
        {"params": SamplingParams(ignore_eos=True)},
        {"reuse_key": "k"},
        {"continues": True},
    ],
    ids=str,
)
def test_what_tgi_has_no_field_for_is_refused_by_name(changes: dict[str, Any]):
    [name] = changes
    named = "min_p|presence_penalty|logit_bias|ignore_eos" if name == "params" else name

    with pytest.raises(RequestError, match=f"^({named}) .* can't be sent to TGI's /generate"):
        encode_generate(replace(HELLO, **changes), stream=None)


def test_a_grammar_of_llama_cpps_goes_to_our_own_server_only():
    gbnf = SamplingParams(grammar=Grammar(GrammarKind.GBNF, 'root ::= "a"'))

    assert sent(gbnf, server=Server.TGICLI)["grammar"]["type"] == "gbnf"
    with pytest.raises(RequestError, match="kind gbnf"):
        sent(gbnf)


def test_a_json_schema_is_sent_as_an_object():
    params = SamplingParams(grammar=Grammar(GrammarKind.JSON_SCHEMA, SCHEMA))

    assert sent(params)["grammar"] == {"type": "json", "value": json.loads(SCHEMA)}


def read(*events: Any, request: GenerationRequest = HELLO) -> TgiReader:
    reader = TgiReader(request)
    for event in events:
        reader.read_event(json.dumps(event))
    return reader


TOKEN = {"id": 3, "text": "a", "logprob": -0.5, "special": False}


def test_an_event_brings_its_token_with_the_likeliest():
    top = {"id": 4, "text": "b", "logprob": -1.0, "special": True}
    event = {"index": 1, "token": TOKEN, "top_tokens": [TOKEN, top], "generated_text": None}

    [token] = TgiReader(HELLO).read_event(json.dumps(event))

    assert (token.id, token.text, token.logprob, token.special) == (3, "a", -0.5, False)
    assert [(one.id, one.text, one.logprob, one.special) for one in token.top] == [
        (3, "a", -0.5, False),
        (4, "b", -1.0, True),
    ]


@pytest.mark.parametrize(
    ("last", "params", "reason"),
    [
        ({**TOKEN, "special": True}, GREEDY, FinishReason.EOS_TOKEN),
        (TOKEN, replace(GREEDY, max_new_tokens=1), FinishReason.LENGTH),
        (TOKEN, replace(GREEDY, stop=("a",)), FinishReason.STOP_SEQUENCE),
        (TOKEN, GREEDY, FinishReason.EOS_TOKEN),
    ],
)
def test_why_it_ended_is_guessed_where_the_server_does_not_say(
    last: Any, params: SamplingParams, reason: FinishReason
):
    event = {"token": last, "generated_text": "a", "details": None}

    finish = read(event, request=replace(HELLO, params=params)).finish()

    assert finish.reason is reason
    assert (finish.n_generated_tokens, finish.has_usage) == (1, False)


def test_a_done_that_gateways_add_ends_nothing_by_itself():
    whole = read({"token": TOKEN, "generated_text": "a"})

    assert whole.read_event("[DONE]") == ()
    with pytest.raises(StreamBroken, match="before the answer's end"):
        TgiReader(HELLO).read_event("[DONE]")


@pytest.mark.parametrize("data", ["", "null", "[]", "{}", '{"token":null}', '{"token":{}}', "{"])
def test_an_event_that_is_none_breaks_the_stream(data: str):
    with pytest.raises(StreamBroken):
        TgiReader(HELLO).read_event(data)


def test_an_error_event_is_raised():
    with pytest.raises(ModelError, match="CUDA"):
        TgiReader(HELLO).read_event('{"error":"CUDA","error_type":"generation"}')


SEQUENCE = {
    "finish_reason": "length",
    "generated_tokens": 1,
    "seed": 5,
    "prefill": [{"id": 1, "text": "H", "logprob": None}],
    "tokens": [TOKEN],
}


@pytest.mark.parametrize("as_list", [False, True])
def test_a_whole_answer_brings_all_that_it_tells(as_list: bool):
    details = {**SEQUENCE, "top_tokens": [[TOKEN]], "best_of_sequences": [{**SEQUENCE, "seed": 6}]}
    body = {"generated_text": "a", "details": details}
    reader = TgiReader(HELLO)

    [token] = reader.read_whole(json.dumps([body] if as_list else body).encode(), 4)

    finish = reader.finish()
    assert (token.id, token.top[0].id) == (3, 3)
    assert (finish.reason, finish.seed, finish.n_prompt_tokens) == (FinishReason.LENGTH, 5, 4)
    assert [one.text for one in finish.prompt_tokens] == ["H"]
    [other] = finish.others
    assert isinstance(other, Run)
    assert (other.finish.seed, other.tokens[0].id) == (6, 3)


def test_a_whole_answer_without_details_is_one_piece():
    reader = TgiReader(HELLO)

    [token] = reader.read_whole(b'{"generated_text":"Hello"}', None)

    assert (token.id, token.text) == (UNKNOWN_ID, "Hello")
    assert not reader.finish().has_usage


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b"x", b'{"generated_text":"a","details":{}}', b"\xff"]
)
def test_a_whole_answer_that_is_none_is_broken(body: bytes):
    with pytest.raises(StreamBroken):
        TgiReader(HELLO).read_whole(body, None)


def test_no_token_is_dropped_where_the_lists_do_not_match():
    details = {**SEQUENCE, "top_tokens": [[TOKEN], [TOKEN]]}

    with pytest.raises(StreamBroken, match="1 tokens with 2 lists"):
        TgiReader(HELLO).read_whole(
            json.dumps({"generated_text": "a", "details": details}).encode(), None
        )
