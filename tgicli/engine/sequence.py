"""One request while it lives.

Owned by the engine thread. There is no state machine: a sequence has len(token_ids) tokens of which
n_computed are in its lane, and a step closes the gap. Prefill is a gap of many, decode a gap of
one.

Invariants
    0 <= n_computed <= len(token_ids)
    token_ids[:n_prompt] never changes
    the texts of the tokens given out, joined, are the answer so far; an undecided one is held
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tgicli.core import FinishReason, SamplingParams, Token, TopToken
from tgicli.engine.detokenizer import Detokenizer, add_to_last_text
from tgicli.engine.stop import KeptStop

if TYPE_CHECKING:
    from tgicli.engine.grammar import Constraint  # loads llguidance


Owner = tuple[str, str | None]  # who may share prefixes: a reuse_key's, with one adapter


@dataclass(frozen=True, slots=True)
class Sampled:
    """What the runner sampled for one row."""

    id: int
    piece: bytes  # the token's bytes, a piece of a character perhaps
    special: bool = False  # a control token: its bytes are no part of the answer
    ends: bool = False  # an end-of-generation token
    logprob: float | None = None
    top: tuple[TopToken, ...] = ()


@dataclass(slots=True, eq=False)
class Sequence:
    """A request's tokens and how far they are computed."""

    request_id: str
    token_ids: list[int]  # the prompt, then what was generated
    params: SamplingParams
    max_new_tokens: int  # resolved: fits the lane
    constraint: Constraint | None = None  # params.grammar, compiled
    wants_prompt_logprobs: bool = False
    is_turn: bool = False  # of a conversation: another one is likely to come
    n_prompt: int = field(init=False)
    prompt_logprobs: list[float | None] = field(init=False)  # of each prompt token, if wanted
    n_computed: int = 0  # tokens [0, n_computed) are in the lane
    n_cached: int = 0  # of the prompt, found there at admission
    reuse_key: str = ""  # prefixes are shared with the same key only
    adapter: str | None = None  # what it is computed with
    lane: int | None = None
    finish_reason: FinishReason | None = None
    submitted_s: float = 0.0
    started_s: float | None = None
    first_token_s: float | None = None
    _detokenizer: Detokenizer = field(init=False)
    _kept_stop: KeptStop = field(init=False)
    _held: list[Token] = field(default_factory=list)

    def __post_init__(self) -> None:
        has_grammar = self.params.grammar is not None
        assert has_grammar == (self.constraint is not None), "a grammar is compiled at admission"
        self.n_prompt = len(self.token_ids)
        self.prompt_logprobs = [None] * self.n_prompt if self.wants_prompt_logprobs else []
        stop, kept = self.params.stop, self.params.keep_stop
        self._detokenizer = Detokenizer(() if kept else stop)
        self._kept_stop = KeptStop(stop if kept else ())

    @property
    def owner(self) -> Owner:
        """Whose its cells are: only another sequence of the same owner may have them."""
        return self.reuse_key, self.adapter

    @property
    def n_pending(self) -> int:
        """Tokens not yet in the lane."""
        return len(self.token_ids) - self.n_computed

    @property
    def n_generated(self) -> int:
        """Tokens sampled so far."""
        return len(self.token_ids) - self.n_prompt

    @property
    def is_prefilling(self) -> bool:
        """Whether no token was sampled yet."""
        return len(self.token_ids) == self.n_prompt

    def accept(self, sampled: Sampled) -> tuple[Token, ...]:
        """Append a sampled token; return the tokens whose text is now decided.

        Sets finish_reason when it is the last. Of several reasons TGI gives the length first; who
        does not keep stop strings, as OpenAI's clients do not, hears that the model ended, or
        reached one.
        """
        self.token_ids.append(sampled.id)
        token = self._to_token(sampled)
        self._held.append(token)
        stopped = self._kept_stop.push("" if token.special else token.text)
        self.finish_reason = self._reason(
            is_full=self.n_generated >= self.max_new_tokens,
            ends=sampled.ends and not self.params.ignore_eos,
            stopped=stopped or self._detokenizer.stopped,
        )
        return self._release()

    def _reason(self, *, is_full: bool, ends: bool, stopped: bool) -> FinishReason | None:
        if is_full and (self.params.keep_stop or not (ends or stopped)):
            return FinishReason.LENGTH
        if ends:
            return FinishReason.EOS_TOKEN
        return FinishReason.STOP_SEQUENCE if stopped else None

    def _to_token(self, sampled: Sampled) -> Token:
        if sampled.special:
            text = sampled.piece.decode("utf-8", "replace")
        else:
            text = self._detokenizer.push(sampled.piece)
        return Token(sampled.id, text, sampled.logprob, sampled.special, sampled.top)

    def _release(self) -> tuple[Token, ...]:
        """Give out the held tokens unless a later one may still decide their text."""
        if self.finish_reason is not None:
            add_to_last_text(self._held, self._detokenizer.finish())
        elif self._detokenizer.holds:
            return ()
        released, self._held = tuple(self._held), []
        return released
