"""Whether answers that are not right are found out, and those that are right left in peace."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

import pytest

from tgicli.backends.endpoint import Endpoint, RemoteOptions
from tgicli.backends.remote import RemoteBackend
from tgicli.bench.ask_options import AskOptions
from tgicli.bench.attack import ask
from tgicli.bench.check import (
    CheckResult,
    Crossing,
    MixUp,
    Stage,
    check_prompts,
    check_words,
    first_difference,
    judge_answers,
    run_check,
)
from tgicli.bench.fake.options import FakeOptions, Fault
from tgicli.bench.fake.server import FakeServer
from tgicli.bench.plan import Prompt
from tgicli.bench.record import Outcome, Record, TokenSource
from tgicli.bench.recorder import Recorder

PROMPTS = check_prompts(4, seed=1)


def answer(prompt: Prompt, **changes: object) -> Record:
    """Return the answer of a model that does as it is told."""
    fields: dict[str, object] = {
        "index": PROMPTS.index(prompt),
        "send_ns": 0,
        "end_ns": 1,
        "outcome": Outcome.OK,
        "finish_reason": "length",
        "n_tokens": 64,
        "n_new_asked": 64,
        "token_source": TokenSource.USAGE,
        "text": f"{prompt.nonce}. Once upon a time there was a train.",
        "nonce": prompt.nonce,
    }
    return Record(**(fields | changes))  # type: ignore[arg-type]


def judged(**stages: Sequence[Record]) -> CheckResult:
    """Judge these answers; stages by their names, and ALONE as it should be."""
    alone = [answer(prompt) for prompt in PROMPTS]
    found = {Stage.ALONE: alone} | {Stage[name.upper()]: some for name, some in stages.items()}
    return judge_answers(PROMPTS, found)


def test_the_same_answers_everywhere_are_sound():
    answers = [answer(prompt) for prompt in PROMPTS]

    found = judged(again=answers, load=answers, whole=answers)

    assert found.is_sound
    assert found.can_tell
    assert found.matches.keys() == {Stage.AGAIN, Stage.LOAD, Stage.WHOLE}
    assert all(match.n_equal == match.n == 4 for match in found.matches.values())


def test_swapped_answers_are_found_on_both_sides():
    answers = [answer(prompt) for prompt in PROMPTS]
    texts = [answers[0].text, answers[3].text, answers[2].text, answers[1].text]

    found = judged(load=[replace(a, text=text) for a, text in zip(answers, texts, strict=True)])

    assert found.crossings == (
        Crossing(Stage.LOAD, 1, 3, MixUp.SWAPPED),
        Crossing(Stage.LOAD, 3, 1, MixUp.SWAPPED),
    )
    assert not found.is_sound


def test_a_piece_of_anothers_answer_is_found_even_in_one_that_failed():
    answers = [answer(prompt) for prompt in PROMPTS]
    mixed = replace(answers[0], text=answers[0].text + answers[1].text)
    foreign = replace(answers[2], text=answers[1].text.upper(), outcome=Outcome.ERROR, error="X")

    found = judged(load=[mixed, answers[1], foreign, answers[3]])

    assert found.crossings == (
        Crossing(Stage.LOAD, 0, 1, MixUp.MIXED),
        Crossing(Stage.LOAD, 2, 1, MixUp.FOREIGN),
    )
    assert found.errors == {"X": 1}


def test_answers_are_swapped_only_where_neither_has_its_own_code_word():
    answers = [answer(prompt) for prompt in PROMPTS]
    both = answers[1].text + answers[0].text

    foreign, mixed = replace(answers[0], text=answers[1].text), replace(answers[1], text=both)
    found = judged(load=[foreign, mixed, *answers[2:]])

    assert [crossing.kind for crossing in found.crossings] == [MixUp.FOREIGN, MixUp.MIXED]


def test_a_model_that_does_not_repeat_code_words_is_sound_but_can_tell_nothing():
    mute = [answer(prompt, text="I would rather not.") for prompt in PROMPTS]

    found = judge_answers(PROMPTS, {Stage.ALONE: mute, Stage.LOAD: mute})

    assert found.is_sound
    assert not found.can_tell
    assert found.echoes == {Stage.ALONE: 0, Stage.LOAD: 0}


def test_texts_that_differ_under_load_are_counted_and_are_no_fault():
    answers = [answer(prompt) for prompt in PROMPTS]
    other = replace(answers[0], text=answers[0].text.replace("train", "trout"))

    found = judged(load=[other, *answers[1:]])

    match = found.matches[Stage.LOAD]
    assert (match.n, match.n_equal) == (4, 3)
    assert match.first_differences == (other.text.index("trout") + 2,)
    assert found.is_sound


@pytest.mark.parametrize(
    ("one", "other", "place"),
    [("abc", "abc", None), ("abc", "abd", 2), ("abc", "ab", 2), ("", "a", 0), ("xa", "ya", 0)],
)
def test_the_first_difference_is_a_place_in_the_text(one: str, other: str, place: int | None):
    assert first_difference(one, other) == place


def test_every_problem_is_counted_under_its_own_name():
    answers = [answer(prompt) for prompt in PROMPTS]
    answers[0] = replace(answers[0], problems=("data after [DONE]",))
    answers[1] = replace(answers[1], problems=("data after [DONE]", "double usage"))
    answers[2] = replace(answers[2], n_tokens=65)
    answers[3] = replace(answers[3], n_tokens=12)

    found = judged(load=answers)

    assert found.problems == {
        "data after [DONE]": 2,
        "double usage": 1,
        "more tokens than were asked for": 1,
        "finish_reason length before the limit": 1,
    }
    assert not found.is_sound


def test_pieces_that_nobody_counted_are_not_held_against_the_limit():
    pieces = [answer(p, n_tokens=12, token_source=TokenSource.CHUNKS) for p in PROMPTS]

    assert judged(load=pieces).is_sound


def test_a_full_server_may_refuse_but_not_everything():
    refused = [answer(p, outcome=Outcome.BUSY, text="", error="Overloaded") for p in PROMPTS]

    some, none = judged(load=refused), judge_answers(PROMPTS, {Stage.ALONE: refused})

    assert (some.is_sound, some.n_busy, some.n_answered, some.errors) == (True, 4, 4, {})
    assert (none.is_sound, none.n_busy, none.n_answered) == (False, 4, 0)


def test_under_load_all_are_asked_at_once_and_else_one_by_one():
    n_now, most = 0, dict.fromkeys(Stage, 0)
    asked: list[tuple[Prompt, bool]] = []

    async def ask(prompt: Prompt, is_streamed: bool) -> Record:
        nonlocal n_now
        n_now += 1
        stage = list(Stage)[len(asked) // len(PROMPTS)]
        asked.append((prompt, is_streamed))
        most[stage] = max(most[stage], n_now)
        await asyncio.sleep(0)
        n_now -= 1
        return answer(prompt)

    found = asyncio.run(run_check(ask, PROMPTS))

    assert list(found) == list(Stage)
    assert most == {Stage.ALONE: 1, Stage.AGAIN: 1, Stage.LOAD: 4, Stage.WHOLE: 1}
    assert [is_streamed for _, is_streamed in asked] == [True] * 12 + [False] * 4
    assert [record.nonce for record in found[Stage.LOAD]] == [p.nonce for p in PROMPTS]


def test_a_stage_that_was_stopped_does_not_count():
    stop = asyncio.Event()
    n_asked = 0

    async def ask(prompt: Prompt, is_streamed: bool) -> Record:
        nonlocal n_asked
        n_asked += 1
        if n_asked == 6:
            stop.set()
        return answer(prompt)

    found = asyncio.run(run_check(ask, PROMPTS, stop=stop))

    assert list(found) == [Stage.ALONE]
    assert n_asked == 6


def test_a_server_that_swaps_replies_under_load_is_found_out():
    prompts = check_prompts(2, seed=1, max_new_tokens=8)

    async def run(url: str) -> dict[Stage, tuple[Record, ...]]:
        recorder = Recorder()
        remote = RemoteOptions(endpoint=Endpoint.from_url(url))
        async with aclosing(RemoteBackend(remote, observer=recorder)) as backend:

            async def asked(prompt: Prompt, is_streamed: bool) -> Record:
                options = AskOptions(chats=False, ignore_eos=False, streams=is_streamed)
                return await ask(backend, prompt, recorder, options=options)

            return await run_check(asked, prompts)

    with FakeServer(FakeOptions(ttft_ms=150, gap_ms=2, fault=Fault.SWAPPED)) as server:
        found = judge_answers(prompts, asyncio.run(run(server.url)))

    assert {crossing.kind for crossing in found.crossings} == {MixUp.SWAPPED}
    assert {crossing.stage for crossing in found.crossings} == {Stage.LOAD}
    assert found.echoes[Stage.ALONE] == found.echoes[Stage.WHOLE] == 2


def test_code_words_are_all_different_and_in_their_own_prompts_alone():
    prompts = check_prompts(50, seed=2)

    words = [prompt.nonce for prompt in prompts]
    assert len(set(words)) == 50
    for prompt in prompts:
        assert [word for word in words if word in str(prompt.prompt)] == [prompt.nonce]
    assert prompts == check_prompts(50, seed=2)
    assert prompts != check_prompts(50, seed=3)


def test_refusals_are_told():
    found = CheckResult(
        n_prompts=4,
        matches={},
        crossings=(),
        echoes={"alone": 4},
        problems={},
        errors={},
        n_busy=3,
        n_answered=13,
    )

    assert "  3 were refused as the server was full, and are not compared" in check_words(found)
