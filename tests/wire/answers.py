"""What the OpenAI tests answer with: tokens, ends and the server's limits."""

from __future__ import annotations

from collections.abc import Sequence

from tgicli.core import UNKNOWN_ID, Finish, FinishReason, Run, Token, TopToken
from tgicli.wire.limits import Limits
from tgicli.wire.openai import AnswerHead

LIMITS = Limits(max_total_tokens=2048, max_input_tokens=1024)
EOS = Token(2, "</s>", -0.125, special=True)
THOUGHT = Token(UNKNOWN_ID, "Let me see.", reasoning=True)


def head(id: str) -> AnswerHead:
    """Return a head with this id."""
    return AnswerHead(id=id, created=1700000000, model="org/model", system_fingerprint="1.0-native")


def word(text: str, *tops: str) -> Token:
    """Return a token; the i-th likeliest has the log-probability -i, and is another one."""
    best = tuple(TopToken(100 + i, top, -float(i), special=False) for i, top in enumerate(tops, 1))
    return Token(len(text), text, -1.5, top=best)


def finish(
    *tokens: Token, reason: FinishReason = FinishReason.EOS_TOKEN, n_generated: int = 2
) -> Finish:
    """Return an end with these last tokens."""
    return Finish(
        tokens=tokens,
        reason=reason,
        n_prompt_tokens=5,
        n_cached_tokens=3,
        n_generated_tokens=n_generated,
        seed=7,
    )


def run(texts: Sequence[str], reason: FinishReason = FinishReason.EOS_TOKEN) -> Run:
    """Return a whole generation of these texts."""
    end = finish(EOS, reason=reason, n_generated=len(texts) + 1)
    return Run((*map(word, texts), EOS), end)
