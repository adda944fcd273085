"""What a server says when it refuses or breaks off: its words, and which of our errors that is.

Pure; used by whoever reads a remote server's answers. The words stay the server's own, but for the
beginnings that TGI puts before every message of a kind: our errors say the kind by their class.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

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

if TYPE_CHECKING:
    from datetime import datetime

MAX_WORDS = 500  # characters of a server's words that are worth showing
_NEVER_S = 1e9  # no server means so long a wait
_WORDS = ("message", "error", "detail", "error_msg", "msg", "title")
_Kind = type[TgicliError]

# What servers call it: TGI's error_type, OpenAI's code and type, and what vLLM, SGLang and
# llama-server make of them.
_BY_NAME: dict[str, _Kind] = {
    "validation": RequestError,
    "template_error": TemplateFailed,
    "missing_template_variable": TemplateFailed,
    "tool_error": RequestError,
    "generation": ModelError,
    "overloaded": Overloaded,
    "incomplete_generation": StreamBroken,
    "incomplete_generation_stream": StreamBroken,
    "stream_serialization_error": StreamBroken,
    "authentication": Unauthorized,
    "authentication_error": Unauthorized,
    "permission_error": Unauthorized,
    "invalid_api_key": Unauthorized,
    "context_length_exceeded": ContextOverflow,
    "exceed_context_size_error": ContextOverflow,
    "model_not_found": ModelNotFound,
    "model_not_available": ModelNotFound,  # Together
    "DeploymentNotFound": ModelNotFound,  # Azure
    "insufficient_quota": RequestError,  # comes as 429, and no waiting helps
    "rate_limit_exceeded": Overloaded,
    "rate_limit_error": Overloaded,
    "overloaded_error": Overloaded,
    "unavailable_error": Overloaded,
    "invalid_request_error": RequestError,
    "BadRequestError": RequestError,
    "server_error": ModelError,
    "InternalServerError": ModelError,
}
# Those that say it, whatever the status.
_PLAIN_NAMES = (
    *("insufficient_quota", "context_length_exceeded"),
    *("model_not_found", "model_not_available", "DeploymentNotFound"),
)
_BY_STATUS: dict[int, _Kind] = {
    401: Unauthorized,
    403: Unauthorized,
    408: DeadlineExceeded,
    413: BodyTooLarge,
    424: ModelError,
    429: Overloaded,
    500: ModelError,
    501: RequestError,
    503: Overloaded,
    504: DeadlineExceeded,
    529: Overloaded,
}
# TGI's OpenAI routes tell no kind in a stream, and the status 422 always.
_BY_BEGINNING: tuple[tuple[str, _Kind], ...] = (
    ("Model is overloaded", Overloaded),
    ("Request failed during generation", ModelError),
    ("Incomplete generation", StreamBroken),
    ("Template error", TemplateFailed),
    ("Input validation error", RequestError),
)
# Compiled when there is something to read: a refusal is rare, and importing this module is not.
_PREFIX = r"^(Input validation error|Request failed during generation|Template error): "
# TGI's words; then those of vLLM, SGLang, DeepSeek and Mistral, and Anthropic's.
_TOO_LONG = (
    r"`inputs` (tokens \+ `max_new_tokens` must be|must have less than) "
    r"|(?i:maximum context length|model's context length|prompt is too long)"
)
_NO_MODEL = (
    r"(?i)\bmodels?\b.*\b(not (be )?found|not exist|unknown)|^model: "  # the last: Anthropic
)
_NO_PROVIDER = r"(?i)^no (allowed )?(endpoints|providers)\b"  # OpenRouter, of a model that it knows
_NO_SUCH_TEXT = r"(?i)\b(flagged|moderation|content (policy|filter))"  # OpenRouter's, as a 403
_TAGS = r"(?is)<(script|style)\b.*?</\1>|<[^>]*>"
_TITLE = r"(?is)<title[^>]*>(.*?)</title>"


@dataclass(frozen=True, slots=True)
class _Refusal:
    words: str
    names: tuple[str, ...] = ()  # what the server calls it, the most special first
    code: int | None = None  # an HTTP status inside of the body


def refusal_error(
    status: int, body: bytes, *, url: str, retry_after_s: float | None = None
) -> TgicliError:
    """Return the error that an answer with another status than 200 means."""
    refusal = _read(body)
    words = refusal.words or _phrase(status)
    kind = _kind_of_status(refusal, status)
    if status == HTTPStatus.NOT_FOUND and kind is RequestError and not _lacks_provider(refusal):
        aside = f"status 404; see {_other_route(url)}--endpoint and --api"
        return WrongAddress(f"{words}: {url} is no route of this server", aside=aside)
    if kind is Unauthorized and "api key" not in words.lower():
        words += "; is the API key right?"
    words, aside = _stripped(words), f"status {status} of {url}"
    if kind is Overloaded:
        if retry_after_s:
            aside += f", asks to wait {retry_after_s:,.0f} s"
        return Overloaded(words, aside=aside, retry_after_s=retry_after_s)
    return kind(words, aside=aside)


def _lacks_provider(refusal: _Refusal) -> bool:
    return re.search(_NO_PROVIDER, refusal.words) is not None


def _other_route(url: str) -> str:
    """Name the flag that asks for the other one of OpenAI's routes: a server may have just one."""
    if url.endswith("/chat/completions"):
        return "--no-chat, "
    return "--chat, " if url.endswith("/completions") else ""


def redirect_error(status: int, location: str, *, url: str) -> TgicliError:
    """Return the error that a redirect means: a request with a key in it is sent nowhere else."""
    where = f"to {location}" if location else "without saying where"
    advice = "name that with --endpoint; " if location else ""
    return WrongAddress(f"{url} has moved {where}", aside=f"{advice}status {status}")


def event_error(data: str) -> TgicliError:
    """Return the error that an event of a stream means, which has begun with status 200."""
    refusal = _read(data.encode())
    kind = _kind_of_event(refusal)
    return kind(_stripped(refusal.words) or "the server broke the answer off")


def words_of(body: bytes) -> str:
    """Return what a body says, in one short line."""
    return _read(body).words


def parse_retry_after(value: str, now: datetime) -> float | None:
    """Read a Retry-After header, seconds or a date; None: there is none, or it is neither."""
    value = value.strip()
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value, now)
    return seconds if 0 <= seconds < _NEVER_S else None


def _seconds_until(value: str, now: datetime) -> float:
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        then = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return math.nan
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - now).total_seconds())


def _kind_of_status(refusal: _Refusal, status: int) -> _Kind:
    """Choose the class: names that nothing else means, then the status, then other names."""
    name = next((name for name in refusal.names if name in _BY_NAME), None)
    named = None if name is None else _BY_NAME[name]
    if name in _PLAIN_NAMES:
        return _BY_NAME[name]
    if re.search(_TOO_LONG, refusal.words):
        return ContextOverflow
    if status == HTTPStatus.FORBIDDEN and re.search(_NO_SUCH_TEXT, refusal.words):
        return RequestError
    if status == HTTPStatus.NOT_FOUND:
        return ModelNotFound if re.search(_NO_MODEL, refusal.words) else RequestError
    if status in _BY_STATUS and status != HTTPStatus.INTERNAL_SERVER_ERROR:
        return _BY_STATUS[status]
    if named is not None:
        return named
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return RequestError
    return _BY_STATUS.get(status, Unreachable)


def _kind_of_event(refusal: _Refusal) -> _Kind:
    if re.search(_TOO_LONG, refusal.words):
        return ContextOverflow
    for beginning, kind in _BY_BEGINNING:
        if refusal.words.startswith(beginning):
            return kind
    for name in refusal.names:
        if name in _BY_NAME:
            return _BY_NAME[name]
    if refusal.code is not None and refusal.code >= HTTPStatus.BAD_REQUEST:
        return _kind_of_status(refusal, refusal.code)
    return StreamBroken


def _read(body: bytes) -> _Refusal:
    """Find the words in a body of any of the known shapes, or take all of it for words."""
    text = body.decode("utf-8", "replace")
    try:
        parsed = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return _Refusal(_shortened(_without_tags(text)))
    return _of_json(parsed, text) if isinstance(parsed, dict) else _Refusal(_shortened(text))


def _of_json(parsed: dict[str, Any], text: str) -> _Refusal:
    """Read `{error: {...}}` (OpenAI), `{error: ..., error_type: ...}` (TGI), `{message: ...}`, or
    `{errors: [...]}` (Cloudflare); of another shape all of it is words.
    """
    errors = parsed.get("errors")
    error = parsed.get("error") or (errors[0] if isinstance(errors, list) and errors else None)
    inner = error if isinstance(error, dict) else {**parsed, "error": error}
    words = next((inner[key] for key in _WORDS if inner.get(key)), text if parsed else "")
    shown = words if isinstance(words, str) else msgspec.json.encode(words).decode()
    if cause := _cause(inner.get("metadata")):
        shown = f"{shown}: {cause}"
    codes = (inner.get("code"), inner.get("http_status_code"), parsed.get("code"))
    names = (inner.get("code"), inner.get("type"), parsed.get("error_type"))
    return _Refusal(
        _shortened(shown),
        tuple(name for name in names if isinstance(name, str)),
        next((code for code in codes if isinstance(code, int)), None),
    )


def _cause(metadata: object) -> str:
    """Return what another server behind this one said, as OpenRouter tells it."""
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    return words_of(raw.encode()) if isinstance(raw, str) else ""


def _without_tags(text: str) -> str:
    """Return an HTML page's title, or else its text; what is no page stays as it is."""
    if not text.lstrip().startswith("<"):
        return text
    title = re.search(_TITLE, text)
    return title[1] if title else re.sub(_TAGS, " ", text)


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_WORDS else f"{text[:MAX_WORDS]}..."


def _stripped(words: str) -> str:
    return re.sub(_PREFIX, "", words)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "the server gave no reason"
