"""Which prefixes are kept in RAM after their lanes went to others.

Used by the lanes on the engine thread. Pure: it knows tokens and numbers; the bytes under these
numbers are the runner's (saved.py). The lanes hold as many conversations as there are lanes; here
are those that had to make room, until they make room here, too.

A copy takes time and RAM, so a prompt that comes once must not cost one. Worth it is what came as a
conversation's turn, and a prompt that goes on from an earlier one: it has come back (as 2Q tells
the one from the other, Johnson and Shasha 1994).

Invariants
    the saved prefixes have n_tokens tokens together at most
    a prefix is found only when it is equal token by token, and its owner the same
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from tgicli.engine.prefix import LITTLE_TOKENS, common_prefix_length
from tgicli.engine.sequence import Owner

N_ASKED = 256  # prompts to compare a new one with


@dataclass(frozen=True, slots=True)
class Saved:
    """The tokens of a lane that was saved."""

    number: int
    token_ids: list[int]
    owner: Owner

    def holds(self, token_ids: list[int]) -> int:
        """Return how many of the first tokens it holds; 0 for so few that it does not matter."""
        if self.token_ids[:LITTLE_TOKENS] != token_ids[:LITTLE_TOKENS]:  # nearly always
            return 0
        return common_prefix_length(self.token_ids, token_ids)


class PromptCache:
    """What is saved, the one used last at the end."""

    def __init__(self, n_tokens: int) -> None:
        """Keep so many tokens at most; 0: nothing."""
        self._n_tokens = n_tokens
        self._saved: dict[int, Saved] = {}
        self._numbers = count(1)
        self._asked: deque[tuple[Owner, bytes]] = deque(maxlen=N_ASKED)

    def comes_back(self, prompt: list[int], owner: Owner) -> bool:
        """Note a prompt; say whether it goes on from an earlier one, or is the same."""
        if not self.takes(len(prompt)):
            return False
        tokens = array("i", prompt).tobytes()
        earlier = tuple(asked for who, asked in self._asked if who == owner)
        self._asked.append((owner, tokens))
        return tokens.startswith(earlier)

    def takes(self, n_tokens: int) -> bool:
        """Whether so many are worth saving, and not too many."""
        return LITTLE_TOKENS <= n_tokens <= self._n_tokens

    def find(self, token_ids: list[int], owner: Owner) -> tuple[Saved | None, int]:
        """Return what holds the longest prefix, and how long that is."""
        best, n_best = None, 0
        for saved in self._of(owner):
            n_held = saved.holds(token_ids)
            if n_held > n_best:
                best, n_best = saved, n_held
        return best, n_best

    def use(self, number: int, n_used: int) -> tuple[int, ...]:
        """Note that a lane gets the first tokens; return what is no longer wanted here.

        That is the prefix itself when the lane has nearly all of it.
        """
        saved = self._saved.pop(number)
        if len(saved.token_ids) - n_used < LITTLE_TOKENS:
            return (number,)
        self._saved[number] = saved
        return ()

    def forget(self, number: int) -> None:
        """Note that a prefix could not be restored, if it is still kept."""
        self._saved.pop(number, None)

    def save(self, token_ids: list[int], owner: Owner) -> tuple[int | None, tuple[int, ...]]:
        """Make room for a lane's tokens; return their number and those that had to go.

        The number is None where they are too few or too many, or saved already.
        """
        n_tokens = len(token_ids)
        if not self.takes(n_tokens):
            return None, ()
        if n_tokens - self.find(token_ids, owner)[1] < LITTLE_TOKENS:
            return None, ()
        gone = [
            saved.number
            for saved in self._of(owner)  # earlier turns of the same conversation
            if len(saved.token_ids) - saved.holds(token_ids) < LITTLE_TOKENS
        ]
        for number in gone:
            del self._saved[number]
        while self._n_left < n_tokens:
            gone.append(next(iter(self._saved)))
            del self._saved[gone[-1]]
        number = next(self._numbers)
        self._saved[number] = Saved(number, token_ids, owner)
        return number, tuple(gone)

    @property
    def _n_left(self) -> int:
        return self._n_tokens - sum(len(saved.token_ids) for saved in self._saved.values())

    def _of(self, owner: Owner) -> Iterator[Saved]:
        return (saved for saved in self._saved.values() if saved.owner == owner)
