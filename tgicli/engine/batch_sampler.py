"""From a batch's logits to sampled tokens, and to log-probabilities of prompt tokens.

Called by the runner on the engine thread, after each llama_decode. Owns the sequences' samplers.
Decides which way from logits to a token is the shortest for whom; the ways are sampler.py's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from collections.abc import Sequence as ReadOnlyList
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from tgicli.core import SamplingParams, TopToken
from tgicli.engine.llama import llama_cpp
from tgicli.engine.model import Model
from tgicli.engine.sampler import NO_NUMBERS, Candidates, Reader, Sampler
from tgicli.engine.scheduler import Result, Row
from tgicli.engine.sequence import Sampled, Sequence
from tgicli.engine.watermark import Watermark
from tgicli.errors import DecodeFailed

if TYPE_CHECKING:
    from tgicli.engine.crew import Crew


class BatchSampler:
    """The samplers of all sequences of one context."""

    def __init__(self, model: Model, ctx: Any, *, n_ctx: int, n_lanes: int, n_threads: int) -> None:
        """Take a context; n_ctx is the tokens of one lane, n_threads are lent beside a GPU."""
        self._model = model
        self._ctx = ctx
        self._n_ctx = n_ctx
        self._samplers: dict[Sequence, Sampler] = {}
        self._crew = _new_crew(n_threads) if model.gpu_layers else None
        # One lane alone does not earn back the time that importing numpy takes.
        self._reads_rows = n_lanes > 1
        if self._reads_rows:
            self._reader = Reader(model.n_vocab)  # here, not in the first step

    def close(self) -> None:
        """Free the samplers."""
        for sampler in self._samplers.values():
            sampler.close()
        if self._crew is not None:
            self._crew.close()

    def forget(self, sequence: Sequence) -> None:
        """Free what is kept for a sequence that has ended."""
        sampler = self._samplers.pop(sequence, None)
        if sampler is not None:
            sampler.close()

    def sample(self, rows: ReadOnlyList[Row], lasts: ReadOnlyList[int]) -> list[Result]:
        """Return what each row that reaches its end samples, and note the scores of prompts.

        lasts are the indices of the rows' last tokens in the batch.
        """
        for row, last in zip(rows, lasts, strict=True):
            if row.scores:
                self._score(row, first=last + 1 - row.count)
        drawn = self._draw(rows, lasts)
        return [
            (drawn.get(last) or self._sample_row(row.sequence, last)) if row.samples else None
            for row, last in zip(rows, lasts, strict=True)
        ]

    def _draw(self, rows: ReadOnlyList[Row], lasts: ReadOnlyList[int]) -> dict[int, Sampled]:
        """Sample, side by side, from the outputs that a chain alone decides."""
        if self._crew is None:
            return {}
        drawing = [
            (last, self._sampler(row.sequence))
            for row, last in zip(rows, lasts, strict=True)
            if row.samples and self._is_drawn(row.sequence, last)
        ]
        calls = [partial(sampler.sample, self._ctx, last) for last, sampler in drawing]
        ids = self._crew.run(calls, n_logits=self._model.n_vocab)
        return {
            last: self._sampled(token_id) for (last, _), token_id in zip(drawing, ids, strict=True)
        }

    def _is_drawn(self, sequence: Sequence, output: int) -> bool:
        params = sequence.params
        if params.is_plain_greedy or params.watermark or params.wants_logprobs:
            return False
        # NOTE: the first look at an output waits for the device and puts the outputs in order; from
        # then on any thread may look.
        logits = llama_cpp.llama_get_logits_ith(self._ctx, output)
        return sequence.constraint is None and not math.isnan(logits[0])

    def _sample_row(self, sequence: Sequence, output: int) -> Sampled | DecodeFailed:
        """Sample from one output row of the last batch."""
        logits = llama_cpp.llama_get_logits_ith(self._ctx, output)
        if math.isnan(logits[0]):
            return DecodeFailed(NO_NUMBERS)
        try:
            return self._choose_from(sequence, logits, output)
        except DecodeFailed as error:  # its logits or its grammar; its neighbours go on
            return error

    def _choose_from(self, sequence: Sequence, logits: Any, output: int) -> Sampled:
        params = sequence.params
        if params.watermark:
            self._watermark.mark(logits, sequence.token_ids[-1])
        if params.is_plain_greedy and (self._reads_rows or params.wants_logprobs):
            return self._take_largest(params, logits)
        if sequence.constraint is None and not params.wants_logprobs:
            return self._sampled(self._sampler(sequence).sample(self._ctx, output))
        return self._sample_among_candidates(sequence, logits)

    def _take_largest(self, params: SamplingParams, logits: Any) -> Sampled:
        """Sample without a chain, which would take longer than the choice."""
        if params.wants_logprobs:
            return self._sampled(*self._reader.largest_with_logprobs(logits, params.top_n_tokens))
        return self._sampled(self._reader.largest(logits))

    def _sample_among_candidates(self, sequence: Sequence, logits: Any) -> Sampled:
        """Sample from what the grammar leaves, or with log-probabilities, or both."""
        constraint, candidates = sequence.constraint, self._candidates
        if constraint is None:
            candidates.fill(logits)
        else:
            candidates.fill(logits, constraint.allowed(), self._sampler(sequence).bias)
        sampled = self._choose(sequence, candidates)
        if constraint is not None:
            constraint.accept(sampled.id)
        return sampled

    def _choose(self, sequence: Sequence, candidates: Candidates) -> Sampled:
        sampler = self._sampler(sequence)
        if not sequence.params.wants_logprobs:
            return self._sampled(sampler.sample_among(candidates))
        return self._sampled(*sampler.sample_with_logprobs(candidates))

    def _sampled(
        self, token_id: int, logprob: float | None = None, top: Iterable[tuple[int, float]] = ()
    ) -> Sampled:
        tops = tuple(self._to_top_token(*item) for item in top)
        return Sampled(token_id, *self._model.piece(token_id), logprob, tops)

    def _to_top_token(self, token_id: int, logprob: float) -> TopToken:
        piece = self._model.piece(token_id)
        return TopToken(token_id, piece.data.decode("utf-8", "replace"), logprob, piece.special)

    def _score(self, row: Row, *, first: int) -> None:
        """Note the log-probability of each prompt token that follows one of the row's.

        The row's outputs are those from `first` on.
        """
        reader, sequence = self._reader, row.sequence
        stop = min(row.start + row.count, sequence.n_prompt - 1)
        for position in range(row.start, stop):
            output = first + position - row.start
            logits = llama_cpp.llama_get_logits_ith(self._ctx, output)
            score = reader.logprob(logits, sequence.token_ids[position + 1])
            sequence.prompt_logprobs[position + 1] = score

    def _sampler(self, sequence: Sequence) -> Sampler:
        sampler = self._samplers.get(sequence)
        if sampler is None:
            sampler = Sampler(
                sequence.params, sequence.token_ids, n_vocab=self._model.n_vocab, n_ctx=self._n_ctx
            )
            self._samplers[sequence] = sampler
        return sampler

    # Each of the three takes time or memory that most runs need not spend.

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self._model.n_vocab)

    @cached_property
    def _candidates(self) -> Candidates:
        return Candidates(self._model.n_vocab)

    @cached_property
    def _watermark(self) -> Watermark:
        return Watermark(self._model.n_vocab)


def _new_crew(n_threads: int) -> Crew:
    from tgicli.engine.crew import Crew  # 10 ms that a CPU need not spend

    return Crew(n_threads)
