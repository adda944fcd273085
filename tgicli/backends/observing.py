"""Who wants to know when what happened to a request: a load test. Nobody else is told, at no cost.

Called by the remote backend on the event loop, so an observer must not block, and had better only
take notes. Never changes what the backend does or yields. `bench` satisfies these protocols without
knowing this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tgicli.core import Finish, GenerationRequest, Token
from tgicli.wire.answers import AnswerReader


class Observation(Protocol):
    """Is told of one request. All times are time.perf_counter_ns's.

    The order is: sent, (connected), answered, then reads, each followed by the events that it
    completed, and ended where the body's end was seen. A request that is tried again begins anew.
    """

    def sent(self, at_ns: int) -> None:
        """It is handed to the transport now; whatever is still to be done first is in the wait."""
        ...

    def connected(self, at_ns: int) -> None:
        """A connection was made for it; told again once it is encrypted."""
        ...

    def answered(self, at_ns: int, status: int, headers: Mapping[str, str]) -> None:
        """The answer's head came; the names of headers are in lower case."""
        ...

    def read(self, at_ns: int, data: bytes) -> None:
        """Bytes of the answer's body came. What one read of the socket brought has one time."""
        ...

    def understood(self, data: str, tokens: tuple[Token, ...]) -> None:
        """The latest read completed an event, or a whole answer; tokens are those in it."""
        ...

    def ended(self, at_ns: int) -> None:
        """The answer's body came to its end."""
        ...


class Observer(Protocol):
    """Chooses which requests to observe."""

    def observe(self, request: GenerationRequest) -> Observation | None:
        """Return who is to be told of a request; None: nobody."""
        ...


class ObservedReader:
    """A reader that tells what it understands."""

    def __init__(self, reader: AnswerReader, observation: Observation) -> None:
        self._reader = reader
        self._observation = observation

    @property
    def has_ended(self) -> bool:
        """As the reader's."""
        return self._reader.has_ended

    @property
    def is_complete(self) -> bool:
        """As the reader's."""
        return self._reader.is_complete

    def read_event(self, data: str) -> tuple[Token, ...]:
        """Return an event's tokens, and tell them; an event with an error has none."""
        tokens = tuple[Token, ...]()
        try:
            tokens = self._reader.read_event(data)
        finally:
            self._observation.understood(data, tokens)
        return tokens

    def read_whole(self, body: bytes, n_prompt_tokens: int | None) -> tuple[Token, ...]:
        """Return the tokens of a whole answer, and tell them."""
        tokens = tuple[Token, ...]()
        try:
            tokens = self._reader.read_whole(body, n_prompt_tokens)
        finally:
            self._observation.understood(body.decode("utf-8", "replace"), tokens)
        return tokens

    def finish(self) -> Finish:
        """As the reader's."""
        return self._reader.finish()
