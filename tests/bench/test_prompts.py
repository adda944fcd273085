"""Synthetic prompts: their lengths, their nonces, and how a Ruler is made, on real backends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.conftest import running_server
from tgicli.backends.endpoint import Endpoint, RemoteOptions
from tgicli.backends.local import LocalBackend
from tgicli.backends.remote import RemoteBackend
from tgicli.bench.fake.server import FakeServer
from tgicli.bench.plan import Prompt
from tgicli.bench.prompts import Length, draw_nonces, synthetic, with_nonce
from tgicli.bench.ruler import Ruler, Word, calibrate
from tgicli.core import (
    Backend,
    Finish,
    FinishReason,
    GenerationRequest,
    Message,
    ModelInfo,
    Progress,
    TokenizedPrompt,
)
from tgicli.engine.model import LoadOptions, Model
from tgicli.engine.prompt import PromptEncoder
from tgicli.engine.runner import ContextOptions
from tgicli.errors import ConfigError, RequestError
from tgicli.stats import BackendStats

RULER = Ruler(
    words=tuple(Word(text, 1.0) for text in ("some", "plain", "short", "words")),
    n_overhead=3.0,
    n_nonce=8.0,
    n_inner_nonce=9.0,
    n_task=9.0,
    characters_per_token=4.0,
)
EIGHT = Length(8, 8)


def made(
    length: str, n: int = 50, *, prefix: int = 0, seed: int = 1, ruler: Ruler = RULER
) -> tuple[Prompt, ...]:
    return synthetic(
        n,
        prompt_tokens=Length.parse(length),
        output_tokens=EIGHT,
        shared_prefix=prefix,
        seed=seed,
        ruler=ruler,
    )


def text_of(prompt: Prompt) -> str:
    assert isinstance(prompt.prompt, str)
    return prompt.prompt


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("256", Length(256, 256)),
        ("256±64", Length(256, 256, 64.0)),
        ("256+-64", Length(256, 256, 64.0)),
        ("256 +- 64", Length(256, 256, 64.0)),
        ("256±0", Length(256, 256)),
        ("128..512", Length(128, 512)),
    ],
)
def test_a_length_is_read_from_its_text(text: str, length: Length):
    assert Length.parse(text) == length
    assert Length.parse(str(length)) == length


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1.5", "a", "5..", "..5", "9..3", "0..3", "3±", "3±a", "9" * 5000, "²"]
)
def test_a_length_that_is_none_is_refused_with_its_text(text: str):
    with pytest.raises(ConfigError, match="length"):
        Length.parse(text)


@given(st.integers(1, 500), st.integers(0, 500), st.integers(0, 99))
def test_a_normal_length_stays_between_one_and_the_longest(mean: int, sd: int, seed: int):
    length, random = Length(mean, mean, float(sd)), Random(seed)

    drawn = [length.draw(random) for _ in range(50)]

    assert min(drawn) >= 1
    assert max(drawn) <= length.longest


def test_a_normal_length_has_its_mean_and_deviation():
    length, random = Length.parse("256±64"), Random(1)

    drawn = sorted(length.draw(random) for _ in range(10_000))

    assert drawn[5000] == pytest.approx(256, abs=4)
    assert drawn[8413] == pytest.approx(256 + 64, abs=6)  # a deviation above the mean


def test_a_uniform_length_takes_all_values():
    random = Random(1)

    assert {Length.parse("3..5").draw(random) for _ in range(100)} == {3, 4, 5}


def test_every_prompt_begins_with_a_number_of_its_own():
    prompts = made("64", 1000)

    assert all(text_of(prompt).startswith(f"{prompt.nonce} ") for prompt in prompts)
    assert len({prompt.nonce for prompt in prompts}) == 1000
    assert {len(prompt.nonce) for prompt in prompts} == {8}


def test_another_seed_has_other_numbers():
    first, second = made("64", 500, seed=1), made("64", 500, seed=2)

    assert not {prompt.nonce for prompt in first} & {prompt.nonce for prompt in second}


def test_the_same_seed_makes_the_same_prompts_however_many():
    assert made("64±16", 100)[:20] == made("64±16", 20)


def test_a_shared_prefix_comes_first_and_the_number_behind_it():
    prompts = made("64", prefix=20)
    first = text_of(prompts[0])
    prefix = first[: first.index(prompts[0].nonce)]

    assert len(prefix.split()) == 20
    assert all(text_of(prompt).startswith(prefix + prompt.nonce) for prompt in prompts)
    assert {prompt.n_tokens for prompt in prompts} == {84}


def test_a_prompt_of_nothing_but_its_number_is_the_shortest():
    assert text_of(made("8")[0]) == made("8")[0].nonce
    with pytest.raises(ConfigError, match=r"7 tokens has no room.*ask for 8 or more"):
        made("7")


def test_lengths_drawn_below_the_shortest_are_the_shortest():
    lengths = [prompt.n_tokens or 0 for prompt in made("10±8", 200)]

    assert min(lengths) == 8


@pytest.mark.parametrize("n_tokens", [-1, 10**9])
def test_a_shared_prefix_that_is_none_is_refused(n_tokens: int):
    with pytest.raises(ConfigError, match=f"got {n_tokens}"):
        made("64", prefix=n_tokens)


@given(st.integers(12, 400), st.lists(st.integers(1, 9), min_size=3, max_size=9), st.integers())
def test_words_of_unequal_cost_add_up_within_two_percent(n: int, costs: list[int], seed: int):
    words = tuple(Word(f"w{cost}", float(cost)) for cost in {1, *costs})
    ruler = replace(RULER, words=words)

    text = ruler.text(n, Random(seed))

    assert sum(int(word[1:]) for word in text.split()) == n


def test_a_new_number_takes_the_old_ones_place():
    plain = made("32", prefix=8)[0]
    chat = replace(plain, prompt=(Message("system", "Hi"), Message("user", text_of(plain))))

    changed = with_nonce(plain, "12345678")
    changed_chat = with_nonce(chat, "12345678")

    assert text_of(changed) == text_of(plain).replace(plain.nonce, "12345678")
    assert changed_chat.prompt == (
        Message("system", "Hi"),
        Message("user", text_of(changed)),
    )
    assert changed.nonce == changed_chat.nonce == "12345678"


def test_a_number_is_put_before_what_has_none():
    bare = Prompt(prompt="Hello", max_new_tokens=8)
    chat = replace(bare, prompt=(Message("system", "Be brief."), Message("user", "Hello")))

    assert with_nonce(bare, "12345678").prompt == "12345678 Hello"
    assert with_nonce(chat, "12345678").prompt == (
        Message("system", "12345678 Be brief."),
        Message("user", "Hello"),
    )


def test_numbers_are_never_drawn_twice():
    nonces = draw_nonces(3)

    assert len({next(nonces) for _ in range(20_000)}) == 20_000


@asynccontextmanager
async def local(path: Path) -> AsyncGenerator[LocalBackend, None]:
    model = Model.load(path, LoadOptions())
    options = ContextOptions(n_ctx=512, threads=1)
    async with aclosing(await LocalBackend.open(PromptEncoder(model), options)) as backend:
        yield backend
    model.close()


async def errors_of(backend: Backend, ruler: Ruler, *, chats: bool, prefix: int = 0) -> set[float]:
    """Return by how many tokens prompts differ from their wish."""
    errors = set()
    for prompt in made("64±24", 12, prefix=prefix, ruler=ruler):
        text = text_of(prompt)
        asked = (Message("user", text),) if chats else text
        n = await backend.count_tokens(GenerationRequest(id="count", prompt=asked))
        assert n is not None
        assert prompt.n_tokens is not None
        errors.add(n - ruler.n_overhead - prompt.n_tokens)
    return errors


@pytest.mark.model
@pytest.mark.parametrize("chats", [False, True])
@pytest.mark.parametrize("prefix", [0, 30])
def test_prompts_are_exact_on_a_model_in_this_process(demo_model: Path, chats: bool, prefix: int):
    async def scenario() -> None:
        async with local(demo_model) as backend:
            ruler = await calibrate(backend, chats=chats)

            assert await errors_of(backend, ruler, chats=chats, prefix=prefix) == {0}
            assert not ruler.is_assumed
            assert (ruler.n_overhead > 0) is chats

    asyncio.run(scenario())


def test_prompts_are_exact_where_every_letter_is_a_token(tiny_model: Path):
    async def scenario() -> None:
        async with local(tiny_model) as backend:
            ruler = await calibrate(backend, chats=True)

            assert await errors_of(backend, ruler, chats=True) <= {-1, 0, 1}
            assert len({word.n_tokens for word in ruler.words}) > 3

    asyncio.run(scenario())


def test_prompts_are_exact_on_our_own_server(tiny_model: Path):
    async def scenario(url: str) -> None:
        options = RemoteOptions(endpoint=Endpoint.from_url(url))
        async with aclosing(RemoteBackend(options)) as backend:
            ruler = await calibrate(backend)

            assert await errors_of(backend, ruler, chats=True) <= {-1, 0, 1}

    with running_server(tiny_model, "--threads", "1") as server:
        asyncio.run(scenario(server.url))


class Silent:
    """A backend whose prompts' lengths nobody counts but, maybe, its usage.

    A word is two tokens, a number eight, a template five.
    """

    def __init__(self, *, has_usage: bool, refuses: bool = False) -> None:
        self.n_asked = 0
        self._has_usage = has_usage
        self._refuses = refuses

    async def count_tokens(self, request: GenerationRequest) -> int | None:
        if self._refuses:
            raise RequestError("404: no /tokenize here")
        return None

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Progress | Finish, None]:
        self.n_asked += 1
        assert request.params.max_new_tokens == 1
        yield Progress(0, 0)
        yield Finish(
            tokens=(),
            reason=FinishReason.LENGTH,
            n_prompt_tokens=self.tokens_of(request.prompt) if self._has_usage else 0,
            n_cached_tokens=0,
            n_generated_tokens=1,
            seed=None,
            has_usage=self._has_usage,
        )

    async def tokenize(self, request: GenerationRequest) -> TokenizedPrompt:
        raise RequestError("not told")

    async def info(self) -> ModelInfo:
        return ModelInfo(name="m", n_ctx=0, description="")

    def stats(self) -> BackendStats:
        return BackendStats(n_waiting=0, n_running=0)

    async def health(self) -> bool:
        return True

    async def aclose(self) -> None:
        return

    @staticmethod
    def tokens_of(prompt: str | tuple[Message, ...]) -> int:
        text = prompt if isinstance(prompt, str) else prompt[0].content
        return 5 + sum(8 if word.isdigit() else 2 for word in text.split())


@pytest.mark.parametrize("refuses", [False, True])
def test_a_server_that_only_tells_its_usage_is_asked_four_times(
    refuses: bool,
):
    backend = Silent(has_usage=True, refuses=refuses)

    ruler = asyncio.run(calibrate(backend))

    assert backend.n_asked == 4
    assert not ruler.is_assumed
    assert ruler.n_overhead == 5
    for prompt in made("40..80", ruler=ruler):
        assert abs(Silent.tokens_of(text_of(prompt)) - 5 - (prompt.n_tokens or 0)) <= 1


def test_of_a_server_that_tells_nothing_a_word_is_taken_for_a_token():
    ruler = asyncio.run(calibrate(Silent(has_usage=False)))

    assert ruler.is_assumed
    assert len(text_of(made("40", ruler=ruler)[0]).split()) == 40


class Merging(Silent):
    """Counts, and has tokens that reach across words: of thirty, two are one."""

    def __init__(self) -> None:
        super().__init__(has_usage=False)

    async def count_tokens(self, request: GenerationRequest) -> int | None:
        return self.merged(request.prompt)

    @staticmethod
    def merged(prompt: str | tuple[Message, ...]) -> int:
        text = prompt if isinstance(prompt, str) else prompt[0].content
        words = text.split()
        return 5 + len(words) - len(words) // 30


def test_tokens_that_reach_across_words_are_made_up_for():
    ruler = asyncio.run(calibrate(Merging()))

    assert not ruler.is_assumed
    for prompt in made("200..400", ruler=ruler):
        assert Merging.merged(text_of(prompt)) - 5 == pytest.approx(prompt.n_tokens, rel=0.02)


def test_a_server_that_counts_and_does_not_chat_is_measured_by_its_words():
    async def scenario(url: str) -> Ruler:
        options = RemoteOptions(endpoint=Endpoint.from_url(url))
        async with aclosing(RemoteBackend(options)) as backend:
            return await calibrate(backend, chats=False)

    with FakeServer() as server:
        ruler = asyncio.run(scenario(f"{server.url}/v1/completions"))

    assert {word.n_tokens for word in ruler.words} == {1.0}
    assert (ruler.n_overhead, ruler.n_nonce) == (0, 1)
