"""Which fields a refusal is about: the words are Mistral's, Azure's, OpenAI's and vLLM's own."""

from __future__ import annotations

import pytest

from tgicli.wire.quirks import NO_QUIRKS, Quirks

MISTRAL = (
    b'{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body",'
    b'"stream_options","include_usage"],"msg":"Extra inputs are not permitted","input":true}]},'
    b'"type":"invalid_request_error","param":null,"code":null}'
)
OLD_AZURE = (
    b'{"error":{"message":"Unrecognized request argument supplied: %b",'
    b'"type":"invalid_request_error","param":null,"code":null}}'
)
REASONING = (
    b'{"error":{"message":"Unsupported parameter: \'max_tokens\' is not supported with this model. '
    b'Use \'max_completion_tokens\' instead.","type":"invalid_request_error",'
    b'"param":"max_tokens","code":"unsupported_parameter"}}'
)
TOO_LARGE = (
    b'{"error":{"message":"\'max_tokens\' or \'max_completion_tokens\' is too large: 5000. This '
    b'model\'s maximum context length is 4096 tokens","type":"BadRequestError","code":400}}'
)
COUNTLESS = Quirks(takes_stream_options=False)


@pytest.mark.parametrize(
    ("status", "refusal", "learned"),
    [
        (422, MISTRAL, COUNTLESS),
        (400, OLD_AZURE % b"stream_options", COUNTLESS),
        (400, REASONING, Quirks(limit="max_completion_tokens")),
        (400, REASONING.replace(b"'max_", b'\\"max_'), Quirks(limit="max_completion_tokens")),
        (400, OLD_AZURE % b"max_completion_tokens", Quirks(limit="max_tokens")),
        (
            400,
            OLD_AZURE % b"max_completion_tokens, stream_options",
            Quirks(takes_stream_options=False, limit="max_tokens"),
        ),
    ],
)
def test_a_refusal_tells_which_field_it_is_about(status: int, refusal: bytes, learned: Quirks):
    assert NO_QUIRKS.learned(status, refusal) == learned


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (400, TOO_LARGE),
        (400, b""),
        (422, b'{"detail":[{"loc":["body","temperature"]}]}'),
        (401, MISTRAL),
        (429, REASONING),
        (500, MISTRAL),
    ],
)
def test_a_refusal_for_another_reason_tells_nothing(status: int, refusal: bytes):
    assert NO_QUIRKS.learned(status, refusal) is None


def test_what_one_refusal_tells_stays_beside_what_another_tells():
    both = Quirks(takes_stream_options=False, limit="max_completion_tokens")

    assert COUNTLESS.learned(400, REASONING) == both
    assert Quirks(limit="max_completion_tokens").learned(422, MISTRAL) == both


def test_nothing_is_learned_twice():
    told = Quirks(takes_stream_options=False, limit="max_completion_tokens")

    assert told.learned(422, MISTRAL) is None
    assert told.learned(400, OLD_AZURE % b"max_completion_tokens") is None
