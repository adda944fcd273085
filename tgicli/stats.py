"""What a backend is doing, and what it has done: to be shown and scraped, never acted upon."""

from __future__ import annotations

from dataclasses import dataclass

# The upper bounds of a histogram's buckets, TGI's (router/src/server.rs); a last bucket is open.
DURATION_BOUNDS_S = tuple(0.0001 * 1.5**k for k in range(1, 36))


@dataclass(frozen=True, slots=True)
class Durations:
    """How long something took, each time."""

    counts: tuple[int, ...]  # by bucket: within each of DURATION_BOUNDS_S, and beyond the last
    sum_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStats:
    """What became of the batches of one kind."""

    n_failed: int
    whole: Durations  # of those that did not fail
    forward: Durations  # of these, in llama_decode
    sampling: Durations  # and behind it


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """How requests were computed together."""

    n_reserved_tokens: int  # that the running ones may hold at most, prompt and answer
    n_cells: int  # tokens that all lanes hold
    prefill: BatchStats  # a chunk of one prompt each
    decode: BatchStats


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendStats:
    """What a backend is doing, and what it has done since it started."""

    n_waiting: int
    n_running: int
    n_prompt_tokens: int = 0  # of all requests that were started
    n_cached_tokens: int = 0  # of these, taken from an earlier request's KV cells
    steps_s: float = 0.0  # the time of all steps
    decode_s: float = 0.0  # of that, inside llama_decode
    worst_step_s: float = 0.0
    batches: Batches | None = None  # None: a server elsewhere does not tell
