"""TGI's requests: which option of core's a field becomes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.wire.answers import LIMITS
from tgicli.core import GenerationRequest, SamplingParams
from tgicli.errors import ContextOverflow, RequestError
from tgicli.wire.limits import Limits
from tgicli.wire.tgi_requests import GenerateCall, check_best_of, decode_generate, fit

SMALL = Limits(max_total_tokens=2000, max_input_tokens=600)


def call(*, streams: bool = False, **parameters: Any) -> GenerateCall:
    """Decode a body of /generate with these parameters."""
    body = json.dumps({"inputs": "Hi", "parameters": parameters}).encode()
    return decode_generate(body, streams=streams)


def request(**parameters: Any) -> GenerationRequest:
    return call(**parameters).to_request("r1", LIMITS)


def test_without_them_there_is_no_adapter_and_no_watermark():
    plain = request()

    assert (plain.adapter, plain.params.watermark) == (None, False)
    assert request(adapter_id=None, watermark=False) == plain


def test_an_adapter_and_a_watermark_are_asked_for():
    asked = request(adapter_id="red", watermark=True)

    assert (asked.adapter, asked.params.watermark) == ("red", True)


def test_a_watermark_does_not_make_an_answer_drawn():
    assert request(watermark=True).params.is_greedy


@pytest.mark.parametrize("parameters", [{"adapter_id": 3}, {"watermark": None}])
def test_another_type_is_refused(parameters: dict[str, Any]):
    (name,) = parameters

    with pytest.raises(RequestError, match=rf"Failed to deserialize .*{name}"):
        request(**parameters)


def test_every_parameter_of_a_body_is_handed_on():
    options: dict[str, Any] = {
        "temperature": 0.5,
        "top_k": 7,
        "top_p": 0.9,
        "typical_p": 0.8,
        "repetition_penalty": 1.5,
        "frequency_penalty": 0.25,
        "seed": 3,
        "max_new_tokens": 9,
        "top_n_tokens": 2,
    }

    assert request(**options, stop=["x"]).params == SamplingParams(
        **options, stop=("x",), keep_stop=True
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {"do_sample": True},
        {"temperature": 0.5},
        {"top_k": 3},
        {"top_p": 0.5},
        {"typical_p": 0.5},
    ],
)
def test_an_answer_is_drawn_where_anything_says_how(parameters: dict[str, Any]):
    assert not request(**parameters).params.is_greedy


def test_a_temperature_of_1_alone_draws_nothing():
    assert request(temperature=1.0).params.is_greedy


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"best_of": 2}, "you must use sampling when `best_of` is > 1"),
        ({"best_of": 2, "do_sample": True, "seed": 3}, "`seed` must not be set when `best_of` > 1"),
        ({"frequency_penalty": 2.5}, "`frequency_penalty` must be >= -2.0 and <= 2.0"),
        ({"frequency_penalty": -2.5}, "`frequency_penalty` must be >= -2.0 and <= 2.0"),
        ({"repetition_penalty": 0}, "`repetition_penalty` must be strictly positive"),
        ({"top_k": 0}, "`top_k` must be strictly positive"),
        ({"typical_p": 1.0}, "`typical_p` must be > 0.0 and < 1.0"),
        ({"top_n_tokens": 6}, "`top_n_tokens` must be >= 0 and <= 5. Given: 6"),
        ({"stop": ["a" * 1_001]}, "a stop string must have 1,000 characters at most, got 1001"),
        ({"stop": ["a"] * 5}, "`stop` supports up to 4 stop sequences. Given: 5"),
        (
            {"truncate": 1025},
            "`truncate` must be strictly positive and less than 1024. Given: 1025",
        ),
    ],
    ids=str,
)
def test_what_no_answer_can_have_is_refused_in_tgis_words(parameters: dict[str, Any], words: str):
    with pytest.raises(RequestError) as caught:
        request(**parameters)

    assert str(caught.value) == words


@pytest.mark.parametrize(
    "parameters",
    [
        {"frequency_penalty": 2.0},
        {"frequency_penalty": -2.0},
        {"top_n_tokens": 5},
        {"stop": ["a"] * 4},
        {"truncate": 1024},
        {"best_of": 1, "seed": 3},
    ],
    ids=str,
)
def test_a_limit_itself_is_allowed(parameters: dict[str, Any]):
    assert request(**parameters).prompt == "Hi"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"best_of": 2}, "`best_of` != 1 is not supported when streaming tokens"),
        (
            {"decoder_input_details": True},
            "`decoder_input_details` == true is not supported when streaming tokens",
        ),
    ],
)
def test_what_no_stream_can_have_is_refused(parameters: dict[str, Any], words: str):
    assert call(**parameters).body.inputs == "Hi"

    with pytest.raises(RequestError) as caught:
        call(**parameters, streams=True)

    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("max_best_of", "words"),
    [
        (1, "`best_of` != 1 is not allowed for this endpoint"),
        (2, "`best_of` must be > 0 and <= 2. Given: 3"),
    ],
)
def test_a_server_has_a_limit_of_its_own_for_best_of(max_best_of: int, words: str):
    limits = replace(LIMITS, max_best_of=max_best_of)
    check_best_of(call(best_of=max_best_of), limits)

    with pytest.raises(RequestError) as caught:
        check_best_of(call(best_of=3), limits)

    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("parameters", "n_prompt", "n_new"),
    [
        ({}, 600, 1400),  # until the context is full
        ({"max_new_tokens": 7}, 600, 7),
        ({"max_new_tokens": 1400}, 600, 1400),
        ({"max_new_tokens": 1900}, 600, 1400),  # TGI checks 1,024 of them, no more
        ({"truncate": 100}, 5000, 1900),
        ({"truncate": 100}, 50, 1950),
    ],
    ids=str,
)
def test_an_answer_gets_the_room_that_its_prompt_leaves(
    parameters: dict[str, Any], n_prompt: int, n_new: int
):
    assert fit(request(**parameters), n_prompt, SMALL).params.max_new_tokens == n_new


def test_what_nobody_can_count_stays_as_it_is():
    asked = request(max_new_tokens=5000)

    assert fit(asked, None, SMALL) is asked


@pytest.mark.parametrize(
    ("max_new_tokens", "n_prompt", "words"),
    [
        (None, 601, "`inputs` must have less than 600 tokens. Given: 601"),
        (
            1024,
            977,
            "`inputs` tokens + `max_new_tokens` must be <= 2000. "
            "Given: 977 `inputs` tokens and 1024 `max_new_tokens`",
        ),
        (
            1900,
            977,
            "`inputs` tokens + `max_new_tokens` must be <= 2000. "
            "Given: 977 `inputs` tokens and 1024 `max_new_tokens`",
        ),
    ],
)
def test_what_is_too_long_is_refused_in_tgis_words(
    max_new_tokens: int | None, n_prompt: int, words: str
):
    with pytest.raises(ContextOverflow) as caught:
        fit(request(max_new_tokens=max_new_tokens), n_prompt, SMALL)

    assert str(caught.value) == words


def test_a_prompt_that_fills_the_context_leaves_no_room():
    with pytest.raises(ContextOverflow):
        fit(request(), 600, Limits(max_total_tokens=600, max_input_tokens=600))
