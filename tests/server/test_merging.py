"""Several streams read as one, also when that ends too early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from tgicli.core import Delta, Finish, FinishReason, Token
from tgicli.errors import DecodeFailed
from tgicli.server.answering import Events
from tgicli.server.merging import merge

FINISH = Finish(
    tokens=(),
    reason=FinishReason.LENGTH,
    n_prompt_tokens=1,
    n_cached_tokens=0,
    n_generated_tokens=1,
    seed=None,
)


class Source:
    """A stream of n deltas and a finish, that knows whether it is closed."""

    def __init__(self, n_deltas: int, *, fails: bool = False) -> None:
        self.is_closed = False
        self._n_deltas = n_deltas
        self._fails = fails

    async def events(self) -> AsyncGenerator[Delta | Finish, None]:
        try:
            for number in range(self._n_deltas):
                await asyncio.sleep(0)
                yield Delta((Token(number, str(number)),))
            if self._fails:
                raise DecodeFailed("llama_decode returned -3")
            yield FINISH
        finally:
            self.is_closed = True


async def read(*streams: Events, n_events: int | None = None) -> list[tuple[int, Delta | Finish]]:
    read: list[tuple[int, Delta | Finish]] = []
    async with aclosing(merge(streams)) as events:
        async for event in events:
            read.append(event)
            if len(read) == n_events:
                break
    for stream in streams:
        await stream.aclose()
    return read


@pytest.mark.parametrize("n_deltas", [[2], [2, 0], [1, 5, 3]])
def test_each_stream_comes_whole_and_in_order(n_deltas: list[int]):
    events = asyncio.run(read(*(Source(n).events() for n in n_deltas)))

    for index, n in enumerate(n_deltas):
        own = [event for i, event in events if i == index]
        assert own[-1] is FINISH
        assert [event.text for event in own[:-1]] == [str(number) for number in range(n)]


def test_streams_come_by_turns():
    events = asyncio.run(read(Source(3).events(), Source(3).events()))

    assert [index for index, _ in events] == [0, 1] * 4


async def silent() -> AsyncGenerator[Delta | Finish, None]:
    await asyncio.Event().wait()
    yield FINISH


def test_a_stream_that_says_nothing_holds_up_no_other_and_no_closing():
    async def read_the_other() -> list[tuple[int, Delta | Finish]]:
        async with asyncio.timeout(20):
            return await read(silent(), Source(3).events(), n_events=4)

    events = asyncio.run(read_the_other())

    assert [index for index, _ in events] == [1] * 4


@pytest.mark.parametrize("n_events", [1, 2, 3])
def test_closing_it_in_the_midst_leaves_nothing_and_raises_nothing(n_events: int):
    sources = [Source(5), Source(5)]

    events = asyncio.run(read(*(source.events() for source in sources), n_events=n_events))

    assert len(events) == n_events
    assert all(source.is_closed for source in sources)


def test_a_failure_of_one_is_raised_as_it_is():
    with pytest.raises(DecodeFailed):
        asyncio.run(read(Source(1, fails=True).events(), Source(9).events()))
