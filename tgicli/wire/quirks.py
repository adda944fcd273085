"""Which of OpenAI's fields a server will not take, as its refusals tell. Pure.

Used by the remote backend. Nobody publishes this: Mistral and older versions of Azure's API know no
`stream_options`, and OpenAI's reasoning models want another name for `max_tokens` than everybody
else. A request that is refused for such a field has generated nothing, and so can be sent again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

_REFUSALS = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
_NEW_LIMIT, _OLD_LIMIT = "max_completion_tokens", "max_tokens"
# A limit's name alone says nothing: its value may be what is wrong.
_WANTS_NEW = rf"(?i)\buse\W+(the\W+)?{_NEW_LIMIT}\b"
_WANTS_OLD = rf"(?i)\b(unrecognized|unsupported|unknown)\b[^.]*\b{_NEW_LIMIT}\b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """Where a server departs from OpenAI's fields."""

    takes_stream_options: bool = True  # otherwise a stream may tell no counts
    limit: str | None = None  # what it calls the most tokens of a chat; None: as its kind does

    def learned(self, status: int, refusal: bytes) -> Quirks | None:
        """Return them with what a refusal adds; None: nothing.

        Each is added once: whoever sends a request again after that comes to an end.
        """
        if status not in _REFUSALS:
            return None
        words = refusal.decode("utf-8", "replace")
        found = Quirks(
            takes_stream_options=self.takes_stream_options and "stream_options" not in words,
            limit=self.limit or _limit_in(words),
        )
        return None if found == self else found


NO_QUIRKS = Quirks()


def _limit_in(words: str) -> str | None:
    if re.search(_WANTS_NEW, words):
        return _NEW_LIMIT
    return _OLD_LIMIT if re.search(_WANTS_OLD, words) else None
