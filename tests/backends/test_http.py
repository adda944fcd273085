"""What the connections under a request tell of themselves."""

from __future__ import annotations

import asyncio
import errno

import httpcore
import pytest

from tgicli.backends.http import _Connecting
from tgicli.backends.stamping import _connecting


@pytest.mark.parametrize(
    ("event", "is_new"),
    [
        ("connection.connect_tcp.started", True),
        ("connection.connect_unix_socket.started", True),
        ("socks.connect_tcp.started", True),  # httpcore's word behind a SOCKS proxy
        ("http11.send_request_headers.started", False),
    ],
)
def test_a_connection_that_is_made_for_a_request_was_not_kept(event: str, is_new: bool):
    connecting = _Connecting(None)

    asyncio.run(connecting(event, {}))

    assert connecting.is_new == is_new


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (TimeoutError(), httpcore.ConnectTimeout),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), httpcore.ConnectError),
        (ConnectionRefusedError(), httpcore.ConnectError),
    ],
)
def test_only_our_own_limit_is_a_timeout(error: OSError, seen: type[Exception]):
    with pytest.raises(seen), _connecting():
        raise error
