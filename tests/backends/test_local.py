"""The local backend on a tiny model: requests, refusals, cancels, best_of."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_adapter import write_adapter
from tgicli.backends import local
from tgicli.backends.local import LocalBackend
from tgicli.core import (
    Delta,
    Finish,
    FinishReason,
    GenerationRequest,
    Grammar,
    GrammarKind,
    Message,
    Progress,
    Run,
    SamplingParams,
)
from tgicli.engine.grammar import GrammarCompiler
from tgicli.engine.model import LoadOptions, Model
from tgicli.engine.prompt import PromptEncoder
from tgicli.engine.runner import ContextOptions
from tgicli.engine.scheduler import Result, Row
from tgicli.errors import ContextOverflow, RequestError, StreamBroken, TgicliError

GREEDY = SamplingParams(temperature=0, max_new_tokens=20)
HELLO = GenerationRequest(id="hello", prompt="Hello", params=GREEDY)


@asynccontextmanager
async def backend_on(
    path: Path,
    *,
    n_lanes: int = 2,
    n_ctx: int = 256,
    batch_size: int = 64,
    adapters: tuple[tuple[str, Path], ...] = (),
    cache_bytes: int = 0,
) -> AsyncGenerator[LocalBackend, None]:
    model = Model.load(path, LoadOptions())
    options = ContextOptions(
        n_ctx=n_ctx,
        n_lanes=n_lanes,
        batch_size=batch_size,
        named_lora=adapters,
        cache_bytes=cache_bytes,
    )
    async with aclosing(await LocalBackend.open(PromptEncoder(model), options)) as backend:
        yield backend
    model.close()


async def collect(backend: LocalBackend, request: GenerationRequest) -> tuple[str, Finish]:
    """Return the whole text and the finish."""
    text = ""
    async with aclosing(backend.generate(request)) as events:
        async for event in events:
            if not isinstance(event, Progress):
                text += event.text
    assert isinstance(event, Finish)
    return text, event


def test_a_request_streams_to_its_finish(tiny_model: Path) -> None:
    async def main() -> Finish:
        async with backend_on(tiny_model) as backend:
            return (await collect(backend, HELLO))[1]

    finish = asyncio.run(main())

    assert finish.reason is FinishReason.LENGTH
    assert finish.n_generated_tokens == 20
    assert finish.seed is None


@pytest.mark.parametrize("is_chat", [True, False])
def test_of_two_by_turns_in_one_lane_chats_are_kept_in_ram_from_their_first_turn(
    tiny_model: Path, *, is_chat: bool
) -> None:
    def asking(topic: str) -> GenerationRequest:
        text = f"Tell me of {topic}, " * 9
        return replace(HELLO, prompt=(Message("user", text),) if is_chat else text)

    async def main() -> list[int]:
        async with backend_on(tiny_model, n_lanes=1, n_ctx=512, cache_bytes=1 << 24) as backend:
            asked = [asking(topic) for topic in ("cats", "owls", "cats")]
            finishes = [(await collect(backend, request))[1] for request in asked]
            return [finish.n_cached_tokens for finish in finishes]

    first, _, again = asyncio.run(main())

    assert first == 0
    assert (again > 50) == is_chat


def test_an_engine_that_waits_for_work_is_healthy_and_one_that_is_stuck_is_not(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "MAX_HEARTBEAT_AGE_S", 0.1)
    entered, leave = threading.Event(), threading.Event()

    async def main() -> tuple[bool, bool]:
        async with backend_on(tiny_model) as backend:
            run = backend._runner.run

            def stuck(rows: Sequence[Row]) -> list[Result]:
                entered.set()
                leave.wait()
                return run(rows)

            await asyncio.sleep(0.3)
            idle = await backend.health()
            monkeypatch.setattr(backend._runner, "run", stuck)
            asked = asyncio.create_task(collect(backend, HELLO))
            await asyncio.to_thread(entered.wait)
            await asyncio.sleep(0.3)
            busy = await backend.health()
            leave.set()
            await asked
        return idle, busy

    assert asyncio.run(main()) == (True, False)


def test_a_backend_that_is_closed_ends_its_streams_and_takes_no_more(tiny_model: Path) -> None:
    endless = replace(HELLO, params=replace(GREEDY, max_new_tokens=240, ignore_eos=True))

    async def main() -> None:
        async with backend_on(tiny_model) as backend:
            reading = asyncio.create_task(collect(backend, endless))
            await asyncio.sleep(0)  # it is submitted
            await backend.aclose()
            with pytest.raises(StreamBroken, match="closed"):
                await reading
            with pytest.raises(TgicliError, match="nothing more"):
                await collect(backend, HELLO)
            assert not await backend.health()

    asyncio.run(main())


def test_a_stream_that_was_accepted_when_the_backend_was_closed_ends(tiny_model: Path) -> None:
    async def main() -> None:
        async with backend_on(tiny_model) as backend, aclosing(backend.generate(HELLO)) as events:
            await anext(events)
            await backend.aclose()
            with pytest.raises(StreamBroken, match="closed"):
                await anext(events)

    asyncio.run(main())


def test_requests_run_side_by_side_as_if_alone(tiny_model: Path) -> None:
    requests = [
        replace(HELLO, id=f"r{i}", prompt=f"Hello {i}", params=replace(GREEDY, max_new_tokens=9))
        for i in range(5)
    ]

    async def main() -> tuple[list[str], list[str]]:
        async with backend_on(tiny_model) as backend:
            alone = [(await collect(backend, request))[0] for request in requests]
            together = await asyncio.gather(*(collect(backend, request) for request in requests))
        return alone, [text for text, _ in together]

    alone, together = asyncio.run(main())

    assert together == alone


def test_messages_go_through_the_models_template(tiny_model: Path) -> None:
    conversation = replace(HELLO, prompt=(Message("system", "Be brief."), Message("user", "Hi")))

    async def main() -> tuple[int, int]:
        async with backend_on(tiny_model) as backend:
            encoder = backend._encoder
            text = encoder.render(conversation)
            expected = len(encoder.model.tokenize(text, add_special=False))
            return expected, (await collect(backend, conversation))[1].n_prompt_tokens

    expected, got = asyncio.run(main())

    assert got == expected


def test_a_drawn_seed_is_reported_and_repeats_the_answer(tiny_model: Path) -> None:
    drawn = replace(HELLO, params=replace(GREEDY, temperature=1.0))

    async def main() -> tuple[str, str]:
        async with backend_on(tiny_model) as backend:
            text, finish = await collect(backend, drawn)
            assert finish.seed is not None
            seeded = replace(drawn, params=replace(drawn.params, seed=finish.seed))
            return text, (await collect(backend, seeded))[0]

    first, again = asyncio.run(main())

    assert first == again


def test_a_prompt_that_does_not_fit_is_refused_with_both_numbers(tiny_model: Path) -> None:
    async def main() -> None:
        async with backend_on(tiny_model, n_ctx=256) as backend:
            with pytest.raises(ContextOverflow, match=r"has 5,001 tokens.*holds 256"):
                await collect(backend, replace(HELLO, prompt="Hello " * 1_000))
            with pytest.raises(ContextOverflow, match=r"and 1,000 more are wanted"):
                await collect(backend, replace(HELLO, params=replace(GREEDY, max_new_tokens=1_000)))

    asyncio.run(main())


def test_truncate_keeps_the_end_of_the_prompt(tiny_model: Path) -> None:
    async def main() -> tuple[Finish, Finish]:
        async with backend_on(tiny_model) as backend:
            _, cut = await collect(backend, replace(HELLO, prompt="x " * 500, truncate=7))
            _, whole = await collect(backend, replace(HELLO, truncate=500))
            return cut, whole

    cut, whole = asyncio.run(main())

    assert cut.n_prompt_tokens == 7
    assert whole.n_prompt_tokens < 10


def test_a_model_without_a_template_refuses_messages(
    tiny_models: Callable[[str], Path],
) -> None:
    async def main() -> None:
        async with backend_on(tiny_models("no_template")) as backend:
            with pytest.raises(RequestError, match="--no-chat"):
                await collect(backend, replace(HELLO, prompt=(Message("user", "Hi"),)))

    asyncio.run(main())


@pytest.mark.parametrize("n_events", [0, 1, 3], ids=["queued", "prefill", "decoding"])
def test_closing_the_iterator_frees_the_lane_in_any_state(tiny_model: Path, n_events: int) -> None:
    endless = replace(HELLO, prompt="long " * 60, params=replace(GREEDY, max_new_tokens=None))

    async def main() -> None:
        async with backend_on(tiny_model, n_lanes=1, n_ctx=512, batch_size=16) as backend:
            async with aclosing(backend.generate(endless)) as events:
                for _ in range(n_events):
                    await anext(events)
            async with asyncio.timeout(20):
                _, finish = await collect(backend, replace(HELLO, id="next"))
            assert finish.n_generated_tokens == 20
            assert backend._streams == {}

    asyncio.run(main())


def test_a_long_prompt_reports_its_progress(tiny_model: Path) -> None:
    long = replace(HELLO, prompt="word " * 40)

    async def main() -> list[Progress]:
        async with (
            backend_on(tiny_model, batch_size=16) as backend,
            aclosing(backend.generate(long)) as events,
        ):
            return [event async for event in events if isinstance(event, Progress)]

    progress = asyncio.run(main())

    assert progress
    assert all(p.n_computed < p.n_prompt_tokens for p in progress)


def test_best_of_returns_the_run_with_the_highest_mean_logprob(tiny_model: Path) -> None:
    best_of = replace(HELLO, best_of=4, params=replace(GREEDY, temperature=1.0))

    async def main() -> Finish:
        async with backend_on(tiny_model) as backend:
            return (await collect(backend, best_of))[1]

    best = asyncio.run(main())

    chosen = Run(best.tokens, best)
    assert len(best.others) == 3
    assert all(chosen.mean_logprob >= run.mean_logprob for run in best.others)
    assert len({best.seed, *(run.finish.seed for run in best.others)}) == 4


@pytest.mark.parametrize(("changes", "n_runs"), [({"streams": False}, 1), ({"best_of": 2}, 2)])
def test_an_answer_at_once_prepares_its_prompt_once_for_each_run(
    tiny_model: Path, changes: dict[str, Any], n_runs: int
) -> None:
    drawn = replace(HELLO, params=replace(GREEDY, temperature=1.0), **changes)
    encoded: list[str] = []

    class Noting(PromptEncoder):
        def encode(self, request: GenerationRequest) -> list[int]:
            encoded.append(request.id)
            return super().encode(request)

    async def main() -> tuple[str, Finish]:
        model = Model.load(tiny_model, LoadOptions())
        options = ContextOptions(n_ctx=256, n_lanes=2, batch_size=64)
        async with aclosing(await LocalBackend.open(Noting(model), options)) as backend:
            answer = await collect(backend, drawn)
        model.close()
        return answer

    text, finish = asyncio.run(main())

    assert text == "".join(token.text for token in finish.tokens if token.is_answer)
    assert len(encoded) == n_runs


def test_best_of_is_refused_before_anything_runs(tiny_model: Path) -> None:
    too_long = replace(
        HELLO, prompt="x" * 2_000, best_of=2, params=replace(GREEDY, temperature=1.0)
    )

    async def main() -> None:
        async with backend_on(tiny_model) as backend:
            with pytest.raises(ContextOverflow):
                await collect(backend, too_long)

    asyncio.run(main())


def test_info_says_what_answers_and_health_that_it_does(tiny_model: Path) -> None:
    async def main() -> None:
        async with backend_on(tiny_model, n_lanes=2, n_ctx=256) as backend:
            info = await backend.info()
            assert (info.name, info.n_ctx) == ("llama", 256)
            assert await backend.health()

    asyncio.run(main())


def test_deltas_joined_are_the_same_as_the_events_one_by_one(tiny_model: Path) -> None:
    async def main() -> tuple[list[int], int]:
        async with backend_on(tiny_model) as backend:
            ids: list[int] = []
            async with aclosing(backend.generate(HELLO)) as events:
                async for event in events:
                    if isinstance(event, Delta | Finish):
                        ids += [token.id for token in event.tokens]
            return ids, event.n_generated_tokens if isinstance(event, Finish) else -1

    ids, n_generated = asyncio.run(main())

    assert len(ids) == n_generated == 20


def test_a_request_is_computed_with_the_adapter_it_names(tiny_model: Path, tmp_path: Path) -> None:
    async def main() -> tuple[str, str]:
        adapters = (("red", write_adapter(tmp_path / "red", seed=7)),)
        async with backend_on(tiny_model, adapters=adapters) as backend:
            plain, _ = await collect(backend, HELLO)
            red, _ = await collect(backend, replace(HELLO, adapter="red"))
        return plain, red

    plain, red = asyncio.run(main())

    assert plain != red


def test_a_bias_for_a_token_that_there_is_not_is_refused(tiny_model: Path) -> None:
    async def main() -> None:
        async with backend_on(tiny_model) as backend:
            biased = replace(HELLO, params=replace(GREEDY, logit_bias=((1 << 20, 1.0),)))
            with pytest.raises(RequestError, match=r"has [\d,]+ tokens, and no token 1048576"):
                await collect(backend, biased)

    asyncio.run(main())


def test_grammars_that_take_long_hold_up_no_chat(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = threading.Event()
    monkeypatch.setattr(GrammarCompiler, "compile", lambda *_: compiled.wait())
    regex = Grammar(GrammarKind.REGEX, "a+")
    constrained = replace(HELLO, params=replace(GREEDY, grammar=regex))
    chat = replace(HELLO, prompt=(Message("user", "Hello"),))

    async def main() -> Finish:
        async with backend_on(tiny_model) as backend:
            waiting = [
                asyncio.create_task(collect(backend, replace(constrained, id=f"g{i}")))
                for i in range(40)  # more than asyncio's own threads
            ]
            await asyncio.sleep(0)
            _, finish = await collect(backend, chat)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            compiled.set()
        return finish

    assert asyncio.run(main()).n_generated_tokens == 20


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("red", "blue"), "`adapter_id` 'green' is not loaded; loaded are red, blue"),
        ((), r"`adapter_id` 'green' is not loaded; none is \(--lora-adapters\)"),
    ],
)
def test_an_adapter_that_is_not_loaded_is_refused_before_the_answer(
    tiny_model: Path, tmp_path: Path, names: tuple[str, ...], words: str
) -> None:
    async def main() -> None:
        adapters = tuple((name, write_adapter(tmp_path / name, seed=7)) for name in names)
        async with backend_on(tiny_model, adapters=adapters) as backend:
            for best_of in (1, 2):
                asked = replace(
                    HELLO,
                    params=replace(GREEDY, temperature=1.0),
                    best_of=best_of,
                    adapter="green",
                )
                with pytest.raises(RequestError, match=words):
                    await anext(backend.generate(asked))

    asyncio.run(main())
