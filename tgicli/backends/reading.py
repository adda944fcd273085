"""From one server's answer to events: deltas, then the finish, or the error that ends it.

Used by the remote backend on the event loop. What came is always given out before what broke is
raised; an answer that told its end is complete, whatever its connection does afterwards.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from tgicli.backends.http import Answer
from tgicli.backends.observing import Observation, ObservedReader
from tgicli.backends.patience import Patience
from tgicli.backends.stop_cutter import StopCutter
from tgicli.core import Delta, Finish, FinishReason, Token
from tgicli.errors import StreamBroken, TgicliError, Unreachable
from tgicli.wire.answers import END, AnswerReader
from tgicli.wire.refusals import words_of

DRAIN_S = 0.05  # for the end of a body that has told everything: then its connection can be reused
OBSERVED_DRAIN_S = 1.0  # the same, to see how the server ends its streams
_PROMPT_TOKENS = "x-prompt-tokens"  # where TGI tells what a whole answer's details do not


@dataclass(slots=True)
class _Times:
    """When what came of one answer, seconds of a monotonic clock."""

    began: float
    first: float | None = None
    last: float = 0.0

    def heard(self) -> None:
        """Tokens came."""
        self.last = time.perf_counter()
        if self.first is None:
            self.first = self.last

    def put_into(self, finish: Finish, tokens: tuple[Token, ...]) -> Finish:
        """Return the finish with its last tokens and its times."""
        first = self.first
        if first is None:  # no token came: the end itself was what one waited for
            first = self.last = time.perf_counter()
        return replace(
            finish, tokens=tokens, prefill_s=first - self.began, decode_s=self.last - first
        )


class AnswerReading:
    """Reads one answer."""

    def __init__(
        self,
        answer: Answer,
        reader: AnswerReader,
        patience: Patience,
        *,
        began_s: float,
        stop: tuple[str, ...],
        observation: Observation | None = None,
    ) -> None:
        """Read it in a dialect; began_s: when it was asked for, on time.perf_counter's clock.

        stop are strings that the server keeps in the text, and nobody wants.
        """
        if observation is not None:
            reader = ObservedReader(reader, observation)
        self._answer = answer
        self._reader = reader
        self._patience = patience
        self._cutter = StopCutter(stop) if stop else None
        self._times = _Times(began_s)
        self._observation = observation
        self._n_tokens = 0

    def events(self) -> AsyncGenerator[Delta | Finish, None]:
        """Yield what the server generates.

        Raises:
            TgicliError: the server tells an error.
            StreamBroken, DeadlineExceeded: the answer does not come to its end.
            Unreachable: this is no answer to such a request.
        """
        match self._answer.media_type:
            case "" | "text/event-stream":
                return self._stream()
            case "application/json":
                return self._whole()
            case _:
                return self._stranger()

    async def _stream(self) -> AsyncGenerator[Delta | Finish, None]:
        reader, tokens = self._reader, tuple[Token, ...]()
        async with aclosing(self._answer.events(self._patience)) as events:
            try:
                async for data in events:
                    tokens = self._heard(reader.read_event(data))
                    if reader.is_complete or self._is_cut:
                        break
                    if tokens:
                        yield Delta(tokens)
                        tokens = ()
                else:
                    self._expect_end()
            except TgicliError:
                if not reader.has_ended:
                    if tokens := self._held():
                        yield Delta(tokens)
                    raise
            if reader.is_complete:
                await self._drain(events)
        yield self._finish(tokens)

    async def _drain(self, events: AsyncGenerator[str, None]) -> None:
        """Read on to the body's end, if it is near; an observer wants to see more of it."""
        observation = self._observation
        try:
            async with asyncio.timeout(DRAIN_S if observation is None else OBSERVED_DRAIN_S):
                async for data in events:
                    if observation is not None:
                        observation.understood(data, ())
        except (TimeoutError, TgicliError):
            return  # then the connection is closed

    async def _whole(self) -> AsyncGenerator[Delta | Finish, None]:
        """Yield an answer that came at once: it was asked for, or the server does not stream."""
        reply = await self._answer.reply(self._patience)
        n_prompt = reply.headers.get(_PROMPT_TOKENS, "")
        n_prompt_tokens = int(n_prompt) if n_prompt.isdecimal() else None
        yield self._finish(self._heard(self._reader.read_whole(reply.body, n_prompt_tokens)))

    async def _stranger(self) -> AsyncGenerator[Delta | Finish, None]:
        words = words_of(await self._answer.words())
        raise Unreachable(
            f"the answer is {self._answer.media_type} and no stream of tokens; "
            f"is a proxy in the way, or the address another's? It says: {words}"
        )
        yield  # a generator like the others

    def _heard(self, tokens: tuple[Token, ...]) -> tuple[Token, ...]:
        """Take in what came; return what may be given out of it."""
        if tokens:
            self._n_tokens += len(tokens)
            self._patience.heard()
            self._times.heard()
        if self._reader.has_ended:
            self._patience.ended()
        return tokens if self._cutter is None else self._cutter.push(tokens)

    def _expect_end(self) -> None:
        if not self._reader.has_ended:
            raise StreamBroken("the connection was closed before the answer's end")

    def _held(self) -> tuple[Token, ...]:
        """Return what came and might have become a stop string."""
        return () if self._cutter is None else self._cutter.close()

    @property
    def _is_cut(self) -> bool:
        """Whether the answer ends here although the server goes on."""
        return self._cutter is not None and self._cutter.has_cut and not self._reader.has_ended

    def _finish(self, tokens: tuple[Token, ...]) -> Finish:
        """Return the end.

        Raises:
            StreamBroken: this is not the answer's end.
        """
        tokens += self._held()
        if self._is_cut:
            finish = _cut_finish(self._n_tokens)
        else:
            self._expect_end()
            finish = self._reader.finish()
            if self._cutter is not None and self._cutter.has_cut:
                finish = replace(finish, reason=FinishReason.STOP_SEQUENCE)
        return self._times.put_into(finish, tokens or (END,))


def _cut_finish(n_tokens: int) -> Finish:
    """Return the end of an answer that the server would have gone on with."""
    return Finish(
        tokens=(),
        reason=FinishReason.STOP_SEQUENCE,
        n_prompt_tokens=0,
        n_cached_tokens=0,
        n_generated_tokens=n_tokens,
        seed=None,
        has_usage=False,
    )
