"""What a run does: its prompts, its load points, when each request is to be sent.

Values only. A plan is drawn whole, from a seed, before anything is sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from tgicli.core import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What one request asks."""

    prompt: str | tuple[Message, ...]  # as core.GenerationRequest has it
    n_tokens: int | None = None  # the length that was wanted; None: it is as it is
    max_new_tokens: int
    nonce: str = ""  # what it begins with, so that no earlier request's prefix serves it


@dataclass(frozen=True, slots=True)
class Closed:
    """So many users, each of whom asks again once answered."""

    concurrency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Requests at given times, whatever becomes of those before."""

    rate: float  # requests a second, on average
    arrival: str  # "constant", "poisson", "gamma:0.5", "ramp", "trace": for showing
    offsets_ns: tuple[int, ...]  # when each is to be sent, since the point's beginning; ascending
    max_in_flight: int | None = None  # past it a request is dropped, and counted


Load = Closed | Open


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One load, held for a while."""

    name: str  # "concurrency 8" or "4 requests/s"
    load: Load
    warmup_s: float | None = None  # at this load; None: until users' load is steady, else none
    duration_s: float | None = None  # of measuring; None: n_requests says when it ends
    n_requests: int | None = None  # measured; None: duration_s says
