"""What a server accepts: TGI's limits, with TGI's names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest values that a request may have."""

    max_total_tokens: int  # prompt and answer together
    max_input_tokens: int  # of the prompt
    max_best_of: int = 2
    max_stop_sequences: int = 4
    max_top_n_tokens: int = 5
    max_client_batch_size: int = 4  # prompts in one OpenAI completion
    allows_grammar: bool = True
    adapters: tuple[str, ...] = ()  # names that OpenAI's `model` may give instead of the model's
