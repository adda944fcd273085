"""Read several streams as one. Used by the routes that answer with several choices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from tgicli.core import Delta, Finish
from tgicli.errors import TgicliError
from tgicli.server.answering import Events

_Item = tuple[int, Delta | Finish | TgicliError]


async def merge(streams: Sequence[Events]) -> AsyncGenerator[tuple[int, Delta | Finish], None]:
    """Yield (which stream, event) as they come, until all have ended.

    Raises:
        TgicliError: what the first of them to fail raises.
    """
    if len(streams) == 1:  # the usual case needs no tasks
        async for event in streams[0]:
            yield 0, event
        return
    queue: asyncio.Queue[_Item] = asyncio.Queue(maxsize=len(streams))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_pour(i, stream, queue)) for i, stream in enumerate(streams)]
        try:
            n_open = len(streams)
            while n_open:
                index, item = await queue.get()
                if isinstance(item, TgicliError):
                    raise item
                n_open -= isinstance(item, Finish)
                yield index, item
        finally:
            for task in tasks:
                task.cancel()


async def _pour(index: int, stream: Events, queue: asyncio.Queue[_Item]) -> None:
    try:
        async for event in stream:
            await queue.put((index, event))
    except TgicliError as error:
        await queue.put((index, error))
