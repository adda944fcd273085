"""Read several streams as one. Used by the routes that answer with several choices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from tgicli.core import Delta, Finish
from tgicli.server.answering import Events


async def merge(streams: Sequence[Events]) -> AsyncGenerator[tuple[int, Delta | Finish], None]:
    """Yield (which stream, event) as they come, until all have ended.

    Raises:
        TgicliError: what the first of them to fail raises.
    """
    if len(streams) == 1:  # the usual case needs no tasks
        async for event in streams[0]:
            yield 0, event
        return
    # NOTE: no TaskGroup: one that is left by closing the generator raises an ExceptionGroup.
    waits = {asyncio.ensure_future(anext(stream)): i for i, stream in enumerate(streams)}
    try:
        while waits:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in sorted(done, key=lambda one: waits[one]):
                event, index = wait.result(), waits.pop(wait)
                if not isinstance(event, Finish):
                    waits[asyncio.ensure_future(anext(streams[index]))] = index
                yield index, event
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
