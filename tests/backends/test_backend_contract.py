"""What every backend promises: a model in this process, our own server in all its dialects, other
servers, and servers' streams as they were written down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from tests.backends.conftest import GREEDY, N_CTX, Kind
from tgicli.core import (
    Backend,
    Delta,
    Event,
    Finish,
    FinishReason,
    GenerationRequest,
    ModelInfo,
    Progress,
    visible_text,
)
from tgicli.errors import RequestError, TgicliError

PATIENCE_S = 30.0
_T = TypeVar("_T")


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine that must come to its end."""
    return asyncio.run(asyncio.wait_for(main, PATIENCE_S))


async def collect(backend: Backend, request: GenerationRequest) -> list[Event]:
    """Return all events."""
    async with aclosing(backend.generate(request)) as events:
        return [event async for event in events]


def text_of(events: list[Event]) -> str:
    """Return the whole text."""
    return "".join(visible_text(e.tokens) for e in events if not isinstance(e, Progress))


def finish_of(events: list[Event]) -> Finish:
    """Return the end."""
    assert isinstance(events[-1], Finish)
    return events[-1]


def n_requests(backend: Backend) -> int:
    """Return how many requests the backend has."""
    stats = backend.stats()
    return stats.n_running + stats.n_waiting


async def until_idle(backend: Backend) -> None:
    """Wait until the backend has no request; an engine counts with its next step."""
    while n_requests(backend):
        await asyncio.sleep(0.005)


async def ask(kind: Kind, *requests: GenerationRequest) -> list[list[Event]]:
    """Return the events of requests that are made one after the other."""
    async with kind.open() as backend:
        return [await collect(backend, request) for request in requests]


def test_a_stream_is_progress_then_deltas_then_finish(kind: Kind):
    [events] = run(ask(kind, kind.request()))

    kinds = [type(event) for event in events]
    n_progress, n_deltas = kinds.count(Progress), kinds.count(Delta)
    assert kinds == [Progress] * n_progress + [Delta] * n_deltas + [Finish]
    assert n_progress >= 1


def test_a_finish_brings_the_last_tokens_and_all_deltas_bring_some(kind: Kind):
    [events] = run(ask(kind, kind.request()))

    assert all(event.tokens for event in events if not isinstance(event, Progress))
    assert text_of(events)


def test_the_times_of_a_finish_add_up(kind: Kind):
    async def main() -> tuple[float, Finish]:
        async with kind.open() as backend:
            await collect(backend, kind.request("first"))
            began_s = asyncio.get_running_loop().time()
            events = await collect(backend, kind.request())
            return asyncio.get_running_loop().time() - began_s, finish_of(events)

    took_s, finish = run(main())

    assert finish.prefill_s > 0
    assert finish.queue_s + finish.prefill_s + finish.decode_s <= took_s


def test_a_length_is_kept_and_counted(model_kind: Kind):
    short = replace(GREEDY, max_new_tokens=5)

    [events] = run(ask(model_kind, model_kind.request("Hello", short)))

    finish = finish_of(events)
    assert finish.reason is FinishReason.LENGTH
    if finish.has_usage:
        assert finish.n_generated_tokens == 5


def test_a_greedy_answer_is_the_same_again(model_kind: Kind):
    first, again = run(ask(model_kind, model_kind.request(), model_kind.request()))

    assert text_of(first) == text_of(again)


def test_requests_side_by_side_are_answered_as_if_alone(kind: Kind):
    requests = [kind.request(f"Hello {number}") for number in range(3)]

    async def main() -> tuple[list[list[Event]], list[list[Event]]]:
        async with kind.open() as backend:
            alone = [await collect(backend, request) for request in requests]
            together = await asyncio.gather(*(collect(backend, one) for one in requests))
            return alone, together

    alone, together = run(main())

    assert list(map(text_of, together)) == list(map(text_of, alone))


def test_a_stop_string_ends_the_answer_and_is_not_shown(model_kind: Kind):
    # One that begins with whole characters: llama-server overlooks what is behind broken ones.
    requests = [
        model_kind.request(prompt) for prompt in ("Hello", "Hi", "abc", "12", "one two", "x")
    ]
    answers = [text_of(events).partition("\ufffd")[0] for events in run(ask(model_kind, *requests))]
    request, text = next(both for both in zip(requests, answers, strict=True) if len(both[1]) > 2)
    stop = text[1:3]

    [cut] = run(ask(model_kind, replace(request, params=replace(GREEDY, stop=(stop,)))))

    assert text_of(cut) == text[: text.index(stop)]
    assert finish_of(cut).reason is not FinishReason.LENGTH


def test_a_prompt_that_does_not_fit_is_refused_before_anything_is_generated(model_kind: Kind):
    too_long = model_kind.request("Hello " * N_CTX)
    seen: list[Event] = []

    async def main() -> None:
        async with model_kind.open() as backend, aclosing(backend.generate(too_long)) as events:
            async for event in events:
                seen.append(event)

    with pytest.raises(RequestError if model_kind.refuses else TgicliError):
        run(main())
    assert not any(isinstance(event, Delta) for event in seen)


@pytest.mark.parametrize("n_events", [0, 1, 3], ids=["unasked", "accepted", "streaming"])
def test_closing_the_iterator_ends_the_request_in_any_state(kind: Kind, n_events: int):
    long = kind.request("long", replace(GREEDY, max_new_tokens=200))

    async def main() -> list[Event]:
        async with kind.open() as backend:
            async with aclosing(backend.generate(long)) as events:
                for _ in range(n_events):
                    await anext(events)
            await until_idle(backend)
            return await collect(backend, kind.request())

    assert finish_of(run(main()))


def test_a_cancelled_reader_leaves_nothing_behind(kind: Kind):
    async def main() -> list[Event]:
        async with kind.open() as backend:
            reader = asyncio.create_task(collect(backend, kind.request("long")))
            await asyncio.sleep(0.01)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            return await collect(backend, kind.request())

    assert finish_of(run(main()))


def test_what_runs_is_counted(kind: Kind):
    async def main() -> int:
        async with kind.open() as backend:
            long = kind.request("long", replace(GREEDY, max_new_tokens=200))
            async with aclosing(backend.generate(long)) as events:
                await anext(events)
                await anext(events)
                n_during = n_requests(backend)
                async for _ in events:
                    pass
            await until_idle(backend)
            return n_during

    assert run(main()) == 1


def test_a_backend_says_what_answers_and_that_it_does(kind: Kind):
    async def main() -> tuple[ModelInfo, bool]:
        async with kind.open() as backend:
            return await backend.info(), await backend.health()

    info, is_healthy = run(main())

    assert info.name
    assert info.description
    assert is_healthy
    if kind.tells_n_ctx:
        assert info.n_ctx == N_CTX


def test_a_prompts_tokens_are_those_that_are_computed(telling_kind: Kind):
    async def main() -> tuple[int | None, int, int]:
        async with telling_kind.open() as backend:
            n_counted = await backend.count_tokens(telling_kind.request())
            n_told = len((await backend.tokenize(telling_kind.request())).tokens)
            return (
                n_counted,
                n_told,
                finish_of(await collect(backend, telling_kind.request())).n_prompt_tokens,
            )

    n_counted, n_told, n_computed = run(main())

    assert n_counted == n_told == n_computed
