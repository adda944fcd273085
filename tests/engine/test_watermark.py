"""The watermark: torch's green lists, its place before penalties, and a detector that finds it."""

from __future__ import annotations

import ctypes
import hashlib
import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.running import GREEDY, Answers, answering
from tgicli.core import Grammar, GrammarKind, SamplingParams
from tgicli.engine.grammar import GrammarCompiler
from tgicli.engine.llama import llama_cpp
from tgicli.engine.sequence import Sequence
from tgicli.engine.watermark import DELTA, GAMMA, HASH_KEY, Watermark

PROMPT = [30, 90, 127, 90, 30, 181, 90]
SAMPLED = SamplingParams(temperature=1.0, seed=11)
KINDS = (
    ("greedy", GREEDY),
    ("marked greedy", replace(GREEDY, watermark=True)),
    ("marked", replace(SAMPLED, watermark=True)),
)


def green_ids(n_vocab: int, previous_id: int) -> list[int]:
    """Return the green list in increasing order."""
    return sorted({*range(n_vocab)} - {*Watermark(n_vocab).red_ids(previous_id).tolist()})


def shuffled(n_vocab: int, previous_id: int) -> list[int]:
    """Return the beginning of torch.randperm as its source has it, a swap after the other."""
    bits = np.random.MT19937()
    np.random.RandomState(bits).seed(HASH_KEY * previous_id % 2**32)
    n_green = int(n_vocab * GAMMA)
    ids = list(range(n_vocab))
    for i, drawn in enumerate(bits.random_raw(n_green).tolist()):
        target = i + drawn % (n_vocab - i)
        ids[i], ids[target] = ids[target], ids[i]
    return sorted(ids[:n_green])


def z_score(token_ids: list[int], n_vocab: int) -> float:
    """Return by how many standard deviations the green tokens are more than chance has it."""
    watermark = Watermark(n_vocab)
    n_red = sum(
        token_id in watermark.red_ids(previous_id)
        for previous_id, token_id in itertools.pairwise(token_ids)
    )
    n = len(token_ids) - 1
    return (n - n_red - GAMMA * n) / math.sqrt(n * GAMMA * (1 - GAMMA))


# What torch 1.13.1 drew on a CPU: g = torch.Generator(); g.manual_seed(15485863 * previous_id);
# sorted(torch.randperm(n_vocab, generator=g)[: n_vocab // 2].tolist())
@pytest.mark.parametrize(
    ("n_vocab", "previous_id", "green"),
    [
        (10, 0, [1, 3, 4, 5, 7]),
        (10, 1, [0, 2, 5, 7, 8]),
        (10, 300, [0, 3, 6, 7, 9]),
    ],
)
def test_a_green_list_is_torchs(n_vocab: int, previous_id: int, green: list[int]) -> None:
    assert green_ids(n_vocab, previous_id) == green


@pytest.mark.parametrize(
    ("n_vocab", "previous_id", "digest"),  # of the ids as little-endian int32
    [
        (281, 90, "f49f40417a86f6a5"),
        (32_000, 1, "a54a02173910e64b"),
        (49_152, 49_151, "aba4591249d1a417"),
        (128_256, 128_255, "4017df5579f4bc50"),
        (262_144, 262_143, "3d8e15afd48cfd2f"),
    ],
)
def test_a_green_list_of_a_real_vocabulary_is_torchs(
    n_vocab: int, previous_id: int, digest: str
) -> None:
    data = np.array(green_ids(n_vocab, previous_id), dtype="<i4").tobytes()

    assert hashlib.sha256(data).hexdigest().startswith(digest)


@given(n_vocab=st.integers(1, 700), previous_id=st.integers(0, 300_000))
@settings(max_examples=200)
def test_following_the_targets_backwards_finds_what_the_swaps_leave(
    n_vocab: int, previous_id: int
) -> None:
    assert green_ids(n_vocab, previous_id) == shuffled(n_vocab, previous_id)


def test_a_row_of_logits_is_marked_on_the_green_list_only() -> None:
    logits = (ctypes.c_float * 50)(*range(50))
    green = green_ids(50, 7)

    Watermark(50).mark(ctypes.cast(logits, ctypes.POINTER(ctypes.c_float)), 7)

    assert list(logits) == [i + (DELTA if i in green else 0) for i in range(50)]


def answer(path: Path, params: SamplingParams, *, n_lanes: int = 1, n_new: int = 200) -> list[int]:
    with answering(path, n_lanes=n_lanes) as answers:
        return answers.answer(PROMPT, params, n_new=n_new)


def test_a_detector_tells_the_marked_text_from_the_plain_one(tiny_model: Path) -> None:
    plain = answer(tiny_model, SAMPLED)
    marked = answer(tiny_model, replace(SAMPLED, watermark=True))

    with answering(tiny_model) as answers:
        n_vocab = answers.model.n_vocab
    assert z_score([PROMPT[-1], *marked], n_vocab) > 4
    assert z_score([PROMPT[-1], *plain], n_vocab) < 2


def marked_logits(answers: Answers) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return what the watermark makes of the first token's logits."""
    answers.answer(PROMPT, n_new=1)
    pointer = llama_cpp.llama_get_logits_ith(answers.runner._ctx, -1)
    logits = np.ctypeslib.as_array(pointer, (answers.model.n_vocab,)).astype(np.float64)
    logits[green_ids(len(logits), PROMPT[-1])] += DELTA
    return logits


@pytest.mark.parametrize("n_lanes", [1, 2])  # with a chain of llama.cpp's, and without
def test_a_greedy_answer_is_marked_too(tiny_model: Path, n_lanes: int) -> None:
    with answering(tiny_model, n_lanes=n_lanes) as answers:
        best = int(marked_logits(answers).argmax())

        marked = answers.answer(PROMPT, replace(GREEDY, watermark=True), n_new=1)

    assert marked == [best]


def test_the_watermark_comes_before_the_penalties(tiny_model: Path) -> None:
    params = replace(SAMPLED, repetition_penalty=3.0, watermark=True, top_n_tokens=20)
    with answering(tiny_model) as answers:
        scores = marked_logits(answers)
        seen = sorted(set(PROMPT))
        scores[seen] = np.where(scores[seen] > 0, scores[seen] / 3, scores[seen] * 3)
        expected = scores - np.logaddexp.reduce(scores)

        answers.answer(PROMPT, params, n_new=1)
        (token,) = answers.tokens["alone"]

    best = np.argsort(-expected)[:20].tolist()
    assert [top.id for top in token.top] == best
    assert [top.logprob for top in token.top] == pytest.approx(list(expected[best]), abs=2e-4)


def test_a_marked_neighbour_changes_nobody(tiny_model: Path) -> None:
    expected = {name: answer(tiny_model, params, n_lanes=3, n_new=12) for name, params in KINDS}

    with answering(tiny_model, n_lanes=3) as answers:
        for name, params in KINDS:
            answers.submit(name, PROMPT, params)
        answers.run()

        assert {name: answers.ids(name) for name, _ in KINDS} == expected
    assert expected["greedy"] != expected["marked greedy"]


def test_what_a_grammar_forbids_stays_forbidden(tiny_model: Path) -> None:
    grammar = Grammar(GrammarKind.REGEX, "[ab]{30}")
    params = replace(SAMPLED, watermark=True, grammar=grammar)
    with answering(tiny_model) as answers:
        constraint = GrammarCompiler(answers.model).compile(grammar)
        answers.submit_sequence(Sequence("x", list(PROMPT), params, 40, constraint=constraint))
        answers.run()

        assert len(answers.text("x")) == 30
        assert set(answers.text("x")) == {"a", "b"}


@pytest.mark.model
def test_a_detector_finds_the_mark_in_a_real_models_text(demo_model: Path) -> None:
    scores = {}
    with answering(demo_model, n_lanes=2) as answers:
        prompt = answers.model.tokenize("Once upon a time, in a small town,", add_special=True)
        for name, watermark in (("plain", False), ("marked", True)):
            params = replace(SAMPLED, watermark=watermark, ignore_eos=True)
            answers.submit(name, prompt, params, n_new=120)
        answers.run()
        for name in ("plain", "marked"):
            scores[name] = z_score([prompt[-1], *answers.ids(name)], answers.model.n_vocab)

    assert scores["marked"] > 4
    assert scores["plain"] < 2
