"""What servers say when they refuse, and which of our errors that is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from tgicli.errors import (
    BodyTooLarge,
    ContextOverflow,
    DeadlineExceeded,
    ModelError,
    ModelNotFound,
    Overloaded,
    RequestError,
    StreamBroken,
    TemplateFailed,
    TgicliError,
    Unauthorized,
    Unreachable,
    WrongAddress,
)
from tgicli.wire.refusals import event_error, parse_retry_after, redirect_error, refusal_error

URL = "http://h/generate"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def refused(status: int, body: Any) -> TgicliError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return refusal_error(status, raw, url=URL)


REFUSALS: list[tuple[int, Any, type[TgicliError], str]] = [
    (422, {"error": "Input validation error: x", "error_type": "validation"}, RequestError, "x"),
    (
        422,
        {"error": "`inputs` tokens + `max_new_tokens` must be <= 9", "error_type": "validation"},
        ContextOverflow,
        "must be <= 9",
    ),
    (422, {"error": "Template error: x", "error_type": "template_error"}, TemplateFailed, "x"),
    (422, b"Failed to deserialize the JSON body", RequestError, "Failed to deserialize"),
    (
        424,
        {"error": "Request failed during generation: x"},
        ModelError,
        "x (status 424 of http://h/generate)",
    ),
    (429, {"error": "Model is overloaded", "error_type": "overloaded"}, Overloaded, "overloaded"),
    (500, {"error": "Incomplete", "error_type": "incomplete_generation"}, StreamBroken, "Incom"),
    (
        401,
        b"",
        Unauthorized,
        "Unauthorized; is the API key right? (status 401 of http://h/generate)",
    ),
    (
        401,
        {"error": {"message": "no", "type": "invalid_request_error", "code": "invalid_api_key"}},
        Unauthorized,
        "no;",
    ),
    (
        400,
        {"error": {"message": "long", "code": "context_length_exceeded"}},
        ContextOverflow,
        "long",
    ),
    (
        400,
        {"error": {"code": 400, "message": "big", "type": "exceed_context_size_error"}},
        ContextOverflow,
        "big",
    ),
    (
        404,
        {"error": {"message": "The model `x` does not exist.", "type": "NotFoundError"}},
        ModelNotFound,
        "does not exist",
    ),
    (
        404,
        {"error": {"message": 'model "x" not found, try pulling it first', "type": "api_error"}},
        ModelNotFound,
        "try pulling",
    ),
    (404, {"detail": "Not Found"}, WrongAddress, "is no route of this server"),
    (413, b"length limit exceeded", BodyTooLarge, "length limit"),
    (
        429,
        {"error": {"message": "pay", "type": "insufficient_quota", "code": "insufficient_quota"}},
        RequestError,
        "pay",
    ),
    (429, {"error": {"message": "slow", "code": "rate_limit_exceeded"}}, Overloaded, "slow"),
    (
        503,
        {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}},
        Overloaded,
        "Loading model",
    ),
    (500, {"error": {"message": "x", "type": "server_error"}}, ModelError, "x"),
    (
        400,
        {"object": "error", "message": "This model's maximum context length is 9 tokens."},
        ContextOverflow,
        "9 tokens",
    ),
    (400, {"error": {"message": "prompt is too long: 9 > 8"}}, ContextOverflow, "9 > 8"),
    (404, {"error": {"message": "x", "code": "model_not_available"}}, ModelNotFound, "x"),
    (404, {"error": {"message": "x", "code": "DeploymentNotFound"}}, ModelNotFound, "x"),
    (
        404,
        {"type": "error", "error": {"type": "not_found_error", "message": "model: m"}},
        ModelNotFound,
        "model: m",
    ),
    (
        404,
        {"error": {"message": "No endpoints found that support tool use.", "code": 404}},
        RequestError,
        "No endpoints found that support tool use. (status 404",
    ),
    (
        403,
        {"error": {"message": "Your input was flagged", "code": 403}},
        RequestError,
        "flagged (status 403",
    ),
    (
        400,
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {"raw": '{"error":{"message":"no such seed"}}', "provider_name": "P"},
            }
        },
        RequestError,
        "Provider returned error: no such seed (",
    ),
    (422, {"detail": [{"loc": ["body", "n"], "msg": "bad"}]}, RequestError, '"msg":"bad"'),
    (400, {"object": "error", "message": "vLLM", "code": 400}, RequestError, "vLLM"),
    (502, b"<html><title>502 Bad\nGateway</title>x</html>", Unreachable, "502 Bad Gateway (st"),
    (503, b"<html><body><h1>Busy</h1> here<style>x</style></body></html>", Overloaded, "Busy here"),
    (504, b"", DeadlineExceeded, "Gateway Timeout"),
    (523, b"", Unreachable, "the server gave no reason (status 523 of http://h/generate)"),
    (400, b"\xff\xfe", RequestError, "status 400"),
]


@pytest.mark.parametrize(("status", "body", "kind", "words"), REFUSALS)
def test_a_refusal_keeps_the_servers_words_and_gets_our_kind(
    status: int, body: Any, kind: type[TgicliError], words: str
):
    error = refused(status, body)

    assert type(error) is kind
    assert words in str(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, Unauthorized),
        (408, DeadlineExceeded),
        (500, ModelError),
        (501, RequestError),
        (529, Overloaded),
    ],
)
def test_of_a_refusal_without_words_the_status_says_the_kind(status: int, kind: type[TgicliError]):
    assert type(refused(status, b"")) is kind


def test_words_are_one_line_of_a_bearable_length():
    error = refused(400, b"a\n" * 10_000)

    assert "\n" not in str(error)
    assert len(str(error)) < 600


EVENTS: list[tuple[Any, type[TgicliError]]] = [
    ({"error": "x", "error_type": "generation"}, ModelError),
    ({"error": "Model is overloaded", "error_type": "overloaded"}, Overloaded),
    ({"error": "x", "error_type": "incomplete_generation_stream"}, StreamBroken),
    ({"error": "x", "error_type": "something new"}, StreamBroken),
    (
        {"error": "`inputs` must have less than 9 tokens. Given: 10", "error_type": "validation"},
        ContextOverflow,
    ),
    ({"error": {"message": "Model is overloaded", "http_status_code": 422}}, Overloaded),
    ({"error": {"message": "Input validation error: x", "http_status_code": 422}}, RequestError),
    ({"error": {"message": "Incomplete generation stream", "code": 422}}, StreamBroken),
    ({"error": {"message": "x", "type": "BadRequestError", "code": 400}}, RequestError),
    ({"object": "error", "message": "x", "type": "InternalServerError", "code": 500}, ModelError),
    ({"error": {"message": "x", "code": 429}}, Overloaded),
    ({"error": {"message": "x", "code": 502}}, Unreachable),
    ({"error": "x"}, StreamBroken),
    ({}, StreamBroken),
]


@pytest.mark.parametrize(("event", "kind"), EVENTS)
def test_an_error_in_a_stream_gets_our_kind_whatever_its_shape(event: Any, kind: type[TgicliError]):
    error = event_error(json.dumps(event))

    assert type(error) is kind
    assert str(error)


def test_a_redirect_says_where_to():
    assert "moved to https://x (name that" in str(redirect_error(308, "https://x", url=URL))
    assert "without saying where" in str(redirect_error(308, "", url=URL))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("-3", None),
        ("inf", None),
        ("1e300", None),
        ("nan", None),
        ("", None),
        ("soon", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
        ("Thu, 01 Jan 2026 00:01:00", 60.0),
        ("Thu, 01 Jan 2026 00:01:00 +999999999999999", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None):
    assert parse_retry_after(value, NOW) == seconds


def test_an_overload_knows_when_to_come_back():
    error = refusal_error(429, b"", url=URL, retry_after_s=3.0)

    assert isinstance(error, Overloaded)
    assert error.retry_after_s == 3.0


@pytest.mark.parametrize(
    ("path", "flag"), [("/v1/chat/completions", "see --no-chat,"), ("/v1/completions", "--chat,")]
)
def test_a_server_may_have_one_of_openais_routes_only(path: str, flag: str):
    assert flag in str(refusal_error(404, b"", url=f"http://h{path}"))


def test_a_busy_server_that_says_when_is_told_to_do_so():
    error = refusal_error(429, b'{"error":"full"}', url=URL, retry_after_s=3600)

    assert str(error) == "full (status 429 of http://h/generate, asks to wait 3,600 s)"
