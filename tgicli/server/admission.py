"""How many requests may run and wait; the rest are refused at once.

Used on the event loop. Pure but for its clock. A place is held from the moment a request was read
until its answer is sent or its client is gone. There is no queue here: whoever is refused is told
when to come back, each a little later than the last, by how often a place has become free.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tgicli.errors import Overloaded, RequestError

FIRST_GUESS_S = 1.0  # how long a place is held, before any became free
MAX_RETRY_AFTER_S = 60.0
_WEIGHT = 0.2  # of the newest observation in the moving average


class Admission:
    """The places of one server."""

    def __init__(self, n_places: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.n_places = n_places
        self.n_taken = 0
        self.is_closed = False  # the server ends: nobody gets a place any more
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self._clock = clock
        self._hold_s: float | None = None  # how long a place is held
        self._promised_s = 0.0  # when the last one who was refused comes back

    @contextmanager
    def places(self, count: int) -> Iterator[None]:
        """Hold places for the length of a block.

        Raises:
            RequestError: there are never so many.
            Overloaded: there are not enough now.
        """
        if count > self.n_places:
            raise RequestError(
                f"{count} answers at once are asked for, and the server has places for "
                f"{self.n_places}; ask for fewer",
                aside="--max-concurrent-requests",
            )
        if self.is_closed or self.n_taken + count > self.n_places:
            raise self.refusal()
        if self.n_taken == 0:
            self._promised_s = 0.0  # who was sent away has been served, or did not come back
        self.n_taken += count
        self._is_empty.clear()
        began_s = self._clock()
        try:
            yield
        finally:
            self.n_taken -= count
            if self.n_taken == 0:
                self._is_empty.set()
            self._learn(self._clock() - began_s)

    @property
    def is_full(self) -> bool:
        """Whether nobody gets a place now."""
        return self.is_closed or self.n_taken >= self.n_places

    def refusal(self) -> Overloaded:
        """Return what to tell the next one who gets no place."""
        if self.is_closed:
            return Overloaded("Model is overloaded: the server is shutting down")
        return Overloaded("Model is overloaded", retry_after_s=self.promise())

    def close(self) -> None:
        """Refuse everybody from here on."""
        self.is_closed = True

    async def emptied(self) -> None:
        """Wait until no place is taken."""
        await self._is_empty.wait()

    def _learn(self, held_s: float) -> None:
        """Take in how long a place was held."""
        old = self._hold_s
        self._hold_s = held_s if old is None else old + _WEIGHT * (held_s - old)

    def promise(self) -> float:
        """Return in how many seconds to come back; each answer is later than the one before."""
        now_s = self._clock()
        # Little's law: while all places are taken, one becomes free that often.
        hold_s = FIRST_GUESS_S if self._hold_s is None else self._hold_s
        interval_s = hold_s / self.n_places
        self._promised_s = max(now_s, self._promised_s) + interval_s
        self._promised_s = min(self._promised_s, now_s + MAX_RETRY_AFTER_S)
        return self._promised_s - now_s
