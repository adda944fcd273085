"""When to ask a busy server again. Pure; used by the remote backend.

Exponential backoff with full jitter (Marc Brooker, "Exponential Backoff And Jitter", 2015): the
wait is drawn from all of [0, ceiling), so that clients which were refused together come back apart.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tgicli.errors import Overloaded, TgicliError

MAX_ADVISED_S = 300.0  # a server that says "in an hour" is not waited for


def _draw() -> float:
    return random.random()


@dataclass(frozen=True, slots=True)
class Retry:
    """One more try, and why; told before the wait."""

    number: int  # counts from 1
    n_retries: int  # at most
    wait_s: float
    reason: TgicliError


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often to try again, and how long to wait before."""

    n_retries: int = 4
    first_ceiling_s: float = 1.0  # doubles with each retry
    last_ceiling_s: float = 30.0
    draw: Callable[[], float] = _draw  # in [0, 1)

    def next(self, number: int, reason: TgicliError) -> Retry | None:
        """Return the retry of this number; None: give up."""
        advised_s = reason.retry_after_s if isinstance(reason, Overloaded) else None
        if number > self.n_retries or (advised_s or 0.0) > MAX_ADVISED_S:
            return None
        if advised_s is None:
            ceiling_s = min(self.last_ceiling_s, self.first_ceiling_s * 2 ** (number - 1))
            return Retry(number, self.n_retries, self.draw() * ceiling_s, reason)
        # Not before the server wants it, and not all at once.
        wait_s = advised_s + self.draw() * self.first_ceiling_s
        return Retry(number, self.n_retries, wait_s, reason)
