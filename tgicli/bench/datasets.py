"""Read what to ask from files: lines of prompts, conversations, and traces with their times.

Called by the bench's command before anything is sent. A file is read whole, and a bad line is told
by its number before the first request. Which prompts are asked, and in which order, is drawn from
the run's seed. Knows no network and no tokenizer: lengths of texts are a Ruler's estimates.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TypeVar

from tgicli.bench.dataset_entries import Item, Timed, to_item, to_question, to_timed
from tgicli.bench.plan import Open, Prompt
from tgicli.bench.prompts import Length, begin_with, compose, compose_behind, draw_nonces
from tgicli.bench.record import NS_PER_MS, NS_PER_S
from tgicli.bench.result import Remark, note, warning
from tgicli.bench.ruler import Ruler
from tgicli.bench.trace_blocks import find_shared
from tgicli.errors import ConfigError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ReadT = TypeVar("_ReadT")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A file's content, and what whoever reads the figures must know of it."""

    items: tuple[Item, ...]
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests as they once came. The items are in the order of their times."""

    items: tuple[Item, ...]
    offsets_ns: tuple[int, ...]  # since the first; ascending
    remarks: tuple[Remark, ...] = ()

    def to_open(self, *, max_in_flight: int | None = None) -> Open:
        """Return the load. A trace without extension in time has as many a second as it has."""
        span_s = self.offsets_ns[-1] / NS_PER_S
        return Open(
            rate=(len(self.items) - 1) / span_s if span_s else float(len(self.items)),
            arrival="trace",
            offsets_ns=self.offsets_ns,
            max_in_flight=max_in_flight,
        )


@dataclass(frozen=True, slots=True)
class Drawn:
    """The prompts of a run."""

    prompts: tuple[Prompt, ...]
    remarks: tuple[Remark, ...]


def read_dataset(path: Path) -> Dataset:
    """Read JSON lines or ShareGPT's JSON, whichever the file is.

    Raises:
        ConfigError: it can't be read, or is something else; says which line, and what is wrong.
    """
    is_list = _read(path).lstrip()[:1] == b"["
    return read_sharegpt(path) if is_list else read_jsonl(path)


def read_jsonl(path: Path) -> Dataset:
    """Read lines of JSON, each with `prompt` or `messages`, and maybe `max_tokens`.

    `output_tokens` is another name of `max_tokens`.

    Raises:
        ConfigError: as read_dataset.
    """
    return Dataset(tuple(item for item in _lines(path, to_item)))


def read_sharegpt(path: Path) -> Dataset:
    """Read a list of `{"conversations": [{"from": ..., "value": ...}, ...]}`.

    The first turn of a person is the prompt; the answer is to be as long as the one that follows
    it. Conversations without such a turn are left out.

    Raises:
        ConfigError: as read_dataset; all conversations are without one.
    """
    found = _parse(str(path), _read(path))
    if not isinstance(found, list):
        raise ConfigError(f"{path} is not a list of conversations")
    read = [
        _checked(f"{path}, conversation {number}", to_question, one)
        for number, one in enumerate(found, start=1)
    ]
    items = tuple(item for item in read if item is not None)
    if not items:
        raise ConfigError(f"{path} has no conversation in which a person asks something")
    n_left_out = len(read) - len(items)
    words = f"{n_left_out} of {len(read)} conversations have no question and are left out"
    return Dataset(items, (note(words),) if n_left_out else ())


def read_trace(path: Path) -> Trace:
    """Read lines of JSON with `timestamp`, and `prompt`, `messages` or `input_length`.

    Timestamps that are all whole numbers are milliseconds, as Mooncake's traces have them; one with
    a decimal point makes all of them seconds. The first request is sent at once. Prompts with equal
    `hash_ids` begin alike.

    Raises:
        ConfigError: as read_dataset.
    """
    lines = list(_lines(path, to_timed))
    lines.sort(key=lambda line: line.timestamp)  # stable: equal ones stay in the file's order
    is_ms = all(isinstance(line.timestamp, int) for line in lines)
    scale, first = (NS_PER_MS if is_ms else NS_PER_S), lines[0].timestamp
    offsets = tuple(round((line.timestamp - first) * scale) for line in lines)
    unit = "milliseconds" if is_ms else "seconds"
    words = f"{len(lines)} requests within {offsets[-1] / NS_PER_S:g} s; timestamps read as {unit}"
    items, remarks = _with_openings(lines)
    return Trace(items, offsets, (note(f"trace: {words}"), *remarks))


def _with_openings(lines: Sequence[Timed]) -> tuple[tuple[Item, ...], tuple[Remark, ...]]:
    """Return the lines' items, with the blocks that they share, and what must be known of these."""
    items = tuple(line.item for line in lines)
    if not any(line.block_ids for line in lines):
        return items, ()
    lengths = [item.n_prompt_tokens or 0 for item in items]
    shared = find_shared(lengths, [line.block_ids for line in lines])
    if shared is None:
        words = "the trace's hash_ids are not replayed, as no size of block fits all its lengths"
        return items, (warning(f"{words}: no two prompts begin alike"),)
    words = (
        f"hash_ids are blocks of {shared.n_block_tokens} tokens: an earlier prompt has "
        f"{100 * shared.repeated:.0f} % of the prompts' tokens, which a prefix cache may answer for"
    )
    openings = zip(items, shared.openings, strict=True)
    shared_items = tuple(replace(item, opening=opening) for item, opening in openings)
    return shared_items, (note(words),)


def draw(
    items: Sequence[Item],
    n: int | None,
    *,
    output_tokens: Length,
    seed: int,
    ruler: Ruler,
    keeps_order: bool = False,
    overrides_lengths: bool = False,
    n_ctx: int = 0,
) -> Drawn:
    """Make the prompts of n requests; all items are taken once before one is taken again.

    Each begins with a nonce of its own.

    n: None: as many as there are items that fit.
    output_tokens: for items that do not tell; with overrides_lengths, for all.
    n_ctx: items whose estimated length is more are left out; 0: none is.

    Raises:
        ConfigError: no item fits into n_ctx.
    """
    make = _Maker(output_tokens, seed, ruler, overrides_lengths)
    fitting = [item for item in items if not n_ctx or make.estimate(item) <= n_ctx]
    if not fitting:
        raise ConfigError(f"none of the {len(items)} prompts fits into a context of {n_ctx} tokens")
    n = len(fitting) if n is None else n
    remarks = []
    if n_long := len(items) - len(fitting):
        words = f"{n_long} of {len(items)} prompts do not fit into {n_ctx} tokens and are left out"
        remarks.append(note(words))
    if repeated := repetition(len(fitting), n):
        remarks.append(repeated)
    order = _order(fitting, n, None if keeps_order else Random(f"order of {seed}"))
    return Drawn(tuple(make.prompt(item) for item in order), tuple(remarks))


def repetition(n_prompts: int, n_requests: int) -> Remark | None:
    """Say that prompts were asked more than once; None: they were not."""
    if n_requests <= n_prompts:
        return None
    words = f"prompts repeat: {n_prompts} for {n_requests} requests"
    return note(f"{words}, each time behind another number")


def _order(items: Sequence[Item], n: int, random: Random | None) -> Iterator[Item]:
    while n > 0:
        again = items if random is None else random.sample(items, len(items))
        yield from again[:n]
        n -= len(again)


class _Maker:
    """Makes prompts of items, one after the other."""

    def __init__(
        self,
        output_tokens: Length,
        seed: int,
        ruler: Ruler,
        overrides_lengths: bool,
    ) -> None:
        self._output_tokens = output_tokens
        self._seed = seed
        self._random = Random(f"data set of {seed}")
        self._ruler = ruler
        self._nonces = draw_nonces(seed)
        self._overrides = overrides_lengths

    def prompt(self, item: Item) -> Prompt:
        nonce = next(self._nonces)
        new = self._new_tokens(item) or self._output_tokens.draw(self._random)
        if item.prompt is not None:
            asked = begin_with(nonce, item.prompt)
            return Prompt(prompt=asked, max_new_tokens=new, nonce=nonce)
        n_tokens = max(item.n_prompt_tokens or 1, round(self._ruler.n_nonce))
        if item.opening is not None and n_tokens > self._ruler.n_inner_nonce:
            text = compose_behind(item.opening, n_tokens, nonce, self._seed, self._ruler)
        else:
            text = compose(n_tokens, nonce, self._ruler, self._random)
        return Prompt(prompt=text, n_tokens=n_tokens, max_new_tokens=new, nonce=nonce)

    def _new_tokens(self, item: Item) -> int | None:
        """Return how long the file wants the answer; None: it does not say, or is not asked."""
        if self._overrides:
            return None
        return item.max_new_tokens or (self._ruler.estimate(item.answer) if item.answer else None)

    def estimate(self, item: Item) -> int:
        """Return how many tokens of the context a request takes, about."""
        new = self._new_tokens(item) or self._output_tokens.longest
        around = self._ruler.n_overhead + self._ruler.n_nonce
        return round(around + self._prompt_tokens(item) + new)

    def _prompt_tokens(self, item: Item) -> int:
        if item.prompt is None:
            return item.n_prompt_tokens or 0
        if isinstance(item.prompt, str):
            return self._ruler.estimate(item.prompt)
        return sum(self._ruler.estimate(message.content) for message in item.prompt)


def _lines(path: Path, read: Callable[[object], _ReadT]) -> Iterator[_ReadT]:
    """Yield what each line is that has text.

    Raises:
        ConfigError: one is wrong, or there is none.
    """
    is_empty = True
    for number, line in enumerate(_read(path).split(b"\n"), start=1):
        if line.strip():
            is_empty = False
            place = f"{path}, line {number}"
            yield _checked(place, read, _parse(place, line))
    if is_empty:
        raise ConfigError(f'{path} has no prompt: write one a line, such as {{"prompt": "Hi"}}')


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes().removeprefix(_BYTE_ORDER_MARK)
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from error


def _parse(place: str, data: bytes) -> object:
    try:
        parsed: object = json.loads(data)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{place}: not UTF-8 at its byte {error.start + 1}") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}" if b"\n" in data else error.colno
        raise ConfigError(f"{place}: not JSON: {error.msg} (at {where})") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; [[[[[...
        raise ConfigError(f"{place}: JSON that can't be read: {error}") from error
    return parsed


def _checked(place: str, read: Callable[[object], _ReadT], entry: object) -> _ReadT:
    try:
        return read(entry)
    except ValueError as error:
        raise ConfigError(f"{place}: {error}") from error
