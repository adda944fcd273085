"""Measure how many tokens a text is at a backend, without a tokenizer of our own.

Called by the bench's command on its event loop, before anything is measured. Where the backend
counts tokens (a model in this process, TGI, tgicli, llama-server, vLLM), words are picked that are
one token each, and a text of n tokens comes out exact. Elsewhere four requests of one new token are
made, and the server's usage tells a word's length on average. Knows core.Backend only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import count as numbers
from random import Random
from typing import NamedTuple

from tgicli.bench.words import WORDS
from tgicli.core import Backend, GenerationRequest, Message, SamplingParams, collect
from tgicli.errors import RequestError

# Digits, since vocabularies have them one by one or in threes: so all nonces are equally long.
NONCE_DIGITS = 8
# Words alone make a chat model answer in a sentence. Where a server can't be told to go on after
# its model's end, this is what makes answers as long as was asked.
TASK = " Write a very long story with these words:"
OPENING = "the"  # of a text before which nothing stands
_NONCE = "40718263"  # one of them
_ENGLISH = (
    "the morning train was late again, so we waited on the platform and talked about the film. "
    "It wasn't a great one: the plot made little sense, but I liked how the city looked in winter, "
    'and the music was good. "Do you want to see it again?" she asked, and I said that I\'d '
    "rather read the book, which came out in 1987."
)
_CHUNK = 20  # words that are counted at once
_ENOUGH_WORDS = 64
_MOST_WORDS = 128  # that are counted one by one
_SAMPLE_TOKENS = 256
_MAX_ERROR = 0.02
_SHORT, _LONG = 16, 272  # words of the requests that are made where nobody counts
_ASSUMED_CHARACTERS_PER_TOKEN = 4.5

# Returns the number of a prompt's tokens; what stands around every prompt counts, too.
_Count = Callable[[str], Awaitable[int]]


class Word(NamedTuple):
    """A word that texts are made of."""

    text: str
    n_tokens: float  # with the space before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruler:
    """How many tokens a text is, at one backend. Made by calibrate()."""

    words: tuple[Word, ...]
    n_overhead: float  # tokens around any prompt: BOS, and what a chat template adds
    n_nonce: float  # of a nonce that begins a prompt
    n_inner_nonce: float  # of one with a space before it
    n_task: float
    characters_per_token: float  # of ordinary English
    is_assumed: bool = False  # the server tells nothing: a word is taken for a token

    def text(self, n_tokens: float, random: Random) -> str:
        """Return words of about so many tokens, each with a space before it."""
        return "".join(f" {word}" for word in self._draw(n_tokens, random))

    def opening(self, n_tokens: float, random: Random) -> str:
        """Return words of about so many tokens, before which nothing stands."""
        return OPENING + self.text(n_tokens - dict(self.words).get(OPENING, 1.0), random)

    def _draw(self, n_tokens: float, random: Random) -> Iterator[str]:
        costs = {word.n_tokens for word in self.words}
        if len(costs) == 1:
            texts = [word.text for word in self.words]
            yield from random.choices(texts, k=max(0, round(n_tokens / costs.pop())))
            return
        while n_tokens >= 2 * max(costs):
            word = random.choice(self.words)
            n_tokens -= word.n_tokens
            yield word.text
        while fitting := self._fitting(n_tokens, min(costs)):
            word = random.choice(fitting)
            n_tokens -= word.n_tokens
            yield word.text

    def _fitting(self, n_tokens: float, least: float) -> Sequence[Word]:
        """Return the words that end a text of n tokens, or that leave room for one more."""
        ends = [word for word in self.words if word.n_tokens == n_tokens]
        return (
            ends
            or [word for word in self.words if word.n_tokens + least <= n_tokens]
            or [word for word in self.words if word.n_tokens <= n_tokens]
        )

    def scaled(self, share: float) -> Ruler:
        """Return one for which each word is so many times as many tokens."""
        words = tuple(Word(word.text, word.n_tokens * share) for word in self.words)
        characters = self.characters_per_token / share
        return replace(self, words=words, characters_per_token=characters)

    def estimate(self, text: str) -> int:
        """Return about how many tokens an ordinary text is; at least 1."""
        return max(1, round(len(text) / self.characters_per_token))


async def calibrate(backend: Backend, *, chats: bool = True) -> Ruler:
    """Measure; chats: as the model sees it in a conversation of one turn, not as it is.

    Raises:
        TgicliError: the backend refuses even the shortest prompt, or does not answer.
    """
    asking = _Asking(backend, chats)
    try:
        if await backend.count_tokens(asking.request(OPENING)) is not None:
            return await _straighten(await _measure(asking.count), asking.count)
    except RequestError:
        pass  # a server of that kind without the route; what is wrong otherwise, a request will say
    return await _probe(asking.ask)


class _Asking:
    """Asks a backend for the lengths of prompts."""

    def __init__(self, backend: Backend, chats: bool) -> None:
        self._backend = backend
        self._chats = chats
        self._numbers = numbers(1)

    def request(self, text: str) -> GenerationRequest:
        return GenerationRequest(
            id=f"calibrate-{next(self._numbers)}",
            prompt=(Message("user", text),) if self._chats else text,
            params=SamplingParams(temperature=0, max_new_tokens=1),
        )

    async def count(self, text: str) -> int:
        """Return what the backend counts, without computing anything."""
        n_tokens = await self._backend.count_tokens(self.request(text))
        if n_tokens is None:
            raise RequestError("the server has counted a prompt's tokens, and now does not")
        return n_tokens

    async def ask(self, text: str) -> int:
        """Return what the server tells of a request's prompt; 0: nothing."""
        async with aclosing(self._backend.generate(self.request(text))) as events:
            return (await collect(events)).finish.n_prompt_tokens


async def _measure(count: _Count) -> Ruler:
    opening, nonce = await count(OPENING), await count(_NONCE)
    n_overhead = opening - (await count(f"{OPENING} {OPENING}") - opening)
    english = await count(f"{OPENING} {_ENGLISH}") - opening
    return Ruler(
        words=await _words(count, opening),
        n_overhead=n_overhead,
        n_nonce=nonce - n_overhead,
        n_inner_nonce=await count(f"{OPENING} {_NONCE}") - opening,
        n_task=await count(_NONCE + TASK) - nonce,
        characters_per_token=len(_ENGLISH) / max(1, english),
    )


async def _words(count: _Count, opening: int) -> tuple[Word, ...]:
    """Return words of one token each, or, where these are few, words and what they cost."""
    single: list[str] = []
    for start in range(0, len(WORDS), _CHUNK):
        chunk = WORDS[start : start + _CHUNK]
        if await count(" ".join((OPENING, *chunk))) - opening == len(chunk):
            single += chunk
    if len(single) >= _ENOUGH_WORDS:
        return tuple(Word(text, 1.0) for text in single)
    return tuple(
        [
            Word(text, float(await count(f"{OPENING} {text}") - opening))
            for text in WORDS[:: len(WORDS) // _MOST_WORDS]
        ]
    )


async def _straighten(ruler: Ruler, count: _Count) -> Ruler:
    """Correct for a vocabulary whose tokens reach across words: there the sum is not the whole."""
    text = _NONCE + ruler.text(_SAMPLE_TOKENS - ruler.n_nonce, Random(_NONCE))
    share = (await count(text) - ruler.n_overhead) / _SAMPLE_TOKENS
    return ruler if abs(share - 1) <= _MAX_ERROR else ruler.scaled(share)


async def _probe(ask: _Count) -> Ruler:
    """Ask for the lengths of four prompts: two give a word's length, two more what is before."""
    short, long = (" ".join((OPENING, *WORDS[: n - 1])) for n in (_SHORT, _LONG))
    n_short, n_long = await ask(short), await ask(long)
    if not 0 < n_short < n_long:
        return _ASSUMED
    per_word = (n_long - n_short) / (_LONG - _SHORT)
    n_nonce = await ask(f"{_NONCE} {short}") - n_short
    n_task = await ask(f"{_NONCE}{TASK} {short}") - n_short - n_nonce
    return replace(
        _ASSUMED.scaled(per_word),
        n_overhead=n_short - _SHORT * per_word,
        n_nonce=n_nonce,
        n_inner_nonce=n_nonce,
        n_task=n_task,
        is_assumed=False,
    )


_ASSUMED = Ruler(
    words=tuple(Word(text, 1.0) for text in WORDS),
    n_overhead=0.0,
    n_nonce=1.0,
    n_inner_nonce=1.0,
    n_task=float(len(TASK.split())),
    characters_per_token=_ASSUMED_CHARACTERS_PER_TOKEN,
    is_assumed=True,
)
