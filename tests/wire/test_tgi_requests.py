"""TGI's requests: which option of core's a field becomes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.wire.answers import LIMITS
from tgicli.core import GenerationRequest
from tgicli.errors import RequestError
from tgicli.wire.tgi_requests import decode_generate


def request(**parameters: Any) -> GenerationRequest:
    """Decode a body of /generate with these parameters."""
    body = json.dumps({"inputs": "Hi", "parameters": parameters}).encode()
    return decode_generate(body, streams=False).to_request("r1", LIMITS)


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
