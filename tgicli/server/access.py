"""The access log: one line per request, as text or as JSON.

Called by the server on the event loop when a request is over. Pure: reads no clock, writes nothing.
A line never holds a prompt, an answer, a header or a query string, so never a key; and whatever
the client chose can't break it into two or drive a terminal.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

_LONGEST_WORD = 200  # of what a client chose
_SAFE = "/:@!$&()*+,;=~[]"  # needs no escape; no quote and no blank among them


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLine:
    """One request that is over. What is None is not known, or was never reached."""

    time: datetime  # with its zone; written in UTC
    request_id: str
    client: str  # its host; empty when unknown
    method: str
    path: str  # decoded, as in ASGI scopes
    status: int
    duration_s: float  # of the whole request
    n_prompt_tokens: int | None = None
    n_new_tokens: int | None = None
    queue_s: float | None = None
    prefill_s: float | None = None
    decode_s: float | None = None
    error_type: str | None = None  # as in Record; also of an error after a status 200

    def to_text(self) -> str:
        """Return a line for people, without a newline; what is not known is left out."""
        request = f"{_word(self.method)} {_path(self.path)} {self.status}"
        return " ".join([_iso(self.time), _word(self.client), request, *self._details()])

    def to_json(self) -> str:
        """Return a line for machines, without a newline; its keys are always the same."""
        fields = dataclasses.asdict(self) | {
            "time": _iso(self.time),
            "request_id": _word(self.request_id),
            "client": _word(self.client),
            "method": _word(self.method),
            "path": _path(self.path),
        }
        return json.dumps(
            {name: round(v, 6) if isinstance(v, float) else v for name, v in fields.items()}
        )

    def _details(self) -> Iterator[str]:
        numbers = {"prompt": self.n_prompt_tokens, "new": self.n_new_tokens}
        durations = {
            "queue": self.queue_s,
            "prefill": self.prefill_s,
            "decode": self.decode_s,
            "total": self.duration_s,
        }
        yield from (f"{name}={n}" for name, n in numbers.items() if n is not None)
        yield from (f"{name}={s * 1000:.0f}ms" for name, s in durations.items() if s is not None)
        if self.error_type is not None:
            yield f"error={_word(self.error_type)}"
        yield f"id={_word(self.request_id)}"


def _iso(time: datetime) -> str:
    """Return e.g. 2026-02-28T23:59:59.001Z."""
    return f"{time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _path(path: str) -> str:
    return _word(path.partition("?")[0])


def _word(text: str) -> str:
    """Return the text as one word of ASCII, `-` for none."""
    short = text if len(text) <= _LONGEST_WORD else f"{text[:_LONGEST_WORD]}..."
    return quote(short, safe=_SAFE, errors="replace") or "-"
