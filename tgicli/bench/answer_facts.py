"""What a whole answer says about itself: who counted its tokens, and how its stream was framed.

Pure; called by the recorder once a request has ended. JSON is looked into here by patterns only:
its reader has read it, and refused what is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from tgicli.bench.record import Chunk, TokenSource
from tgicli.core import UNKNOWN_ID, Finish, Token

DONE = "[DONE]"
AFTER_DONE = "data after [DONE]"
AFTER_END = "data after the end"
COMPRESSED = "compressed"  # with the encoding's name in brackets
DOUBLE_USAGE = "double usage"
ERROR_EVENT = "error event in a 200"
IN_ONE_BURST = "whole answer in one burst"
NO_DONE = "no [DONE]"
NO_END = "body without an end"
NO_FINISH_REASON = "no finish_reason"
NO_USAGE = "no usage"
NOT_UTF8 = "invalid UTF-8"
UNREADABLE = "event that can't be read"

BURST_TIME = 0.1  # the last share of an answer's time ...
BURST_CHARACTERS = 0.9  # ... in which so large a share of it is a burst
BURST_GAP_NS = 500_000  # no model's pieces follow each other faster, on average
MIN_BURST_TOKENS = 8  # a shorter answer may well come at once

_USAGE = re.compile(r'"usage"\s*:\s*\{')
_NO_CHOICES = re.compile(r'"choices"\s*:\s*\[\s*\]')
_ERROR = re.compile(r'"error"\s*:(?!\s*null)|"object"\s*:\s*"error"')
_COUNTED = re.compile(r'"completion_tokens"\s*:\s*(\d+)')
_REASONING = re.compile(r'"reasoning_tokens"\s*:\s*(\d+)')
_PREDICTED = re.compile(r'"predicted_n"\s*:\s*(\d+)')  # llama-server's timings
_CACHED = re.compile(r'"(?:cached_tokens|cache_n)"\s*:\s*(\d+)')  # OpenAI's usage, the timings


class Piece(NamedTuple):
    """Tokens that came at once."""

    at_ns: int
    read_id: int
    tokens: tuple[Token, ...]
    n_counted: int | None = None  # by the server, of the answer so far

    @property
    def shown(self) -> str:
        """What a reader would see of it, or see as reasoning."""
        return "".join(token.text for token in self.tokens if not token.special)

    @property
    def is_reasoning(self) -> bool:
        """Whether none of it is the answer."""
        return all(token.reasoning or token.special or not token.text for token in self.tokens)


class Understood(NamedTuple):
    """An event's data."""

    data: str
    has_tokens: bool


class Count(NamedTuple):
    """How many tokens an answer has."""

    n: int
    source: TokenSource
    n_hidden: int = 0  # of these, reasoning that no piece brought

    @property
    def n_seen(self) -> int:
        """How many are in pieces, or end the answer."""
        return self.n - self.n_hidden


@dataclass(frozen=True, slots=True)
class Answer:
    """All that came for one request, once it has ended."""

    pieces: Sequence[Piece]
    events: Sequence[Understood] = ()  # told by an observed backend
    finish: Finish | None = None  # None: it did not come to its end
    is_observed: bool = True

    def chunks(self) -> tuple[tuple[Chunk, ...], Count]:
        """Return the pieces with text, and how many tokens the answer has in all."""
        shown = [piece.shown for piece in self.pieces]
        count = self._count(n_chunks=sum(map(bool, shown)))
        sizes = self._sizes(count, n_chunks=sum(map(bool, shown)))
        made, n_tokens = [], 0
        for piece, text, size in zip(self.pieces, shown, sizes, strict=True):
            n_tokens += size
            if text:
                made.append(
                    Chunk(piece.at_ns, n_tokens, len(text), piece.is_reasoning, piece.read_id)
                )
                n_tokens = 0
        return tuple(made), count

    def _sizes(self, count: Count, *, n_chunks: int) -> list[int]:
        """Return how many tokens each piece has; 0 where nobody tells."""
        so_far = [piece.n_counted for piece in self.pieces if piece.n_counted is not None]
        if count.source is TokenSource.USAGE and len(so_far) == len(self.pieces):
            return [after - before for before, after in pairwise([0, *so_far])]
        if count.source in (TokenSource.EVENTS, TokenSource.ENGINE):
            return [len(piece.tokens) for piece in self.pieces]
        # All but an end token have text where there are as many pieces as tokens.
        is_one = count.source is TokenSource.USAGE and n_chunks in (count.n_seen, count.n_seen - 1)
        return [int(is_one and bool(piece.shown)) for piece in self.pieces]

    def _count(self, n_chunks: int) -> Count:
        """Count the tokens by the best source there is."""
        n_pieces = sum(len(piece.tokens) for piece in self.pieces)
        n_told = self.finish.n_generated_tokens if self.finish else None
        if not self.is_observed:
            return Count(n_pieces if n_told is None else n_told, TokenSource.ENGINE)
        if self.pieces and all(t.id != UNKNOWN_ID for p in self.pieces for t in p.tokens):
            return Count(n_pieces if n_told is None else n_told, TokenSource.EVENTS)
        counted = self._last(_COUNTED)
        if counted is None:
            counted = self._last(_PREDICTED)
        if counted is not None:
            n_hidden = self._n_hidden(counted, n_chunks=n_chunks)
            return Count(counted, TokenSource.USAGE, n_hidden)
        return Count(n_chunks, TokenSource.CHUNKS)

    def _n_hidden(self, n_tokens: int, *, n_chunks: int) -> int:
        """Count the reasoning that the server made and kept, as far as it tells.

        None of it is hidden where pieces tell their tokens, or are more than the other tokens:
        then some brought it, whatever they are called.
        """
        n_told = self._last(_REASONING) or 0
        is_seen = any(piece.shown and piece.is_reasoning for piece in self.pieces)
        tells = any(piece.n_counted is not None for piece in self.pieces)
        return 0 if is_seen or tells or n_tokens - n_told < n_chunks else n_told

    @property
    def n_cached_tokens(self) -> int | None:
        """Prompt tokens that were not computed, in whatever way the server tells, if it does.

        A reader may be done before the event that tells, and finish with 0.
        """
        if self.finish is not None and (self.finish.n_cached_tokens or not self.is_observed):
            return self.finish.n_cached_tokens
        return self._last(_CACHED)

    def _last(self, pattern: re.Pattern[str]) -> int | None:
        """Return what the last event says that has the pattern; counts stand near the end."""
        for event in reversed(self.events):
            if found := pattern.search(event.data):
                return int(found[1])
        return None


def counted_so_far(data: str) -> int | None:
    """Return how many tokens an event says that the answer has so far; None: it does not say."""
    found = _COUNTED.search(data)
    return int(found[1]) if found else None


def stream_problems(
    answer: Answer, chunks: Sequence[Chunk], n_tokens: int, *, sent_ns: int, has_end: bool
) -> list[str]:
    """Name what is wrong with how a stream was framed."""
    is_openai = any('"choices"' in event.data for event in answer.events)
    problems = _openai_problems(answer) if is_openai else _tgi_problems(answer)
    if answer.finish is not None and not has_end:
        problems.append(NO_END)
    if answer.finish is not None and is_burst(chunks, n_tokens, sent_ns=sent_ns):
        problems.append(IN_ONE_BURST)
    return problems


def _openai_problems(answer: Answer) -> list[str]:
    problems, datas = [], [event.data for event in answer.events]
    is_done = DONE in datas
    if is_done and datas[-1] != DONE:
        problems.append(AFTER_DONE)
    if answer.finish is None:
        return [*problems, NO_FINISH_REASON] if is_done else problems
    if not is_done:
        problems.append(NO_DONE)
    with_usage = [event for event in answer.events if _USAGE.search(event.data)]
    if not with_usage:
        problems.append(NO_USAGE)
    if _is_double(with_usage, n_contents=sum(event.has_tokens for event in answer.events)):
        problems.append(DOUBLE_USAGE)
    return problems


def _is_double(with_usage: Sequence[Understood], *, n_contents: int) -> bool:
    """Whether counts came twice; a server may tell them with each piece, and once at the end."""
    is_continuous = sum(event.has_tokens for event in with_usage) == n_contents
    n_last = sum(1 for event in with_usage if _NO_CHOICES.search(event.data))
    return n_last > 1 or (not is_continuous and len(with_usage) > 1)


def _tgi_problems(answer: Answer) -> list[str]:
    if answer.finish is None:
        return []
    contents = [event.data for event in answer.events if event.has_tokens]
    others = [event.data for event in answer.events if not event.has_tokens]
    problems = [AFTER_END] if any(data != DONE for data in others) else []
    if contents and '"generated_tokens"' not in contents[-1]:
        problems.append(NO_USAGE)
    return problems


def failure_problems(events: Sequence[Understood]) -> list[str]:
    """Name what an answer with status 200 broke off with, if it was one of its events."""
    if not events or events[-1].has_tokens or events[-1].data == DONE:
        return []
    data = events[-1].data
    if _ERROR.search(data):
        return [ERROR_EVENT]
    return [] if data.startswith("{") and data.endswith("}") else [UNREADABLE]


def is_burst(chunks: Sequence[Chunk], n_tokens: int, *, sent_ns: int) -> bool:
    """Whether a stream was none: all of it came at its end."""
    if not chunks or max(n_tokens, len(chunks)) < MIN_BURST_TOKENS:
        return False
    first_ns, last_ns = chunks[0].at_ns, chunks[-1].at_ns
    if last_ns - first_ns > BURST_GAP_NS * (len(chunks) - 1):
        return False
    late_ns = last_ns - BURST_TIME * (last_ns - sent_ns)
    n_late = sum(chunk.n_characters for chunk in chunks if chunk.at_ns >= late_ns)
    return n_late >= BURST_CHARACTERS * sum(chunk.n_characters for chunk in chunks)


def head_problems(headers: Mapping[str, str]) -> list[str]:
    """Name what is wrong with an answer's head."""
    encoding = headers.get("content-encoding", "").strip().lower()
    return [f"{COMPRESSED} ({encoding})"] if encoding not in ("", "identity") else []


def queue_ms_of(headers: Mapping[str, str]) -> float | None:
    """Return the time in the server's queue, as TGI tells it with whole answers."""
    told = headers.get("x-queue-time", "")
    return float(told) if told.isascii() and told.isdecimal() else None
