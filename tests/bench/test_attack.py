"""Loads on the fake server, whose times are known: what the records say of them.

The server's own clock is this machine's, so that stamps are held against when it really wrote, and
a busy machine fails nothing.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.backends.conftest import local
from tests.faulty import refusing_url, tgi_stream
from tgicli.backends.endpoint import Endpoint, RemoteOptions
from tgicli.backends.remote import RemoteBackend
from tgicli.backends.retrying import RetryPolicy
from tgicli.bench.ask_options import AskOptions
from tgicli.bench.attack import ask, attack
from tgicli.bench.fake.options import FakeOptions, Fault, directive
from tgicli.bench.fake.server import FakeServer
from tgicli.bench.meter import Phase, Progress
from tgicli.bench.metrics import sched_delay_ms, stall_max_ms, ttfo_ms, ttfr_ms, ttft_ms
from tgicli.bench.metrics import ttft_sched_ms as ttft_sched
from tgicli.bench.plan import Closed, Load, Open, Point, Prompt
from tgicli.bench.record import Outcome, Record, TokenSource
from tgicli.bench.recorder import Recorder
from tgicli.bench.recording import PointRun
from tgicli.core import Backend, Event, Finish, FinishReason, GenerationRequest, Token
from tgicli.core import Progress as Accepted

MS, SECOND = 10**6, 10**9
PATIENCE_S = 30.0
QUICK = {"ttft_ms": 10, "gap_ms": 1}
RAW = AskOptions(chats=False, ignore_eos=False)
CHAT = AskOptions(chats=True, ignore_eos=False)


@pytest.fixture(scope="module")
def server() -> Iterator[FakeServer]:
    with FakeServer(FakeOptions(keeps_times=True)) as started:
        yield started


def prompts_of(n: int = 400, *, n_tokens: int = 4, **options: object) -> list[Prompt]:
    """Return prompts that tell the fake server its options, each with a nonce of its own."""
    words = directive((name, str(value)) for name, value in {**QUICK, **options}.items())
    return [
        Prompt(
            prompt=f"n{time.perf_counter_ns()}x{number} {words}",
            max_new_tokens=n_tokens,
            nonce=f"{number}",
        )
        for number in range(n)
    ]


@dataclass
class Run:
    """What a load left behind, and the recorder whose times it has."""

    point: PointRun
    recorder: Recorder
    progress: list[Progress]

    @property
    def measured(self) -> list[Record]:
        return [r for r in self.point.records if r.send_ns >= self.point.warm_ns]


def load(
    url: str,
    load: Load,
    prompts: Sequence[Prompt],
    *,
    options: AskOptions = RAW,
    stop_when: Callable[[Progress], bool] = lambda progress: False,
    warmup_s: float | None = 0.0,
    duration_s: float | None = None,
    n_requests: int | None = None,
) -> Run:
    """Hold a load on a server; stop_when: until somebody stops it."""
    point = Point(
        name="x", load=load, warmup_s=warmup_s, duration_s=duration_s, n_requests=n_requests
    )
    progress: list[Progress] = []
    recorder = Recorder()

    async def main() -> PointRun:
        remote = RemoteOptions(endpoint=Endpoint.from_url(url))
        backend = RemoteBackend(remote, retries=RetryPolicy(n_retries=0), observer=recorder)
        stop = asyncio.Event()

        def on_progress(told: Progress) -> None:
            progress.append(told)
            if stop_when(told):
                stop.set()

        async with aclosing(backend):
            if await backend.health():
                await backend.info()
            return await attack(
                backend,
                point,
                prompts,
                recorder,
                on_progress=on_progress,
                stop=stop,
                options=options,
            )

    return Run(asyncio.run(asyncio.wait_for(main(), PATIENCE_S)), recorder, progress)


def asked(url: str, *prompts: Prompt, options: AskOptions = RAW) -> list[Record]:
    """Ask prompts, all at once."""
    recorder = Recorder()

    async def main() -> list[Record]:
        remote = RemoteOptions(endpoint=Endpoint.from_url(url))
        backend = RemoteBackend(remote, retries=RetryPolicy(n_retries=0), observer=recorder)
        async with aclosing(backend):
            tasks = [ask(backend, prompt, recorder, options=options) for prompt in prompts]
            return await asyncio.gather(*tasks)

    return asyncio.run(asyncio.wait_for(main(), PATIENCE_S))


def offsets(*at_ms: float) -> Open:
    return Open(rate=1.0, arrival="trace", offsets_ns=tuple(round(at * MS) for at in at_ms))


# 1. A known schedule is found again.


@pytest.mark.parametrize("n_users", [1, 16, 64])
def test_a_known_schedule_is_found_again(server: FakeServer, n_users: int):
    server.times()
    prompts = prompts_of(ttft_ms=200, gap_ms=50, aligned=True)
    run = load(server.url, Closed(n_users), prompts, n_requests=n_users)
    written = server.times()

    late_ms = [
        (run.recorder.began_ns + chunk.at_ns) / MS - at_s * 1e3
        for record in run.measured
        for chunk, at_s in zip(record.chunks, written[_nonce(record)].chunks_s, strict=True)
    ]
    assert len(run.measured) == n_users
    assert min(late_ms) > -1
    assert statistics.median(late_ms) < 100
    assert min(t for r in run.measured if (t := ttft_ms(r))) >= 199


def _nonce(record: Record) -> str:
    return record.text.split()[0]


# 3. Which piece is the first.


def test_a_role_that_comes_early_is_not_the_first_token(server: FakeServer):
    [prompt] = prompts_of(1, ttft_ms=1000, role_early_ms=900)
    [record] = asked(server.url, prompt, options=CHAT)

    first, response = ttft_ms(record), ttfr_ms(record)
    assert first is not None
    assert response is not None
    assert first >= 999
    assert first - response >= 500


def test_reasoning_is_the_first_token_and_not_the_first_of_the_answer(server: FakeServer):
    [prompt] = prompts_of(1, ttft_ms=100, gap_ms=200, n_reasoning=3)
    [record] = asked(server.url, prompt, options=CHAT)

    first, said = ttft_ms(record), ttfo_ms(record)
    assert first is not None
    assert said is not None
    assert said - first >= 500
    assert [chunk.is_reasoning for chunk in record.chunks] == [True, True, True, False]


@pytest.mark.parametrize("options", [RAW, CHAT])
def test_tokens_are_counted_in_both_dialects(server: FakeServer, options: AskOptions):
    [prompt] = prompts_of(1, n_tokens=8, gap_ms=20)
    [record] = asked(server.url, prompt, options=options)

    assert [chunk.n_tokens for chunk in record.chunks] == [1] * 8
    assert record.n_tokens == 8
    assert record.token_source is (TokenSource.USAGE if options.chats else TokenSource.EVENTS)
    assert record.problems == ()


def test_a_piece_of_several_tokens_is_one_chunk(server: FakeServer):
    [prompt] = prompts_of(1, n_tokens=8, tokens_per_chunk=4)
    [record] = asked(server.url, prompt, options=CHAT)

    assert [chunk.n_tokens for chunk in record.chunks] == [0, 0]
    assert record.n_tokens == 8


@pytest.mark.parametrize("chats", [True, False])
def test_a_whole_answer_is_one_chunk_at_its_end(server: FakeServer, chats: bool):
    [prompt] = prompts_of(1, n_tokens=8, ttft_ms=50, gap_ms=50)
    whole = AskOptions(chats=chats, ignore_eos=False, streams=False)
    [record] = asked(server.url, prompt, options=whole)

    first = ttft_ms(record)
    assert first is not None
    assert first >= 399
    assert [chunk.n_tokens for chunk in record.chunks] == [8]
    assert (record.is_streamed, record.problems) == (False, ())


# 4. A server that stands still.


def test_a_standstill_shows_in_the_schedule_and_in_the_stalls_of_those_under_way():
    """A client that waits with sending would not see it: those behind are late from their plan."""
    options = FakeOptions(freeze_at_s=0.25, freeze_s=1.0)
    with FakeServer(options) as frozen:
        prompts = prompts_of(n_tokens=20, ttft_ms=50, gap_ms=20)
        run = load(frozen.url, offsets(0, 100, 200, 300, 400, 1400), prompts, duration_s=3)

    waits = [ttft_sched(record) for record in run.point.records]
    stalls = [stall_max_ms(record) for record in run.point.records]
    assert all(record.outcome is Outcome.OK for record in run.point.records)
    assert max(stall for stall in stalls[:2] if stall) >= 900
    assert waits[3] is not None
    assert waits[3] >= 900
    assert max(d for r in run.point.records if (d := sched_delay_ms(r)) is not None) < 900


# 5. Nothing in the client limits the load.


def test_two_hundred_requests_are_under_way_at_once():
    """The server answers nobody before it was asked by all: a limit of ours would be the end."""
    n_requests, waiting = 200, asyncio.Barrier(200)
    body = b"".join(tgi_stream("Hel", "lo"))
    recorder = Recorder()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await waiting.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + body)
        writer.close()

    async def main() -> PointRun:
        listening = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=n_requests)
        port = listening.sockets[0].getsockname()[1]
        endpoint = Endpoint.from_url(f"http://127.0.0.1:{port}/generate_stream")
        backend = RemoteBackend(RemoteOptions(endpoint=endpoint), observer=recorder)
        point = Point(name="x", load=offsets(*[k / 2 for k in range(n_requests)]), warmup_s=0.0)
        async with listening, aclosing(backend):
            return await attack(backend, point, prompts_of(), recorder, options=RAW)

    run = asyncio.run(asyncio.wait_for(main(), PATIENCE_S))

    assert [record.outcome for record in run.records] == [Outcome.OK] * n_requests
    assert run.client.n_connections == n_requests


def test_a_server_that_can_not_follow_does_not_hold_the_schedule_up():
    with FakeServer(FakeOptions(capacity=1)) as narrow:
        prompts = prompts_of(ttft_ms=100, n_tokens=1)
        run = load(narrow.url, offsets(*[20 * k for k in range(10)]), prompts, duration_s=1)

    sent_ms = [record.send_ns / MS for record in run.point.records]
    firsts = [t for record in run.point.records if (t := ttft_ms(record))]
    assert sent_ms[-1] - sent_ms[0] < 900  # answering them takes 1000
    assert firsts[-1] > firsts[0] + 300


def test_past_the_largest_number_requests_are_dropped_and_counted(server: FakeServer):
    plan = Open(
        rate=100,
        arrival="constant",
        offsets_ns=tuple(k * 10 * MS for k in range(10)),
        max_in_flight=3,
    )
    run = load(server.url, plan, prompts_of(ttft_ms=700), duration_s=1)

    assert (len(run.point.records), run.point.n_dropped) == (3, 7)
    assert [record.index for record in run.point.records] == [0, 1, 2]


def test_a_schedule_that_is_ended_by_number_ends_before_the_next_one_was_due(server: FakeServer):
    plan = offsets(*range(0, 1000, 50))
    run = load(server.url, plan, prompts_of(ttft_ms=20, gap_ms=5), n_requests=5)

    measured = [record.sched_ns for record in run.measured]
    due = [at for at in measured if at is not None]
    assert len(due) == 5
    assert due[-1] < run.point.end_ns < due[0] + 5 * 50 * MS


# 9. Each fault under its own name.


@pytest.mark.parametrize(
    ("fault", "outcome", "problems", "tgi_problems"),
    [
        (Fault.NONE, Outcome.OK, (), ()),
        (Fault.NO_DONE, Outcome.OK, ("no [DONE]",), ()),
        (Fault.NO_USAGE, Outcome.OK, ("no usage",), ("no usage",)),
        (Fault.DOUBLE_USAGE, Outcome.OK, ("double usage",), ()),
        (Fault.AFTER_DONE, Outcome.OK, ("data after [DONE]",), ("data after the end",)),
        (Fault.UTF8, Outcome.OK, ("invalid UTF-8",), ("invalid UTF-8",)),
        (Fault.GZIP, Outcome.OK, ("compressed (gzip)",), ("compressed (gzip)",)),
        (Fault.BURST, Outcome.OK, ("whole answer in one burst",), ("whole answer in one burst",)),
        (Fault.ERROR, Outcome.ERROR, ("error event in a 200",), ("error event in a 200",)),
        (Fault.NO_FINISH, Outcome.ERROR, ("no finish_reason",), ()),
        (Fault.CUT, Outcome.ERROR, (), ()),
        (Fault.BUSY, Outcome.BUSY, (), ()),
    ],
)
def test_each_fault_has_its_name(
    server: FakeServer,
    fault: Fault,
    outcome: Outcome,
    problems: tuple[str, ...],
    tgi_problems: tuple[str, ...],
):
    [prompt] = prompts_of(1, n_tokens=12, ttft_ms=100, gap_ms=20, fault=fault)
    [chat], [native] = asked(server.url, prompt, options=CHAT), asked(server.url, prompt)

    assert (chat.outcome, native.outcome) == (outcome, outcome)
    assert (chat.problems, native.problems) == (problems, tgi_problems)
    assert bool(chat.error) is (outcome is not Outcome.OK)


def test_what_came_before_a_fault_is_kept(server: FakeServer):
    [prompt] = prompts_of(1, n_tokens=12, fault=Fault.CUT)
    [record] = asked(server.url, prompt)

    assert (record.error, len(record.chunks)) == ("StreamBroken", 6)


def test_a_server_that_is_not_there_is_an_error_each_time():
    run = load(refusing_url() + "/generate_stream", Closed(2), prompts_of(), n_requests=4)

    assert {record.error for record in run.point.records} == {"ConnectionRefused"}
    assert len(run.measured) == 4


# 10. Warming up.


def test_a_slow_beginning_does_not_reach_what_is_measured():
    """As self-test 10 wants: measuring begins without a drain, and the first wave is not in it."""
    with FakeServer(FakeOptions(n_cold=4, cold_ms=500)) as cold:
        prompts = prompts_of(n_tokens=3, ttft_ms=20, gap_ms=5)
        run = load(cold.url, Closed(4), prompts, warmup_s=None, duration_s=0.5)

    before = [r for r in run.point.records if r.send_ns < run.point.warm_ns]
    slow = [r for r in run.point.records if (ttft_ms(r) or 0) >= 500]
    assert len(slow) == 4
    assert all(record in before for record in slow)
    assert len(run.measured) >= 4
    assert any(r.send_ns < run.point.warm_ns < r.end_ns for r in run.point.records)


def test_warming_up_does_not_wait_for_who_is_not_answered(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tgicli.bench.attack.MAX_S", 0.5)
    monkeypatch.setattr("tgicli.bench.attack.MIN_GRACE_S", 0.2)
    quick, hung = prompts_of(1)[0], prompts_of(1, ttft_ms=20_000)[0]
    began_s = time.perf_counter()

    run = load(server.url, Closed(2), [quick, hung], warmup_s=None, duration_s=0.2)

    assert time.perf_counter() - began_s < 10
    waited_ns = run.point.warm_ns - run.point.records[0].send_ns
    assert 400 * MS < waited_ns < 5 * SECOND  # the first request goes out a little late
    assert [record.outcome for record in run.point.records].count(Outcome.CUT) == 2


def test_the_first_request_of_each_user_is_tagged(server: FakeServer):
    run = load(server.url, Closed(4), prompts_of(ttft_ms=200), n_requests=12)

    tagged = [record.index for record in run.point.records if record.is_first_wave]
    assert tagged == [0, 1, 2, 3]
    assert len(run.point.records) >= 12


def test_neither_a_user_alone_nor_a_schedule_has_a_first_wave(server: FakeServer):
    alone = load(server.url, Closed(1), prompts_of(), n_requests=3)
    planned = load(server.url, offsets(0, 5, 10), prompts_of())

    records = [*alone.point.records, *planned.point.records]
    assert len(records) >= 6
    assert not any(record.is_first_wave for record in records)


def test_users_begin_one_after_the_other(server: FakeServer):
    run = load(server.url, Closed(10), prompts_of(ttft_ms=500), n_requests=10)

    sent_ms = [record.send_ns / MS for record in run.point.records]
    assert sent_ms[-1] - sent_ms[0] >= 170


# Beginning and end.


def test_what_was_sent_before_the_end_is_answered_and_nothing_later_is_recorded(server: FakeServer):
    run = load(server.url, Closed(3), prompts_of(ttft_ms=30), warmup_s=0.2, duration_s=0.5)

    records = run.point.records
    assert run.point.end_ns - run.point.warm_ns >= 0.5 * SECOND
    assert {record.outcome for record in records} == {Outcome.OK}
    assert all(record.send_ns <= run.point.end_ns + 20 * MS for record in records)


def test_so_many_requests_are_measured_as_were_asked_for(server: FakeServer):
    run = load(server.url, Closed(3), prompts_of(), warmup_s=None, n_requests=20)

    begun_ns = run.point.warm_ns - 5 * MS  # one may be decided on and not be sent yet
    assert len([r for r in run.point.records if r.send_ns >= begun_ns]) in range(20, 24)
    assert len(run.measured) in range(17, 21)


def test_who_takes_too_long_at_the_end_is_cut_and_recorded(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tgicli.bench.attack.MIN_GRACE_S", 0.2)
    slow = prompts_of(1, ttft_ms=10, gap_ms=5000)[0]
    run = load(server.url, offsets(0, 50), [*prompts_of(1), slow], duration_s=0.3)

    done, cut = run.point.records
    assert (done.outcome, cut.outcome) == (Outcome.OK, Outcome.CUT)
    assert (len(cut.chunks), cut.error) == (1, "")
    assert cut.end_ns >= run.point.end_ns


def test_whoever_stops_it_gets_what_was_measured(server: FakeServer):
    began_s = time.perf_counter()
    prompts = prompts_of(ttft_ms=100)
    run = load(server.url, Closed(2), prompts, duration_s=60, stop_when=lambda told: told.n_ok > 1)

    outcomes = [record.outcome for record in run.point.records]
    assert time.perf_counter() - began_s < PATIENCE_S
    assert Outcome.OK in outcomes
    assert outcomes.count(Outcome.CUT) <= 2


def test_stopped_while_warming_up_nothing_is_measured(server: FakeServer):
    prompts = prompts_of(ttft_ms=100)
    run = load(server.url, Closed(2), prompts, warmup_s=60, stop_when=lambda told: True)

    assert run.point.warm_ns == run.point.end_ns
    assert run.measured == []
    assert run.point.records


def test_a_schedule_that_is_through_ends_it(server: FakeServer):
    run = load(server.url, offsets(0, 10, 20), prompts_of(), warmup_s=None)

    assert len(run.point.records) == 3
    assert [record.sched_ns is not None for record in run.point.records] == [True] * 3


def test_a_schedule_that_ends_by_itself_is_measured_to_its_last_content(server: FakeServer):
    prompts = prompts_of(ttft_ms=200, n_tokens=4)

    run = load(server.url, offsets(0, 0, 0, 0), prompts)

    assert run.point.warm_ns <= run.point.records[0].send_ns
    assert run.point.end_ns == max(record.chunks[-1].at_ns for record in run.point.records)
    assert run.point.end_ns - run.point.warm_ns >= 200 * MS


def test_what_is_due_at_the_moment_of_being_warm_is_measured(server: FakeServer):
    plan = offsets(0, 0, 100, 100, 200, 200)

    run = load(server.url, plan, prompts_of(), warmup_s=0.1, n_requests=2)

    due_ns = [at for record in run.measured if (at := record.sched_ns) is not None]
    assert len(due_ns) == 2
    assert run.point.warm_ns == due_ns[0]
    assert run.point.end_ns - run.point.warm_ns == pytest.approx(100 * MS, abs=2)


def test_prompts_are_asked_again_when_there_are_no_more(server: FakeServer):
    run = load(server.url, Closed(1), prompts_of(3), n_requests=7)

    assert [record.index for record in run.point.records][:7] == [0, 1, 2, 0, 1, 2, 0]


def test_records_belong_to_their_point_side_and_block(server: FakeServer):
    options = AskOptions(chats=False, ignore_eos=False, point=3, side=1, block=2)
    [record] = asked(server.url, *prompts_of(1), options=options)

    assert (record.point, record.side, record.block) == (3, 1, 2)


def test_progress_tells_phases_and_counts(server: FakeServer):
    run = load(server.url, Closed(2), prompts_of(ttft_ms=40), warmup_s=0.4, duration_s=0.7)

    phases = [progress.phase for progress in run.progress]
    last = run.progress[-1]
    shares = [progress.share for progress in run.progress if progress.share is not None]
    assert phases[0] is Phase.WARMING
    assert Phase.MEASURING in phases
    assert shares == sorted(shares)
    assert last.n_ok > 0
    assert last.n_tokens >= 4 * last.n_ok
    assert all(ms >= 39 for progress in run.progress for ms in progress.ttft_ms)
    assert sum(len(progress.ttft_ms) for progress in run.progress) >= last.n_ok


def test_the_client_is_watched(server: FakeServer):
    run = load(server.url, Closed(2), prompts_of(ttft_ms=100), duration_s=0.5)

    client = run.point.client
    assert client.cpu_share > 0
    assert client.lag_p99_ms > 0
    assert client.n_connections == 1  # the other one has been made before
    assert sum(client.per_second_tokens) == sum(r.n_tokens for r in run.point.records)
    assert gc.isenabled()


Generate = Callable[[GenerationRequest], AsyncGenerator[Event, None]]
FINISH = Finish(
    tokens=(Token(1, "a"),),
    reason=FinishReason.LENGTH,
    n_prompt_tokens=3,
    n_cached_tokens=0,
    n_generated_tokens=1,
    seed=None,
)


@dataclass
class Bare:
    """A backend that knows no observers, and can do nothing but generate."""

    generate: Generate


def bare(generate: Generate) -> Backend:
    backend: Any = Bare(generate)
    found: Backend = backend
    return found


def test_a_backend_without_observers_is_measured_too():
    async def generate(request: GenerationRequest) -> AsyncGenerator[Event, None]:
        yield Accepted(0, 3)
        await asyncio.sleep(0.02)
        yield FINISH

    async def main() -> PointRun:
        point = Point(name="x", load=Closed(2), warmup_s=0.0, n_requests=6)
        return await attack(bare(generate), point, prompts_of(), Recorder(), options=RAW)

    run = asyncio.run(main())

    assert {record.token_source for record in run.records} == {TokenSource.ENGINE}
    assert all((ttft_ms(record) or 0) >= 19 for record in run.records)


def test_who_is_sent_late_is_counted_and_recorded_even_after_the_end():
    async def generate(request: GenerationRequest) -> AsyncGenerator[Event, None]:
        if request.prompt == "first":
            time.sleep(0.3)  # when the others are due, and the end is
        yield FINISH

    async def main() -> PointRun:
        point = Point(name="x", load=offsets(0, 100, 110), warmup_s=0.0, duration_s=0.15)
        prompts = [Prompt(prompt="first", max_new_tokens=1), *prompts_of(2)]
        return await attack(bare(generate), point, prompts, Recorder(), options=RAW)

    run = asyncio.run(main())

    assert [record.index for record in run.records] == [0, 1, 2]
    assert run.n_late >= 2
    assert (sched_delay_ms(run.records[1]) or 0) > 150
    assert run.client.lag_max_ms >= 200


def test_a_fault_of_ours_is_not_a_record():
    async def generate(request: GenerationRequest) -> AsyncGenerator[Event, None]:
        raise ZeroDivisionError
        yield

    async def main() -> None:
        point = Point(name="x", load=Closed(2), n_requests=6)
        await attack(bare(generate), point, prompts_of(), Recorder(), options=RAW)

    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(main())

    assert raised.group_contains(ZeroDivisionError)
    assert gc.isenabled()


def test_a_model_in_this_process_is_measured(tiny_model: Path):
    async def main() -> PointRun:
        async with local(tiny_model) as backend:
            point = Point(name="x", load=Closed(2), warmup_s=0.0, n_requests=4)
            prompts = [Prompt(prompt=f"{k} Hello", max_new_tokens=5) for k in range(20)]
            options = AskOptions(chats=True)
            return await attack(backend, point, prompts, Recorder(), options=options)

    run = asyncio.run(main())

    assert {record.outcome for record in run.records} == {Outcome.OK}
    assert {(r.n_tokens, sum(c.n_tokens for c in r.chunks) <= 5) for r in run.records} == {
        (5, True)
    }
    assert {record.token_source for record in run.records} == {TokenSource.ENGINE}
