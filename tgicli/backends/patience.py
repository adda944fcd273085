"""How long one answer may still take: the time limits of its stages, and of all of it.

Used by the remote backend on the event loop. Never waits itself: it says until when, and which
error it is when that has passed.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable

from tgicli.backends.endpoint import Timeouts
from tgicli.errors import DeadlineExceeded

ENDING_S = 5.0  # for counts that may come after the answer's end
_EVER = float("inf")


class _Stage(enum.Enum):
    FIRST_TOKEN = enum.auto()
    NEXT_TOKEN = enum.auto()
    ENDING = enum.auto()


class Patience:
    """The limits of one request, through all its tries."""

    def __init__(self, timeouts: Timeouts, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeouts = timeouts
        self._clock = clock
        self._total_at = clock() + _or_ever(timeouts.total_s)
        self._token_s = _or_ever(timeouts.token_s)
        self._paused_at = clock()
        self.begin()

    @property
    def until(self) -> float:
        """When it ends, on its clock; infinity: never."""
        return min(self._stage_at, self._total_at)

    def begin(self) -> None:
        """A try begins."""
        self._enter(_Stage.FIRST_TOKEN, _or_ever(self._timeouts.first_token_s))

    def heard(self) -> None:
        """Tokens came."""
        self._enter(_Stage.NEXT_TOKEN, self._token_s)

    def ended(self) -> None:
        """The answer came to its end; what is still to come is not worth much waiting."""
        if self._stage is not _Stage.ENDING:
            self._enter(_Stage.ENDING, min(ENDING_S, self._token_s))

    def _enter(self, stage: _Stage, limit_s: float) -> None:
        self._stage = stage
        self._paused_at = self._clock()
        self._stage_at = self._paused_at + limit_s

    def pause(self) -> None:
        """Somebody else is waited for, such as a reader: that is not the server's fault."""
        self._paused_at = self._clock()

    def resume(self) -> None:
        """The server is waited for again. The limit of the whole answer went on."""
        self._stage_at += self._clock() - self._paused_at

    def rest_s(self) -> float | None:
        """Return how long may be waited from now on; None: as long as it takes."""
        until = self.until
        return None if until == _EVER else max(0.0, until - self._clock())

    def outlasts(self, seconds: float) -> bool:
        """Whether there is time left after a wait."""
        return self._clock() + seconds < self._total_at

    def error(self) -> DeadlineExceeded:
        """Return the error for the limit that has run out."""
        timeouts = self._timeouts
        if self._total_at <= self._stage_at:
            return self.total_error()
        if self._stage is _Stage.FIRST_TOKEN:
            return DeadlineExceeded(
                f"no token came within {timeouts.first_token_s:g} s", aside="--first-token-timeout"
            )
        if self._stage is _Stage.ENDING:
            return DeadlineExceeded("the end of the answer did not come")
        return DeadlineExceeded(
            f"no further token came within {timeouts.token_s:g} s", aside="--token-timeout"
        )

    def total_error(self) -> DeadlineExceeded:
        """Return the error for the limit of the whole answer."""
        return DeadlineExceeded(
            f"the answer took longer than {self._timeouts.total_s:g} s", aside="--timeout"
        )


class ShortPatience(Patience):
    """The limit of questions that cost a server nothing. No flag sets it."""

    def __init__(self, shown: str, limit_s: float) -> None:
        """Wait for a server, as it may be shown."""
        super().__init__(Timeouts(first_token_s=limit_s))
        self._words = f"{shown} gave no answer within {limit_s:g} s"

    def error(self) -> DeadlineExceeded:
        """Return the error for the limit that has run out."""
        return DeadlineExceeded(self._words)


def _or_ever(limit_s: float | None) -> float:
    return _EVER if limit_s is None else limit_s
