"""Whether answers stay right under load: the same text as alone, and nobody else's.

Called by the command, on the event loop; what asks is a callable. Every prompt has a code word that
no other has and that the model is told to repeat. An answer with another prompt's code word is
proof of a mix-up; one without its own is none, since a model may do as it likes. So is a text that
differs under load: batches compute in another order, and floats round; how many do is reported.
"""

from __future__ import annotations

import asyncio
import enum
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from tgicli.bench.ask_options import Ask
from tgicli.bench.plan import Prompt
from tgicli.bench.record import Outcome, Record, TokenSource

N_PROMPTS = 8
CHECK_PROMPT, CHECK_NEW = 256, 64  # tokens of a prompt and of an answer, at most
N_SYLLABLES = 5  # of a code word: 2 billion words
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
_TOPICS = (
    "a river in spring",
    "how bread is made",
    "the colours of autumn",
    "a journey by train",
    "what a lighthouse does",
    "a market in the morning",
    "the first snow",
    "why the sea is salty",
)


class Stage(enum.StrEnum):
    """How the prompts were asked."""

    ALONE = "alone"  # one after another: what all others are held against
    AGAIN = "again"  # the same once more: what the server changes by itself, or by its cache
    LOAD = "under load"  # all at once
    WHOLE = "not streamed"  # one after another, as whole answers


class MixUp(enum.StrEnum):
    """What happened to an answer with a foreign code word."""

    SWAPPED = "swapped"  # two answers have each other's code word, and not their own
    FOREIGN = "another's answer"  # its own is missing
    MIXED = "mixed"  # its own is there, too


@dataclass(frozen=True, slots=True)
class Crossing:
    """An answer that has another prompt's code word."""

    stage: Stage
    index: int  # whose answer it is
    other: int  # whose code word is in it
    kind: MixUp


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How the texts of a stage compare with those of the prompts alone."""

    n: int  # that were answered in both
    n_equal: int
    first_differences: tuple[int, ...]  # where each other text differs first, in characters


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What the check found."""

    n_prompts: int
    matches: Mapping[str, Match]  # by stage, without ALONE
    crossings: tuple[Crossing, ...]
    echoes: Mapping[str, int]  # by stage: answers with their own code word
    problems: Mapping[str, int]  # by name, over all stages: of framing, and of counts
    errors: Mapping[str, int]  # by class: requests that failed
    n_busy: int  # that a full server refused, which is its right
    n_answered: int

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong; texts that differ under load may well be right."""
        return bool(self.n_answered) and not (self.crossings or self.problems or self.errors)

    @property
    def can_tell(self) -> bool:
        """Whether a mix-up would have shown: the model does repeat code words."""
        return any(self.echoes.values())


def check_prompts(
    n: int = N_PROMPTS, *, seed: int, max_new_tokens: int = CHECK_NEW
) -> tuple[Prompt, ...]:
    """Make n prompts that make a model repeat a code word and then write something of its own."""
    words = _code_words(seed)
    return tuple(
        _prompt(next(words), _TOPICS[number % len(_TOPICS)], max_new_tokens) for number in range(n)
    )


async def run_check(
    ask: Ask,
    prompts: Sequence[Prompt],
    *,
    on_record: Callable[[Stage, Record], None] | None = None,
    stop: asyncio.Event | None = None,
) -> dict[Stage, tuple[Record, ...]]:
    """Ask all prompts in all stages. Once `stop` is set no stage is begun, and none is half."""

    async def put(stage: Stage, prompt: Prompt) -> Record:
        record = await ask(prompt, stage is not Stage.WHOLE)
        if on_record:
            on_record(stage, record)
        return record

    found: dict[Stage, tuple[Record, ...]] = {}
    for stage in Stage:
        if stage is Stage.LOAD:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(put(stage, prompt)) for prompt in prompts]
            records = tuple(task.result() for task in tasks)
        else:
            records = tuple([await put(stage, p) for p in prompts if not (stop and stop.is_set())])
        if len(records) < len(prompts):
            break
        found[stage] = records
    return found


def judge_answers(
    prompts: Sequence[Prompt], stages: Mapping[Stage, Sequence[Record]]
) -> CheckResult:
    """Say what is wrong with the answers, which are in the order of their prompts."""
    words = [prompt.nonce for prompt in prompts]
    records = [record for stage in stages.values() for record in stage]
    alone = stages.get(Stage.ALONE, ())
    outcomes = Counter(record.outcome for record in records)
    failed = [record for record in records if record.outcome in (Outcome.ERROR, Outcome.CUT)]
    return CheckResult(
        n_prompts=len(prompts),
        matches={s: _match(alone, texts) for s, texts in stages.items() if s is not Stage.ALONE},
        crossings=tuple(c for s, texts in stages.items() for c in _crossings(s, texts, words)),
        echoes={stage: _n_echoes(texts, words) for stage, texts in stages.items()},
        problems=dict(Counter(name for record in records for name in _problems(record))),
        errors=dict(Counter(record.error or str(record.outcome) for record in failed)),
        n_busy=outcomes[Outcome.BUSY],
        n_answered=outcomes[Outcome.OK],
    )


def check_words(found: CheckResult) -> Iterator[str]:
    """Say what was found, a line each."""
    yield f"text: {'sound' if found.is_sound else 'NOT SOUND'}, {found.n_prompts} prompts"
    for stage, match in found.matches.items():
        if match.n:
            places = sorted(match.first_differences)
            where = f", others from character {places[0]} on" if places else ""
            yield f"  {stage}: {match.n_equal} of {match.n} texts as alone{where}"
    for crossing in found.crossings:
        yield f"  {crossing.stage}: answer {crossing.index} has the code word of {crossing.other}"
    if found.n_busy:
        yield f"  {found.n_busy} were refused as the server was full, and are not compared"
    for name, n in (*found.problems.items(), *found.errors.items()):
        yield f"  {name}: {n}"
    if not found.can_tell:
        yield "  the model repeats no code word, so a mix-up would not have shown"


def first_difference(one: str, other: str) -> int | None:
    """Return where two texts differ first, in characters; None: they are equal."""
    if one == other:
        return None
    pairs = zip(one, other, strict=False)
    shorter = min(len(one), len(other))
    return next((k for k, (a, b) in enumerate(pairs) if a != b), shorter)


def _code_words(seed: int) -> Iterator[str]:
    """Yield words that can be spoken and that nobody uses, none twice."""
    draw, seen = Random(f"code words of {seed}"), set[str]()
    while True:
        syllables = (draw.choice(_CONSONANTS) + draw.choice(_VOWELS) for _ in range(N_SYLLABLES))
        word = "".join(syllables)
        if word not in seen:
            seen.add(word)
            yield word


def _prompt(word: str, topic: str, max_new_tokens: int) -> Prompt:
    text = (
        f"{word} is the code word. Repeat it: {word}, {word}, {word}. Write the code word {word} "
        f"once more, and then a few sentences about {topic}.\nThe code word: {word}.\nAgain:"
    )
    return Prompt(prompt=text, max_new_tokens=max_new_tokens, nonce=word)


def _match(alone: Sequence[Record], others: Sequence[Record]) -> Match:
    pairs = [
        (one.text, other.text)
        for one, other in zip(alone, others, strict=True)
        if one.outcome is Outcome.OK and other.outcome is Outcome.OK
    ]
    places = [place for pair in pairs if (place := first_difference(*pair)) is not None]
    return Match(n=len(pairs), n_equal=len(pairs) - len(places), first_differences=tuple(places))


def _crossings(stage: Stage, records: Sequence[Record], words: Sequence[str]) -> Iterator[Crossing]:
    """Name every answer with a foreign code word; one that failed half-way counts as well."""
    has = [{k for k, word in enumerate(words) if word in r.text.lower()} for r in records]
    for index, found in enumerate(has):
        for other in sorted(found - {index}):
            if index in found:
                kind = MixUp.MIXED
            elif index in has[other] and other not in has[other]:
                kind = MixUp.SWAPPED
            else:
                kind = MixUp.FOREIGN
            yield Crossing(stage, index, other, kind)


def _n_echoes(records: Sequence[Record], words: Sequence[str]) -> int:
    return sum(word in record.text.lower() for record, word in zip(records, words, strict=True))


def _problems(record: Record) -> Iterator[str]:
    """Name what is wrong with an answer's form."""
    yield from record.problems
    if record.outcome is not Outcome.OK or record.token_source is TokenSource.CHUNKS:
        return
    if record.n_new_asked is not None:
        if record.n_tokens > record.n_new_asked:
            yield "more tokens than were asked for"
        elif record.finish_reason == "length" and record.n_tokens < record.n_new_asked:
            yield "finish_reason length before the limit"
