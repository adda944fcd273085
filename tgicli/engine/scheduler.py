"""Decide what the next step computes, and apply its results.

Called by Engine.step on the engine thread. Pure: knows no llama.cpp, clock, lock or thread; tests
drive it with integers. There is no prefill phase and no decode phase: a sequence has len(token_ids)
and n_computed, and a step closes the gap within a token budget (as in vLLM v1).

Invariants
    every decode is in every step, and prompts get what is left of token_budget, or one tile more
    a lane is held from admission to finish, and by one sequence
    every sequence that was added leaves by exactly one Output with its end, unless it is aborted
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tgicli.core import FinishReason, Token
from tgicli.engine.chunks import LEAST, SMALL, Cut
from tgicli.engine.lanes import LaneEdit, LanePool
from tgicli.engine.pace import Pace
from tgicli.engine.prefix import LITTLE_TOKENS, common_prefix_length
from tgicli.engine.sequence import Sampled, Sequence
from tgicli.errors import DecodeFailed


@dataclass(frozen=True, slots=True)
class Row:
    """Tokens [start, start + count) of one sequence, computed in one step."""

    sequence: Sequence
    start: int
    count: int

    def split(self, count: int) -> tuple[Row, Row]:
        """Return its first tokens and the rest."""
        rest = Row(self.sequence, self.start + count, self.count - count)
        return Row(self.sequence, self.start, count), rest

    @property
    def is_decode(self) -> bool:
        """Whether it is the one token that a sequence needs for its next one."""
        return self.count == 1 and self.samples

    @property
    def scores(self) -> bool:
        """Whether log-probabilities of the prompt are to be had from it."""
        return self.sequence.wants_prompt_logprobs and self.start + 1 < self.sequence.n_prompt

    @property
    def samples(self) -> bool:
        """Whether the row reaches the sequence's end, so that its next token is sampled."""
        return self.count > 0 and self.start + self.count == len(self.sequence.token_ids)


Result = Sampled | DecodeFailed | None  # None: a prompt chunk that samples nothing


@dataclass(frozen=True, slots=True)
class Output:
    """What a step brought for one sequence; its finish_reason or the error says it was the last."""

    sequence: Sequence
    tokens: tuple[Token, ...] = ()
    error: DecodeFailed | None = None


@dataclass(frozen=True, slots=True)
class _Lead:
    """Who computes the prefix that another one waits for, and how long that is."""

    leader: Sequence
    n_shared: int


class Scheduler:
    """The sequences that wait and run, and the lanes they run in."""

    def __init__(self, lanes: LanePool, pace: Pace, *, token_budget: int, cut: Cut) -> None:
        assert token_budget >= len(lanes.lanes), "every lane must fit into one step"
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []
        self.token_budget = token_budget
        self._cut = cut
        self._lanes = lanes
        self._pace = pace
        self._leads: dict[Sequence, _Lead] = {}  # who waits for whose prefix
        self._followers: list[Sequence] = []  # who has begun to since they were taken

    @property
    def has_work(self) -> bool:
        """Whether a step would compute something."""
        return bool(self.waiting or self.running)

    @property
    def sequences(self) -> list[Sequence]:
        """Everything that waits or runs."""
        return [*self.running, *self.waiting]

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence."""
        self.waiting.append(sequence)

    def abort(self, request_id: str) -> Sequence | None:
        """End a sequence in any state; None when it has ended already."""
        for sequence in self.sequences:
            if sequence.request_id == request_id:
                sequence.finish_reason = FinishReason.ABORT
                self._retire(sequence, n_valid=sequence.n_computed)
                return sequence
        return None

    def admit(self) -> Iterator[LaneEdit]:
        """Give free lanes to waiting sequences, oldest first; yield what each lane must hold.

        The caller makes an edit and says by `place` what came of it before it asks for the next
        one, whose prefix may lie in the same lane. A sequence whose prefix another one is just
        computing waits for it, and lets those behind it pass: they would compute the same tokens
        twice.
        """
        for sequence in list(self.waiting):
            if self._lanes.n_free == 0:
                break
            if self._waits_for_prefix(sequence) or self._lanes.must_wait(sequence):
                continue
            self.waiting.remove(sequence)
            self.running.append(sequence)
            yield self._lanes.acquire(sequence)

    def place(self, edit: LaneEdit, *, n_kept: int) -> None:
        """Note how much of the wanted prefix the lane really holds after an edit."""
        self._lanes.place(edit, n_kept=n_kept)

    def _waits_for_prefix(self, sequence: Sequence) -> bool:
        """Whether a running sequence will soon hold more of the prompt than any lane does now."""
        if not self._lanes.reuses or sequence.wants_prompt_logprobs:
            return False
        lead = known = self._leads.pop(sequence, None)
        if lead is None or lead.leader.lane is None:  # it has left: another one may compute it
            lead = self._find_lead(sequence)
        if lead is None or lead.leader.n_computed >= lead.n_shared:
            return False
        self._leads[sequence] = lead
        if known is None:
            self._followers.append(sequence)
        return True

    def take_followers(self) -> list[Sequence]:
        """Return who began to wait for another one's prefix since the last call."""
        taken, self._followers = self._followers, []
        return taken

    def _find_lead(self, sequence: Sequence) -> _Lead | None:
        """Return who computes the longest prefix that no lane holds yet."""
        prompt = sequence.token_ids[:-LEAST]
        best = None
        n_best = self._lanes.longest_prefix_length(prompt, sequence.owner) + LITTLE_TOKENS
        for leader in self.running:
            if leader.is_prefilling and leader.owner == sequence.owner:
                n_shared = common_prefix_length(leader.token_ids, prompt)
                if n_shared >= n_best:
                    best, n_best = _Lead(leader, n_shared), n_shared
        return best

    def schedule(self) -> list[Row]:
        """Return the rows of the next step, decodes first.

        Decodes go first, one token each, sorted by lane because llama.cpp puts into one micro-batch
        only neighbouring lanes in increasing order. Short prompts come before long ones, each kind
        in order of arrival. Beside decodes short ones take a pause together, and long ones share
        what the pace allows besides; without decodes short ones take half of the step at most. So
        neither kind waits for the other. An answer that begins beside decodes has its own in the
        same step, which is not among these rows.
        """
        rows = [Row(s, s.n_computed, 1) for s in self.running if s.n_pending == 1]
        rows.sort(key=lambda row: row.sequence.lane or 0)
        if len(rows) == len(self.running):
            return rows
        left = self.token_budget - len(rows)
        prompts = [s for s in self.running if s.n_pending > 1]
        short = [s for s in prompts if self._is_short(s)]
        long = [s for s in prompts if not self._is_short(s)]
        if not rows:
            allowed = min(self._pace.n_prompt_tokens(0), left)
            chunks = self._chunks(short, math.ceil(allowed / 2) if long else allowed)
            return chunks + self._chunks(long, allowed - sum(row.count for row in chunks))
        pieces = self._pieces(short, left)
        left -= sum(row.count for row in pieces)
        allowed = self._pace.n_prompt_tokens(len(rows), len(long))
        return rows + pieces + self._chunks(long, min(allowed, left))

    def _is_short(self, sequence: Sequence) -> bool:
        """Whether a prompt takes a few pauses at most, as far as no lane held it."""
        return sequence.n_prompt - sequence.n_cached <= self._pace.n_short_tokens

    def _pieces(self, prompts: list[Sequence], budget: int) -> list[Row]:
        """Return the next pieces of short prompts: as many as a pause holds, and one at least."""
        rows: list[Row] = []
        pause = self._pace.n_pause_tokens
        for sequence in prompts:
            n_tokens = self._pace.n_piece_tokens(sequence.n_pending)
            if rows and n_tokens > pause:
                break
            rows += self._chunks([sequence], min(n_tokens, budget))
            pause -= n_tokens
            budget -= n_tokens
        return rows

    def _chunks(self, prompts: list[Sequence], budget: int) -> list[Row]:
        """Return the next chunks of prompts, in their order, with so many tokens in all."""
        rows = []
        for sequence in prompts:
            if budget > 0:
                start, stop = sequence.n_computed, len(sequence.token_ids)
                rows.append(self.chunk(sequence, start, stop, budget))
                budget -= rows[-1].count
        return rows

    def chunk(self, sequence: Sequence, start: int, stop: int, budget: int) -> Row:
        """Return the first of [start, stop) that one batch may have, about `budget` at most."""
        # A scored token costs a row of logits, megabytes of them in a chunk.
        most = min(budget, SMALL) if sequence.wants_prompt_logprobs else budget
        return Row(sequence, start, self._cut(start, stop - start, most))

    def update(self, computed: Iterable[tuple[Row, Result]]) -> list[Output]:
        """Apply what a step computed; rows of sequences that were aborted meanwhile are dropped."""
        self._lanes.note_decode()
        return [
            self._apply(row, result) for row, result in computed if row.sequence.lane is not None
        ]

    def _apply(self, row: Row, result: Result) -> Output:
        sequence = row.sequence
        if isinstance(result, DecodeFailed):
            self._retire(sequence, n_valid=0)
            return Output(sequence, error=result)
        sequence.n_computed = row.start + row.count
        tokens = () if result is None else sequence.accept(result)
        if sequence.finish_reason is not None:
            self._retire(sequence, n_valid=sequence.n_computed)
        return Output(sequence, tokens)

    def _retire(self, sequence: Sequence, *, n_valid: int) -> None:
        """Take a sequence out, and free its lane, of which n_valid tokens may serve another."""
        self._leads.pop(sequence, None)
        if sequence.lane is None:
            self.waiting.remove(sequence)
            return
        self.running.remove(sequence)
        self._lanes.release(sequence, n_valid=n_valid)
