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

from tgicli.core import Delta, Event, Finish, GenerationRequest, Progress, Run, Token
from tgicli.errors import Overloaded, TgicliError
from tgicli.server.record import Record
from tgicli.server.service import Service

Events = AsyncGenerator[Delta | Finish, None]
_T = TypeVar("_T")


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


@asynccontextmanager
async def accepted(
    service: Service, record: Record, requests: Sequence[GenerationRequest]
) -> AsyncGenerator[list[Events], None]:
    """Start requests; give what they generate, once all are accepted; end them with the block.

    Raises:
        RequestError: one is refused.
    """
    async with AsyncExitStack() as stack:
        streams = []
        for request in requests:
            events = _Counted(service, record, request).events()
            await stack.enter_async_context(aclosing(events))
            await anext(events)  # accepted
            streams.append(_answers(service, events))
        for stream in streams:
            await stack.enter_async_context(aclosing(stream))
        yield streams


async def _answers(service: Service, events: AsyncGenerator[Event, None]) -> Events:
    """Yield what is generated; end a wait for the first step that gets too long.

    Raises:
        Overloaded: it did.
    """
    max_wait_s = service.options.max_queue_wait_s
    try:
        async with asyncio.timeout(max_wait_s):
            event = await anext(events)
    except TimeoutError:
        retry_after_s = service.admission.promise()
        raise Overloaded("Model is overloaded", retry_after_s=retry_after_s) from None
    while True:
        if not isinstance(event, Progress):
            yield event
        if isinstance(event, Finish):
            return
        event = await anext(events)


class _Counted:
    """One request, with its traces in the metrics and in the record."""

    def __init__(self, service: Service, record: Record, request: GenerationRequest) -> None:
        self._service = service
        self._record = record
        self._request = request

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield the backend's events."""
        metrics, record = self._service.metrics, self._record
        began_s = record.elapsed_s
        metrics.request_started()
        record.n_started += 1
        has_ended = False
        try:
            async with aclosing(self._service.backend.generate(self._request)) as events:
                async for event in events:
                    if isinstance(event, Progress) and event.n_computed == 0:
                        metrics.validated(record.elapsed_s - began_s)
                    elif isinstance(event, Finish):
                        has_ended = True
                        self._finished(event, record.elapsed_s - began_s)
                    else:
                        record.heard_token()
                    yield event
        except TgicliError as error:
            has_ended = True
            metrics.refused(error)
            raise
        finally:
            if not has_ended:
                metrics.cancelled()

    def _finished(self, finish: Finish, duration_s: float) -> None:
        self._record.heard_token()
        self._record.finishes.append(finish)
        self._service.metrics.finished(
            finish, duration_s=duration_s, max_new_tokens=self._request.params.max_new_tokens
        )


async def collect(events: Events) -> Run:
    """Read a stream to its end."""
    tokens: list[Token] = []
    async for event in events:
        tokens += event.tokens
        if isinstance(event, Finish):
            return Run(tuple(tokens), event)
    raise AssertionError("a stream ends with Finish or raises")


async def collect_all(streams: Sequence[Events]) -> list[Run]:
    """Read several streams to their ends, side by side; the first failure is everybody's."""
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
            watcher = group.create_task(_until_gone(request))
            result = await work
            watcher.cancel()
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return result


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    raise ClientGone
