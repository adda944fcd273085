"""Sampling against TGI's definitions, computed anew with numpy from the model's own logits."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.engine.running import GREEDY, alone, answering
from tgicli.core import SamplingParams, Token
from tgicli.engine.llama import llama_cpp
from tgicli.engine.sampler import LLAMA_DEFAULT_SEED, LogSoftmax, draw_seed, fold_seed
from tgicli.errors import DecodeFailed, RequestError

PROMPT = [30, 90, 127, 90, 30, 181, 90]
FLAT = SamplingParams(temperature=1.0, seed=7, logprobs=True)
Logits = np.ndarray[tuple[int], np.dtype[np.float64]]


def first_token(path: Path, params: SamplingParams) -> Token:
    with answering(path) as answers:
        answers.answer(PROMPT, params, n_new=1)
        return answers.tokens["alone"][0]


def raw_logits(path: Path) -> Logits:
    """Return what the model computed for the first answer token, before any processing."""
    with answering(path) as answers:
        answers.answer(PROMPT, n_new=1)
        pointer = llama_cpp.llama_get_logits_ith(answers.runner._ctx, -1)
        logits = np.ctypeslib.as_array(pointer, (answers.model.n_vocab,))
        return logits.astype(np.float64)


@pytest.mark.parametrize("temperature", [1e-6, 1e-38, 1e-46, 1e-320])
def test_a_temperature_next_to_zero_takes_the_likeliest_token(
    tiny_model: Path, temperature: float
) -> None:
    cold = first_token(tiny_model, replace(FLAT, temperature=temperature, top_n_tokens=3))

    assert cold.id == int(raw_logits(tiny_model).argmax())
    assert all(math.isfinite(top.logprob) for top in cold.top)


@pytest.mark.parametrize("penalty", [1e-39, 1e300])
def test_a_penalty_that_leaves_no_logit_finite_is_refused(penalty: float) -> None:
    with pytest.raises(RequestError, match=r"repetition_penalty must be in \[1e-30, 1e\+30\], got"):
        SamplingParams(repetition_penalty=penalty)


def log_softmax(scores: Logits) -> Logits:
    shifted = scores - scores.max()
    return np.asarray(shifted - math.log(np.exp(shifted).sum()))


def penalised(logits: Logits, params: SamplingParams) -> Logits:
    """Apply the CTRL penalty first, then the additive ones, as TGI does."""
    scores = logits.copy()
    for token_id in set(PROMPT):
        factor = params.repetition_penalty
        scores[token_id] *= factor if scores[token_id] <= 0 else 1 / factor
        scores[token_id] -= PROMPT.count(token_id) * params.frequency_penalty
        scores[token_id] -= params.presence_penalty
    return scores


def check(path: Path, params: SamplingParams, kept: Logits) -> None:
    """Compare the reported alternatives with log_softmax(kept), -inf where a token is filtered."""
    expected = log_softmax(kept)
    token = first_token(path, replace(params, top_n_tokens=20))
    best = sorted((i for i in range(len(kept)) if np.isfinite(kept[i])), key=lambda i: -expected[i])

    assert [top.id for top in token.top] == best[:20]
    assert [top.logprob for top in token.top] == pytest.approx(list(expected[best[:20]]), abs=2e-4)
    assert token.logprob == pytest.approx(expected[token.id], abs=2e-4)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_a_logprob_is_taken_after_temperature(tiny_model: Path, temperature: float) -> None:
    check(tiny_model, replace(FLAT, temperature=temperature), raw_logits(tiny_model) / temperature)


def test_top_k_keeps_the_k_best_and_renormalises(tiny_model: Path) -> None:
    logits = raw_logits(tiny_model)

    check(
        tiny_model, replace(FLAT, top_k=5), np.where(logits >= np.sort(logits)[-5], logits, -np.inf)
    )


def test_top_k_of_one_has_a_logprob_of_zero(tiny_model: Path) -> None:
    token = first_token(tiny_model, replace(FLAT, top_k=1, top_n_tokens=1))

    assert token.logprob == token.top[0].logprob == 0.0
    assert token.id == int(np.argmax(raw_logits(tiny_model)))


def test_top_p_keeps_the_smallest_set_that_reaches_the_mass(tiny_model: Path) -> None:
    logits = raw_logits(tiny_model) * 4
    order = np.argsort(-logits)
    mass = np.cumsum(np.exp(log_softmax(logits))[order])
    kept = np.full_like(logits, -np.inf)
    n = int(np.searchsorted(mass, 0.6)) + 1
    kept[order[:n]] = logits[order[:n]]

    check(tiny_model, replace(FLAT, temperature=0.25, top_p=0.6), kept)


@pytest.mark.parametrize(("temperature", "typical_p"), [(0.25, 0.4), (0.4, 0.999999), (2.0, 0.4)])
def test_typical_p_keeps_what_is_closest_to_the_entropy(
    tiny_model: Path, temperature: float, typical_p: float
) -> None:
    logits = raw_logits(tiny_model) / temperature
    logprobs = log_softmax(logits)
    entropy = -(np.exp(logprobs) * logprobs).sum()
    order = np.argsort(np.abs(-logprobs - entropy))
    n = int(np.searchsorted(np.cumsum(np.exp(logprobs[order])), typical_p)) + 1
    kept = np.full_like(logits, -np.inf)
    kept[order[:n]] = logits[order[:n]]

    check(tiny_model, replace(FLAT, temperature=temperature, typical_p=typical_p), kept)


def test_typical_p_works_beside_probabilities_that_vanish(tiny_model: Path) -> None:
    logits = raw_logits(tiny_model) / 0.02
    kept = np.full_like(logits, -np.inf)
    kept[logits.argmax()] = logits.max()

    check(tiny_model, replace(FLAT, temperature=0.02, typical_p=0.4), kept)


def test_a_logit_bias_is_added_before_everything_else(tiny_model: Path) -> None:
    bias = {17: 4.5, 200: -3.0, PROMPT[0]: 100.0}
    params = replace(FLAT, repetition_penalty=1.7, logit_bias=tuple(bias.items()))
    logits = raw_logits(tiny_model)
    logits[list(bias)] += list(bias.values())

    check(tiny_model, params, penalised(logits, params))


def test_a_logit_bias_changes_the_greedy_choice_and_may_name_no_token(tiny_model: Path) -> None:
    biased = replace(GREEDY, logit_bias=((50, 100.0), (999_999, 100.0)))

    with answering(tiny_model, n_lanes=2) as answers:
        assert answers.answer(PROMPT, biased, n_new=3) == [50, 50, 50]


def test_min_p_keeps_what_is_likely_enough_beside_the_best(tiny_model: Path) -> None:
    logits = raw_logits(tiny_model) * 4
    kept = np.where(logits >= logits.max() + math.log(0.1), logits, -np.inf)

    check(tiny_model, replace(FLAT, temperature=0.25, min_p=0.1), kept)


@pytest.mark.parametrize(
    "penalties",
    [
        {"repetition_penalty": 1.7},
        {"frequency_penalty": 0.9},
        {"presence_penalty": 1.3},
        {"repetition_penalty": 0.6, "frequency_penalty": -1.0, "presence_penalty": 0.5},
    ],
    ids=lambda penalties: "+".join(penalties),
)
def test_penalties_count_prompt_tokens(tiny_model: Path, penalties: dict[str, float]) -> None:
    params = replace(FLAT, **penalties)  # type: ignore[arg-type]  # all three are floats

    check(tiny_model, params, penalised(raw_logits(tiny_model), params))


def test_penalties_count_generated_tokens_too(tiny_model: Path) -> None:
    strong = replace(GREEDY, presence_penalty=2.0, frequency_penalty=2.0, repetition_penalty=1e6)

    ids = alone(tiny_model, {"x": PROMPT}, strong, n_new=40)["x"]

    assert len({*ids, *PROMPT}) == len(ids) + len(set(PROMPT))


def test_the_greedy_choice_is_the_same_with_and_without_a_chain(tiny_model: Path) -> None:
    by_chain = alone(tiny_model, {"x": PROMPT}, n_new=30)["x"]

    with answering(tiny_model, n_lanes=2) as answers:
        assert answers.answer(PROMPT, n_new=30) == by_chain
        assert answers.answer(PROMPT, replace(GREEDY, logprobs=True), n_new=30) == by_chain


def test_greedy_alternatives_are_those_of_the_plain_distribution(tiny_model: Path) -> None:
    check(tiny_model, GREEDY, raw_logits(tiny_model))


def test_greedy_logprobs_are_those_of_the_plain_distribution(tiny_model: Path) -> None:
    logits = raw_logits(tiny_model)

    token = first_token(tiny_model, replace(GREEDY, logprobs=True))

    assert token.id == int(np.argmax(logits))
    assert token.logprob == pytest.approx(log_softmax(logits).max(), abs=2e-4)


@pytest.mark.parametrize("largest", [-5e4, -61.0, -59.0, 0.0, 59.0, 61.0, 89.0, 5e4])
def test_logits_of_any_size_have_their_logprobs(largest: float) -> None:
    logits = np.linspace(largest - 200, largest, num=1 << 18, dtype=np.float32)

    logprob, [(best_id, best_logprob)] = LogSoftmax(len(logits))(logits, 0, n_top=1)

    expected = log_softmax(logits.astype(np.float64))
    assert logprob == pytest.approx(expected[0], rel=1e-4)
    assert best_id == len(logits) - 1
    assert best_logprob == pytest.approx(expected[-1], rel=1e-4)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_row_with_what_is_no_number_has_no_logprobs(value: float) -> None:
    logits = np.zeros(8, dtype=np.float32)
    logits[3] = value

    with pytest.raises(DecodeFailed, match="no numbers"):
        LogSoftmax(len(logits))(logits, 0)


def test_equally_likely_tokens_come_in_the_order_of_their_ids() -> None:
    logits, ids = np.zeros(5000, dtype=np.float32), np.arange(5000)[::-1]
    logits[::100] = 1
    logits[2000] = 2

    _, top = LogSoftmax(len(logits))(logits, 0, 50, ids)

    likely = sorted(ids[::100].tolist(), key=lambda token_id: (token_id != 2999, token_id))
    assert [token_id for token_id, _ in top] == likely


def test_tokens_are_drawn_as_often_as_their_probability_says(tiny_model: Path) -> None:
    params = replace(FLAT, temperature=0.2, logprobs=False)
    expected = np.exp(log_softmax(raw_logits(tiny_model) / 0.2))
    n_draws = 400
    with answering(tiny_model) as answers:
        drawn = [
            answers.answer(PROMPT, replace(params, seed=seed), n_new=1)[0]
            for seed in range(n_draws)
        ]

    likely = [i for i in range(len(expected)) if expected[i] > 0.02]
    for token_id in likely:
        sigma = math.sqrt(expected[token_id] * (1 - expected[token_id]) / n_draws)
        assert drawn.count(token_id) / n_draws == pytest.approx(expected[token_id], abs=4.5 * sigma)


def test_a_seed_repeats_and_another_differs(tiny_model: Path) -> None:
    seeds = [1, 2, 1 + 2**40, 2**63 + 5, LLAMA_DEFAULT_SEED]

    runs, again = (
        [alone(tiny_model, {"x": PROMPT}, replace(FLAT, seed=seed), n_new=24) for seed in seeds]
        for _ in range(2)
    )

    assert runs == again
    assert len({tuple(run["x"]) for run in runs}) == len(seeds)


def test_a_drawn_seed_is_another_each_time() -> None:
    assert len({draw_seed() for _ in range(10)}) == 10


def test_no_seed_becomes_the_one_that_llama_cpp_takes_for_random() -> None:
    assert fold_seed(LLAMA_DEFAULT_SEED) != LLAMA_DEFAULT_SEED
    assert fold_seed(LLAMA_DEFAULT_SEED << 32) != LLAMA_DEFAULT_SEED
    assert all(fold_seed(seed) == seed for seed in (draw_seed() for _ in range(100)))
