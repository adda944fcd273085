"""From accepted requests to answers: whole ones, or the bytes of a stream.

Used by the routes on the event loop. Everything that can be refused is refused before an answer
begins; a client that goes away in any state closes its requests, and with them their sequences.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import TypeVar

from starlette.requests import Request
from starlette.types import Receive

from tgicli.core import Delta, Event, Finish, GenerationRequest, Run, collect
from tgicli.errors import Overloaded, TgicliError
from tgicli.server.record import Record
from tgicli.server.service import Service

Events = AsyncGenerator[Delta | Finish, None]
_ACCEPTED, _BEGUN = Delta(()), Delta(())  # news of a request, without a token
_T = TypeVar("_T")


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class QueueWaitExceeded(Overloaded):
    """A request waited too long for its first step."""


@asynccontextmanager
async def accepted(
    service: Service, asked: Request, requests: Sequence[GenerationRequest], *, n: int = 1
) -> AsyncGenerator[list[Events], None]:
    """Start requests; give what they generate, once all are accepted; end them with the block.

    Where the wait in the queue has a limit, it is over, too. The first n are for the first prompt,
    the next n for the second, and so on.

    Raises:
        RequestError: one is refused.
        QueueWaitExceeded: one waited too long.
        ClientGone: the client did not wait so long.
    """
    record = Record.of(asked)
    async with AsyncExitStack() as stack:
        streams = []
        for index, request in enumerate(requests):
            events = _Counted(service, record, request, prompt=index // n).events()
            await stack.enter_async_context(aclosing(events))
            await while_connected(asked, anext(events))  # accepted
            streams.append(events)
        if service.options.max_queue_wait_s is not None:
            await while_connected(asked, _begun(streams))
        yield streams


async def _begun(streams: Sequence[Events]) -> None:
    """Wait until each stream has begun or failed; the first failure ends them all."""
    results = await asyncio.gather(*map(anext, streams), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


class _Counted:
    """One request, with its traces in the metrics and in the record."""

    def __init__(
        self, service: Service, record: Record, request: GenerationRequest, *, prompt: int
    ) -> None:
        self._service = service
        self._record = record
        self._request = request
        self._prompt = prompt  # the index of what it answers
        self._began_s = record.elapsed_s
        self._n_heard = 0  # tokens

    async def events(self) -> AsyncGenerator[Delta | Finish, None]:
        """Yield _ACCEPTED, then what is generated.

        Where the wait in the queue has a limit, _BEGUN in between says that it is over.
        """
        metrics, max_wait_s = self._service.metrics, self._service.options.max_queue_wait_s
        metrics.request_started()
        self._record.n_started += 1
        has_ended = False
        try:
            async with aclosing(self._service.backend.generate(self._request)) as events:
                await anext(events)  # accepted
                metrics.validated(self._record.elapsed_s - self._began_s)
                yield _ACCEPTED
                event = await self._first(events, max_wait_s)
                if max_wait_s is not None:
                    yield _BEGUN
                while not isinstance(event, Finish):
                    if isinstance(event, Delta):
                        self._heard(len(event.tokens))
                        yield event
                    event = await anext(events)
                has_ended = True
                self._finished(event)
                yield event
        except TgicliError as error:
            has_ended = True
            metrics.refused(error)
            raise
        finally:
            if not has_ended:
                metrics.cancelled()

    async def _first(self, events: AsyncGenerator[Event, None], max_wait_s: float | None) -> Event:
        """Return the first event after the acceptance, which the first step brings.

        With best_of it is the last one, too, so that no wait can be told from computing.

        Raises:
            QueueWaitExceeded: it is not there within the longest wait that is allowed.
        """
        if self._request.best_of > 1:
            return await anext(events)
        try:
            async with asyncio.timeout(max_wait_s):
                return await anext(events)
        except TimeoutError:
            retry_after_s = self._service.admission.promise()
            raise QueueWaitExceeded("Model is overloaded", retry_after_s=retry_after_s) from None

    def _heard(self, n_tokens: int) -> None:
        self._record.heard_token()
        self._n_heard += n_tokens
        self._service.metrics.generated(n_tokens)

    def _finished(self, finish: Finish) -> None:
        self._heard(max(0, finish.n_tokens_of_all_runs - self._n_heard))
        self._record.finished(finish, prompt=self._prompt)
        self._service.metrics.finished(
            finish,
            duration_s=self._record.elapsed_s - self._began_s,
            max_new_tokens=self._request.params.max_new_tokens,
        )


async def collect_all(streams: Sequence[Events]) -> list[Run]:
    """Read several streams to their ends, side by side; the first failure ends them all."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(collect(events)) for events in streams]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]


async def while_connected(request: Request, work: Awaitable[_T]) -> _T:
    """Wait for a result as long as the client does; then cancel the work.

    Raises:
        ClientGone: the client went away.
    """
    try:
        async with asyncio.TaskGroup() as group:
            watcher = group.create_task(_end_with(request.receive))
            result = await work
            watcher.cancel()
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return result


async def _end_with(receive: Receive) -> None:
    await until_gone(receive)
    raise ClientGone


async def until_gone(receive: Receive) -> None:
    """Wait until the connection is closed; what else the client sends is passed over."""
    while (await receive())["type"] != "http.disconnect":
        pass
