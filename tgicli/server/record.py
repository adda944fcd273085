"""What is known about one HTTP request when it is over: for the access log, the metrics, the panel.

Filled by the routes on the event loop, one each.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import Request

from tgicli.core import Finish

CANCELLED = "cancelled"  # the client went away
STALLED = "stalled"  # it took nothing for too long
PLACE_TAKING = frozenset(  # paths whose POST asks for an answer
    {
        "/",
        "/generate",
        "/generate_stream",
        "/invocations",
        "/v1/completions",
        "/v1/chat/completions",
    }
)


@dataclass(slots=True, eq=False)
class Record:
    """One request."""

    request_id: str
    method: str
    path: str
    client: str  # its host; empty when unknown
    clock: Callable[[], float] = time.perf_counter
    route: str = field(init=False)  # whose dialect is spoken: the path's, unless it has several
    began_s: float = field(init=False)
    first_token_s: float | None = None
    status: int = 0
    n_started: int = 0  # requests to the backend
    error_type: str | None = None  # TGI's word, or one of the two above
    finishes: list[Finish] = field(default_factory=list)  # in the order in which they came
    _n_prompt_tokens: dict[int, int] = field(default_factory=dict)  # of each prompt, by its index

    def __post_init__(self) -> None:
        self.route = self.path
        self.began_s = self.clock()

    @classmethod
    def of(cls, request: Request) -> Record:
        """Return the record of a request that is being answered."""
        record: Record = request.scope["state"]["record"]
        return record

    @property
    def takes_place(self) -> bool:
        """Whether it asks for an answer, and so is one of those that are counted."""
        return self.method == "POST" and self.path in PLACE_TAKING

    @property
    def elapsed_s(self) -> float:
        """Seconds since the request came."""
        return self.clock() - self.began_s

    @property
    def n_prompt_tokens(self) -> int | None:
        """Tokens of all its prompts, several answers or not; None when no answer has ended."""
        return sum(self._n_prompt_tokens.values()) if self.finishes else None

    @property
    def n_new_tokens(self) -> int | None:
        """Tokens of all its answers."""
        return sum(f.n_generated_tokens for f in self.finishes) if self.finishes else None

    def heard_token(self) -> None:
        """Note when the first token came."""
        if self.first_token_s is None:
            self.first_token_s = self.clock()

    def finished(self, finish: Finish, *, prompt: int) -> None:
        """Take in the end of an answer to the prompt of that index."""
        self.finishes.append(finish)
        self._n_prompt_tokens[prompt] = finish.n_prompt_tokens
