"""One conversation: questions to a backend, answers to the terminal, and what stays of them.

Used by `loop` and `commands` on the event loop. Whoever opens the backend, and whether it
is open yet, does not matter here. A question that is not answered changes nothing but `unanswered`;
an answer that was begun is kept, as far as it came.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import aclosing, closing
from dataclasses import dataclass, replace
from typing import Any

from tgicli.cli.chat.options import ChatOptions
from tgicli.cli.chat.record import AnswerRecord
from tgicli.cli.chat.view import open_chat_view
from tgicli.cli.generate.warm_answer import with_seed
from tgicli.cli.loop import time_limit
from tgicli.core import (
    Backend,
    FinishReason,
    GenerationRequest,
    Message,
    Progress,
    SamplingParams,
    Token,
)
from tgicli.errors import ConfigError, ContextOverflow, TgicliError
from tgicli.ui.held_status import HeldStatus
from tgicli.ui.terminal import Terminal

Remember = Callable[[GenerationRequest, list[Token]], None]
Opening = Callable[[], Coroutine[Any, Any, "Opened"]]


def forget(_request: GenerationRequest, _answer: list[Token]) -> None:
    """Keep nothing: only a server knows its tokens."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A backend, and who wants to know what it has answered."""

    backend: Backend
    remember: Remember
    instead: Opening | None = None  # what opens another one, once this one begins no answer


class Session:
    """A conversation that goes on."""

    def __init__(
        self,
        options: ChatOptions,
        terminal: Terminal,
        status: HeldStatus,
        opened: asyncio.Future[Opened],
    ) -> None:
        """Begin; the backend may still be on its way."""
        self._options = options
        self._terminal = terminal
        self._status = status
        self.opened = opened
        self.conversation = options.conversation
        self.unanswered = options.unanswered
        self.last: AnswerRecord | None = None
        self._n_requests = 0
        self._n_retries = 0
        self._answering: asyncio.Task[None] | None = None
        self._is_stopped = False

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation, with the last question also where nothing has answered it."""
        if self.unanswered is None:
            return self.conversation.messages
        return self.conversation.asking(self.unanswered)

    async def ask(self, question: str) -> None:
        """Show the answer to a question.

        Raises:
            TgicliError: there is none, or not all of it; what came is kept.
        """
        self._n_retries = 0
        await self._ask(question, self._options.params)

    async def retry(self) -> None:
        """Show another answer to the last question, in place of the one before.

        Raises:
            ConfigError: nothing was asked.
            TgicliError: there is no answer, or not all of it; what came is kept.
        """
        question, before = self.unanswered, self.conversation
        was_answered = question is None
        if question is None:
            question = self.conversation.last_question
            self.conversation = self.conversation.without_last()
        if question is None:
            raise ConfigError("there is no question to ask again")
        self._n_retries += 1
        params = self._options.params
        if params.is_greedy and was_answered:
            self.say("temperature 0 takes the likeliest tokens: the answer will be the same")
        try:
            await self._ask(question, _with_next_seed(params, self._n_retries))
        finally:
            if was_answered and self.unanswered is not None:
                self.conversation, self.unanswered = before, None  # the old one is still there

    def stop(self) -> bool:
        """Stop the answer; return whether one is on its way. Called when Ctrl-C is pressed."""
        if self._answering is None:
            return False
        if not self._is_stopped:  # a second time would interrupt the stopping
            self._is_stopped = True
            self._answering.cancel()
        return True

    def say(self, text: str) -> None:
        """Say something about the conversation."""
        self._terminal.say(text)

    async def n_ctx(self) -> int:
        """Return how many tokens the context holds; 0 when nobody knows."""
        return (await (await self._backend()).info()).n_ctx

    async def _backend(self) -> Backend:
        return (await asyncio.shield(self.opened)).backend

    async def _ask(self, question: str, params: SamplingParams) -> None:
        self._n_requests += 1
        if self._options.remote is None:
            params = with_seed(params)
        request = GenerationRequest(
            id=f"chat-{self._n_requests}",
            prompt=self.conversation.asking(question),
            params=params,
        )
        record = AnswerRecord(request)
        self.unanswered = question
        self._is_stopped = False
        self._answering = asyncio.create_task(self._answer(record))
        try:
            await self._answering
        except ContextOverflow as error:
            raise await self._overflow(request, error) from error
        except asyncio.CancelledError:
            if not self._is_stopped:  # the whole program is
                raise
        finally:
            self._answering = None
            record.is_stopped = self._is_stopped
            self._keep(question, record)
        await self._last_words(record)

    async def _answer(self, record: AnswerRecord) -> None:
        """Write the answer while it comes; nothing is between two questions but it."""
        self._status.release()
        try:
            opened = await asyncio.shield(self.opened)
            try:
                async with time_limit(self._options.timeout_s):
                    try:
                        await self._stream(opened.backend, record)
                    except TgicliError:
                        if opened.instead is None or record.tokens:
                            raise
                        opened = await self._reopen(opened.backend, opened.instead)
                        await self._stream(opened.backend, record)
            finally:
                opened.remember(record.request, record.tokens)
        finally:
            self._status.hold()

    async def _reopen(self, before: Backend, opening: Opening) -> Opened:
        """Leave a backend that refuses, or is gone, for another one."""
        self.opened = asyncio.create_task(opening())
        await before.aclose()
        return await asyncio.shield(self.opened)

    async def _stream(self, backend: Backend, record: AnswerRecord) -> None:
        record.began_s = time.perf_counter()
        with closing(open_chat_view(self._options, self._terminal)) as view:
            async with aclosing(backend.generate(record.request)) as events:
                async for event in events:
                    if isinstance(event, Progress):
                        record.n_prompt = event.n_prompt_tokens
                        self._show_progress(event)
                        continue
                    self._status.clear()
                    record.add(event)
                    view.write(event)
                    await self._terminal.drain_stdout()
        await self._terminal.drain_stdout()

    def _show_progress(self, progress: Progress) -> None:
        if progress.n_computed:
            self._status.show(f"prompt {progress.n_computed:,}/{progress.n_prompt_tokens:,} tokens")

    def _keep(self, question: str, record: AnswerRecord) -> None:
        """Add what came to the conversation."""
        if record.tokens or record.finish:
            self.last = record
            self.conversation = self.conversation.answered(question, record.text)
            self.unanswered = None

    async def _last_words(self, record: AnswerRecord) -> None:
        """Say what the answer itself can't."""
        finish = record.finish
        if finish is None:
            self.say("stopped; /retry asks again" if self.unanswered is not None else "stopped")
        elif finish.reason is FinishReason.LENGTH and not self._options.params.max_new_tokens:
            n_ctx = await self.n_ctx() if self._options.remote is None else 0
            n_used = finish.n_prompt_tokens + finish.n_generated_tokens
            cause = f"the context is full, {n_used:,} of {n_ctx:,} tokens"
            self.say(
                f"the answer was cut off: {cause if n_ctx else 'the server has a limit'};\n"
                "/forget drops the oldest question, /undo the last one, /clear begins anew"
            )
        if self._options.stats and record.tokens:
            self.say(record.line())

    async def _overflow(self, request: GenerationRequest, error: ContextOverflow) -> TgicliError:
        """Say what is too long, by how much, and what can be done about it."""
        advice = (
            "/forget drops the oldest question,\n"
            "/undo takes the last answered one back, /clear begins anew; /retry then asks this one"
        )
        if self._options.remote is not None:
            return ContextOverflow(f"{error}\n{advice}")
        backend = await self._backend()
        n_prompt, n_ctx = await backend.count_tokens(request), (await backend.info()).n_ctx
        n_new = request.params.max_new_tokens
        wanted = "" if n_new is None else f" and --max-new-tokens wants {n_new:,} more"
        return ContextOverflow(
            f"with this question the conversation has {n_prompt:,} tokens{wanted};\n"
            f"the context holds {n_ctx:,}: {advice}"
        )


def _with_next_seed(params: SamplingParams, number: int) -> SamplingParams:
    """Return parameters that draw other tokens; without a seed they do so anyway."""
    if params.seed is None:
        return params
    return replace(params, seed=(params.seed + number) % 2**64)


def first_words(text: str, n_characters: int = 50) -> str:
    """Return a text's beginning, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= n_characters else f"{line[: n_characters - 3]}..."


def roles(messages: tuple[Message, ...]) -> str:
    """Count messages in words."""
    return f"{len(messages):,} message{'' if len(messages) == 1 else 's'}"
