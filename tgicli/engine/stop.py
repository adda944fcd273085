"""TGI's rule for stop strings: an answer ends with a token that ends with one, and shows it.

Called by Sequence on the engine thread. Pure. A stop string that ends in the middle of a token does
not count; a newline behind it does not matter, as TGI tests with the expression `stop$`
(server/text_generation_server/utils/tokens.py: StopSequenceCriteria).
"""

from __future__ import annotations


class KeptStop:
    """Watch the end of one answer for stop strings."""

    def __init__(self, stop: tuple[str, ...]) -> None:
        self._ends = tuple(end for string in stop for end in (string, string + "\n"))
        self._n_kept = max(map(len, self._ends), default=0)
        self._tail = ""

    def push(self, text: str) -> bool:
        """Take in what a token adds to the answer; say whether the answer ends here."""
        if not text or not self._ends:
            return False
        self._tail = (self._tail + text)[-self._n_kept :]
        return self._tail.endswith(self._ends)
