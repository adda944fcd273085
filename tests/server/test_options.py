"""Options of the server that need a server to be seen, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import json
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.installing import program
from tests.server.conftest import PATIENCE_S, RunningServer, eventually, running_server
from tests.server.raw import Reply, ask, connected, request_bytes, until

ONE_LANE = ("--max-total-tokens", "20000", "--max-batch-size", "1", "--threads", "1")
ENDLESS = {"inputs": "Hello", "parameters": {"max_new_tokens": 19_000}}
HELLO = {"inputs": "Hello", "parameters": {"max_new_tokens": 4}}
PROMPTS = {"prompt": ["a", "b"], "max_tokens": 4}
BUSY = {"error": "Model is overloaded", "error_type": "overloaded"}


@contextlib.asynccontextmanager
async def busy(server: RunningServer) -> AsyncGenerator[None, None]:
    """Keep the server's only lane busy for the length of a block."""
    async with connected(server) as holder:
        await holder.send(request_bytes("/generate_stream", ENDLESS))
        await anext(holder.events())
        yield


@pytest.fixture(scope="module")
def hasty(tiny_model: Path) -> Iterator[RunningServer]:
    """A server that lets nobody wait for long, with lanes for one."""
    with running_server(tiny_model, *ONE_LANE, "--max-queue-wait", "0.3") as one:
        yield one


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/generate", HELLO),
        ("/generate_stream", HELLO),
        ("/v1/completions", PROMPTS),
        ("/v1/completions", PROMPTS | {"stream": True}),
    ],
    ids=["whole", "stream", "two choices", "stream of two choices"],
)
def test_who_waits_too_long_in_the_queue_gets_a_real_429(
    hasty: RunningServer, path: str, body: dict[str, Any]
):
    n_refused = hasty.metric('tgi_request_failure{err="overloaded"}')
    n_rejected = hasty.metric('tgicli_rejections{reason="queue_wait_exceeded"}')
    n_dropped = hasty.metric('tgi_request_failure{err="dropped"}')

    async def refused() -> Reply:
        async with busy(hasty):
            return await ask(hasty, path, body)

    reply = asyncio.run(refused())

    n = len(body.get("prompt", "x"))
    assert (reply.status, reply.json["error_type"]) == (429, "overloaded")
    assert int(reply.headers["retry-after"]) >= 1
    assert eventually(hasty.is_idle)
    assert hasty.metric('tgi_request_failure{err="overloaded"}') == n_refused + n
    assert hasty.metric('tgicli_rejections{reason="queue_wait_exceeded"}') == n_rejected + n
    assert hasty.metric('tgi_request_failure{err="dropped"}') == n_dropped + 1  # the holder's
    assert eventually(lambda: any("error=overloaded" in line for line in hasty.log(path)))


def test_who_need_not_wait_is_served_for_as_long_as_it_takes(hasty: RunningServer):
    longer_than_the_wait = {"inputs": "Hello", "parameters": {"max_new_tokens": 1500}}

    status, answer = hasty.post("/generate", longer_than_the_wait)
    best = {"max_new_tokens": 1000, "best_of": 2, "do_sample": True}
    best_status, _ = hasty.post("/generate", {"inputs": "Hello", "parameters": best})

    assert (status, best_status) == (200, 200)
    assert answer["generated_text"]


def test_who_leaves_the_queue_before_the_wait_is_over_is_dropped(hasty: RunningServer):
    n_dropped = hasty.metric('tgi_request_failure{err="dropped"}')

    async def leave() -> None:
        async with busy(hasty), connected(hasty) as late:
            await late.send(request_bytes("/generate_stream", HELLO))
            await until(lambda: hasty.metric("tgi_queue_size") == 1)

    asyncio.run(leave())

    assert eventually(hasty.is_idle)
    assert hasty.metric('tgi_request_failure{err="dropped"}') == n_dropped + 2


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("x", timeout=PATIENCE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(str(self._path))


def test_a_unix_socket_serves_and_is_gone_with_the_server(tiny_model: Path, tmp_path: Path):
    path = tmp_path / "s"

    with running_server(tiny_model, *ONE_LANE, "--uds", str(path)) as server:
        with contextlib.closing(UnixConnection(path)) as client:
            body = json.dumps(HELLO)
            client.request("POST", "/generate", body, {"content-type": "application/json"})
            answer = client.getresponse()
            text = json.loads(answer.read())["generated_text"]
        server.process.terminate()
        status = server.process.wait(PATIENCE_S)

    assert (answer.status, status) == (200, 0)
    assert server.url == f"unix:{path}"
    assert text
    assert not path.exists()


def test_the_socket_of_a_killed_server_is_taken_over_and_a_living_one_s_is_not(
    tiny_model: Path, tmp_path: Path
):
    path = tmp_path / "s"
    with running_server(tiny_model, *ONE_LANE, "--uds", str(path)) as killed:
        killed.process.kill()
        killed.process.wait()
    assert path.is_socket()

    taken = f"can't listen on {path}: Address already in use"
    with running_server(tiny_model, *ONE_LANE, "--uds", str(path)):
        with (
            pytest.raises(AssertionError, match=taken),
            running_server(tiny_model, *ONE_LANE, "--uds", str(path)),
        ):
            pass
        assert path.is_socket()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = [program("openssl"), "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]
    command += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        [*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True
    )
    return cert, key


def test_tls_serves_whole_answers_and_streams(tiny_model: Path, certificate: tuple[Path, Path]):
    cert, key = certificate
    tls = ssl.create_default_context(cafile=str(cert))
    options = [*ONE_LANE, "--ssl-certfile", str(cert), "--ssl-keyfile", str(key)]
    headers = {"content-type": "application/json"}

    with running_server(tiny_model, *options) as server:
        asked = urllib.request.Request(
            f"{server.url}/generate_stream", json.dumps(HELLO).encode(), headers
        )
        with urllib.request.urlopen(asked, timeout=PATIENCE_S, context=tls) as stream:
            events = [line for line in stream if line.startswith(b"data: ")]
        health = f"{server.url}/health"
        with urllib.request.urlopen(health, timeout=PATIENCE_S, context=tls) as answer:
            status = answer.status
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(health, timeout=PATIENCE_S)

    assert server.url.startswith("https://127.0.0.1:")
    assert len(events) == 4
    assert status == 200


def test_a_stream_over_tls_that_loses_its_reader_is_ended(
    tiny_model: Path, certificate: tuple[Path, Path]
):
    cert, key = certificate
    tls = ssl.create_default_context(cafile=str(cert))
    options = [*ONE_LANE, "--ssl-certfile", str(cert), "--ssl-keyfile", str(key)]

    with running_server(tiny_model, *options) as server:
        host, _, port = server.url.removeprefix("https://").partition(":")
        with (
            socket.create_connection((host, int(port)), timeout=PATIENCE_S) as plain,
            tls.wrap_socket(plain, server_hostname=host) as secret,
        ):
            secret.sendall(request_bytes("/generate_stream", ENDLESS))
            assert secret.recv(1)
        assert eventually(lambda: any("error=cancelled" in one for one in server.stderr))


def test_a_certificate_that_is_none_is_a_clear_error(
    tiny_model: Path, certificate: tuple[Path, Path]
):
    _, key = certificate
    options = ["--ssl-certfile", str(key), "--ssl-keyfile", str(key)]

    with (
        pytest.raises(AssertionError, match="error: can't use the certificate"),
        running_server(tiny_model, *ONE_LANE, *options),
    ):
        pass


PAGE, OTHER = "https://page.example", "https://other.example"


@pytest.fixture(scope="module")
def open_to_a_page(tiny_model: Path) -> Iterator[RunningServer]:
    """A server with one place that lets one page ask."""
    options = ["--cors-allow-origin", PAGE, "--max-concurrent-requests", "1"]
    with running_server(tiny_model, *ONE_LANE, *options) as one:
        yield one


def preflight(server: RunningServer, origin: str) -> Reply:
    """Return the answer to what a browser asks before it posts JSON with a key."""
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-stainless-lang",
    }

    async def answer() -> Reply:
        async with connected(server) as connection:
            await connection.send(request_bytes("/generate", method="OPTIONS", headers=headers))
            return await connection.reply()

    return asyncio.run(answer())


def test_a_page_of_an_allowed_origin_may_ask(open_to_a_page: RunningServer):
    asked = preflight(open_to_a_page, PAGE)
    answer = asyncio.run(ask(open_to_a_page, "/generate", HELLO, {"origin": PAGE}))

    assert asked.status == answer.status == 200
    for headers in (asked.headers, answer.headers):
        assert headers["access-control-allow-origin"] == PAGE
        assert "origin" in headers["vary"].lower()
    allowed = asked.headers["access-control-allow-headers"].lower()
    assert {"authorization", "x-stainless-lang"} <= set(allowed.split(","))


def test_a_page_of_another_origin_may_not(open_to_a_page: RunningServer):
    asked = preflight(open_to_a_page, OTHER)
    answer = asyncio.run(ask(open_to_a_page, "/generate", HELLO, {"origin": OTHER}))

    assert asked.status == 400
    assert "access-control-allow-origin" not in {**asked.headers, **answer.headers}


def test_a_page_can_read_every_refusal_and_when_to_come_back(open_to_a_page: RunningServer):
    async def refusals() -> list[Reply]:
        origin = {"origin": PAGE}
        async with busy(open_to_a_page):
            full = await ask(open_to_a_page, "/generate", HELLO, origin)
        await until(open_to_a_page.is_idle)
        bad = await ask(open_to_a_page, "/generate", {"inputs": 1}, origin)
        nowhere = await ask(open_to_a_page, "/nowhere", None, origin)
        return [full, bad, nowhere]

    replies = asyncio.run(refusals())

    assert [reply.status for reply in replies] == [429, 422, 404]
    assert {reply.headers["access-control-allow-origin"] for reply in replies} == {PAGE}
    assert "retry-after" in replies[0].headers["access-control-expose-headers"].lower()


def test_nobody_s_page_may_ask_unless_told(hasty: RunningServer):
    answer = asyncio.run(ask(hasty, "/generate", HELLO, {"origin": PAGE}))

    assert preflight(hasty, PAGE).status == 405
    assert "access-control-allow-origin" not in answer.headers


def key(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {name}"}


@pytest.mark.parametrize("isolates", [True, False])
def test_a_prefix_is_reused_among_one_key_s_requests_only_if_keys_are_isolated(
    tiny_model: Path, isolates: bool
):
    keys = ["--api-key", "one", "--api-key", "two", *(["--isolate-keys"] if isolates else [])]
    prompt = {"inputs": "and the rest of them " * 20, "parameters": {"max_new_tokens": 1}}

    async def ask_by_turns(server: RunningServer) -> list[float]:
        n_cached = [0.0]
        for name in ("one", "one", "two", "two"):
            assert (await ask(server, "/generate", prompt, key(name))).status == 200
            metrics = (await ask(server, "/metrics", None, key(name))).body.decode().splitlines()
            (line,) = (one for one in metrics if one.startswith("tgicli_cached_prompt_tokens "))
            n_cached.append(float(line.split()[1]))
        return [after - before for before, after in itertools.pairwise(n_cached)]

    with running_server(tiny_model, *ONE_LANE[:2], "--max-batch-size", "4", *keys) as server:
        first, again, other, other_again = asyncio.run(ask_by_turns(server))

    assert first == 0
    assert again > 0
    assert (other == 0) == isolates
    assert other_again > 0


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (HELLO, list),
        ({"prompt": "Hello", "max_tokens": 2}, "text_completion"),
        ({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}, "chat.completion"),
    ],
    ids=["native", "completion", "chat"],
)
def test_invocations_answer_as_the_body_s_own_route(
    hasty: RunningServer, body: dict[str, Any], shape: Any
):
    status, answer = hasty.post("/invocations", body)

    assert status == 200
    assert shape in (type(answer), answer["object"] if isinstance(answer, dict) else None)


@pytest.mark.parametrize(
    ("body", "status", "shape"),
    [
        ([1], 422, str),
        ({"inputs": ""}, 422, str),
        ({"messages": []}, 400, dict),
        ({"prompt": []}, 400, dict),
    ],
)
def test_invocations_refuse_as_the_body_s_own_route(
    hasty: RunningServer, body: Any, status: int, shape: type
):
    got, answer = hasty.post("/invocations", body)

    assert got == status
    assert isinstance(answer["error"], shape)
    assert answer["error_type"] == "validation"
