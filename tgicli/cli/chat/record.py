"""What is known about one answer: its tokens, when they came, and how it ended.

Filled by `session` while the answer comes, read for /stats. Times are the reader's own, so
they are right for a server, too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tgicli.core import Delta, Finish, GenerationRequest, Token, visible_text


@dataclass(slots=True, eq=False)
class AnswerRecord:
    """One answer, as far as it has come."""

    request: GenerationRequest
    tokens: list[Token] = field(default_factory=list)
    n_prompt: int = 0  # tokens, as long as it has not finished; 0: a server has not told
    finish: Finish | None = None  # None: it was stopped, or broke
    is_stopped: bool = False  # by Ctrl-C
    began_s: float = field(default_factory=time.perf_counter)
    first_s: float | None = None
    last_s: float | None = None

    def add(self, event: Delta | Finish) -> None:
        """Take the next event."""
        now = time.perf_counter()
        if event.tokens and self.first_s is None:
            self.first_s = now
        self.last_s = now
        self.tokens += event.tokens
        if isinstance(event, Finish):
            self.finish = event

    @property
    def text(self) -> str:
        """The answer."""
        return visible_text(self.tokens)

    @property
    def seed(self) -> int | None:
        """What its tokens were drawn with; a server does not tell."""
        told = None if self.finish is None else self.finish.seed
        return self.request.params.seed if told is None else told

    @property
    def n_tokens(self) -> int:
        """How many came; for some servers, pieces of text."""
        return len(self.tokens) if self.finish is None else self.finish.n_generated_tokens

    def lines(self, n_ctx: int) -> Iterator[str]:
        """Say in words what /stats shows; n_ctx is 0 when nobody knows the context's size."""
        yield f"prompt        {self._prompt()}"
        yield f"answer        {self.n_tokens:,} {self._unit()}{self._rate()}"
        if self.first_s is not None:
            yield f"first token   after {self.first_s - self.began_s:.2f} s"
        yield f"ended by      {self._end()}"
        if self.finish is not None and self.finish.has_usage and n_ctx:
            n_used = self.finish.n_prompt_tokens + self.finish.n_generated_tokens
            yield f"context       {n_used:,} of {n_ctx:,} tokens"

    def line(self) -> str:
        """Say the most of it in one line."""
        parts = [f"prompt {self._prompt()}", f"answer {self.n_tokens:,} {self._unit()}"]
        if rate := self._tokens_per_s():
            parts[-1] += f", {rate:,.1f}/s"
        if self.first_s is not None:
            parts.append(f"first after {self.first_s - self.began_s:.2f} s")
        if self.finish is not None and self.seed is not None:
            parts.append(f"seed {self.seed}")
        return "; ".join(parts)

    def _prompt(self) -> str:
        finish = self.finish
        if finish is not None and finish.has_usage:
            return f"{finish.n_prompt_tokens:,} tokens ({finish.n_cached_tokens:,} cached)"
        return f"{self.n_prompt:,} tokens" if self.n_prompt else "of unknown length"

    def _unit(self) -> str:
        return "tokens" if self.finish is None or self.finish.has_usage else "pieces"

    def _rate(self) -> str:
        if self.first_s is None or self.last_s is None or not (rate := self._tokens_per_s()):
            return ""
        return f" in {self.last_s - self.first_s:.2f} s, {rate:,.1f} {self._unit()}/s"

    def _tokens_per_s(self) -> float:
        """Return how fast those behind the first one came; 0 when there is none."""
        if self.first_s is None or self.last_s is None or self.last_s <= self.first_s:
            return 0.0
        return (self.n_tokens - 1) / (self.last_s - self.first_s)

    def _end(self) -> str:
        if self.finish is None:
            return "Ctrl-C" if self.is_stopped else "an error"
        seed = "" if self.seed is None else f"; seed {self.seed}"
        return f"{self.finish.reason}{seed}"
