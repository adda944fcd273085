"""LoRA adapters: for all requests, for those that name one, and files that are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engine.running import GREEDY, Answers
from tests.tiny_adapter import write_adapter
from tgicli.core import SamplingParams
from tgicli.engine.chunks import LEAST
from tgicli.engine.model import LoadOptions, Model
from tgicli.engine.runner import ContextOptions, Runner
from tgicli.engine.sequence import Sequence
from tgicli.errors import DecodeFailed, ModelLoadError

SEEDS = {"red": 7, "blue": 8}
PROMPT = [3 + i * 7 % 200 for i in range(70)]
SAMPLED = SamplingParams(temperature=1.0, seed=42)
Asked = tuple[list[int], str | None]
ASKED: dict[str, Asked] = {
    "plain": ([*PROMPT, 40, 41], None),
    "red": ([*PROMPT, 40, 41], "red"),
    "blue": ([*PROMPT, 40, 41], "blue"),
    "short red": ([5, 6, 7], "red"),
    "late plain": ([*PROMPT[:50], 9, 10, 11], None),
    "late red": ([*PROMPT, 50], "red"),
}
N_LANES = 4
Always = tuple[tuple[Path, float], ...]
Adapters = dict[str, Path]


@pytest.fixture
def adapters(tmp_path: Path) -> Adapters:
    """Two adapters for the tiny llama."""
    return {name: write_adapter(tmp_path / name, seed=seed) for name, seed in SEEDS.items()}


@contextmanager
def answering(
    path: Path,
    adapters: Adapters,
    *,
    always: Always = (),
) -> Iterator[Answers]:
    """Load a model with adapters."""
    model = Model.load(path, LoadOptions())
    options = ContextOptions(
        n_ctx=128, n_lanes=N_LANES, threads=1, lora=always, named_lora=tuple(adapters.items())
    )
    runner = Runner(model, options)
    try:
        yield Answers(model, runner)
    finally:
        runner.close()
        model.close()


def submit(answers: Answers, name: str, asked: Asked, params: SamplingParams = GREEDY) -> None:
    prompt, adapter = asked
    answers.submit_sequence(Sequence(name, list(prompt), params, 12, adapter=adapter))


def answer(path: Path, *always: tuple[Path, float], params: SamplingParams = GREEDY) -> list[int]:
    """Answer the prompt in a context of its own, with these adapters on from the beginning."""
    return alone(path, always, PROMPT, params)


def alone(path: Path, always: Always, prompt: list[int], params: SamplingParams) -> list[int]:
    with answering(path, {}, always=always) as answers:
        return answers.answer(prompt, params)


def on(adapters: Adapters, name: str | None) -> Always:
    return () if name is None else ((adapters[name], 1.0),)


def test_an_adapter_for_all_changes_the_answer(tiny_model: Path, adapters: Adapters) -> None:
    assert answer(tiny_model, (adapters["red"], 1.0)) != answer(tiny_model)


def test_an_adapter_of_scale_zero_changes_nothing(tiny_model: Path, adapters: Adapters) -> None:
    assert answer(tiny_model, (adapters["red"], 0.0)) == answer(tiny_model)


def test_a_named_adapter_that_nobody_asks_for_changes_nothing(
    tiny_model: Path, adapters: Adapters
) -> None:
    with answering(tiny_model, adapters) as answers:
        assert answers.runner.adapter_names == ("red", "blue")
        assert answers.answer(PROMPT) == answer(tiny_model)


@pytest.mark.parametrize("model", ["llama", "mixtral", "mamba", "jamba"])
@pytest.mark.parametrize("params", [GREEDY, SAMPLED], ids=["greedy", "seeded"])
def test_a_mixed_batch_gives_each_request_what_it_gets_alone(
    tiny_models: Callable[[str], Path], tmp_path: Path, model: str, params: SamplingParams
) -> None:
    path = tiny_models(model)
    adapters = {
        name: write_adapter(tmp_path / name, seed=seed, model=model) for name, seed in SEEDS.items()
    }
    expected = {
        name: alone(path, on(adapters, adapter), prompt, params)
        for name, (prompt, adapter) in ASKED.items()
    }

    with answering(path, adapters) as answers:
        for name, asked in ASKED.items():
            submit(answers, name, asked, params)
            answers.step()
        answers.run()

        assert {name: answers.ids(name) for name in ASKED} == expected
    assert len({tuple(expected[name]) for name in ("plain", "red", "blue")}) == 3


def test_no_bit_changes_when_other_adapters_compute_between(
    tiny_model: Path, adapters: Adapters
) -> None:
    params = SamplingParams(temperature=0, logprobs=True)
    got = []
    for others in ((), ("plain", "blue", "late plain")):
        with answering(tiny_model, adapters) as answers:
            submit(answers, "red", ASKED["red"], params)
            submit(answers, "also red", (PROMPT[1:], "red"), params)
            while not answers.tokens["also red"]:
                answers.step()
            for name in others:
                submit(answers, name, ASKED[name], params)
            answers.run()
            got.append([answers.tokens["red"], answers.tokens["also red"]])

    assert got[0] == got[1]


def test_a_prefix_is_reused_with_the_same_adapter_only(
    tiny_model: Path, adapters: Adapters
) -> None:
    cached = {}
    with answering(tiny_model, adapters) as answers:
        for name, adapter in [("1", None), ("2", "red"), ("3", "red"), ("4", None), ("5", "blue")]:
            submit(answers, name, (PROMPT, adapter))
            answers.run()
            cached[name] = answers.finish[name].n_cached_tokens

    reused = len(PROMPT) - LEAST
    assert cached == {"1": 0, "2": 0, "3": reused, "4": reused, "5": 0}


def test_a_request_waits_for_no_prefix_that_another_adapter_computes(
    tiny_model: Path, adapters: Adapters
) -> None:
    with answering(tiny_model, adapters) as answers:
        for name in ("plain", "red", "late red"):
            submit(answers, name, (PROMPT, ASKED[name][1]))
        answers.step()

        running = [one.request_id for one in answers.engine._scheduler.running]
        assert running == ["plain", "red"]  # "late red" waits for what "red" computes


def test_a_named_adapter_comes_on_top_of_what_all_requests_get(
    tiny_model: Path, adapters: Adapters
) -> None:
    always = ((adapters["red"], 0.5),)
    both = answer(tiny_model, *always, (adapters["blue"], 1.0))

    with answering(tiny_model, {"blue": adapters["blue"]}, always=always) as answers:
        submit(answers, "blue", (PROMPT, "blue"))
        submit(answers, "plain", (PROMPT, None))
        answers.run()

        assert answers.ids("blue") == both
        assert answers.ids("plain") == answer(tiny_model, *always)


def test_a_decode_that_fails_ends_nobody_with_another_adapter(
    tiny_model: Path, adapters: Adapters
) -> None:
    with answering(tiny_model, adapters) as answers:
        submit(answers, "plain", ASKED["plain"])
        submit(answers, "bad", ([2, 999_999, 3], "red"))  # no such token
        submit(answers, "blue", ASKED["blue"])
        answers.run()

        assert isinstance(answers.errors["bad"], DecodeFailed)
        plain, blue = answers.ids("plain"), answers.ids("blue")
    assert plain == alone(tiny_model, (), ASKED["plain"][0], GREEDY)
    assert blue == alone(tiny_model, on(adapters, "blue"), ASKED["blue"][0], GREEDY)


def test_a_file_that_is_no_adapter_is_refused(tiny_model: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"can't load the adapter .*llama\.gguf"):
        answer(tiny_model, (tiny_model, 1.0))


def test_an_adapter_of_another_model_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    alien = write_adapter(tmp_path / "alien.gguf", seed=1, model="jamba")

    with pytest.raises(ModelLoadError, match=r"can't load the adapter .*alien\.gguf\n.*arch"):
        answer(tiny_model, (alien, 1.0))


def test_a_missing_adapter_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(ModelLoadError, match=r"can't load the adapter .*missing\.gguf"),
        answering(tiny_model, {"red": tmp_path / "missing.gguf"}),
    ):
        pass


def test_an_activated_adapter_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    activated = write_adapter(tmp_path / "activated.gguf", seed=1, invoked_by=(30, 40))

    with pytest.raises(ModelLoadError, match=r"activated\.gguf is an activated LoRA"):
        answer(tiny_model, (activated, 1.0))
