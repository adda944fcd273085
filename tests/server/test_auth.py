"""API keys, as they stand in a header. That they guard the routes is in test_native."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from tgicli.server.auth import Keys
from tgicli.server.service import ServerOptions
from tgicli.wire.limits import Limits


def admits(key: str, header: bytes) -> bool:
    connection = HTTPConnection({"type": "http", "headers": [(b"authorization", header)]})
    options = ServerOptions(
        limits=Limits(max_total_tokens=99, max_input_tokens=98), api_keys=("other", key)
    )
    return Keys(options).admit(connection)


@pytest.mark.parametrize("key", ["secret", "schlüssel", "clé à", "鍵"])
def test_a_key_may_have_any_characters(key: str) -> None:
    assert admits(key, f"Bearer {key}".encode())
    assert admits(key, f"bearer  {key} ".encode())
    assert not admits(key, f"Bearer {key}x".encode())
    assert not admits(key, f"Basic {key}".encode())
    assert not admits(key, b"Bearer \xff")


def test_a_key_may_be_sent_in_latin_1_as_pythons_clients_do() -> None:
    assert admits("schlüssel", "Bearer schlüssel".encode("latin-1"))
    assert not admits("鍵", b"Bearer ?")
