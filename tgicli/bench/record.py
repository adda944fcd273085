"""What became of one request: the stamps from which every figure can be computed again.

Values only, made by the attack, written as JSON lines, read by the summary. All times are integers
of one monotonic clock, in nanoseconds since the run began.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


class Outcome(enum.StrEnum):
    """How a request ended."""

    OK = "ok"
    BUSY = "busy"  # refused because the server was full: 429, or 503
    ERROR = "error"  # anything else that went wrong; Record.error says what
    CUT = "cut"  # by us, at the run's end: bad only if it had waited too long already


class TokenSource(enum.StrEnum):
    """Who counted a request's tokens."""

    USAGE = "usage"  # the server's own count of the whole answer
    EVENTS = "events"  # a server that sends each token by itself, with its id
    ENGINE = "engine"  # the model in this process
    CHUNKS = "chunks"  # nobody: pieces of text were counted


class Chunk(NamedTuple):
    """A piece of an answer that a reader would see: visible text, reasoning, or a tool call's."""

    at_ns: int  # of the read that brought it
    n_tokens: int  # and those that came since the chunk before without any text; 0: not told
    n_characters: int
    is_reasoning: bool
    read_id: int  # chunks of one read have the same; counts up within the request


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One request."""

    index: int  # its prompt's, in the plan
    point: int = 0  # which load point
    side: int = 0  # 0: A, 1: B, where two are compared
    block: int = 0  # which repeat, or which block of a comparison
    is_first_wave: bool = False  # its user's first, sent when all others sent theirs
    sched_ns: int | None = None  # when the plan wanted it sent; None: closed loop
    send_ns: int  # just before it is handed to the transport
    conn_ns: int | None = None  # when the connection made for it was ready; None: one was kept
    head_ns: int | None = None  # the answer's headers
    first_event_ns: int | None = None  # the first event of any kind
    chunks: tuple[Chunk, ...] = ()
    end_ns: int  # the answer's end, or what ended it
    n_events: int = 0  # of any kind
    n_reads: int = 0  # from the socket, of the answer's body
    outcome: Outcome
    error: str = ""  # the error's class, e.g. StreamBroken
    message: str = ""  # its words
    finish_reason: str | None = None
    n_prompt_tokens: int = 0  # as the server counted them; 0: not told
    n_cached_tokens: int | None = None  # of these, not computed; None: not told
    n_tokens: int = 0  # N: generated, as token_source counted them
    n_hidden_tokens: int = 0  # of these, reasoning that no piece brought
    token_source: TokenSource = TokenSource.CHUNKS
    n_prompt_asked: int | None = None  # None: the prompt's length was nobody's wish
    n_new_asked: int | None = None  # max_new_tokens
    queue_ms: float | None = None  # as the server told; never inferred
    is_streamed: bool = True  # False: the whole answer was asked for at once
    text: str = ""
    nonce: str = ""  # what its prompt begins with
    problems: tuple[str, ...] = ()  # of the stream's framing, by name, e.g. "data after [DONE]"

    @property
    def n_seen_tokens(self) -> int:
        """How many tokens came, in pieces or as an end token."""
        return self.n_tokens - self.n_hidden_tokens
