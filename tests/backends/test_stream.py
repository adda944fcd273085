"""TokenStream: what a slow reader finds, and how a stream ends."""

from __future__ import annotations

import asyncio

import pytest

from tgicli.backends.stream import TokenStream
from tgicli.core import Delta, Event, Finish, FinishReason, Progress, Token
from tgicli.errors import DecodeFailed

FINISH = Finish(
    tokens=(Token(9, "!"),),
    reason=FinishReason.LENGTH,
    n_prompt_tokens=1,
    n_cached_tokens=0,
    n_generated_tokens=3,
    seed=None,
)


def delta(text: str) -> Delta:
    return Delta((Token(1, text),))


async def read(stream: TokenStream) -> list[Event]:
    return [event async for event in stream]


def test_what_waits_is_merged_and_nothing_is_lost() -> None:
    stream = TokenStream()
    for event in (Progress(1, 9), Progress(5, 9), delta("a"), delta("b"), delta("c"), FINISH):
        stream.put(event)

    events = asyncio.run(read(stream))

    assert [type(event) for event in events] == [Progress, Delta, Finish]
    assert events[0] == Progress(5, 9)
    assert isinstance(events[1], Delta)
    assert events[1].text == "abc"


def test_what_comes_after_a_reader_gave_up_waits_for_the_next_one() -> None:
    async def main() -> list[Event]:
        stream = TokenStream()
        impatient = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        impatient.cancel()
        stream.put(delta("a"))
        stream.put(FINISH)
        with pytest.raises(asyncio.CancelledError):
            await impatient
        return await read(stream)

    events = asyncio.run(main())

    assert events == [delta("a"), FINISH]


def test_an_error_is_raised_after_what_came_before_it() -> None:
    stream = TokenStream()
    stream.put(delta("a"))
    stream.put(DecodeFailed("x"))

    async def main() -> str:
        first = await anext(stream)
        assert isinstance(first, Delta)
        with pytest.raises(DecodeFailed, match="x"):
            await anext(stream)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        return first.text

    assert asyncio.run(main()) == "a"


def test_a_reader_that_is_early_is_woken() -> None:
    stream = TokenStream()

    async def main() -> list[Event]:
        reader = asyncio.create_task(read(stream))
        await asyncio.sleep(0)  # the reader is waiting now
        stream.put(delta("a"))
        await asyncio.sleep(0)
        stream.put(FINISH)
        return await reader

    assert asyncio.run(main()) == [delta("a"), FINISH]
