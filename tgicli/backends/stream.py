"""TokenStream: the reader's end of one answer.

Filled and read on the event loop. Unbounded by itself, bounded by the request's max_new_tokens;
what waits unread is merged into one Delta, so a slow reader gets larger pieces and delays nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TypeVar

from tgicli.core import Delta, Event, Finish, Progress
from tgicli.errors import TgicliError

_T = TypeVar("_T", Delta, Progress)


class TokenStream:
    """An asynchronous iterator over the events that put() takes in, for one reader."""

    def __init__(self) -> None:
        self._unread: deque[Event | TgicliError] = deque()
        self._reader: asyncio.Future[None] | None = None  # who waits for something to read
        self._finished = False

    def put(self, item: Event | TgicliError) -> None:
        """Add an event, or the error that ends the stream."""
        self._unread.append(item)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def __aiter__(self) -> TokenStream:
        return self

    async def __anext__(self) -> Event:
        if self._finished:
            raise StopAsyncIteration
        if not self._unread:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        return self._take()

    def _take(self) -> Event:
        """Return the next event: neighbouring deltas as one, of several progresses the last."""
        match item := self._unread.popleft():
            case Delta():
                return Delta.merge([item, *self._take_while(Delta)]) if self._unread else item
            case Progress():
                return (item, *self._take_while(Progress))[-1]
            case Finish():
                self._finished = True
                return item
            case TgicliError():
                self._finished = True
                raise item

    def _take_while(self, kind: type[_T]) -> list[_T]:
        taken: list[_T] = []
        while self._unread and isinstance(self._unread[0], kind):
            taken.append(self._unread[0])
            self._unread.popleft()
        return taken
