"""Calls made side by side give what they give one after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.engine.grammars import regex
from tests.engine.running import answering
from tgicli.core import SamplingParams, Token
from tgicli.engine.crew import SLICE, Crew
from tgicli.engine.grammar import GrammarCompiler
from tgicli.engine.model import LoadOptions
from tgicli.engine.sequence import Sequence

PROMPTS = {str(i): [3 + i + k * 7 % 200 for k in range(5 + i)] for i in range(5)}


@pytest.fixture
def crew() -> Iterator[Crew]:
    made = Crew(3, slice_logits=1)
    yield made
    made.close()


def test_results_come_in_the_order_of_the_calls(crew: Crew):
    calls = [partial(int, word) for word in "31415926"]

    assert crew.run(calls, n_logits=1) == [3, 1, 4, 1, 5, 9, 2, 6]
    assert crew.run([], n_logits=1) == []


def test_calls_run_side_by_side(crew: Crew):
    meeting = threading.Barrier(3, timeout=30)  # breaks unless all three wait in it at once

    assert sorted(crew.run([meeting.wait] * 3, n_logits=1)) == [0, 1, 2]


def test_calls_that_are_not_worth_a_thread_stay_on_this_one():
    crew = Crew(3)

    threads = crew.run([threading.get_ident] * 4, n_logits=SLICE // 4)

    assert set(threads) == {threading.get_ident()}
    crew.close()


def test_a_call_that_fails_fails_here(crew: Crew):
    with pytest.raises(ValueError, match="invalid literal"):
        crew.run([partial(int, "1"), partial(int, "x"), partial(int, "3")], n_logits=1)


@pytest.mark.parametrize(
    "params",
    [
        SamplingParams(temperature=1.0, seed=42),
        SamplingParams(temperature=0.7, top_k=20, top_p=0.9, repetition_penalty=1.3, seed=7),
    ],
    ids=["plain", "filtered"],
)
def test_sampling_side_by_side_gives_the_same_tokens(tiny_model: Path, params: SamplingParams):
    prompts = PROMPTS | {"longer than a batch": [3 + k * 7 % 200 for k in range(90)]}
    beside = {
        "greedy": SamplingParams(temperature=0),
        "marked": replace(params, watermark=True),
        "scored": replace(params, logprobs=True, top_n_tokens=2),
    }
    grammar = regex("[a-z]{9}")

    def answers(crew: Crew | None) -> dict[str, list[Token]]:
        with answering(tiny_model, n_lanes=len(prompts)) as answering_all:
            answering_all.runner._sampler._crew = crew
            for name, prompt in prompts.items():
                answering_all.submit(name, prompt, params)
            for name, others in beside.items():
                answering_all.submit(name, [5, 6, 7], others)
            constraint = GrammarCompiler(answering_all.model).compile(grammar)
            bound = Sequence(
                "bound", [5, 6, 7], replace(params, grammar=grammar), 12, constraint=constraint
            )
            answering_all.submit_sequence(bound)
            answering_all.run()
            return answering_all.tokens

    assert answers(Crew(3, slice_logits=1)) == answers(None)


def test_numbers_that_are_none_fail_side_by_side_too(tmp_path: Path):
    from tests.tiny import write

    with answering(write("nan", tmp_path), n_lanes=3) as answers:
        answers.runner._sampler._crew = Crew(3, slice_logits=1)
        for name in "abc":
            answers.submit(name, [5, 6, 7], SamplingParams(temperature=1.0, seed=1))
        answers.run()

        assert {str(error)[:30] for error in answers.errors.values()} == {
            "the model computed no numbers "
        }


def test_a_model_on_the_cpu_has_no_crew(tiny_model: Path):
    with answering(tiny_model, n_lanes=2) as answers:
        assert answers.model.options == LoadOptions(gpu_layers=0)
        assert answers.runner._sampler._crew is None
