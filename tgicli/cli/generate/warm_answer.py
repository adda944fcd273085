"""Answer one prompt by a server of the user's own that has the model in memory.

Called by `answer` on the main thread; runs the event loop. `chat` finds its server here, too. It
spares loading, and nothing else may change: whatever such a server refuses, or fails to begin, is
left to a model in this process. An answer that was begun is never begun again.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tgicli.backends.endpoint import Endpoint, RemoteOptions, Timeouts
from tgicli.cli.generate.options import GenerateOptions
from tgicli.cli.generate.streaming import stream, to_request
from tgicli.cli.warm import servers_with
from tgicli.core import Event, Progress, Run, SamplingParams
from tgicli.errors import TgicliError
from tgicli.models.resolve import Origin
from tgicli.ui.status import Status
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.backends.remote import RemoteBackend

SIGN_OF_LIFE_S = 1.0  # a server that is stopped or hangs takes connections as if nothing were


def answer_warmly(options: GenerateOptions, terminal: Terminal) -> Run | None:
    """Stream the answer; None: no server does it.

    Raises:
        TgicliError: an answer began and did not come to its end.
    """
    from tgicli.cli.loop import run

    there = servers_with(options.loading)
    if there is None:
        return None
    found, sockets = there
    options = replace(options, params=with_seed(options.params))
    status = Status(terminal)
    for path in sockets:
        try:
            answering = _answer(options, path, terminal, status)
            answered = run(answering, timeout_s=options.timeout_s)
        finally:
            status.clear()
        if answered is None:
            continue
        if found.origin is Origin.DEMO and options.loading.model is None and not options.quiet:
            terminal.say(f"no model is named; a server answered with {found.name}")
        return replace(answered, finish=replace(answered.finish, seed=options.params.seed))
    return None


def with_seed(params: SamplingParams) -> SamplingParams:
    """Draw the seed here, if one is needed: a chat route does not tell the one that it draws."""
    if params.is_greedy:
        return replace(params, seed=None)
    return params if params.seed is not None else replace(params, seed=secrets.randbits(32))


async def _answer(
    options: GenerateOptions, path: Path, terminal: Terminal, status: Status
) -> Run | None:
    status.show(f"waiting for unix:{path}")
    backend = await reached(path)
    if backend is None:
        return None
    async with aclosing(backend):
        try:
            events = backend.generate(to_request(options, chats=options.chat is not False))
            first = await _first(events)
        except TgicliError:
            return None  # it is not allowed there, or not now
        return await stream(_with(first, events), options, terminal, status)


async def reached(path: Path) -> RemoteBackend | None:
    """Return the server that listens there; None: it gives no sign of life."""
    import asyncio

    from tgicli.backends.faults import ConnectionRefused
    from tgicli.backends.remote import RemoteBackend
    from tgicli.backends.retrying import RetryPolicy

    endpoint = Endpoint.from_url(f"unix:{path}")
    remote = RemoteOptions(endpoint=endpoint, timeouts=Timeouts(connect_s=SIGN_OF_LIFE_S))
    async with AsyncExitStack() as stack:
        backend = RemoteBackend(remote, retries=RetryPolicy(n_retries=0))
        await stack.enter_async_context(aclosing(backend))
        try:
            async with asyncio.timeout(SIGN_OF_LIFE_S):
                await backend.info()
        except ConnectionRefused:
            path.unlink(missing_ok=True)  # its server was killed
            return None
        except (TgicliError, TimeoutError):
            return None
        stack.pop_all()
        return backend


async def _first(events: AsyncGenerator[Event, None]) -> Event:
    """Return the first event that has tokens."""
    async for event in events:
        if not isinstance(event, Progress):
            return event
    raise AssertionError("a stream ends with Finish or raises")


async def _with(first: Event, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """Yield what was taken out, and all that comes after it."""
    async with aclosing(events):
        yield first
        async for event in events:
            yield event
