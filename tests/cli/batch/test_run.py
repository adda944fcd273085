"""Many prompts at once on a backend that is busy, breaks, or goes away."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from tgicli.backends.retrying import RetryPolicy
from tgicli.cli.batch.input import Prompt
from tgicli.cli.batch.run import BatchRun, RunOptions, Tally
from tgicli.cli.batch.window import Window
from tgicli.core import (
    Backend,
    Delta,
    Event,
    Finish,
    FinishReason,
    GenerationRequest,
    ModelInfo,
    Progress,
    SamplingParams,
    Token,
    TokenizedPrompt,
)
from tgicli.errors import (
    DeadlineExceeded,
    ModelError,
    Overloaded,
    RequestError,
    StreamBroken,
    TgicliError,
    Unauthorized,
    Unreachable,
)
from tgicli.stats import BackendStats
from tgicli.wire.batch import Ask, PromptLine
from tgicli.wire.batch_answers import Key

QUICK = RetryPolicy(n_retries=1 << 30, first_ceiling_s=0.002, last_ceiling_s=0.01)
WORD = Token(1, "word")


def prompt(index: int, line: PromptLine | RequestError | None = None) -> Prompt:
    asked = line or PromptLine(str(index), Ask(params=SamplingParams()))
    return Prompt(Key(index, "d"), index + 1, asked)


class FaultyBackend:
    """Answers one word, unless `fault(number of the request)` is an error; has so many places."""

    def __init__(
        self,
        *,
        n_places: int = 1000,
        retry_after_s: float | None = None,
        fault: Callable[[int], TgicliError | None] = lambda number: None,
        answer_s: float = 0.001,
    ) -> None:
        self.n_places = n_places
        self.retry_after_s = retry_after_s
        self.fault = fault
        self.answer_s = answer_s
        self.asked: list[str] = []
        self.n_running = self.n_most = self.n_refused = 0

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        assert isinstance(request.prompt, str)
        self.asked.append(request.prompt)
        error = self.fault(len(self.asked) - 1)
        await asyncio.sleep(0)
        if isinstance(error, (Overloaded, Unreachable)):
            raise error
        if self.n_running >= self.n_places:
            self.n_refused += 1
            raise Overloaded("busy", retry_after_s=self.retry_after_s)
        self.n_running += 1
        self.n_most = max(self.n_most, self.n_running)
        try:
            yield Progress(0, 1)
            await asyncio.sleep(self.answer_s)
            yield Delta((WORD,))
            if error is not None:
                raise error
            yield finish()
        finally:
            self.n_running -= 1

    async def tokenize(self, request: GenerationRequest) -> TokenizedPrompt:
        raise RequestError("it can't")

    async def count_tokens(self, request: GenerationRequest) -> int | None:
        return None

    async def info(self) -> ModelInfo:
        return ModelInfo(name="", n_ctx=0, description="")

    def stats(self) -> BackendStats:
        return BackendStats(n_waiting=0, n_running=self.n_running)

    async def health(self) -> bool:
        return True

    async def aclose(self) -> None:
        """There is nothing to close."""


def finish() -> Finish:
    return Finish(
        tokens=(WORD,),
        reason=FinishReason.LENGTH,
        n_prompt_tokens=1,
        n_cached_tokens=0,
        n_generated_tokens=2,
        seed=None,
    )


class Collected:
    """Lines in memory."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    async def write(self, index: int, line: bytes) -> None:
        self.lines.append(json.loads(line))

    def answered(self) -> list[int]:
        return sorted(line["index"] for line in self.lines if "text" in line)


def ask(
    backend: Backend,
    prompts: list[Prompt],
    *,
    concurrency: int = 4,
    patience_s: float = 60.0,
    stops_at_failure: bool = False,
    timeout_s: float | None = None,
) -> tuple[Collected, Tally]:
    """Run to the end; return the lines and the tally."""
    answers, tally = Collected(), Tally(len(prompts))
    options = RunOptions(
        chats=False,
        patience_s=patience_s,
        timeout_s=timeout_s,
        stops_at_failure=stops_at_failure,
        retries=QUICK,
    )
    run = BatchRun(backend, answers, tally, Window(concurrency), options)
    asyncio.run(run.run(prompts))
    return answers, tally


def test_each_prompt_is_asked_once_and_never_more_than_allowed_at_once():
    backend = FaultyBackend()

    answers, tally = ask(backend, [prompt(i) for i in range(50)], concurrency=4)

    assert answers.answered() == list(range(50))
    assert sorted(map(int, backend.asked)) == list(range(50))
    assert backend.n_most == 4
    assert (tally.n_answered, tally.n_running, tally.failures) == (50, 0, [])


@pytest.mark.parametrize("retry_after_s", [None, 0.002])
def test_a_busy_server_is_not_hammered_and_answers_all(retry_after_s: float | None):
    backend = FaultyBackend(n_places=8, retry_after_s=retry_after_s)

    answers, _ = ask(backend, [prompt(i) for i in range(300)], concurrency=32)

    assert answers.answered() == list(range(300))
    assert backend.n_most == 8
    assert backend.n_refused < 150  # keeping 32 under way would be refused thousands of times


def test_nobody_is_asked_before_the_time_that_the_server_said():
    backend = FaultyBackend(
        fault=lambda n: Overloaded("busy", retry_after_s=0.2) if n == 0 else None
    )
    times: list[float] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        real = backend.generate

        async def generate(request: GenerationRequest) -> AsyncGenerator[Event, None]:
            times.append(loop.time())
            async with contextlib.aclosing(real(request)) as events:
                async for event in events:
                    yield event

        backend.generate = generate  # type: ignore[method-assign]  # notes when it is called
        options = RunOptions(chats=False, patience_s=60, retries=QUICK)
        batch = BatchRun(backend, Collected(), Tally(3), Window(1), options)
        await batch.run([prompt(i) for i in range(3)])

    asyncio.run(run())

    assert times[1] - times[0] >= 0.2
    assert backend.asked == ["0", "0", "1", "2"]


def test_one_failure_costs_one_prompt():
    backend = FaultyBackend(fault=lambda n: ModelError("no luck") if n == 1 else None)

    answers, tally = ask(backend, [prompt(i) for i in range(4)], concurrency=1)

    assert answers.answered() == [0, 2, 3]
    assert answers.lines[1] == {
        "index": 1,
        "error": {"type": "generation", "message": "no luck"},
        "digest": "d",
    }
    assert [(p.key.index, str(error)) for p, error in tally.failures] == [(1, "no luck")]


def test_an_answer_that_takes_too_long_is_a_failure():
    answers, tally = ask(FaultyBackend(answer_s=60), [prompt(0)], timeout_s=0.05)

    assert answers.lines[0]["error"]["message"] == "it took longer than 0.05 s (--timeout)"
    assert [type(error) for _, error in tally.failures] == [DeadlineExceeded]


def test_a_bad_line_is_a_failure_without_a_request():
    backend = FaultyBackend()

    answers, tally = ask(backend, [prompt(0, RequestError("it is not JSON")), prompt(1)])

    assert backend.asked == ["1"]
    assert answers.answered() == [1]
    assert len(tally.failures) == 1


def test_an_answer_that_broke_off_is_asked_again_and_written_once():
    backend = FaultyBackend(fault=lambda n: StreamBroken("cut") if n < 2 else None)

    answers, _ = ask(backend, [prompt(0)])

    assert backend.asked == ["0", "0", "0"]
    assert [line["text"] for line in answers.lines] == ["wordword"]


def test_an_answer_that_breaks_off_again_and_again_is_a_failure():
    backend = FaultyBackend(fault=lambda n: StreamBroken("cut") if n < 3 else None)

    answers, tally = ask(backend, [prompt(0), prompt(1)], concurrency=1)

    assert answers.answered() == [1]
    assert len(tally.failures) == 1


def test_a_server_that_comes_back_is_gone_on_with():
    gone = range(2, 12)
    backend = FaultyBackend(fault=lambda n: Unreachable("gone") if n in gone else None)

    answers, tally = ask(backend, [prompt(i) for i in range(8)], concurrency=2)

    assert answers.answered() == list(range(8))
    assert tally.trouble == ""


def test_a_server_that_was_never_there_is_not_waited_for():
    backend = FaultyBackend(fault=lambda n: Unreachable("nobody listens"))

    with pytest.raises(Unreachable, match="nobody listens"):
        ask(backend, [prompt(i) for i in range(8)], concurrency=1)

    assert len(backend.asked) == 1


@pytest.mark.parametrize("error", [Unreachable("gone"), Overloaded("busy")])
def test_a_server_that_says_nothing_for_too_long_is_given_up(error: TgicliError):
    backend = FaultyBackend(fault=lambda n: error if n > 0 else None)

    with pytest.raises(type(error)):
        ask(backend, [prompt(i) for i in range(8)], concurrency=1, patience_s=0.1)

    assert len(backend.asked) > 3


def test_a_wait_that_is_too_long_is_not_waited():
    backend = FaultyBackend(fault=lambda n: Overloaded("tomorrow", retry_after_s=86_400))

    with pytest.raises(Overloaded, match="tomorrow"):
        ask(backend, [prompt(0)])


def test_a_key_that_is_wrong_is_wrong_for_all():
    backend = FaultyBackend(fault=lambda n: Unauthorized("no") if n == 1 else None)

    with pytest.raises(Unauthorized):
        ask(backend, [prompt(i) for i in range(8)], concurrency=1)

    assert len(backend.asked) == 2


def test_the_first_failure_can_stop_all():
    backend = FaultyBackend(fault=lambda n: ModelError("no luck") if n == 1 else None)

    with pytest.raises(ModelError, match="line 2: no luck"):
        ask(backend, [prompt(i) for i in range(8)], concurrency=1, stops_at_failure=True)


def test_cancelling_ends_what_is_under_way():
    backend = FaultyBackend(answer_s=60)

    async def run() -> None:
        options = RunOptions(chats=False, patience_s=60)
        batch = BatchRun(backend, Collected(), Tally(8), Window(4), options)
        task = asyncio.create_task(batch.run([prompt(i) for i in range(8)]))
        while backend.n_running < 4:
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())

    assert backend.n_running == 0
    assert len(backend.asked) == 4
