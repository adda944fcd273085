"""What the remote backend makes of the streams in tests/data, however the network cuts them."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backends.golden import GOLDEN, Golden
from tests.faulty import FaultyServer, chunks, end, gzipped, head, serving
from tgicli.backends.endpoint import Endpoint, RemoteOptions, Timeouts
from tgicli.backends.http import Answer
from tgicli.backends.patience import Patience
from tgicli.backends.remote import RemoteBackend
from tgicli.core import Event, Finish, Progress, Token
from tgicli.errors import StreamBroken
from tgicli.wire.answers import END
from tgicli.wire.api import Api

golden = pytest.mark.parametrize("golden", GOLDEN, ids=lambda one: one.name)


class Body(httpx.AsyncByteStream):
    """A body that comes in these pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


async def data_of(pieces: list[bytes], **headers: str) -> list[str]:
    """Return the data of the events that these pieces make up."""
    named = {"content-type": "text/event-stream"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    answer = Answer(httpx.Response(200, headers=named, stream=Body(pieces)))
    async with aclosing(answer.events(Patience(Timeouts()))) as events:
        return [data async for data in events]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at these places."""
    borders = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[a:b] for a, b in pairwise(borders)]


async def ask(golden: Golden, server: FaultyServer) -> list[Event]:
    """Return what the backend makes of the stream that a server sends."""
    path = "/generate_stream" if golden.is_native else "/v1/completions"
    options = RemoteOptions(
        endpoint=Endpoint.from_url(server.url + path),
        api=Api.TGI if golden.is_native else Api.OPENAI_COMPLETIONS,
    )
    backend = RemoteBackend(options)
    async with aclosing(backend), aclosing(backend.generate(golden.request)) as events:
        return [event async for event in events]


def tokens_of(events: list[Event]) -> list[Token]:
    return [token for event in events if not isinstance(event, Progress) for token in event.tokens]


def check(golden: Golden, events: list[Event]) -> None:
    """Compare events with what the stream says."""
    tokens, finish = tokens_of(events), events[-1]
    assert isinstance(finish, Finish)
    assert "".join(t.text for t in tokens if not (t.special or t.reasoning)) == golden.text
    assert "".join(token.text for token in tokens if token.reasoning) == golden.thoughts
    assert finish.reason is golden.reason
    assert finish.n_prompt_tokens == golden.n_prompt
    assert finish.n_cached_tokens == golden.n_cached
    assert finish.n_generated_tokens == golden.n_generated
    assert finish.has_usage == golden.has_usage
    assert finish.seed == golden.seed


@golden
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_a_stream_means_the_same_in_pieces_of_any_size(golden: Golden, size: int):
    script = [head(), *chunks(golden.bytes, size), end]

    with serving(script) as server:
        events = asyncio.run(ask(golden, server))

    check(golden, events)
    assert isinstance(events[0], Progress)


@golden
def test_a_compressed_stream_means_the_same(golden: Golden):
    body = gzipped(golden.bytes)
    script = [head(content_encoding="gzip"), *chunks(body, 11), end]

    with serving(script) as server:
        events = asyncio.run(ask(golden, server))

    check(golden, events)


@golden
def test_every_event_with_a_text_is_given_out_by_itself(golden: Golden):
    """Nothing waits for what comes behind it."""
    reader = golden.reader()
    data = asyncio.run(data_of([golden.bytes]))

    n_with_tokens = sum(bool(reader.read_event(one)) for one in data)

    with serving([head(), *chunks(golden.bytes, 5), end]) as server:
        events = asyncio.run(ask(golden, server))
    given = [e for e in events if not isinstance(e, Progress) and e.tokens != (END,)]
    assert len(given) == n_with_tokens


@golden
def test_a_stream_that_is_cut_anywhere_before_its_end_is_broken(golden: Golden):
    whole = asyncio.run(data_of([golden.bytes]))
    reader = golden.reader()
    n_needed = next(
        i for i, one in enumerate(whole) if (reader.read_event(one), reader.has_ended)[1]
    )
    body = b"".join(b"data: " + one.encode() + b"\n\n" for one in whole[:n_needed])

    with (
        serving([head(), *chunks(body, 64), end]) as server,
        pytest.raises(StreamBroken),
    ):
        asyncio.run(ask(golden, server))


@given(
    which=st.sampled_from(GOLDEN),
    places=st.lists(st.integers(0, 4000), max_size=30),
)
def test_any_cut_of_a_golden_stream_gives_the_same_events(which: Golden, places: list[int]):
    expected = asyncio.run(data_of([which.bytes]))

    assert asyncio.run(data_of(cut(which.bytes, places))) == expected


NEWLINES = st.sampled_from(["\n", "\r\n", "\r"])
LINES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)
NOISE = st.sampled_from(
    [":", ": ping", ":data: x", "id: 7", "retry: 3", "unknown: field", "event: m"]
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    """Return a valid stream and the data of its events."""
    newline, text, expected = draw(NEWLINES), "\ufeff" if draw(st.booleans()) else "", []
    for lines in draw(st.lists(st.lists(LINES, min_size=1, max_size=3), max_size=5)):
        for line in draw(st.lists(NOISE, max_size=2)):
            text += line + newline
        for line in lines:
            space = " " if line.startswith(" ") or draw(st.booleans()) else ""
            text += f"data:{space}{line}{newline}"
        text += newline * draw(st.integers(1, 3))
        expected.append("\n".join(lines))
    return text.encode(), [data for data in expected if data]


@given(stream=streams(), places=st.lists(st.integers(0, 400), max_size=20))
def test_any_cut_of_any_valid_stream_gives_the_same_events(
    stream: tuple[bytes, list[str]], places: list[int]
):
    data, expected = stream

    assert asyncio.run(data_of(cut(data, places))) == expected


@given(stream=streams(), places=st.lists(st.integers(0, 400), max_size=20))
def test_any_cut_of_a_compressed_stream_gives_the_same_events(
    stream: tuple[bytes, list[str]], places: list[int]
):
    data, expected = stream
    made = zlib.compressobj(wbits=31)
    body = made.compress(data) + made.flush()

    assert asyncio.run(data_of(cut(body, places), content_encoding="gzip")) == expected


@pytest.mark.parametrize("charset", ["", "; charset=iso-8859-1", "; charset=utf-16"])
def test_a_stream_is_utf_8_whatever_its_headers_say(charset: str):
    body = 'data: {"x":"\u00e9\u2028"}\n\n'.encode()

    data = asyncio.run(data_of([body], content_type=f"text/event-stream{charset}"))

    assert json.loads(data[0]) == {"x": "\u00e9\u2028"}


@pytest.mark.parametrize("tail", ["\n\n", "\n", "", "\r"])
def test_the_last_event_needs_no_blank_line(tail: str):
    body = f'data: {{"a":1}}\n\ndata: {{"b":2}}{tail}'.encode()

    assert asyncio.run(data_of([body])) == ['{"a":1}', '{"b":2}']


def test_the_limit_is_for_one_event_and_not_for_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tgicli.backends.http.MAX_EVENT_BYTES", 100)
    event = b"data: " + b"x" * 60 + b"\n\n"

    assert len(asyncio.run(data_of([event] * 50))) == 50
    with pytest.raises(StreamBroken, match="without the end of an event"):
        asyncio.run(data_of([event, b"data: " + b"x" * 60, b"x" * 60]))
