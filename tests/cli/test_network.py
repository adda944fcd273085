"""What lies between `tgicli generate` and a server: TLS, proxies, name servers, redirects."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from tests.cli.conftest import Cli, Outcome
from tests.faulty import (
    Connection,
    Step,
    answer,
    chunk,
    head,
    refusing_url,
    serving,
    stall,
    stream,
    tgi_event,
    tgi_stream,
)
from tgicli.cli.loop import run
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


@pytest.fixture
def set_proxy(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that sets variables as the only ones about proxies."""

    def set_variables(**variables: str) -> None:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_variables


@pytest.mark.parametrize("proxy", ["http://h:abc", "socks9://h"])
def test_a_proxy_that_can_not_be_used_is_named_unless_none_is_needed(
    cli: Cli, set_proxy: Callable[..., None], proxy: str
):
    set_proxy(ALL_PROXY=proxy)
    outcome = generate(cli, "http://far.example" + ROUTE)
    set_proxy(ALL_PROXY=proxy, NO_PROXY="far.invalid")
    spared = generate(cli, "http://far.invalid" + ROUTE)

    assert outcome.status == ExitStatus.USAGE
    assert f"the proxy {proxy} that the environment names can't be used" in outcome.stderr
    assert spared.status == ExitStatus.UNREACHABLE
    assert "proxy" not in spared.stderr


def test_no_proxy_may_name_networks(cli: Cli, set_proxy: Callable[..., None]):
    with serving(stream(*tgi_stream("Hello"))) as proxy:
        set_proxy(HTTP_PROXY=proxy.url, NO_PROXY="localhost,::1,fe80::/10,[fd00::1]")
        outcome = generate(cli, "http://192.0.2.2" + ROUTE)

    assert (outcome.status, outcome.stdout) == (ExitStatus.OK, "Hello")


def test_a_proxy_that_is_down_is_not_the_servers_fault(cli: Cli, set_proxy: Callable[..., None]):
    proxy = refusing_url()
    set_proxy(HTTP_PROXY=proxy)

    outcome = generate(cli, "http://far.example" + ROUTE)

    assert outcome.status == ExitStatus.UNREACHABLE
    assert (
        f"can't connect to the proxy: connection refused ({proxy}; see HTTP_PROXY" in outcome.stderr
    )


@pytest.mark.parametrize(
    ("path", "location", "words"),
    [
        ("", "https://h.example/info", "{url} has moved to https://h.example (name that"),
        ("", "/login", "{url}/info has moved to {url}/login (name that"),
        ("/v1", "/api/v1/chat/completions", "{url}/v1 has moved to {url}/api/v1 (name that"),
        (ROUTE, "https://h.example" + ROUTE, "{url}" + ROUTE + " has moved to https://h.example/g"),
        (
            ROUTE + "?api-key=ours",
            "https://u:pw@h.example/x?api-key=ours",
            "https://***@h.example/",
        ),
    ],
    ids=["an address", "a page", "a relative address", "a route", "secrets"],
)
def test_a_server_that_has_moved_says_where_to(cli: Cli, path: str, location: str, words: str):
    moved = answer(307, location=location)
    with serving(moved, pages={"/info": moved, "/v1/models": moved, "/props": moved}) as server:
        outcome = generate(cli, server.url + path)

    assert outcome.status == ExitStatus.BAD_REQUEST
    assert words.format(url=server.url) in outcome.stderr
    assert "ours" not in outcome.stderr
    assert "pw" not in outcome.stderr


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Let no look-up of a name end before the test does; give the names."""
    is_over, names = threading.Event(), list[object]()

    def look_up(name: object, *_: object, **__: object) -> object:
        names.append(name)
        is_over.wait(40)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield names
    is_over.set()


@pytest.mark.usefixtures("looked_up")
def test_a_name_server_that_does_not_answer_is_not_waited_for_beyond_the_limit(cli: Cli):
    began_s = time.monotonic()

    outcome = generate(cli, "http://far.example" + ROUTE, "--timeout", "0.3")

    assert outcome.status == ExitStatus.DEADLINE_EXCEEDED
    assert time.monotonic() - began_s < 20


def test_a_servers_loop_does_not_wait_for_it_either_and_asks_it_once(looked_up: list[object]):
    async def look_up() -> None:
        find = asyncio.get_running_loop().getaddrinfo
        async with asyncio.timeout(0.3), asyncio.TaskGroup() as group:
            for _ in range(9):
                group.create_task(find("far.example", 80))

    began_s = time.monotonic()

    with pytest.raises(TimeoutError):
        run(look_up(), loop_factory=uvloop.new_event_loop)

    assert time.monotonic() - began_s < 20
    assert looked_up == ["far.example"]
