"""The engine over a runner that counts up: its promises under arrivals, aborts and failures."""

from __future__ import annotations

import threading
from collections.abc import Sequence as ReadOnlyList
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.fakes import FakeClock, FakeRunner, sequence
from tgicli.core import Delta, Finish, FinishReason, Progress
from tgicli.engine.engine import Emitted, Engine
from tgicli.engine.lanes import LaneEdit
from tgicli.engine.scheduler import Result, Row
from tgicli.engine.sequence import Sequence
from tgicli.errors import DecodeFailed, TgicliError


class Driven:
    """An engine stepped by hand, and what each request got."""

    def __init__(self, runner: FakeRunner) -> None:
        self.runner = runner
        self.clock = FakeClock()
        self.engine = Engine(
            runner,
            lambda emitted: None,
            prompt_tokens_beside_decodes=8,
            clock=self.clock,
        )
        self.events: dict[str, list[object]] = {}

    def submit(self, *sequences: Sequence) -> None:
        for item in sequences:
            self.events[item.request_id] = []
            self.engine.submit(item)
        self.engine._read_inbox(block=False)

    def abort(self, name: str) -> None:
        self.engine.abort(name)
        self.engine._read_inbox(block=False)

    def step(self) -> list[Emitted]:
        emitted = list(chain.from_iterable(self.engine.step()))
        for item in emitted:
            self.events[item.request_id].append(item.event)
        return emitted

    def run(self) -> None:
        """Step until nothing is left; a bound catches an engine that never ends."""
        for _ in range(2_000):
            if not self.engine._scheduler.has_work:
                return
            self.step()
        raise AssertionError("the engine does not come to an end")

    def text(self, name: str) -> str:
        return "".join(e.text for e in self.events[name] if isinstance(e, Delta | Finish))

    def last(self, name: str) -> object:
        return self.events[name][-1]


def counted(last_prompt_token: int, count: int) -> str:
    """Return what FakeRunner answers."""
    return "".join(f"[{last_prompt_token + i}]" for i in range(1, count + 1))


def test_a_stream_is_progress_then_deltas_then_finish() -> None:
    driven = Driven(FakeRunner(n_batch=8))

    driven.submit(sequence(20, name="a", max_new_tokens=3))
    driven.run()

    kinds = [type(event) for event in driven.events["a"]]
    assert kinds == [Progress, Progress, Delta, Delta, Finish]
    assert driven.events["a"][0] == Progress(8, 20)
    assert driven.text("a") == counted(1_019, 3)


def test_finish_reports_lengths_times_and_cached_tokens() -> None:
    driven = Driven(FakeRunner(n_lanes=2))
    driven.submit(sequence(20, name="a", max_new_tokens=2))
    driven.run()
    driven.submit(sequence(30, name="b", max_new_tokens=2))
    driven.clock.advance(1.5)

    driven.run()

    finish = driven.last("b")
    assert isinstance(finish, Finish)
    assert finish.reason is FinishReason.LENGTH
    assert finish.n_prompt_tokens == 30
    assert finish.n_cached_tokens == 21  # the first prompt, and the token that continued it
    assert finish.n_generated_tokens == 2
    assert finish.queue_s == 1.5
    assert finish.seed is None


def test_eight_requests_with_a_common_prefix_compute_it_once() -> None:
    driven = Driven(FakeRunner(n_lanes=8))

    driven.submit(*(sequence([*range(450), 5_000 + i], name=f"r{i}") for i in range(8)))
    driven.run()

    assert driven.runner.n_computed < 450 + 8 * 20
    assert [driven.text(f"r{i}") for i in range(8)] == [counted(5_000 + i, 4) for i in range(8)]


def test_who_waits_for_a_common_prefix_hears_at_once_that_the_wait_in_the_queue_is_over() -> None:
    driven = Driven(FakeRunner(n_lanes=2))

    driven.submit(*(sequence([*range(450), 5_000 + i], name=f"r{i}") for i in range(3)))
    driven.step()

    assert driven.events["r1"] == driven.events["r2"] == [Progress(0, 451)]


def test_a_cancel_on_its_way_is_no_waiting_request() -> None:
    engine = Driven(FakeRunner()).engine

    engine.submit(sequence(5, name="a"))
    engine.abort("a")
    engine.abort("gone")

    assert engine.n_waiting == 1


def test_with_reuse_off_each_computes_its_own_prompt() -> None:
    driven = Driven(FakeRunner(n_lanes=8, prefix_reuse=False))

    driven.submit(*(sequence([*range(100), 5_000 + i], name=f"r{i}") for i in range(8)))
    driven.run()

    assert driven.runner.n_computed >= 8 * 100


def test_a_memory_that_cannot_be_trimmed_is_never_reused() -> None:
    driven = Driven(FakeRunner(n_lanes=2, can_trim=False))

    driven.submit(sequence(20, name="a"))
    driven.run()
    driven.submit(sequence(20, name="b"))
    driven.run()

    finish = driven.last("b")
    assert isinstance(finish, Finish)
    assert finish.n_cached_tokens == 0
    assert driven.text("b") == counted(1_019, 4)


def has(name: str):
    """Return a predicate: the batch has a row of this request."""

    def fails(rows: ReadOnlyList[Row]) -> bool:
        return any(row.sequence.request_id == name for row in rows)

    return fails


@pytest.mark.parametrize("can_trim", [True, False])
def test_a_failed_decode_ends_the_sequence_it_must_and_no_other(can_trim: bool) -> None:
    driven = Driven(FakeRunner(fails=has("bad"), can_trim=can_trim))

    driven.submit(*(sequence(5 + i, name=name) for i, name in enumerate(["a", "bad", "b"])))
    driven.run()

    assert isinstance(driven.last("bad"), DecodeFailed)
    assert [driven.text("a"), driven.text("b")] == [counted(1_004, 4), counted(1_006, 4)]


def test_a_batch_that_fails_only_as_a_whole_ends_nobody() -> None:
    driven = Driven(FakeRunner(fails=lambda rows: len(rows) > 1))

    driven.submit(*(sequence(5 + i, name=f"r{i}") for i in range(3)))
    driven.run()

    assert all(isinstance(driven.last(f"r{i}"), Finish) for i in range(3))


def test_the_worst_step_is_one_that_a_reader_waited_for() -> None:
    clock = FakeClock()

    class Slow(FakeRunner):
        def run(self, rows: ReadOnlyList[Row]) -> list[Result]:
            clock.advance(sum(row.count for row in rows))
            return super().run(rows)

    engine = Engine(
        Slow(prefix_reuse=False),
        lambda items: None,
        prompt_tokens_beside_decodes=8,
        clock=clock,
    )
    engine.submit(sequence(50, name="chatting", max_new_tokens=10))
    engine._read_inbox(block=False)
    list(engine.step())  # 50 s of a prompt, which nobody waits for
    list(engine.step())
    assert engine.counters.worst_step_s == 1

    engine.submit(sequence(40, name="prompt"))
    engine._read_inbox(block=False)
    list(engine.step())

    assert engine.counters.worst_step_s == 1 + 8


def test_batches_are_counted_by_what_they_compute() -> None:
    clock = FakeClock()

    class Timed(FakeRunner):
        def run(self, rows: ReadOnlyList[Row]) -> list[Result]:
            self.decode_s += 2.0 * len(rows)
            clock.advance(3.0 * len(rows))
            return super().run(rows)

    engine = Engine(Timed(n_batch=32), lambda items: None, clock=clock)
    for name in ("a", "b"):  # of each one chunk, then three tokens together
        engine.submit(sequence(10, name=name, max_new_tokens=4))
    engine._read_inbox(block=False)
    assert engine.n_reserved_tokens == 0
    list(engine.step())
    assert engine.n_reserved_tokens == 28
    while engine._scheduler.has_work:
        list(engine.step())

    prefill, decode = engine.counters.prefill.stats(), engine.counters.decode.stats()
    assert (sum(prefill.whole.counts), sum(decode.whole.counts)) == (2, 3)
    assert (prefill.whole.sum_s, decode.whole.sum_s) == (6.0, 18.0)
    assert (prefill.forward.sum_s, decode.forward.sum_s) == (4.0, 12.0)
    assert engine.n_reserved_tokens == 0


def test_batches_that_fail_are_counted_and_what_is_computed_again_is_too() -> None:
    driven = Driven(FakeRunner(fails=lambda rows: len(rows) > 1))
    driven.submit(*(sequence(5 + i, name=f"r{i}", max_new_tokens=2) for i in range(3)))

    driven.run()

    prefill, decode = (
        driven.engine.counters.prefill.stats(),
        driven.engine.counters.decode.stats(),
    )
    assert (prefill.n_failed, sum(prefill.whole.counts)) == (0, 3)
    assert (decode.n_failed, sum(decode.whole.counts)) == (1, 3)


def test_a_prompt_that_fails_is_counted_as_one() -> None:
    driven = Driven(FakeRunner(fails=has("bad")))
    driven.submit(sequence(5, name="bad"))

    driven.run()

    assert driven.engine.counters.prefill.stats().n_failed == 1


def test_what_a_batch_brought_is_told_before_the_next_is_computed() -> None:
    driven = Driven(FakeRunner())
    driven.submit(sequence(5, name="chatting", max_new_tokens=100))
    driven.step()
    driven.submit(sequence(50, name="prompt"))

    step = driven.engine.step()
    told = [item.request_id for item in next(step)]
    driven.engine.abort("prompt")

    assert told == ["prompt"]
    assert [item.request_id for batch in step for item in batch] == ["chatting"]


def test_a_cancelled_request_gets_nothing_more_and_its_lane_is_free() -> None:
    driven = Driven(FakeRunner(n_lanes=1))
    driven.submit(sequence(5, name="gone", max_new_tokens=100), sequence(6, name="next"))
    driven.step()

    driven.abort("gone")
    driven.run()

    assert not any(isinstance(event, Finish) for event in driven.events["gone"])
    assert driven.text("next") == counted(1_005, 4)
    assert sorted(driven.runner.forgotten) == ["gone", "next"]


def test_a_first_token_comes_before_the_others_next_ones_and_its_second_one_with_them() -> None:
    driven = Driven(FakeRunner(n_lanes=2))
    driven.submit(sequence(5, name="old", max_new_tokens=50))
    driven.step()
    driven.step()
    n_before = len(driven.runner.batches)

    driven.submit(sequence([7, 8, 9], name="new", max_new_tokens=50))
    emitted = driven.step()

    assert [item.request_id for item in emitted] == ["new", "old", "new"]
    assert driven.runner.batches[n_before:] == [[(1, 3)], [(0, 1), (1, 1)]]


def test_a_prompt_whose_first_token_is_its_last_is_not_decoded() -> None:
    driven = Driven(FakeRunner(n_lanes=2))
    driven.submit(sequence(5, name="old", max_new_tokens=50))
    driven.step()
    n_before = len(driven.runner.batches)

    driven.submit(sequence([7, 8, 9], name="brief", max_new_tokens=1))
    driven.step()

    assert driven.runner.batches[n_before:] == [[(1, 3)], [(0, 1)]]


def test_a_bug_ends_every_stream_with_the_reason() -> None:
    class Broken(FakeRunner):
        def forget(self, sequence: Sequence) -> None:
            raise ZeroDivisionError("a bug")

    emitted: list[Emitted] = []
    arrived = threading.Semaphore(0)

    def emit(items: list[Emitted]) -> None:
        emitted.extend(items)
        arrived.release()

    engine = Engine(Broken(), emit)
    engine.submit(sequence(5, name="a", max_new_tokens=1))
    engine.submit(sequence(5, name="b", max_new_tokens=50))
    engine.start()
    assert arrived.acquire(timeout=10)
    engine.submit(sequence(5, name="late"))
    while not any(item.request_id == "late" for item in emitted):
        assert arrived.acquire(timeout=10)
    engine.close()

    errors = {
        item.request_id: item.event for item in emitted if isinstance(item.event, TgicliError)
    }
    assert set(errors) >= {"b", "late"}
    assert "a bug" in str(errors["late"])


def test_readers_hear_of_a_batch_when_the_next_one_is_computed_or_a_lane_is_copied() -> None:
    journal: list[str] = []
    is_over = threading.Event()

    class Noting(FakeRunner):
        def edit_lane(self, edit: LaneEdit) -> int:
            journal.append("edit a lane")
            return super().edit_lane(edit)

        def run(self, rows: ReadOnlyList[Row]) -> list[Result]:
            journal.append("compute")
            return super().run(rows)

    def emit(items: list[Emitted]) -> None:
        journal.extend(f"{type(item.event).__name__} of {item.request_id}" for item in items)
        if "Finish of b" in journal:
            is_over.set()

    engine = Engine(Noting(n_lanes=1), emit)
    schedule = engine._scheduler.schedule

    def noted() -> list[Row]:
        journal.append("schedule")
        return schedule()

    engine._scheduler.schedule = noted  # type: ignore[method-assign]
    engine.submit(sequence(5, name="a", max_new_tokens=2))
    engine.submit(sequence([7, 8, 9], name="b", max_new_tokens=1))
    engine.start()
    assert is_over.wait(10), "the last batch's end was kept back"
    engine.close()

    first = ["edit a lane", "schedule", "compute"]
    second = ["schedule", "Delta of a", "compute"]  # nobody is woken while Python is at work
    third = ["Finish of a", "edit a lane", "schedule", "compute"]
    assert journal == [*first, *second, *third, "Finish of b"]


class UnderLoad(RuleBasedStateMachine):
    """Random arrivals, aborts, failures and steps, in any order."""

    @initialize(
        n_lanes=st.integers(1, 5),
        n_batch=st.integers(5, 40),
        trims=st.booleans(),
        max_saved=st.sampled_from([0, 0, 100]),
    )
    def start(self, n_lanes: int, n_batch: int, trims: bool, max_saved: int) -> None:
        self.bad: set[str] = set()
        self.whole = False
        self.leaving: int | None = None  # who goes while a batch is computed
        runner = FakeRunner(
            n_lanes, n_batch=n_batch, can_trim=trims, max_saved_tokens=max_saved, fails=self.fails
        )
        self.driven = Driven(runner)
        self.asked: dict[str, Sequence] = {}
        self.aborted: set[str] = set()

    def fails(self, rows: ReadOnlyList[Row]) -> bool:
        if self.leaving is not None:
            there = self.driven.engine._scheduler.sequences
            name = there[self.leaving % len(there)].request_id
            self.leaving = None
            self.aborted.add(name)
            self.driven.engine.abort(name)
        return (self.whole and len(rows) > 1) or any(
            row.sequence.request_id in self.bad for row in rows
        )

    @rule(
        n_shared=st.integers(0, 60),
        n_own=st.integers(1, 30),
        n_new=st.integers(1, 12),
        bad=st.booleans(),
        adapter=st.sampled_from([None, None, "red", "blue"]),
        is_turn=st.booleans(),
    )
    def arrive(
        self,
        n_shared: int,
        n_own: int,
        n_new: int,
        bad: bool,
        adapter: str | None,
        is_turn: bool,
    ) -> None:
        name = f"r{len(self.asked)}"
        own = 10_000 * (len(self.asked) + 1)
        token_ids = [*range(1, n_shared + 1), *range(own, own + n_own)]
        self.asked[name] = sequence(
            token_ids, name=name, max_new_tokens=n_new, adapter=adapter, is_turn=is_turn
        )
        if bad and len(self.asked) % 3 == 0:
            self.bad.add(name)
        self.driven.submit(self.asked[name])

    @rule(index=st.integers(0, 100))
    def leave(self, index: int) -> None:
        if self.asked:
            name = sorted(self.asked)[index % len(self.asked)]
            if not self.ended(name):
                self.aborted.add(name)
            self.driven.abort(name)

    @rule(index=st.integers(0, 100))
    def leave_while_a_batch_is_computed(self, index: int) -> None:
        self.leaving = index

    @rule(whole=st.booleans())
    def change_weather(self, whole: bool) -> None:
        self.whole = whole

    @rule()
    def step(self) -> None:
        n_before = len(self.driven.runner.batches)
        decoding = [
            s.request_id
            for s in self.driven.engine._scheduler.running
            if not s.is_prefilling and s.n_pending == 1
        ]
        emitted = {item.request_id for item in self.driven.step()}
        batches = self.driven.runner.batches[n_before:]
        assert all(
            sum(count for _, count in batch) <= self.driven.runner.n_batch for batch in batches
        )
        assert emitted >= set(decoding) - self.aborted, "a decode was left out of a step"

    def ended(self, name: str) -> bool:
        return any(isinstance(e, Finish | DecodeFailed) for e in self.driven.events[name])

    @invariant()
    def a_lane_has_one_owner_and_holds_what_it_says(self) -> None:
        if not hasattr(self, "driven"):
            return
        scheduler = self.driven.engine._scheduler
        lanes = [s.lane for s in scheduler.running]
        assert len(set(lanes)) == len(lanes)
        assert None not in lanes
        for lane in scheduler._lanes.lanes:
            cells = self.driven.runner.cells[lane.index]
            assert cells[: len(lane.token_ids)] == lane.token_ids

    def teardown(self) -> None:
        if not hasattr(self, "driven"):
            return
        self.driven.run()
        for name, asked in self.asked.items():
            ends = [e for e in self.driven.events[name] if isinstance(e, Finish | DecodeFailed)]
            assert len(ends) == (name not in self.aborted)
            if name not in self.bad | self.aborted:
                assert self.driven.text(name) == counted(
                    asked.token_ids[asked.n_prompt - 1], asked.max_new_tokens
                )


TestUnderLoad = UnderLoad.TestCase
TestUnderLoad.settings = settings(max_examples=150, deadline=None, stateful_step_count=40)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(1, 4))
def test_everybody_gets_an_answer_whatever_the_lengths(lengths: list[int], n_lanes: int) -> None:
    driven = Driven(FakeRunner(n_lanes, n_batch=16))

    driven.submit(*(sequence(n, name=f"r{i}", max_new_tokens=3) for i, n in enumerate(lengths)))
    driven.run()

    assert [driven.text(f"r{i}") for i in range(len(lengths))] == [
        counted(999 + n, 3) for n in lengths
    ]


def test_a_lone_decode_is_computed_in_company_while_a_prompt_is_there() -> None:
    driven = Driven(FakeRunner(n_lanes=2))
    driven.submit(sequence(5, name="a", max_new_tokens=30))
    driven.step()
    driven.submit(sequence(20, name="b"))

    driven.step()

    assert driven.runner.batches[-2:] == [[(1, 7)], [(0, 1), (1, 1)]]


def test_a_prompt_between_decodes_gives_them_a_token_to_fill_its_gap() -> None:
    driven = Driven(FakeRunner(n_lanes=3))
    lengths = {"a": 30, "gone": 1, "c": 30}
    driven.submit(*(sequence(5, name=name, max_new_tokens=n) for name, n in lengths.items()))
    driven.step()
    driven.submit(sequence(20, name="b"))

    driven.step()

    assert driven.runner.batches[-2:] == [[(1, 7)], [(0, 1), (1, 1), (2, 1)]]


def test_each_adapter_is_computed_by_itself_and_the_last_one_first() -> None:
    driven = Driven(FakeRunner(n_lanes=4))
    driven.submit(
        *(sequence(3, name=f"{a}{i}", adapter=a) for i in range(2) for a in (None, "red"))
    )
    driven.step()

    driven.step()
    driven.step()

    assert driven.runner.adapters[-4:] == ["red", None, None, "red"]
    assert driven.runner.batches[-1] == [(2, 1), (3, 1)]


@pytest.mark.parametrize("n_prompt", [3, 30])
def test_a_cancel_during_one_adapter_s_batch_is_heard_before_the_next(n_prompt: int) -> None:
    driven = Driven(FakeRunner(n_lanes=4))
    driven.submit(sequence(n_prompt, name="gone"), sequence(3, name="red", adapter="red"))
    driven.step()  # the next begins with the adapter that this one ended with
    n_events = len(driven.events["gone"])

    driven.engine.abort("gone")  # read when the first batch is done
    driven.run()

    assert isinstance(driven.last("red"), Finish)
    assert len(driven.events["gone"]) == n_events


@pytest.mark.parametrize("gone", ["decoding", "prompt"])
def test_a_cancel_during_one_adapter_s_batch_leaves_those_of_another_one(gone: str) -> None:
    driven = Driven(FakeRunner(n_lanes=4))
    driven.submit(*(sequence(3, name=name, max_new_tokens=9) for name in ("decoding", "other")))
    driven.submit(sequence(3, name="first", max_new_tokens=9, adapter="red"))
    driven.step()
    driven.engine._adapter = "red"
    driven.submit(sequence(20, name="prompt"))

    step = driven.engine.step()
    assert [item.request_id for item in next(step)] == ["first"]
    driven.abort(gone)
    told = [item.request_id for batch in step for item in batch]
    driven.run()

    assert gone not in told
    assert "other" in told
    assert driven.text("other").endswith(counted(1_004, 7))


def test_a_lone_decode_takes_along_no_token_of_another_adapter() -> None:
    driven = Driven(FakeRunner(n_lanes=2))
    driven.submit(sequence(5, name="a", max_new_tokens=30))
    driven.step()
    driven.submit(sequence(20, name="b", adapter="red"))

    driven.step()

    assert driven.runner.batches[-2:] == [[(0, 1)], [(1, 8)]]
