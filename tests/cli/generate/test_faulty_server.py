"""`tgicli generate --endpoint` and servers that fail: what each fault is to a shell.

Every fault is real, on a socket of its own. For each: the exit status, what stderr says, and what
stdout has got by then.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from email.utils import formatdate

import pytest

from tests.cli.conftest import Cli, Outcome
from tests.faulty import (
    DONE,
    FaultyServer,
    Script,
    answer,
    chat_event,
    chunk,
    chunks,
    close,
    end,
    gzipped,
    head,
    refusing_url,
    reset,
    send,
    send_forever,
    serving,
    silent_url,
    stall,
    stream,
    tgi_error,
    tgi_event,
    tgi_stream,
    wait,
)
from tgicli.errors import ExitStatus

NATIVE, CHAT = "/generate_stream", "/v1/chat/completions"
BUSY = answer(429, b'{"error":"Model is overloaded","error_type":"overloaded"}', retry_after="0")
BUSY_EVENT = stream(tgi_error("Model is overloaded", "overloaded"))
OPENAI_BUSY = b'data: {"error":{"message":"Model is overloaded","http_status_code":422}}\n\n'
HELLO = tgi_stream("Hel", "lo", " w\u00f6rld")
CHAT_HELLO = [chat_event(content="Hello"), chat_event(reason="stop")]
BEGUN = [head(), chunk(tgi_event(1, "Hel")), chunk(tgi_event(2, "lo"))]
PATIENT = ("--first-token-timeout", "20", "--token-timeout", "20", "--connect-timeout", "20")
LIMITS = ("--first-token-timeout", "0.3", "--token-timeout", "0.3", "--connect-timeout", "0.2")
A_WHOLE_HTML_PAGE = b"<html><head><title>Sign in</title></head><body>..</body></html>"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What a server does, and what must come of it."""

    name: str
    scripts: tuple[Script, ...]
    status: ExitStatus
    says: str = ""  # a part of stderr; nothing: it is empty
    shows: str = ""  # all of stdout
    route: str = NATIVE
    args: tuple[str, ...] = ()
    n_asked: int = 1


OK, BROKEN = ExitStatus.OK, ExitStatus.STREAM_BROKEN
LATE, UNREACHABLE = ExitStatus.DEADLINE_EXCEEDED, ExitStatus.UNREACHABLE
REFUSED, FULL, MODEL = ExitStatus.BAD_REQUEST, ExitStatus.OVERLOADED, ExitStatus.MODEL


def fault(
    name: str,
    *scripts: Script,
    is_: ExitStatus,
    says: str = "",
    shows: str = "",
    route: str = NATIVE,
    args: tuple[str, ...] = (),
    n_asked: int = 1,
) -> Fault:
    return Fault(
        name=name,
        scripts=scripts,
        status=is_,
        says=says,
        shows=shows,
        route=route,
        args=args,
        n_asked=n_asked,
    )


def status(code: int, words: str, is_: ExitStatus, says: str = "") -> Fault:
    body = b'{"error":"%b","error_type":"x"}' % words.encode()
    return fault(f"status {code}", answer(code, body), is_=is_, says=says or words)


CUT_CHARACTER = tgi_event(3, " w\u00f6rld")[: tgi_event(3, " w\u00f6rld").index(b"\xb6")]
FAULTS = [
    fault("resets before its head", [reset], is_=UNREACHABLE, says="gave no answer"),
    fault("closes before its head", [close], is_=UNREACHABLE, says="gave no answer"),
    fault(
        "closes in its head",
        [send(b"HTTP/1.1 200 OK\r\ncontent-ty"), close],
        is_=UNREACHABLE,
        says="gave no answer",
    ),
    fault("speaks no HTTP", [send(b"220 mail\r\n"), close], is_=UNREACHABLE, says="no answer"),
    fault("closes before the first event", [head(), close], is_=BROKEN, says="broke"),
    fault("resets between events", [*BEGUN, reset], is_=BROKEN, says="broke", shows="Hello"),
    fault(
        "resets in an event",
        [*BEGUN, chunk(tgi_event(3, " world")[:30]), wait(0.05), reset],
        is_=BROKEN,
        says="broke",
        shows="Hello",
    ),
    fault(
        "closes in a character",
        [*BEGUN, chunk(CUT_CHARACTER), wait(0.05), close],
        is_=BROKEN,
        says="broke",
        shows="Hello",
    ),
    fault(
        "ends its body in a character",
        [*BEGUN, chunk(CUT_CHARACTER), end],
        is_=BROKEN,
        says="can't be read",
        shows="Hello",
    ),
    fault("ends without a finish", [*BEGUN, end], is_=BROKEN, says="before", shows="Hello"),
    fault(
        "ends with a comment",
        stream(b": working\n\n"),
        is_=BROKEN,
        says="closed before the answer's end",
    ),
    fault(
        "sends an error for a stream",
        [head(), chunk(b'{"detail"'), wait(0.05), chunk(b':"nope"}'), end],
        is_=BROKEN,
        says="the server sent no event; it says: nope",
    ),
    fault(
        "sends a page for a stream",
        stream(A_WHOLE_HTML_PAGE),
        is_=BROKEN,
        says="the server sent no event; it says: Sign in",
    ),
    fault(
        "answers in no known shape",
        answer(200, b'{"detail":"nope"}'),
        is_=BROKEN,
        says="the server sent no answer; it says: nope",
        route=CHAT,
    ),
    fault(
        "refuses in an unknown shape",
        answer(403, b'{"success":false,"why":"region"}'),
        is_=REFUSED,
        says='{"success":false,"why":"region"}; is the API key right?',
    ),
    fault(
        "refuses in a list",
        answer(403, b'{"success":false,"errors":[{"code":10000,"message":"Region blocked"}]}'),
        is_=REFUSED,
        says="error: Region blocked; is the API key right?",
    ),
    fault(
        "compresses as nobody can read",
        [head(content_encoding="gzip, br"), chunk(b"\x0b"), end],
        is_=BROKEN,
        says="the answer is compressed with br, unasked",
    ),
    fault("ends with nothing", [head(), end], is_=BROKEN, says="before the answer's end"),
    fault("chunks wrongly", [*BEGUN, send(b"zz\r\n")], is_=BROKEN, says="broke", shows="Hello"),
    fault(
        "sends less than it says",
        [
            send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"),
            send(b"content-length: 9999\r\n\r\n" + tgi_event(1, "Hello")),
            close,
        ],
        is_=BROKEN,
        says="broke",
        shows="Hello",
    ),
    fault("stalls before its head", [stall], is_=LATE, says="no token came within 0.3 s"),
    fault("stalls in its head", [send(b"HTTP/1.1 20"), stall], is_=LATE, says="no token"),
    fault("stalls before the first event", [head(), stall], is_=LATE, says="no token came"),
    fault(
        "stalls between events",
        [*BEGUN, stall],
        is_=LATE,
        says="no further token came within 0.3 s (--token-timeout)",
        shows="Hello",
    ),
    fault(
        "stalls in an event",
        [*BEGUN, chunk(tgi_event(3, "x")[:20]), stall],
        is_=LATE,
        says="no further token",
        shows="Hello",
    ),
    fault(
        "comments for ever",
        [head(), *[chunk(b":\n\n"), wait(0.1)] * 20],
        is_=LATE,
        says="no token came",
    ),
    fault(
        "goes on for ever",
        [head(), *[chunk(tgi_event(1, "a")), wait(0.1)] * 40],
        is_=LATE,
        says="longer than 0.25 s (--timeout)",
        shows="aaa",
        args=("--timeout", "0.25"),
    ),
    fault(
        "sends an endless event",
        [head(), send_forever(b"10000\r\n" + b"x" * 65536 + b"\r\n")],
        is_=BROKEN,
        says="bytes without the end of an event",
    ),
    fault(
        "sends an event that is no JSON",
        stream(tgi_event(1, "Hello"), b"data: <oops>\n\n"),
        is_=BROKEN,
        says="<oops>",
        shows="Hello",
    ),
    fault(
        "sends an event of another shape",
        stream(tgi_event(1, "Hello"), b'data: {"token":"x"}\n\n'),
        is_=BROKEN,
        says="token",
        shows="Hello",
    ),
    fault(
        "sends 10,000 tiny events",
        [head(), *map(chunk, tgi_stream(*["ab"] * 10_000)), end],
        is_=OK,
        shows="ab" * 10_000,
    ),
    fault(
        "sends 10,000 tiny events at once",
        stream(b"".join(tgi_stream(*["ab"] * 10_000))),
        is_=OK,
        shows="ab" * 10_000,
    ),
    fault(
        "sends one huge event", stream(*tgi_stream("x" * 3_000_000)), is_=OK, shows="x" * 3_000_000
    ),
    fault(
        "sends a byte at a time",
        [head(), *chunks(b"".join(HELLO), 1), end],
        is_=OK,
        shows="Hello w\u00f6rld",
    ),
    fault(
        "compresses",
        [head(content_encoding="gzip"), *chunks(gzipped(b"".join(HELLO)), 9), end],
        is_=OK,
        shows="Hello w\u00f6rld",
    ),
    fault(
        "compresses wrongly",
        [head(content_encoding="gzip"), chunk(b"no gzip"), end],
        is_=BROKEN,
        says="broke",
    ),
    fault(
        "leaves the last blank line out",
        stream(*HELLO[:-1], HELLO[-1].rstrip()),
        is_=OK,
        shows="Hello w\u00f6rld",
    ),
    fault(
        "is a proxy's page",
        answer(200, A_WHOLE_HTML_PAGE, "text/html"),
        is_=UNREACHABLE,
        says="text/html and no stream of tokens",
    ),
    fault(
        "says nothing of its type",
        [head(media_type=""), *map(chunk, HELLO), end],
        is_=OK,
        shows="Hello w\u00f6rld",
    ),
    fault("answers at once", answer(200, b'{"generated_text":"Hello"}'), is_=OK, shows="Hello"),
    fault(
        "answers with an error at once",
        answer(200, b'{"error":"no","error_type":"validation"}'),
        is_=REFUSED,
        says="no",
    ),
    fault(
        "is a proxy's error page",
        answer(502, A_WHOLE_HTML_PAGE, "text/html"),
        is_=UNREACHABLE,
        says="Sign in (status 502 of http://127.0.0.1:",
    ),
    fault(
        "has moved",
        answer(307, location="https://other/"),
        is_=REFUSED,
        says="moved to https://other/",
    ),
    status(400, "what is this", REFUSED),
    status(401, "who are you", REFUSED, says="who are you; is the API key right?"),
    status(403, "not you", REFUSED, says="API key"),
    status(404, "no such page", REFUSED, says="is no route of this server"),
    status(413, "too large", REFUSED),
    status(422, "Input validation error: `top_p` must be lower", REFUSED, says="`top_p`"),
    status(424, "Request failed during generation: CUDA", MODEL, says="error: CUDA"),
    status(500, "oh no", MODEL),
    status(502, "bad gateway", UNREACHABLE),
    status(504, "too slow", LATE),
    fault(
        "is busy once",
        BUSY,
        stream(*HELLO),
        is_=OK,
        shows="Hello w\u00f6rld",
        says="busy, retrying 1/4 in",
        n_asked=2,
    ),
    fault(
        "is busy in a stream once",
        BUSY_EVENT,
        stream(*HELLO),
        is_=OK,
        shows="Hello w\u00f6rld",
        says="busy, retrying 1/4 in",
        n_asked=2,
    ),
    fault(
        "is unavailable until a date",
        answer(503, b"", retry_after=formatdate(usegmt=True)),
        stream(*HELLO),
        is_=OK,
        shows="Hello w\u00f6rld",
        says="busy, retrying 1/4 in",
        n_asked=2,
    ),
    fault("is busy always", BUSY, is_=FULL, says="Model is overloaded", n_asked=5),
    fault("is busy in streams always", BUSY_EVENT, is_=FULL, says="Model is overloaded", n_asked=5),
    fault(
        "is busy, and nobody retries", BUSY, is_=FULL, says="overloaded", args=("--retries", "0")
    ),
    fault("is busy for an hour", answer(429, b"", retry_after="3600"), is_=FULL, says="429"),
    fault(
        "is busy for longer than there is time",
        answer(429, b"", retry_after="60"),
        is_=FULL,
        says="429",
        args=("--timeout", "20"),
    ),
    fault(
        "is busy in the midst of an answer",
        stream(tgi_event(1, "Hello"), tgi_error("Model is overloaded", "overloaded")),
        is_=FULL,
        says="overloaded",
        shows="Hello",
    ),
    fault(
        "refuses in a stream",
        stream(
            tgi_error(
                "Input validation error: `inputs` must have less than 9 tokens. Given: 10",
                "validation",
            )
        ),
        is_=REFUSED,
        says="error: `inputs`",
    ),
    fault(
        "fails in a stream",
        stream(tgi_event(1, "Hello"), tgi_error("CUDA", "generation")),
        is_=MODEL,
        says="CUDA",
        shows="Hello",
    ),
    fault(
        "gives up in a stream",
        stream(
            tgi_event(1, "Hello"),
            tgi_error("Incomplete generation stream", "incomplete_generation_stream"),
        ),
        is_=BROKEN,
        says="Incomplete",
        shows="Hello",
    ),
    fault(
        "names an event an error",
        stream(tgi_event(1, "Hello"), b"event: error\ndata: sad\n\n"),
        is_=BROKEN,
        says="sad",
        shows="Hello",
    ),
    fault(
        "is busy in an OpenAI stream",
        stream(OPENAI_BUSY, DONE),
        stream(*CHAT_HELLO, DONE),
        is_=OK,
        shows="Hello",
        route=CHAT,
        says="busy",
        n_asked=2,
    ),
    fault(
        "tells an OpenAI error",
        stream(
            chat_event(content="Hello"),
            b'data: {"error":{"message":"boom","type":"server_error","code":500}}\n\n',
        ),
        is_=MODEL,
        says="boom",
        shows="Hello",
        route=CHAT,
    ),
    fault(
        "is done before its end",
        stream(chat_event(content="Hello"), DONE),
        is_=BROKEN,
        says="before the answer's end",
        shows="Hello",
        route=CHAT,
    ),
    fault(
        "filters its answer",
        stream(chat_event(content="Hello", reason="content_filter"), DONE),
        is_=BROKEN,
        says="content_filter",
        shows="Hello",
        route=CHAT,
    ),
    fault(
        "stalls behind its end",
        [head(), *map(chunk, CHAT_HELLO), stall],
        is_=OK,
        shows="Hello",
        route=CHAT,
        args=LIMITS,
    ),
    fault(
        "resets behind its end",
        [head(), *map(chunk, CHAT_HELLO), wait(0.05), reset],
        is_=OK,
        shows="Hello",
        route=CHAT,
    ),
    fault("closes instead of [DONE]", stream(*CHAT_HELLO), is_=OK, shows="Hello", route=CHAT),
]


@pytest.fixture(autouse=True)
def _no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry as early as the server allows."""
    monkeypatch.setattr("random.random", lambda: 0.0)


def generate(cli: Cli, url: str, *args: str) -> Outcome:
    return cli("generate", "--no-stdin", "--endpoint", url, *LIMITS, *args, "Hi")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one.name)
def test_each_fault_has_its_status_its_words_and_loses_no_text(cli: Cli, fault: Fault):
    with serving(*fault.scripts) as server:
        began_s = time.monotonic()
        patience = () if fault.status is LATE else PATIENT
        outcome = generate(cli, server.url + fault.route, *patience, *fault.args)
        took_s = time.monotonic() - began_s

    assert fault.says in outcome.stderr
    assert (outcome.stderr == "") == (fault.says == "")
    assert "Traceback" not in outcome.stderr
    assert outcome.stdout == fault.shows
    assert outcome.status == fault.status
    assert len(server.posts) == fault.n_asked
    assert took_s < 10


@pytest.mark.parametrize(
    ("place", "status", "words"),
    [
        (refusing_url, UNREACHABLE, "connection refused"),
        (silent_url, LATE, "no connection to http://127.0.0.1"),
        (lambda: "http://no.such.host.invalid", UNREACHABLE, "can't connect to http://no.such"),
        (lambda: "unix:/no/such.sock", UNREACHABLE, "No such file"),
    ],
    ids=["refuses", "never connects", "unknown host", "no socket"],
)
def test_a_server_that_is_not_there(cli: Cli, place, status: ExitStatus, words: str):
    found = place()
    context: AbstractContextManager[str] = nullcontext(found) if isinstance(found, str) else found

    with context as url:
        outcome = generate(cli, url, "--retries", "1")

    assert words in outcome.stderr
    assert (outcome.status, outcome.stdout) == (status, "")


def test_a_refused_connection_is_tried_again(cli: Cli):
    outcome = generate(cli, refusing_url(), "--retries", "2")

    lines = outcome.stderr.splitlines()
    assert [line.partition(" in ")[0] for line in lines[:2]] == [
        "no connection, retrying 1/2",
        "no connection, retrying 2/2",
    ]


def test_a_request_that_times_out_ends_at_the_server(cli: Cli):
    with serving([*BEGUN, stall]) as server:
        generate(cli, server.url + NATIVE)
        assert wait_for(server)


def wait_for(server: FaultyServer) -> bool:
    """Return whether the client closes its connection."""
    for _ in range(200):
        if server.n_gone:
            return True
        time.sleep(0.01)
    return False
