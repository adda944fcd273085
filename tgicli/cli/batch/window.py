"""How many prompts are asked at once: additive increase, multiplicative decrease (Jain, 1988).

Used by `run` on the event loop. Pure. The window begins small and grows with each prompt that
the server accepts, until one is refused; from then on it halves with a refusal, once for all that
were sent together, and grows by one for a window full of answers. It never grows beyond what the
user allows.
"""

from __future__ import annotations

FIRST_SIZE = 4


class Window:
    """The size of what may be under way, in [1, limit]."""

    def __init__(self, limit: int) -> None:
        self._limit = float(limit)
        self._exact = min(float(FIRST_SIZE), self._limit)
        self._n_halvings = 0

    @property
    def size(self) -> int:
        """How many may be under way now."""
        return int(self._exact)

    @property
    def ticket(self) -> int:
        """What a prompt takes along when it is sent, and shows when it is refused."""
        return self._n_halvings

    def accepted(self) -> None:
        """The server took a prompt."""
        if self._n_halvings == 0:
            self._grow(1.0)

    def answered(self) -> None:
        """An answer came."""
        self._grow(1 / self._exact)

    def refused(self, ticket: int) -> None:
        """The server was busy or gone. What was sent before the last halving tells nothing new."""
        if ticket == self._n_halvings:
            self._n_halvings += 1
            self._exact = max(self._exact / 2, 1.0)

    def _grow(self, by: float) -> None:
        self._exact = min(self._exact + by, self._limit)
