"""What a URL says, and what of it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tgicli.backends.endpoint import (
    Endpoint,
    RemoteOptions,
    Route,
    shown_header,
    shown_query,
    shown_url,
)
from tgicli.errors import ConfigError
from tgicli.wire.api import Api

SECRET = "geheim"


@pytest.mark.parametrize(
    ("url", "route", "prefix", "openai_prefix"),
    [
        ("http://h", Route.NONE, "", "/v1"),
        ("http://h:8080/", Route.NONE, "", "/v1"),
        ("h:8080", Route.NONE, "", "/v1"),
        ("http://h/tgi/", Route.NONE, "/tgi", "/tgi/v1"),
        ("http://h/tgi/info", Route.NONE, "/tgi", "/tgi/v1"),
        ("http://h/health", Route.NONE, "", "/v1"),
        ("https://h/openai/v1/models", Route.V1, "/openai", "/openai/v1"),
        ("http://h/generate", Route.GENERATE, "", "/v1"),
        ("http://h/a/generate_stream", Route.GENERATE_STREAM, "/a", "/a/v1"),
        ("http://h/v1", Route.V1, "", "/v1"),
        ("https://h/openai/v1/", Route.V1, "/openai", "/openai/v1"),
        ("http://h/v1/chat/completions", Route.CHAT, "", "/v1"),
        ("http://h/v1/completions", Route.COMPLETIONS, "", "/v1"),
        ("https://h/api/v3/chat/completions", Route.CHAT, "/api/v3", "/api/v3"),
        ("unix:/run/s.sock", Route.NONE, "", "/v1"),
    ],
)
def test_a_urls_path_may_say_the_route(url: str, route: Route, prefix: str, openai_prefix: str):
    endpoint = Endpoint.from_url(url)

    assert endpoint.route is route
    assert endpoint.prefix == prefix
    assert endpoint.openai_prefix == openai_prefix


@pytest.mark.parametrize("url", ["unix:/run/s.sock", "unix:///run/s.sock"])
def test_a_unix_socket_is_a_path(url: str):
    endpoint = Endpoint.from_url(url)

    assert endpoint.socket == Path("/run/s.sock")
    assert endpoint.url("/info") == "http://localhost/info"
    assert endpoint.is_local


@pytest.mark.parametrize(
    "url",
    [
        *("", "http://", "ftp://h", "http://h:x", "http://h:0", "http://h h", "unix:", "unix:s"),
        *("8000", "http:/h", "http:h:8000/"),
    ],
)
def test_what_is_no_address_is_refused(url: str):
    with pytest.raises(ConfigError, match="is no address of a server"):
        Endpoint.from_url(url)


def test_a_password_is_sent_and_never_shown():
    endpoint = Endpoint.from_url(f"https://me:{SECRET}@h/v1?api-version=2&sig_key={SECRET}")

    assert endpoint.url("/v1/models") == (
        f"https://me:{SECRET}@h/v1/models?api-version=2&sig_key={SECRET}"
    )
    assert endpoint.shown == "https://h"
    assert SECRET not in repr(endpoint)
    with pytest.raises(ConfigError) as caught:
        Endpoint.from_url(f"ftp://me:{SECRET}@h")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://me:pw@h:1/v1?key=x&v=1", "http://***@h:1/v1?key=***&v=1"),
        ("me:p@w?@h", "***@h"),
        ("http://me:p/w@h:1", "http://***@h:1"),
        ("http://h:1/@cf/x?sig=x", "http://h:1/@cf/x?sig=***"),
        ("http://h/models/@cf/x", "http://h/models/@cf/x"),
        ("https://u:pw@h:443/x?mail=a@b", "https://***@b"),
        ("http://[::1]/x@y", "http://[::1]/x@y"),
        ("unix:/a@b", "unix:/a@b"),
        ("org/name:Q4_K_M", "org/name:Q4_K_M"),
    ],
)
def test_an_address_is_shown_without_what_is_secret_in_it(url: str, shown: str):
    assert shown_url(url) == shown


def test_a_key_is_in_no_repr():
    options = RemoteOptions(
        endpoint=Endpoint.from_url("http://h"), key=SECRET, headers=(("x", SECRET),)
    )

    assert SECRET not in repr(options)


@pytest.mark.parametrize(
    ("key", "headers", "words"),
    [
        ("", (), "the API key is empty"),
        ("a\nb", (), "characters that no header can carry"),
        ("\u00e9", (), "characters that no header can carry"),
        (None, (("", "x"),), "is no name of a header"),
        (None, (("a:b", "x"),), "is no name of a header"),
        (None, (("a", "x\r\nb: y"),), "the header a has characters"),
        (None, (("Content-Length", "5"),), "the header Content-Length follows from the request"),
    ],
)
def test_what_no_header_can_carry_is_refused_without_being_shown(
    key: str | None, headers: tuple[tuple[str, str], ...], words: str
):
    with pytest.raises(ConfigError, match=words):
        RemoteOptions(endpoint=Endpoint.from_url("http://h"), key=key, headers=headers)


def test_a_model_is_named_in_utf_8():
    with pytest.raises(ConfigError, match="the model's name is not UTF-8"):
        RemoteOptions(endpoint=Endpoint.from_url("http://h"), model="\udcff")


def test_a_password_and_a_key_are_one_too_many():
    with pytest.raises(ConfigError, match="give one of them"):
        RemoteOptions(endpoint=Endpoint.from_url("http://me:pw@h"), key="k")


@pytest.mark.parametrize(
    ("url", "api", "prefers"),
    [
        ("http://h", None, True),
        ("http://h/v1", None, True),
        ("http://h/v1/chat/completions", None, True),
        ("http://h/generate", None, False),
        ("http://h/generate_stream", None, False),
        ("http://h/v1/completions", None, False),
        ("http://h", Api.TGI, True),
        ("http://h/models/x", Api.TGI, False),
        ("http://h", Api.OPENAI_CHAT, True),
        ("http://h", Api.OPENAI_COMPLETIONS, False),
    ],
)
def test_a_prompt_is_a_conversation_unless_the_url_or_the_dialect_says_otherwise(
    url: str, api: Api | None, prefers: bool
):
    assert RemoteOptions(endpoint=Endpoint.from_url(url), api=api).prefers_chat is prefers


@pytest.mark.parametrize(
    ("url", "is_within"),
    [
        ("https://router.huggingface.co/v1", True),
        ("https://huggingface.co", True),
        ("http://huggingface.co", False),
        ("https://nothuggingface.co", False),
        ("https://huggingface.co.evil.example", False),
        ("https://huggingface.co@evil.example", False),
    ],
)
def test_a_domains_hosts_are_its_own_and_nobody_reads_along(url: str, is_within: bool):
    assert Endpoint.from_url(url).is_within("huggingface.co") is is_within


def test_what_sounds_secret_is_hidden():
    assert shown_header("Authorization", f"Bearer {SECRET}") == "Bearer ***"
    assert shown_header("X-Api-Key", SECRET) == "***"
    assert shown_header("Cookie", SECRET) == "***"
    assert shown_header("X-Request-Id", "7") == "7"
    assert shown_query(f"v=2&api_key={SECRET}&flag") == "v=2&api_key=***&flag"
