"""Ask many prompts of one backend, some at once: what is left of each is a line of answers.

Called by `job` on the event loop; knows core.Backend and nobody behind it. A prompt is never
under way twice, and its line is written once, whole.

A prompt that a busy server refused is not asked again before the server's Retry-After, or a wait
that doubles. Until then no other is asked in its place, unless something comes from the server:
then it has room again, and the window says how much of it is ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from tgicli.backends.retrying import RetryPolicy
from tgicli.cli.batch.input import Prompt
from tgicli.cli.batch.window import Window
from tgicli.cli.generate.grammar import has_whole_form
from tgicli.cli.loop import time_limit
from tgicli.core import Backend, Delta, Finish, FinishReason, GenerationRequest, Progress, Token
from tgicli.errors import (
    ConfigError,
    Overloaded,
    RequestError,
    StreamBroken,
    TgicliError,
    Unauthorized,
    Unreachable,
)
from tgicli.wire.batch import PromptLine
from tgicli.wire.batch_answers import Answer, encode_answer, encode_failure

MAX_BREAKS = 3  # of one prompt's answers, before it counts as failed
_MOST_DOUBLINGS = 10  # of a wait; it has reached its ceiling long before
_EVER = 1 << 30


class Answers(Protocol):
    """Where lines go."""

    async def write(self, index: int, line: bytes) -> None:
        """Write a prompt's line; when this returns, a crash does not lose it.

        Raises:
            TgicliError, BrokenPipeError: it can't be written.
        """
        ...


@dataclass(slots=True, eq=False)
class Tally:
    """How far it is."""

    n_prompts: int
    n_answered: int = 0  # those of an earlier run, too
    n_running: int = 0
    n_tokens: int = 0  # of this run
    trouble: str = ""  # why the server is not heard of
    failures: list[tuple[Prompt, TgicliError]] = field(default_factory=list)


@dataclass(slots=True, order=True)
class _Turn:
    """A prompt that waits to be asked."""

    ready_s: float  # on the loop's clock
    index: int
    prompt: Prompt = field(compare=False)
    n_refusals: int = field(default=0, compare=False)
    n_breaks: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to go about it."""

    chats: bool | None  # whether prompts go through the chat template
    patience_s: float  # without a word from the server, before it is given up
    stops_at_failure: bool = False
    timeout_s: float | None = None  # for each answer; None: as long as it takes
    retries: RetryPolicy = field(default_factory=lambda: RetryPolicy(n_retries=_EVER))


class BatchRun:
    """The prompts of one run, asked and to be asked."""

    def __init__(
        self, backend: Backend, answers: Answers, tally: Tally, window: Window, options: RunOptions
    ) -> None:
        self._backend = backend
        self._answers = answers
        self._tally = tally
        self._window = window
        self._options = options
        self._fresh: deque[Prompt] = deque()
        self._refused: list[_Turn] = []  # a heap
        self._changed = asyncio.Event()
        self._heard_s = 0.0  # when the backend last said something, on the loop's clock
        self._has_heard = False
        self._is_shut = False  # refused, and nothing has come since

    async def run(self, prompts: Iterable[Prompt]) -> None:
        """Ask all prompts. Cancelling ends what is under way; what is written stays.

        Raises:
            TgicliError: the server was given up, refuses us, or the answers can't be written.
            BrokenPipeError: nobody reads the answers any more.
        """
        self._fresh.extend(prompts)
        self._heard_s = _now_s()
        try:
            async with asyncio.TaskGroup() as group:
                while (turn := await self._next()) is not None:
                    self._tally.n_running += 1
                    group.create_task(self._answer(turn))
        except ExceptionGroup as failures:  # the first one ended all
            raise failures.exceptions[0] from failures

    async def _next(self) -> _Turn | None:
        """Wait for the next one whose turn it is; None: there are no more."""
        while self._fresh or self._refused or self._tally.n_running:
            self._changed.clear()
            wait_s = self._wait_s()
            if wait_s == 0:
                return self._take()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
        return None

    def _wait_s(self) -> float | None:
        """Return how long to wait for the next turn; None: until something changes."""
        if self._tally.n_running >= self._window.size:
            return None
        rest_s = self._refused[0].ready_s - _now_s() if self._refused else None
        may_ask = not self._is_shut or (rest_s is None and not self._tally.n_running)
        if self._fresh and may_ask:
            return 0.0
        return rest_s if rest_s is None else max(0.0, rest_s)

    def _take(self) -> _Turn:
        """Return the next one: who was refused and may be asked again, else who comes first."""
        if self._refused and (not self._fresh or self._refused[0].ready_s <= _now_s()):
            return heapq.heappop(self._refused)
        prompt = self._fresh.popleft()
        return _Turn(0.0, prompt.key.index, prompt)

    async def _answer(self, turn: _Turn) -> None:
        """Ask one, and write what came of it."""
        ticket = self._window.ticket
        try:
            answer = await self._ask(_request(turn.prompt, self._options.chats))
        except (Overloaded, Unreachable) as error:
            self._come_back(turn, error, ticket)
        except StreamBroken as error:
            await self._ask_again(turn, error, ticket)
        except (ConfigError, Unauthorized):
            raise  # it is the same for all
        except TgicliError as error:
            await self._fail(turn.prompt, error)
        else:
            await self._take_in(turn.prompt, answer)
        finally:
            self._tally.n_running -= 1
            self._changed.set()

    async def _ask(self, request: GenerationRequest) -> Answer:
        began_s = time.perf_counter()
        tokens: list[Token] = []
        has_spoken = False
        async with (
            time_limit(self._options.timeout_s),
            contextlib.aclosing(self._backend.generate(request)) as events,
        ):
            async for event in events:
                if not has_spoken:
                    has_spoken = True
                    self._window.accepted()
                self._hear()
                if isinstance(event, Progress):
                    continue
                tokens += event.tokens
                self._tally.n_tokens += len(event.tokens)
                match event:
                    case Finish():
                        if event.has_usage:  # pieces are no tokens
                            self._tally.n_tokens += event.n_generated_tokens - len(tokens)
                        return Answer(tuple(tokens), event, time.perf_counter() - began_s)
                    case Delta():
                        pass
        raise AssertionError("a stream ends with Finish or raises")

    def _hear(self) -> None:
        self._heard_s = _now_s()
        self._has_heard, self._is_shut, self._tally.trouble = True, False, ""
        self._changed.set()

    async def _take_in(self, prompt: Prompt, answer: Answer) -> None:
        """Write an answer, unless it is known that its form is not complete."""
        self._window.answered()
        assert isinstance(prompt.line, PromptLine)
        params = prompt.line.ask.params
        if has_whole_form(params.grammar, answer.finish, answer.tokens) is False:
            limit = params.max_new_tokens
            cause = "there was no more room" if limit is None else f"max_new_tokens is {limit}"
            if answer.finish.reason is FinishReason.STOP_SEQUENCE:
                cause = "a stop string came"
            await self._fail(
                prompt, StreamBroken(f"it was cut off before its form was complete: {cause}")
            )
            return
        await self._answers.write(prompt.key.index, encode_answer(prompt.key, prompt.kept, answer))
        self._tally.n_answered += 1

    async def _fail(self, prompt: Prompt, error: TgicliError) -> None:
        self._tally.failures.append((prompt, error))
        await self._answers.write(prompt.key.index, encode_failure(prompt.key, prompt.kept, error))
        if self._options.stops_at_failure:
            raise type(error)(f"{prompt.name}: {error}")

    def _come_back(self, turn: _Turn, error: Overloaded | Unreachable, ticket: int) -> None:
        """Let a refused one wait for its next turn.

        Raises:
            TgicliError: the server has never been there, has said nothing for too long, or wants
                too long a wait.
        """
        self._window.refused(ticket)
        is_busy = isinstance(error, Overloaded)
        self._tally.trouble = "busy" if is_busy else "no connection"
        self._has_heard, self._is_shut = self._has_heard or is_busy, True
        turn.n_refusals += 1
        retry = self._options.retries.next(min(turn.n_refusals, _MOST_DOUBLINGS), error)
        is_patient = _now_s() - self._heard_s <= self._options.patience_s
        if retry is None or not is_patient or not self._has_heard:
            raise error
        turn.ready_s = _now_s() + retry.wait_s
        heapq.heappush(self._refused, turn)

    async def _ask_again(self, turn: _Turn, error: StreamBroken, ticket: int) -> None:
        """Ask one at once whose answer broke off; nobody has seen any of it."""
        self._window.refused(ticket)
        turn.n_breaks += 1
        if turn.n_breaks >= MAX_BREAKS:
            await self._fail(turn.prompt, error)
        else:
            turn.ready_s = 0.0
            heapq.heappush(self._refused, turn)


def _request(prompt: Prompt, chats: bool | None) -> GenerationRequest:
    if isinstance(prompt.line, RequestError):
        raise prompt.line
    return prompt.line.to_request(f"prompt-{prompt.key.index}", chats=chats)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
