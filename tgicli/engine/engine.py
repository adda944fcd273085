"""The thread that computes: inbox, step, emit.

Two doors lead to it and nothing else crosses: `submit` and `abort` put into the inbox from any
thread; `emit` is called on the engine thread with what a step brought. Between them no locks: the
scheduler, the lanes, the sequences and the runner belong to this thread alone. It blocks only in
llama_decode and on an empty inbox; never on a reader.

Invariants
    every submitted sequence ends with exactly one Finish or error, unless it is aborted
    an abort is heard within one step, and beats the token that was being computed
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from collections.abc import Sequence as ReadOnlyList
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Protocol

from tgicli.core import Delta, Event, Finish, Progress, Token
from tgicli.engine.batches import apart, by_adapter, is_held, with_begun
from tgicli.engine.chunks import Cut
from tgicli.engine.lanes import LaneEdit, LanePool
from tgicli.engine.pace import Pace
from tgicli.engine.scheduler import Output, Result, Row, Scheduler
from tgicli.engine.sequence import Sequence
from tgicli.engine.tally import BatchTally
from tgicli.errors import DecodeFailed, StreamBroken, TgicliError


class ModelRunner(Protocol):
    """What computes the rows: llama.cpp, or a counter in tests."""

    n_lanes: int
    n_ctx: int
    n_batch: int  # tokens in one run at most
    max_saved_tokens: int  # that may be kept in RAM besides the lanes'
    reuses_prefixes: bool
    cut: Cut  # where a prompt may be cut
    decode_s: float  # spent in llama_decode

    def edit_lane(self, edit: LaneEdit) -> int: ...
    def run(self, rows: ReadOnlyList[Row]) -> list[Result]: ...
    def forget(self, sequence: Sequence) -> None: ...
    def prompt_tokens(self, sequence: Sequence) -> tuple[Token, ...]: ...


@dataclass(frozen=True, slots=True)
class Emitted:
    """One event, or the error that ends its stream, on its way to a reader."""

    request_id: str
    event: Event | TgicliError


@dataclass(slots=True, eq=False)
class Counters:
    """What an engine has done. Written by its thread; read by any."""

    steps_s: float = 0.0
    worst_step_s: float = 0.0  # of those in which somebody waited for a next token
    n_prompt_tokens: int = 0
    n_cached_tokens: int = 0
    prefill: BatchTally = field(default_factory=BatchTally)  # batches of one prompt's chunk each
    decode: BatchTally = field(default_factory=BatchTally)


@dataclass(frozen=True, slots=True)
class _Abort:
    request_id: str


@dataclass(frozen=True, slots=True)
class _Stop:
    pass


class Engine:
    """Continuous batching over one ModelRunner."""

    def __init__(
        self,
        runner: ModelRunner,
        emit: Callable[[list[Emitted]], None],
        *,
        prompt_tokens_beside_decodes: int | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Wire the parts; nothing runs until start().

        prompt_tokens_beside_decodes fixes what is otherwise learned from the steps' durations.
        """
        self.runner = runner
        self.heartbeat_s = clock()  # of its last round; inf: it waits for work; -inf: it has ended
        self.counters = Counters()
        self._pace = Pace(max_tokens=runner.n_batch, fixed_tokens=prompt_tokens_beside_decodes)
        self._scheduler = Scheduler(
            LanePool(
                runner.n_lanes,
                n_cells=runner.n_ctx,
                reuse=runner.reuses_prefixes,
                max_saved_tokens=runner.max_saved_tokens,
            ),
            self._pace,
            token_budget=runner.n_batch,
            cut=runner.cut,
        )
        self._adapter: str | None = None  # of the last batch
        self._emit = emit
        self._clock = clock
        self._inbox: SimpleQueue[Sequence | _Abort | _Stop] = SimpleQueue()
        self._arriving: set[Sequence] = set()  # those in the inbox
        self._outbox: list[Emitted] = []  # what is ready for the readers
        self._thread = threading.Thread(target=self._loop, name="engine", daemon=True)

    @property
    def n_waiting(self) -> int:
        """Sequences without a lane. From any thread."""
        return len(self._arriving) + len(self._scheduler.waiting)

    @property
    def n_running(self) -> int:
        """Sequences with a lane. From any thread."""
        return len(self._scheduler.running)

    @property
    def n_reserved_tokens(self) -> int:
        """Tokens that the running sequences may hold at most. From any thread."""
        return sum(s.n_prompt + s.max_new_tokens for s in tuple(self._scheduler.running))

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, sequence: Sequence) -> None:
        """Queue a sequence. From any thread."""
        sequence.submitted_s = self._clock()
        self._arriving.add(sequence)
        self._inbox.put(sequence)

    def abort(self, request_id: str) -> None:
        """End a sequence within a step; no-op if it has ended. From any thread."""
        self._inbox.put(_Abort(request_id))

    def close(self) -> None:
        """Stop after the current step, and wait for the thread; what waits or runs ends broken."""
        self._inbox.put(_Stop())
        self._thread.join()

    def _loop(self) -> None:
        refusal: TgicliError = StreamBroken("the model was closed before the answer's end")
        try:
            while self._read_inbox(block=not self._scheduler.has_work):
                for emitted in self.step():
                    self._outbox += emitted
                if not self._scheduler.has_work:
                    self._hand_out()
        except Exception as error:  # a bug of ours: nobody may wait for ever
            refusal = TgicliError(f"the engine stopped: {error!r}")
            refusal.__cause__ = error
        self.heartbeat_s = -math.inf
        self._refuse_all(refusal)

    def _hand_out(self) -> None:
        """Give the readers what is ready: one hop per batch, not per token."""
        if self._outbox:
            ready, self._outbox = self._outbox, []
            self._emit(ready)

    def _refuse_all(self, refusal: TgicliError) -> None:
        """End every sequence, those to come until close() as well."""
        self._hand_out()
        self._emit([Emitted(s.request_id, refusal) for s in self._scheduler.sequences])
        while not isinstance(item := self._inbox.get(), _Stop):
            if isinstance(item, Sequence):
                self._emit([Emitted(item.request_id, refusal)])

    def _read_inbox(self, *, block: bool) -> bool:
        """Take in what has arrived, one item at least with block; False when it is to stop."""
        self.heartbeat_s = math.inf if block else self._clock()
        while block or not self._inbox.empty():  # nobody else takes anything out
            item = self._inbox.get()
            if block:
                self.heartbeat_s = self._clock()
                block = False
            if not self._take_in(item):
                return False
        return True

    def _take_in(self, item: Sequence | _Abort | _Stop) -> bool:
        match item:
            case Sequence():
                self._scheduler.add(item)
                self._arriving.discard(item)
            case _Abort(request_id):
                if sequence := self._scheduler.abort(request_id):
                    self.runner.forget(sequence)
            case _Stop():
                self._inbox.put(item)  # for whoever reads next: a step may have taken it in
                return False
        return True

    def step(self) -> Iterator[list[Emitted]]:
        """Compute what the scheduler wants next; yield what each batch of it brought, at once."""
        for edit in self._scheduler.admit():
            self._hand_out()  # a copy may take long
            self._scheduler.place(edit, n_kept=self.runner.edit_lane(edit))
        if followers := self._scheduler.take_followers():  # another one's tokens are theirs, too
            yield [Emitted(s.request_id, Progress(0, s.n_prompt)) for s in followers]
        rows = self._scheduler.schedule()
        if not rows:  # e.g. woken by an abort only
            return
        started_s = self._clock()
        somebody_waits = any(row.is_decode for row in rows)
        for computed in self._compute(rows):
            self._read_inbox(block=False)  # an abort during decode must win over its own token
            outputs = self._scheduler.update(computed)
            if emitted := [item for out in outputs for item in self._to_emitted(out, started_s)]:
                yield emitted
        self._count_step(self._clock() - started_s, somebody_waited=somebody_waits)

    def _count_step(self, elapsed_s: float, *, somebody_waited: bool) -> None:
        counters = self.counters
        counters.steps_s += elapsed_s
        if somebody_waited:
            counters.worst_step_s = max(counters.worst_step_s, elapsed_s)

    def _compute(self, rows: list[Row]) -> Iterator[list[tuple[Row, Result]]]:
        """Run the rows, batch by batch; yield their results.

        Each adapter's rows go by themselves: each prompt's chunk in a batch of its own, then the
        decodes in one, those of answers that have just begun among them. The last step's last
        adapter comes first, because a switch costs something.
        """
        decodes_s = 0.0
        for adapter, group in by_adapter(rows, first=self._adapter):
            self._adapter = adapter
            chunks, together = apart([row for row in group if is_held(row)])
            for row in chunks:
                if is_held(row):
                    yield [self._compute_chunk(row)]
            if decodes := with_begun(together, chunks):
                began_s = self._clock()
                decoded = self._compute_decodes(decodes)
                decodes_s += self._clock() - began_s
                yield decoded
        if decodes_s:
            self._pace.observe_decodes(decodes_s)

    def _run(self, rows: ReadOnlyList[Row], tally: BatchTally) -> list[Result]:
        """Run a batch, and count it; what the last one brought goes out just before.

        Who hears of it earlier wakes up only to wait for the interpreter, which this thread holds
        until llama.cpp computes.
        """
        self._hand_out()
        began_s, decode_s = self._clock(), self.runner.decode_s
        try:
            results = self.runner.run(rows)
        except DecodeFailed:
            tally.failed()
            raise
        tally.computed(self._clock() - began_s, forward_s=self.runner.decode_s - decode_s)
        return results

    def _compute_decodes(self, rows: list[Row]) -> list[tuple[Row, Result]]:
        """Run the rows; when that fails, each alone, so that a failure ends only whose it is."""
        try:
            return list(zip(rows, self._run(rows, self.counters.decode), strict=True))
        except DecodeFailed as error:
            if len(rows) == 1:
                return [(rows[0], error)]
            return [(row, self._compute_alone(row)) for row in rows]

    def _compute_chunk(self, row: Row) -> tuple[Row, Result]:
        """Run one chunk of a prompt."""
        began_s = self._clock()
        try:
            (result,) = self._run([row], self.counters.prefill)
        except DecodeFailed as error:
            return row, error
        self._pace.observe_chunk(row.count, self._clock() - began_s)
        return row, result

    def _compute_alone(self, row: Row) -> Result:
        """Run one row of a failed batch again, from where its lane can be rolled back to."""
        sequence, result = row.sequence, None
        lane, end = sequence.lane, row.start + row.count
        assert lane is not None
        start = self.runner.edit_lane(LaneEdit(lane, lane, row.start))
        try:
            while start < end:
                again = self._scheduler.chunk(sequence, start, end, self.runner.n_batch)
                (result,) = self._run([again], self.counters.decode)
                start += again.count
        except DecodeFailed as error:
            return error
        return result

    def _to_emitted(self, output: Output, started_s: float) -> Iterator[Emitted]:
        sequence = output.sequence
        if sequence.started_s is None:
            sequence.started_s = started_s
            self.counters.n_prompt_tokens += sequence.n_prompt
            self.counters.n_cached_tokens += sequence.n_cached
        if output.error is not None or sequence.finish_reason is not None:
            self.runner.forget(sequence)
        if output.error is not None:
            yield Emitted(sequence.request_id, output.error)
            return
        if sequence.is_prefilling:
            yield Emitted(sequence.request_id, Progress(sequence.n_computed, sequence.n_prompt))
            return
        if sequence.first_token_s is None:
            sequence.first_token_s = self._clock()
        if sequence.finish_reason is not None:
            yield Emitted(sequence.request_id, self._finish(sequence, output.tokens))
        elif output.tokens:
            yield Emitted(sequence.request_id, Delta(output.tokens))

    def _finish(self, sequence: Sequence, tokens: tuple[Token, ...]) -> Finish:
        reason, started_s, first_s = (
            sequence.finish_reason,
            sequence.started_s,
            sequence.first_token_s,
        )
        assert reason is not None
        assert started_s is not None
        assert first_s is not None
        constraint = sequence.constraint
        return Finish(
            tokens=tokens,
            reason=reason,
            n_prompt_tokens=sequence.n_prompt,
            n_cached_tokens=sequence.n_cached,
            n_generated_tokens=sequence.n_generated,
            seed=None if sequence.params.is_greedy else sequence.params.seed,
            queue_s=started_s - sequence.submitted_s,
            prefill_s=first_s - started_s,
            decode_s=self._clock() - first_s,
            prompt_tokens=self.runner.prompt_tokens(sequence),
            fulfils_grammar=None if constraint is None else constraint.is_fulfilled,
        )
