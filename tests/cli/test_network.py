"""What lies between `tgicli generate` and a server: TLS, proxies, name servers, redirects."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Outcome
from tests.faulty import Connection, Step, chunk, head, serving, stall, tgi_event
from tgicli.errors import ExitStatus

ROUTE = "/generate_stream"


def generate(cli: Cli, url: str, *args: str) -> Outcome:
    return cli("generate", "--no-stdin", "--retries", "0", "--endpoint", url, "Hi", *args)


def garble(connection: Connection) -> None:
    """Send a TLS record that can't be decrypted, as it is."""
    os.write(connection.socket.fileno(), b"\x17\x03\x03\x00\x20" + b"x" * 32)


@pytest.mark.parametrize(
    ("before", "status", "words", "text"),
    [
        ([], ExitStatus.UNREACHABLE, "gave no answer: decryption failed", ""),
        (
            [head(), chunk(tgi_event(1, "Hel"))],
            ExitStatus.STREAM_BROKEN,
            "the connection broke: decryption failed",
            "Hel",
        ),
    ],
    ids=["no answer", "an answer's beginning"],
)
def test_a_broken_tls_record_is_a_broken_connection(
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    certificate: Path,
    before: list[Step],
    status: ExitStatus,
    words: str,
    text: str,
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    with serving([*before, garble, stall], tls=context) as server:
        outcome = generate(cli, server.url + ROUTE)

    assert (outcome.status, outcome.stdout) == (status, text)
    assert words in outcome.stderr


def test_a_name_server_that_does_not_answer_is_not_waited_for_beyond_the_limit(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    answered = threading.Event()

    def look_up(*_: object, **__: object) -> object:
        answered.wait(40)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    began_s = time.monotonic()

    outcome = generate(cli, "http://far.example" + ROUTE, "--timeout", "0.3")

    took_s = time.monotonic() - began_s
    answered.set()
    assert outcome.status == ExitStatus.DEADLINE_EXCEEDED
    assert took_s < 20
