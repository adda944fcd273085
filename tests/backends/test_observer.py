"""What an observer is told of a request, when; and that a backend without one is as it was."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import subprocess
import time
from collections.abc import Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.backends.conftest import Kind
from tests.faulty import (
    DONE,
    KEPT_HEAD,
    Script,
    answer,
    chat_event,
    chunk,
    close,
    end,
    gzipped,
    head,
    next_request,
    refusing_url,
    reset,
    send,
    serving,
    silent_url,
    stall,
    stream,
    tgi_error,
    tgi_stream,
    wait,
)
from tgicli.backends.endpoint import Endpoint, RemoteOptions, Timeouts
from tgicli.backends.faults import ConnectionRefused
from tgicli.backends.remote import RemoteBackend
from tgicli.backends.retrying import RetryPolicy
from tgicli.core import (
    Event,
    Finish,
    GenerationRequest,
    Message,
    Progress,
    SamplingParams,
    Token,
    visible_text,
)
from tgicli.errors import DeadlineExceeded, ModelError, StreamBroken, TgicliError, Unreachable
from tgicli.wire.api import Api

PATIENCE_S = 20.0
PROMPT = GenerationRequest(id="x", prompt="Hello", params=SamplingParams(temperature=0))
CHAT = replace(PROMPT, prompt=(Message("user", "Hello"),))
NATIVE, CHATTING = "/generate_stream", "/v1/chat/completions"
HELLO = tgi_stream("Hel", "lo")
HELLO_CHAT = [chat_event(content="Hel"), chat_event(content="lo", reason="stop"), DONE]
WHOLE_CHAT = (
    b'{"choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":2}}'
)
WHOLE = json.dumps(
    {
        "generated_text": "Hello",
        "details": {
            "finish_reason": "length",
            "generated_tokens": 1,
            "seed": None,
            "prefill": [],
            "tokens": [{"id": 1, "text": "Hello", "logprob": -1, "special": False}],
        },
    }
).encode()
_T = TypeVar("_T")


@dataclass
class Told:
    """Keeps what is told of one request: a name, a time where there is one, and a value."""

    all: list[tuple[str, int | None, Any]] = field(default_factory=list)
    slowness_s: float = 0.0  # of whoever understands

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.all]

    def times(self, name: str) -> list[int]:
        return [at_ns for other, at_ns, _ in self.all if other == name and at_ns is not None]

    def values(self, name: str) -> list[Any]:
        return [value for other, _, value in self.all if other == name]

    def sent(self, at_ns: int) -> None:
        self.all.append(("sent", at_ns, None))

    def connected(self, at_ns: int) -> None:
        self.all.append(("connected", at_ns, None))

    def answered(self, at_ns: int, status: int, headers: Mapping[str, str]) -> None:
        self.all.append(("answered", at_ns, (status, dict(headers))))

    def read(self, at_ns: int, data: bytes) -> None:
        self.all.append(("read", at_ns, data))

    def understood(self, data: str, tokens: tuple[Token, ...]) -> None:
        self.all.append(("understood", time.perf_counter_ns(), (data, tokens)))
        time.sleep(self.slowness_s)

    def ended(self, at_ns: int) -> None:
        self.all.append(("ended", at_ns, None))


class Listener:
    """Observes all requests, each by itself."""

    def __init__(self, *, slowness_s: float = 0.0) -> None:
        self.told: list[Told] = []
        self._slowness_s = slowness_s

    def observe(self, request: GenerationRequest) -> Told:
        self.told.append(Told(slowness_s=self._slowness_s))
        return self.told[-1]


def run(main: Coroutine[Any, Any, _T]) -> _T:
    return asyncio.run(asyncio.wait_for(main, PATIENCE_S))


def backend_at(
    url: str, listener: Listener | None, api: Api | None = None, **more: Any
) -> RemoteBackend:
    options = RemoteOptions(endpoint=Endpoint.from_url(url), api=api, **more)
    return RemoteBackend(options, retries=RetryPolicy(n_retries=0), observer=listener)


async def collect(backend: Any, request: GenerationRequest) -> list[Event]:
    async with aclosing(backend.generate(request)) as events:
        return [event async for event in events]


def observe(url: str, *requests: GenerationRequest, **more: Any) -> list[Told]:
    """Make requests one after the other; return what was told of each, whatever became of it."""
    listener = Listener()

    async def main() -> None:
        async with aclosing(backend_at(url, listener, **more)) as backend:
            for request in requests:
                try:
                    await collect(backend, request)
                except TgicliError as error:
                    listener.told[-1].all.append(("failed", None, error))

    run(main())
    return listener.told


def text_of(events: list[Event]) -> str:
    return "".join(visible_text(e.tokens) for e in events if not isinstance(e, Progress))


def test_a_request_is_told_from_its_sending_to_its_end_in_order_of_time():
    script = [head(), chunk(HELLO[0]), wait(0.05), chunk(HELLO[1]), end]
    with serving(script) as server:
        [told] = observe(server.url + NATIVE, PROMPT)

    names = [name for name in told.names if name != "read"]
    times = [at_ns for name, at_ns, _ in told.all if at_ns is not None and name != "understood"]
    assert names == ["sent", "connected", "answered", "understood", "understood", "ended"]
    assert times == sorted(times)
    assert b"".join(told.values("read")) == b"".join(HELLO)


def test_an_event_is_told_as_it_is_with_its_tokens():
    with serving(stream(*HELLO)) as server:
        [told] = observe(server.url + NATIVE, PROMPT)

    datas = [data for data, _ in told.values("understood")]
    texts = [visible_text(tokens) for _, tokens in told.values("understood")]
    assert [f"data: {data}\n\n".encode() for data in datas] == HELLO
    assert texts == ["Hel", "lo"]


def test_the_heads_status_and_headers_are_told():
    with serving(answer(200, WHOLE, x_queue_time="12")) as server:
        [told] = observe(server.url + "/generate", PROMPT)

    [(status, headers)] = told.values("answered")
    assert (status, headers["x-queue-time"]) == (200, "12")


def test_a_kept_connection_is_not_made_again():
    twice = [KEPT_HEAD, *map(chunk, HELLO), end, next_request, KEPT_HEAD, *map(chunk, HELLO), end]
    with serving(twice) as server:
        first, second = observe(server.url + NATIVE, PROMPT, PROMPT)

    assert "connected" in first.names
    assert "connected" not in second.names


def test_an_idle_connection_that_the_server_closed_is_not_used():
    once = [KEPT_HEAD, *map(chunk, HELLO), end, close]
    listener = Listener()

    async def main(url: str) -> None:
        async with aclosing(backend_at(url, listener)) as backend:
            await collect(backend, PROMPT)
            await asyncio.sleep(0.1)
            await collect(backend, PROMPT)

    with serving(once, stream(*HELLO)) as server:
        run(main(server.url + NATIVE))

    assert listener.told[1].names[:2] == ["sent", "connected"]
    assert len(server.posts) == 2


def test_a_request_that_meets_the_end_of_a_kept_connection_is_sent_once_and_connected():
    once = [KEPT_HEAD, *map(chunk, HELLO), end, next_request, reset]
    with serving(once, stream(*HELLO)) as server:
        _, second = observe(server.url + NATIVE, PROMPT, PROMPT)

    assert second.names[:3] == ["sent", "connected", "answered"]


def test_requests_share_the_kept_connections_out_one_each():
    """The server answers nobody before it was asked by all, so that none can wait for another."""
    n_users, n_rounds, n_connections = 20, 3, 0
    everybody = asyncio.Barrier(n_users)
    body = b"".join(HELLO)
    answered = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal n_connections
        n_connections += 1
        for _ in range(n_rounds):
            asked = await reader.readuntil(b"\r\n\r\n")
            length = int(asked.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            await everybody.wait()
            writer.write(answered % len(body) + body)
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}{NATIVE}"
        async with server, aclosing(backend_at(url, Listener())) as b:
            for _ in range(n_rounds):
                await asyncio.gather(*(collect(b, PROMPT) for _ in range(n_users)))

    run(main())

    assert n_connections == n_users


def test_what_one_read_brought_has_one_time():
    both = b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in HELLO)
    with serving([head(), wait(0.05), send(both), wait(0.05), end]) as server:
        [told] = observe(server.url + NATIVE, PROMPT)

    assert b"".join(told.values("read")) == b"".join(HELLO)
    assert len(set(told.times("read"))) == 1


def test_an_event_comes_with_the_read_that_completes_it():
    first, second = HELLO[0][:20], HELLO[0][20:]
    script = [head(), chunk(first), wait(0.1), chunk(second), chunk(HELLO[1]), end]
    with serving(script) as server:
        [told] = observe(server.url + NATIVE, PROMPT)

    names = told.names[told.names.index("read") :]
    assert names[:3] == ["read", "read", "understood"]
    assert told.times("read")[1] - told.times("read")[0] >= 50_000_000


def test_all_sockets_are_stamped_before_any_reader_runs():
    """As when a server that computes in batches sends all its streams' tokens at once."""
    n_streams, begun = 20, asyncio.Event()
    writers: list[asyncio.StreamWriter] = []
    listener = Listener(slowness_s=0.002)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        writers.append(writer)
        if len(writers) == n_streams:
            begun.set()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, aclosing(backend_at(f"http://127.0.0.1:{port}{NATIVE}", listener)) as b:
            readers = [asyncio.create_task(collect(b, PROMPT)) for _ in range(n_streams)]
            await begun.wait()
            while not all("answered" in told.names for told in listener.told):
                await asyncio.sleep(0.005)
            for writer in writers:
                writer.write(b"".join(HELLO))
                writer.close()
            await asyncio.gather(*readers)

    run(main())

    last_read_ns = max(told.times("read")[0] for told in listener.told)
    first_understood_ns = min(told.times("understood")[0] for told in listener.told)
    assert len(listener.told) == n_streams
    assert last_read_ns < first_understood_ns


@pytest.mark.parametrize(
    ("path", "request_", "script"),
    [
        (NATIVE, PROMPT, stream(*HELLO)),
        (CHATTING, CHAT, stream(*HELLO_CHAT)),
        (NATIVE, PROMPT, [head(content_encoding="gzip"), chunk(gzipped(b"".join(HELLO))), end]),
        ("/generate", PROMPT, answer(200, WHOLE)),
        (NATIVE, PROMPT, [head(connection="close"), chunk(HELLO[0]), chunk(HELLO[1]), end]),
    ],
)
def test_the_events_are_the_same_with_an_observer_and_without(
    path: str, request_: GenerationRequest, script: Script
):
    async def main(url: str, listener: Listener | None) -> list[Event]:
        async with aclosing(backend_at(url, listener)) as backend:
            return await collect(backend, request_)

    def timeless(events: list[Event]) -> list[Event]:
        assert isinstance(events[-1], Finish)
        return [*events[:-1], replace(events[-1], prefill_s=0, decode_s=0)]

    with serving(script) as server:
        plain = run(main(server.url + path, None))
        observed = run(main(server.url + path, Listener()))

    assert timeless(observed) == timeless(plain)


@pytest.mark.parametrize(
    "event",
    [
        tgi_error("Request failed during generation: x", "generation"),
        b'event: error\ndata: {"error":"Request failed during generation: x"}\n\n',
    ],
)
def test_an_event_with_an_error_is_told_before_it_is_raised(event: bytes):
    with serving([head(), chunk(HELLO[0]), chunk(event), end]) as server:
        [told] = observe(server.url + NATIVE, PROMPT)

    [*_, (data, tokens)] = told.values("understood")
    [error] = told.values("failed")
    assert "Request failed" in data
    assert tokens == ()
    assert isinstance(error, ModelError)


def test_what_comes_after_the_answers_end_is_told_too():
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
    late = [*map(chunk, HELLO_CHAT[:2]), chunk(usage), wait(0.2), chunk(DONE), chunk(HELLO_CHAT[0])]
    with serving([head(), *late, end]) as server:
        [told] = observe(server.url + CHATTING, CHAT)

    datas = [data for data, _ in told.values("understood")]
    assert datas[-2:] == ["[DONE]", HELLO_CHAT[0].decode().removeprefix("data: ").strip()]
    assert told.names[-1] == "ended"


def test_a_whole_answer_is_told_once_with_all_its_tokens():
    with serving(answer(200, WHOLE)) as server:
        [told] = observe(server.url + "/generate", PROMPT)

    [(data, tokens)] = told.values("understood")
    assert (data.encode(), visible_text(tokens)) == (WHOLE, "Hello")


def test_a_refusal_is_told_with_its_status():
    with serving(answer(429)) as server:
        [told] = observe(server.url + NATIVE, PROMPT)

    assert told.values("answered")[0][0] == 429
    assert "understood" not in told.names


def test_requests_that_nobody_chose_are_not_observed():
    class Choosy(Listener):
        def observe(self, request: GenerationRequest) -> Told | None:  # type: ignore[override]
            return None

    async def main(url: str) -> str:
        async with aclosing(backend_at(url, Choosy())) as backend:
            return text_of(await collect(backend, PROMPT))

    with serving(stream(*HELLO)) as server:
        assert run(main(server.url + NATIVE)) == "Hello"


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ([head(), chunk(HELLO[0]), close], StreamBroken),
        ([head(), chunk(HELLO[0]), reset], StreamBroken),
        ([close], Unreachable),
        ([reset], Unreachable),
        ([head(), stall], DeadlineExceeded),
    ],
)
def test_what_breaks_is_the_same_error_as_without_an_observer(
    script: Script, kind: type[TgicliError]
):
    with serving(script) as server:
        [told] = observe(
            server.url + NATIVE, PROMPT, timeouts=Timeouts(first_token_s=0.3, token_s=0.3)
        )

    [error] = told.values("failed")
    assert type(error) is kind


def test_a_port_where_nobody_listens_refuses():
    [told] = observe(refusing_url() + NATIVE, PROMPT)

    [error] = told.values("failed")
    assert type(error) is ConnectionRefused


def test_a_connection_that_is_never_made_has_its_time_limit():
    with silent_url() as url:
        [told] = observe(url + NATIVE, PROMPT, timeouts=Timeouts(connect_s=0.2))

    [error] = told.values("failed")
    assert type(error) is DeadlineExceeded
    assert "--connect-timeout" in str(error)


def test_a_unix_socket_is_observed_like_others(tmp_path: Path):
    with serving(stream(*HELLO), path=tmp_path / "s") as server:
        [told] = observe(server.url, PROMPT, api=Api.TGI)

    assert told.names[:3] == ["sent", "connected", "answered"]
    assert b"".join(told.values("read")) == b"".join(HELLO)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's certificate, with its key, which it has signed itself."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    what = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -keyout - -out - -subj /CN=localhost"
    command = [*what.split(), "-addext", "subjectAltName=IP:127.0.0.1"]
    made = subprocess.run(command, capture_output=True, check=True)
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(made.stdout)
    return path


def encrypting(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_an_encrypted_connection_is_ready_once_it_is_encrypted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(stream(*HELLO), tls=encrypting(certificate)) as server:
        [told] = observe(server.url + NATIVE, PROMPT)

    assert told.names[:4] == ["sent", "connected", "connected", "answered"]
    assert b"".join(told.values("read")) == b"".join(HELLO)


def test_a_certificate_that_nobody_trusts_is_refused(certificate: Path):
    with serving(stream(*HELLO), tls=encrypting(certificate)) as server:
        [told] = observe(server.url + NATIVE, PROMPT)

    [error] = told.values("failed")
    assert type(error) is Unreachable


def test_behind_a_proxy_a_read_is_stamped_when_its_reader_runs(monkeypatch: pytest.MonkeyPatch):
    with serving(stream(*HELLO)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        [told] = observe(f"http://model.example{NATIVE}", PROMPT)

    assert proxy.posts[0].path == f"http://model.example{NATIVE}"
    times = [at_ns for name, at_ns, _ in told.all if at_ns is not None and name != "understood"]
    assert b"".join(told.values("read")) == b"".join(HELLO)
    assert times == sorted(times)


def test_vllm_is_asked_for_all_counts_by_those_who_observe_only():
    card = answer(200, b'{"data":[{"id":"m","owned_by":"vllm"}]}')

    async def main(url: str, listener: Listener | None) -> None:
        async with aclosing(backend_at(url, listener)) as backend:
            await collect(backend, CHAT)
            await collect(backend, PROMPT)

    with serving(stream(*HELLO_CHAT), pages={"/v1/models": card}) as server:
        run(main(server.url, None))
        run(main(server.url, Listener()))

    plain = {"include_usage": True}
    all_counts = {**plain, "continuous_usage_stats": True}
    options = [seen.json["stream_options"] for seen in server.posts]
    assert options == [plain, plain, all_counts, all_counts]


def test_a_request_that_is_sent_again_without_a_refused_field_begins_anew():
    refusal = answer(400, b'{"error":"Unrecognized request argument supplied: stream_options"}')
    with serving(refusal, stream(*HELLO_CHAT)) as server:
        first, second = observe(server.url + CHATTING, CHAT)

    assert [status for status, _ in first.values("answered")] == [400]
    assert "ended" not in first.names
    assert (second.names[0], second.names[-1]) == ("sent", "ended")


@pytest.mark.parametrize(
    ("path", "request_", "body"),
    [("", PROMPT, WHOLE), ("/v1", CHAT, WHOLE_CHAT), ("/v1", PROMPT, WHOLE_CHAT)],
)
def test_a_request_that_does_not_stream_asks_for_all_at_once(
    path: str, request_: GenerationRequest, body: bytes
):
    info = answer(200, b'{"model_id":"org/model"}')

    async def main(url: str) -> list[Event]:
        async with aclosing(backend_at(url, None)) as backend:
            return await collect(backend, replace(request_, streams=False))

    if path == "/v1" and request_ is PROMPT:
        body = body.replace(b'"message":{"content":"Hello"}', b'"text":"Hello"')
    with serving(answer(200, body), pages={"/info": info}) as server:
        events = run(main(server.url + path))

    seen = server.posts[0]
    assert seen.path == "/generate" or seen.json["stream"] is False
    assert "stream_options" not in seen.json
    assert [type(event) for event in events] == [Progress, Finish]
    assert text_of(events) == "Hello"


def ascii_of(text: str) -> str:
    """Leave out what a model with random weights makes of characters."""
    return "".join(filter(str.isascii, text))


def test_an_answer_that_is_not_streamed_is_the_streamed_one(model_kind: Kind):
    async def main() -> list[list[Event]]:
        async with model_kind.open() as backend:
            streamed = await collect(backend, model_kind.request())
            whole = await collect(backend, replace(model_kind.request(), streams=False))
            return [streamed, whole]

    streamed, whole = run(main())

    assert [type(event) for event in whole if not isinstance(event, Progress)] == [Finish]
    if model_kind.keeps_bytes:
        assert text_of(whole) == text_of(streamed)
    else:
        assert ascii_of(text_of(whole)).startswith(ascii_of(text_of(streamed)))
