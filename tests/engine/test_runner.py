"""The runner, under its engine, on tiny models of every kind of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.engine.running import GREEDY, Answers, alone, answering
from tests.tiny import LLAMA, Array, Vocabulary
from tgicli.core import SamplingParams
from tgicli.engine.chunks import LEAST, MOST_SCORED, SMALL, Cut, cut_into_tiles, cut_small
from tgicli.engine.lanes import LaneEdit
from tgicli.engine.llama import llama_cpp
from tgicli.engine.model import LoadOptions, Model
from tgicli.engine.runner import ContextOptions, Runner
from tgicli.engine.scheduler import Result, Row
from tgicli.engine.sequence import Sequence
from tgicli.errors import DecodeFailed, ModelLoadError

ARCHITECTURES = ["llama", "llama_spm", "mixtral", "mamba", "jamba", "gemma3", "split"]
PREFIX = [3 + i * 7 % 200 for i in range(90)]
PROMPTS = {
    "a": [*PREFIX, 40, 41],
    "b": [*PREFIX, 50],
    "c": [5, 6, 7],
    "d": [*PREFIX[:50], 9, 10, 11],
    "e": [*PREFIX, 40, 41],
}
SAMPLED = SamplingParams(temperature=1.0, seed=42)


@pytest.fixture(params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest, tiny_models: Callable[[str], Path]) -> Path:
    return tiny_models(request.param)


@pytest.mark.parametrize("params", [GREEDY, SAMPLED], ids=["greedy", "seeded"])
def test_a_batch_gives_each_request_what_it_gets_alone(
    architecture: Path, params: SamplingParams
) -> None:
    expected = alone(architecture, PROMPTS, params)

    with answering(architecture, n_lanes=3) as answers:
        for name, prompt in PROMPTS.items():
            answers.submit(name, prompt, params)
        answers.run()

        assert {name: answers.ids(name) for name in PROMPTS} == expected


def test_a_conversation_that_goes_on_gives_the_same_with_and_without_reuse(
    architecture: Path,
) -> None:
    turns = [PREFIX[:40], PREFIX[:60], PREFIX[:30], PREFIX]
    expected = [alone(architecture, {"x": turn})["x"] for turn in turns]

    with answering(architecture) as answers:
        got = [answers.answer(turn) for turn in turns]
        cached = answers.finish["alone"].n_cached_tokens

    assert got == expected
    assert (cached == 30) is answers.runner.reuses_prefixes


def test_conversations_by_turns_that_begin_alike_keep_what_was_computed(
    architecture: Path,
) -> None:
    first, second = [*PREFIX, 40, 41, 42], [*PREFIX[:40], 50, 51, 52, *PREFIX[:30]]
    turns = [first, second, [*first, 9, 10, 11, 12], [*second, 13, 14, 15, 16]]
    expected = [alone(architecture, {"x": turn})["x"] for turn in turns]

    got, cached = [], []
    with answering(architecture, n_lanes=3) as answers:
        for turn in turns:
            got.append(answers.answer(turn))
            cached.append(answers.finish["alone"].n_cached_tokens)
        reuses = answers.runner.reuses_prefixes

    assert got == expected
    assert cached == ([0, 40, len(first), len(second)] if reuses else [0, 0, 0, 0])


@pytest.mark.parametrize("n_lanes", [1, 2])
def test_conversations_that_left_their_lanes_come_back_from_ram_unchanged(
    architecture: Path, n_lanes: int
) -> None:
    firsts = [[*PREFIX[:40], token, *PREFIX[:60]] for token in (40, 50, 60)]
    seconds = [[*first, 9, 10, 11, 12] for first in firsts]  # they have come back: worth saving
    turns = [*firsts, *seconds, *([*second, 5, 6, 7] for second in seconds)]
    expected = [alone(architecture, {"x": turn})["x"] for turn in turns]

    got, cached = [], []
    with answering(architecture, n_lanes=n_lanes, cache_bytes=1 << 24) as answers:
        for turn in turns:
            got.append(answers.answer(turn))
            cached.append(answers.finish["alone"].n_cached_tokens)
        reuses = answers.runner.reuses_prefixes

    assert got == expected
    assert cached[6:] == ([105, 105, 105] if reuses else [0, 0, 0])


def test_what_cannot_be_copied_is_computed_again(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other = [*PREFIX, 40, 41, 42], [9, 9, *PREFIX]
    expected = alone(tiny_model, {"x": [*first, 9, 10, 11, 12]})["x"]
    monkeypatch.setattr(llama_cpp, "llama_state_seq_get_size", lambda ctx, lane: 1 << 60)

    with answering(tiny_model, cache_bytes=1 << 24) as answers:
        for prompt in (first, first, other):
            answers.answer(prompt)
        got = answers.answer([*first, 9, 10, 11, 12])

        assert got == expected
        assert answers.finish["alone"].n_cached_tokens == 0


def test_a_copy_holds_no_more_than_what_is_counted(tiny_model: Path) -> None:
    with answering(tiny_model, cache_bytes=1 << 24) as answers:
        sizes = []
        for n_saved in (50, 20):
            answers.answer(PREFIX)  # 90 tokens
            answers.runner.edit_lane(LaneEdit(0, 0, 0, saved=n_saved, n_saved=n_saved))
            sizes.append(len(answers.runner._saved._copies[n_saved]))

    assert sizes[1] < sizes[0] * 0.5


def test_chats_that_arrive_together_are_not_computed_on_each_other_s_cells(
    tiny_model: Path,
) -> None:
    saved, held = [*range(20, 200)], [*range(50, 150), *range(200, 240), *range(20, 70)]
    beginning_alike = [*held[:100], *range(30, 50)]
    params = replace(GREEDY, logprobs=True)

    def ask(answers: Answers, name: str, prompt: list[int]) -> None:
        answers.submit_sequence(Sequence(name, list(prompt), params, 8, is_turn=True))

    def scores(answers: Answers, name: str) -> list[float | None]:
        return [token.logprob for token in answers.tokens[name]]

    with answering(tiny_model, n_lanes=2, n_ctx=512, cache_bytes=1 << 24) as answers:
        for name, prompt in {"saved": saved, "other": [*range(100, 220)], "held": held}.items():
            ask(answers, name, prompt)
            answers.run()
        next_turn = [*saved, *answers.ids("saved"), 9, 9, 9]
        ask(answers, "copied", beginning_alike)
        ask(answers, "restored", next_turn)
        answers.run()
        together = [scores(answers, "copied"), scores(answers, "restored")]
        assert answers.finish["restored"].n_cached_tokens > len(saved)
    with answering(tiny_model, n_ctx=512, prefix_reuse=False) as answers:
        for name, prompt in {"copied": beginning_alike, "restored": next_turn}.items():
            ask(answers, name, prompt)
            answers.run()
        alone_each = [scores(answers, "copied"), scores(answers, "restored")]

    assert [pytest.approx(scores, abs=0.005) for scores in alone_each] == together


@pytest.mark.parametrize("n_lanes", [1, 2, 4])
def test_a_batch_smaller_than_a_prompt_s_pieces_is_made_large_enough(
    tiny_model: Path, n_lanes: int
) -> None:
    expected = alone(tiny_model, PROMPTS)

    with answering(tiny_model, n_lanes=n_lanes, batch_size=1) as answers:
        for name, prompt in PROMPTS.items():
            answers.submit(name, prompt)
        answers.run()

        assert {name: answers.ids(name) for name in PROMPTS} == expected


def test_a_scored_sequence_is_computed_again_in_small_pieces(
    architecture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(architecture, n_lanes=2, n_ctx=1024, batch_size=512) as answers:
        run = answers.runner.run

        def fails_in_company(rows: list[Row]) -> list[Result]:
            results = run(rows)
            if len(rows) == 2:
                raise DecodeFailed("injected")
            return results

        monkeypatch.setattr(answers.runner, "run", fails_in_company)
        scored = Sequence("scored", [*range(5, 205)], GREEDY, 6, wants_prompt_logprobs=True)
        answers.submit_sequence(scored)
        answers.submit("other", [*range(50, 90)], n_new=6)
        answers.run()

        assert not answers.errors
        assert len(answers.ids("scored")) == len(answers.ids("other")) == 6


def test_an_aborted_neighbour_changes_nobody(architecture: Path) -> None:
    expected = alone(architecture, PROMPTS)

    with answering(architecture, n_lanes=3) as answers:
        for name, prompt in PROMPTS.items():
            answers.submit(name, prompt)
        for name in ("b", "a"):
            answers.step()
            answers.engine.abort(name)
        answers.run()

        survivors = {name: answers.ids(name) for name in ("c", "d", "e")}
    assert survivors == {name: expected[name] for name in survivors}


def test_eight_requests_with_a_common_prefix_reuse_it_and_answer_the_same(tiny_model: Path) -> None:
    prompts = {f"r{i}": [*PREFIX, 100 + i, 40, 41] for i in range(8)}
    expected = alone(tiny_model, prompts)

    with answering(tiny_model, n_lanes=8) as answers:
        for name, prompt in prompts.items():
            answers.submit(name, prompt)
        answers.run()

        assert {name: answers.ids(name) for name in prompts} == expected
        cached = [answers.finish[name].n_cached_tokens for name in prompts]
    assert cached == [0] + [90] * 7


def test_with_reuse_switched_off_nothing_is_cached(tiny_model: Path) -> None:
    with answering(tiny_model, n_lanes=2, prefix_reuse=False) as answers:
        answers.submit("a", PROMPTS["a"])
        answers.submit("e", PROMPTS["e"])
        answers.run()

        assert [answers.finish[name].n_cached_tokens for name in "ae"] == [0, 0]


def test_the_model_ends_its_answer_with_an_end_token(tiny_models: Callable[[str], Path]) -> None:
    with answering(tiny_models("ends")) as answers:
        answers.answer([1, 2, 3], n_new=60)

        last = answers.tokens["alone"][-1]
        assert answers.finish["alone"].reason == "eos_token"
    assert last.special
    assert last.text == "<|eos|>"


def test_weights_that_compute_nan_end_the_request_with_a_message(
    tiny_models: Callable[[str], Path],
) -> None:
    with answering(tiny_models("nan")) as answers:
        answers.submit("a", [1, 2, 3])
        answers.run()

        error = answers.errors["a"]
    assert isinstance(error, DecodeFailed)
    assert "NaN" in str(error)


def test_one_logit_that_is_no_number_ends_a_request_that_asks_for_probabilities(
    tmp_path: Path,
) -> None:
    def spoil(name: str, weights: Array, _: Vocabulary) -> None:
        if name == "output.weight":
            weights[100] = np.nan

    path = tmp_path / "one_nan.gguf"
    replace(LLAMA, change=spoil).write(path)
    with answering(path, n_lanes=2) as answers:
        for name, params in {"greedy": GREEDY, "sampled": SAMPLED}.items():
            answers.submit(name, [5, 6, 7, 8], replace(params, logprobs=True))
        answers.run()

        assert {name: str(error)[:37] for name, error in answers.errors.items()} == {
            "greedy": "the model computed no numbers (NaN): ",
            "sampled": "the model computed no numbers (NaN): ",
        }


def test_a_decode_that_llama_refuses_ends_only_its_request(tiny_model: Path) -> None:
    expected = alone(tiny_model, {"good": PROMPTS["c"]})

    with answering(tiny_model, n_lanes=2) as answers:
        answers.submit("good", PROMPTS["c"])
        answers.submit("bad", [2, 999_999, 3])  # no such token
        answers.run()

        assert isinstance(answers.errors["bad"], DecodeFailed)
        assert answers.ids("good") == expected["good"]


@pytest.mark.parametrize(
    "params",
    [SAMPLED, replace(SAMPLED, top_k=5), replace(SAMPLED, frequency_penalty=2.0)],
    ids=["plain", "filtered", "penalised"],
)
def test_logprobs_asked_for_do_not_change_what_is_sampled(
    tiny_model: Path, params: SamplingParams
) -> None:
    asked = replace(params, logprobs=True, top_n_tokens=3)

    assert alone(tiny_model, PROMPTS, asked) == alone(tiny_model, PROMPTS, params)


def scored(answers: Answers, prompt: list[int]) -> Sequence:
    """Submit a prompt that is to be scored."""
    sequence = Sequence("scored", list(prompt), GREEDY, 4, wants_prompt_logprobs=True)
    answers.submit_sequence(sequence)
    return sequence


def one_by_one(path: Path, prompt: list[int], positions: Iterable[int]) -> list[float]:
    """Return the log-probabilities of some tokens, each from a request of its own."""
    logprobs = []
    with answering(path, prefix_reuse=False) as answers:
        for position in positions:
            answers.answer(prompt[:position], n_new=1)
            pointer = llama_cpp.llama_get_logits_ith(answers.runner._ctx, -1)
            logits = np.ctypeslib.as_array(pointer, (answers.model.n_vocab,)).astype(np.float64)
            logprobs.append(float(logits[prompt[position]] - np.logaddexp.reduce(logits)))
    return logprobs


def test_a_prompt_is_scored_as_if_token_by_token(architecture: Path) -> None:
    prompt, positions = PROMPTS["a"], [1, 2, 3, 20, 58, 59, 60, 61, 62, 63, 90, 91]
    expected = one_by_one(architecture, prompt, positions)

    with answering(architecture, n_lanes=3) as answers:
        answers.submit("neighbour", PROMPTS["c"], n_new=30)
        answers.step()
        sequence = scored(answers, prompt)
        answers.run()

    assert [sequence.prompt_logprobs[i] for i in positions] == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("n_lanes", [1, 2])
@pytest.mark.parametrize("n_prompt", [1, 2, 3, 59, 60, 61, 62, 127, 128, 129, 300, 700])
def test_a_scored_prompt_of_any_length_has_all_its_scores_and_the_usual_answer(
    tiny_model: Path, n_prompt: int, n_lanes: int
) -> None:
    prompt = [3 + i * 7 % 200 for i in range(n_prompt)]
    with answering(tiny_model, n_lanes=n_lanes, n_ctx=1024, batch_size=512) as answers:
        expected = answers.answer(prompt, n_new=4)
        sequence = scored(answers, prompt)
        answers.run()

        assert answers.ids("scored") == expected
        assert answers.finish["scored"].n_cached_tokens == 0
        assert len(answers.finish["scored"].prompt_tokens) == n_prompt
    unscored = [score is None for score in sequence.prompt_logprobs]
    assert unscored == [True] + [False] * (n_prompt - 1)


@pytest.mark.parametrize("cut", [cut_small, partial(cut_into_tiles, micro_batch=512)])
def test_a_scored_chunk_has_no_more_rows_of_logits_than_the_context_is_made_for(cut: Cut) -> None:
    counts = [cut(0, n_pending, SMALL) for n_pending in range(1, 1200)]

    assert max(counts) <= MOST_SCORED


def test_what_a_scored_prompt_leaves_behind_is_reused_by_others(tiny_model: Path) -> None:
    with answering(tiny_model) as answers:
        scored(answers, PREFIX)
        answers.run()
        got = answers.answer(PREFIX)

        assert answers.finish["alone"].n_cached_tokens == len(PREFIX) - LEAST
    assert got == alone(tiny_model, {"x": PREFIX})["x"]


def test_only_the_prompt_that_is_to_be_scored_is(tiny_model: Path) -> None:
    with answering(tiny_model, n_lanes=2) as answers:
        plain = Sequence("plain", list(PREFIX), GREEDY, 4)
        answers.submit_sequence(plain)
        scored(answers, PREFIX)  # beside it, with the same prefix
        answers.run()

        assert plain.prompt_logprobs == []
        assert answers.finish["plain"].prompt_tokens == ()
        assert answers.finish["scored"].n_cached_tokens == 0


def test_an_embedding_model_is_refused(tiny_models: Callable[[str], Path]) -> None:
    model = Model.load(tiny_models("bert"), LoadOptions())

    with pytest.raises(ModelLoadError, match="embeds text"):
        Runner(model, ContextOptions(n_ctx=64))


def test_a_context_too_large_for_the_machine_is_refused_with_both_numbers(tiny_model: Path) -> None:
    model = Model.load(tiny_model, LoadOptions())

    with pytest.raises(ModelLoadError, match=r"needs [\d,.]+ GiB .* [\d,.]+ GiB are free"):
        Runner(model, ContextOptions(n_ctx=2**31 - 1, n_lanes=64))


def test_a_damaged_file_is_refused_with_llama_cpp_own_words(
    tiny_models: Callable[[str], Path],
) -> None:
    with pytest.raises(ModelLoadError, match=r"can't load .*truncated\.gguf\n.*error"):
        Model.load(tiny_models("truncated"), LoadOptions())


def test_loading_stops_when_told_to(tiny_model: Path) -> None:
    with pytest.raises(ModelLoadError):
        Model.load(tiny_model, LoadOptions(), on_progress=lambda fraction: False)


def test_llama_cpp_logs_nothing_to_the_terminal(
    tiny_models: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    with answering(tiny_models("llama")) as answers:
        answers.answer([1, 2, 3])
    with pytest.raises(ModelLoadError):
        Model.load(tiny_models("truncated"), LoadOptions())

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("flash_attn", ["on", "off", "auto"])
@pytest.mark.parametrize("kv_type", ["f32", "f16", "bf16"])
def test_every_kv_type_computes(tiny_model: Path, kv_type: str, flash_attn: str) -> None:
    model = Model.load(tiny_model, LoadOptions(mmap=False))
    options = ContextOptions(n_ctx=64, kv_type=kv_type, flash_attn=flash_attn)

    runner = Runner(model, options)

    assert runner.n_ctx == 64
    runner.close()


def test_a_kv_type_that_the_heads_do_not_fit_is_refused(tiny_model: Path) -> None:
    model = Model.load(tiny_model, LoadOptions())

    with pytest.raises(ModelLoadError, match=r"can't make a context of 1 x 64 tokens\n.*"):
        Runner(model, ContextOptions(n_ctx=64, kv_type="q8_0"))


@pytest.mark.model
@pytest.mark.parametrize("kv_type", ["q8_0", "q4_0"])
def test_the_cache_can_be_quantised(demo_model: Path, kv_type: str) -> None:
    model = Model.load(demo_model, LoadOptions())

    Runner(model, ContextOptions(n_ctx=64, kv_type=kv_type)).close()
