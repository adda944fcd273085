"""Make prompts of a wanted number of tokens, without a tokenizer of our own.

Called by the bench's command on its event loop, before anything is measured. A prompt is plain
English words behind a nonce: eight digits that no other request of any run begins with, so that no
prefix cache serves it by accident. How long a text comes out is measured at the backend once, by
`ruler`. Pure: the same seed and the same Ruler give the same prompts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from tgicli.bench.plan import Prompt
from tgicli.bench.ruler import NONCE_DIGITS, TASK, Ruler
from tgicli.bench.trace_blocks import Opening
from tgicli.core import Message
from tgicli.errors import ConfigError

Asked = str | tuple[Message, ...]

MAX_TOKENS = 10_000_000
_MIN_BEHIND_TASK = 16  # tokens
_LONGEST_SD = 4  # of a normal distribution; what is further out is drawn as this


@dataclass(frozen=True, slots=True)
class Length:
    """How many tokens: fixed, uniform, or normal."""

    low: int
    high: int  # low..high, each as likely; both are the mean where sd > 0
    sd: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Length:
        """Read `256`, `256±64` or `256+-64` (normal: mean and deviation), or `128..512` (uniform).

        Raises:
            ConfigError: it is something else, or a number is out of its range.
        """
        match = re.fullmatch(r"(\d+)(?:(±|\+-|\.\.)(\d+))?", text.replace(" ", ""), re.ASCII)
        if match is None:
            raise ConfigError(f"length {text!r} is none of 256, 256±64 (or 256+-64), 128..512")
        first, kind, second = match.groups()
        low = high = _to_count(first, text)
        if kind == "..":
            high = _to_count(second, text)
        if high < low:
            raise ConfigError(f"length {text!r} ends before it begins; write {high}..{low}")
        sd = _to_count(second, text, least=0) if kind and kind != ".." else 0
        return cls(low, high, float(sd))

    def __str__(self) -> str:
        if self.sd:
            return f"{self.low}±{self.sd:g}"
        return str(self.low) if self.low == self.high else f"{self.low}..{self.high}"

    @property
    def longest(self) -> int:
        """The largest number that is drawn."""
        return self.high + round(_LONGEST_SD * self.sd)

    def draw(self, random: Random, *, least: int = 1) -> int:
        """Draw one; what falls below `least` is `least`."""
        if self.sd:
            drawn = round(random.normalvariate(self.low, self.sd))
        else:
            drawn = random.randint(self.low, self.high)
        return max(least, min(drawn, self.longest))


def _to_count(digits: str, text: str, *, least: int = 1) -> int:
    value = int(digits) if len(digits) < len(str(10 * MAX_TOKENS)) else MAX_TOKENS + 1
    if not least <= value <= MAX_TOKENS:
        raise ConfigError(f"length {text!r}: {digits} is not in {least}..{MAX_TOKENS}")
    return value


def synthetic(
    n: int,
    *,
    prompt_tokens: Length,
    output_tokens: Length,
    shared_prefix: int,
    seed: int,
    ruler: Ruler,
) -> tuple[Prompt, ...]:
    """Make n prompts. The first k of n are the same for every n.

    Each begins with its nonce. With shared_prefix, so many tokens of text that is the same in all
    prompts come first of all, in addition to prompt_tokens, and the nonce stands behind them: that
    measures a prefix cache on purpose. What a chat template adds is in neither.

    Raises:
        ConfigError: prompts of the wanted length have no room for their nonce.
    """
    _check_prefix(shared_prefix)
    random, nonces = Random(f"prompts of {seed}"), draw_nonces(seed)
    opening = _shared(shared_prefix, seed, ruler)
    least = round(ruler.n_inner_nonce if opening else ruler.n_nonce)
    if prompt_tokens.high < least:
        raise ConfigError(
            f"a prompt of {prompt_tokens} tokens has no room for the number that makes it unlike "
            f"all others, {least} tokens at this server; ask for {least} or more"
        )
    prompts = []
    for _ in range(n):
        n_tokens = prompt_tokens.draw(random, least=least)
        nonce = next(nonces)
        prompts.append(
            Prompt(
                prompt=opening + nonce + _rest(n_tokens - least, ruler, random),
                n_tokens=shared_prefix + n_tokens,
                max_new_tokens=output_tokens.draw(random),
                nonce=nonce,
            )
        )
    return tuple(prompts)


def _check_prefix(n_tokens: int) -> None:
    if not 0 <= n_tokens <= MAX_TOKENS:
        raise ConfigError(f"a shared prefix has 0..{MAX_TOKENS} tokens, got {n_tokens}")


def _shared(n_tokens: int, seed: int, ruler: Ruler) -> str:
    """Return the text that all prompts begin with, and the space behind it."""
    if not n_tokens:
        return ""
    return ruler.opening(n_tokens, Random(f"shared prefix of {seed}")) + " "


def compose(n_tokens: int, nonce: str, ruler: Ruler, random: Random) -> str:
    """Return a text of n tokens that begins with a nonce."""
    return nonce + _rest(n_tokens - ruler.n_nonce, ruler, random)


def compose_behind(opening: Opening, n_tokens: int, nonce: str, seed: int, ruler: Ruler) -> str:
    """Return a text of n tokens that begins as others do, and has its nonce where that ends."""
    n_shared = min(opening.n_tokens, n_tokens - round(ruler.n_inner_nonce))
    n_rest = n_tokens - n_shared - ruler.n_inner_nonce
    return opening.text(n_shared, seed, ruler) + nonce + _rest(n_rest, ruler, Random(nonce))


def _rest(n_tokens: float, ruler: Ruler, random: Random) -> str:
    """Return what stands behind the nonce: what to do, where there is room for it, and words."""
    task = TASK if n_tokens >= ruler.n_task + _MIN_BEHIND_TASK else ""
    return task + ruler.text(n_tokens - (ruler.n_task if task else 0), random)


def draw_nonces(seed: int | str) -> Iterator[str]:
    """Yield numbers of eight digits, endlessly, none twice."""
    random, seen = Random(f"nonces of {seed}"), set[int]()
    while True:
        number = random.randrange(10 ** (NONCE_DIGITS - 1), 10**NONCE_DIGITS)
        if number not in seen:
            seen.add(number)
            yield str(number)


def with_nonce(prompt: Prompt, nonce: str) -> Prompt:
    """Return the prompt with another nonce where it has one, or with one first."""
    asked, old = prompt.prompt, prompt.nonce
    if not old:
        asked = begin_with(nonce, asked)
    elif isinstance(asked, str):
        asked = asked.replace(old, nonce, 1)
    else:
        turns = list(asked)
        place = next(index for index, turn in enumerate(turns) if old in turn.content)
        turns[place] = replace(turns[place], content=turns[place].content.replace(old, nonce, 1))
        asked = tuple(turns)
    return replace(prompt, prompt=asked, nonce=nonce)


def begin_with(nonce: str, asked: Asked) -> Asked:
    """Put a nonce first: of a text, or of the first turn's, be it the system's."""
    if isinstance(asked, str):
        return f"{nonce} {asked}"
    first, *others = asked
    return (replace(first, content=f"{nonce} {first.content}"), *others)
