"""The floor: what a client adds to known times, told from records, and measured for real."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import aclosing

import pytest

from tgicli.backends.endpoint import Endpoint, RemoteOptions
from tgicli.backends.remote import RemoteBackend
from tgicli.bench.fake.options import FakeOptions, Fault
from tgicli.bench.fake.server import FakeServer
from tgicli.bench.floor import TTFT_MS, measure_floor, to_floor
from tgicli.bench.record import Chunk, Outcome, Record
from tgicli.bench.recorder import Recorder
from tgicli.bench.result import Floor
from tgicli.errors import ConfigError, StreamBroken

MS = 1_000_000
MOST_SECONDS = 8  # of measuring: one in which the machine is not busy is enough


def record(times_ms: Sequence[float], outcome: Outcome = Outcome.OK) -> Record:
    chunks = [Chunk(round(at * MS), 1, 1, False, number) for number, at in enumerate(times_ms)]
    return Record(
        index=0, send_ns=0, end_ns=chunks[-1].at_ns, chunks=tuple(chunks), outcome=outcome
    )


def measure(server: FakeServer, path: str, n_streams: int, gap_ms: float) -> Floor:
    async def main() -> Floor:
        recorder = Recorder()
        options = RemoteOptions(endpoint=Endpoint.from_url(server.url + path))
        async with aclosing(RemoteBackend(options, observer=recorder)) as backend:
            return await measure_floor(
                backend,
                recorder=recorder,
                n_streams=n_streams,
                gap_ms=gap_ms,
                seconds=1,
                chats=path == "/v1",
            )

    return asyncio.run(main())


def is_small(floor: Floor) -> bool:
    return -1 < floor.ttft_added_p50_ms < 100 and -5 < floor.icl_added_p50_ms < 20


def test_what_is_over_the_known_times_is_the_floor():
    records = [record([TTFT_MS + 3, 120, 131, 142]), record([TTFT_MS + 5, 120, 131, 142])]

    floor = to_floor(records, n_streams=2, gap_ms=10)

    assert floor.ttft_added_p50_ms == pytest.approx(4)
    assert floor.icl_added_p50_ms == pytest.approx(1)  # the gap into step, 15 or 17, is not in it


def test_requests_that_failed_tell_nothing():
    good, cut = record([TTFT_MS + 1, 120, 130]), record([TTFT_MS + 900, 5000, 9000], Outcome.CUT)

    floor = to_floor([good, cut], n_streams=1, gap_ms=10)

    assert floor.ttft_added_p99_ms == pytest.approx(1)
    assert floor.icl_added_p99_ms == pytest.approx(0)


@pytest.mark.parametrize("path", ["", "/v1"], ids=["TGI", "OpenAI"])
def test_a_client_at_rest_adds_little(path: str):
    floors: list[Floor] = []
    with FakeServer(FakeOptions()) as server:
        while len(floors) < MOST_SECONDS and not any(map(is_small, floors)):
            floors.append(measure(server, path, n_streams=4, gap_ms=20))
        stats = server.stats()

    assert stats["max_running"] == 4
    assert any(map(is_small, floors)), floors


def test_a_client_that_is_kept_from_reading_shows():
    is_over = threading.Event()

    def hog() -> None:
        while not is_over.is_set():
            sum(range(3000))

    hogs = [threading.Thread(target=hog) for _ in range(4)]
    with FakeServer(FakeOptions()) as server:
        for each in hogs:
            each.start()
        try:
            floor = measure(server, "", n_streams=2, gap_ms=20)
        finally:
            is_over.set()
            for each in hogs:
                each.join()

    assert floor.ttft_added_p50_ms > 5  # a thread keeps the interpreter for as long, if it can


def test_a_server_that_fails_gives_no_floor():
    with (
        FakeServer(FakeOptions(fault=Fault.ERROR)) as server,
        pytest.raises(StreamBroken, match="the fake server fails, as asked"),
    ):
        measure(server, "", n_streams=1, gap_ms=20)


@pytest.mark.parametrize(("n_streams", "gap_ms"), [(0, 20), (1, 0), (1, float("nan"))])
def test_what_is_no_load_is_refused(n_streams: int, gap_ms: float):
    with pytest.raises(ConfigError, match="streams and a gap"):
        asyncio.run(
            measure_floor(
                RemoteBackend(RemoteOptions(endpoint=Endpoint.from_url("http://localhost:1"))),
                recorder=Recorder(),
                n_streams=n_streams,
                gap_ms=gap_ms,
            )
        )
