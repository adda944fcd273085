"""What a backend is doing, and what it has done: to be shown, scraped, and never acted upon."""

from __future__ import annotations

from dataclasses import dataclass


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
