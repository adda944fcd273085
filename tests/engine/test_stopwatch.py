"""The benchmarks' timers find every part of a step that they name, and go away again."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.engine.running import answering
from tgicli.core import SamplingParams

GREEDY = SamplingParams(temperature=0, ignore_eos=True)
DRAWN = SamplingParams(temperature=1.0, seed=7, ignore_eos=True)
# By its path: the benchmarks are no package, and mypy knows them by their bare names.
timed_parts = importlib.import_module("tests.benchmarks.stopwatch").timed_parts
PARTS = ("decode", "fill", "choice", "sample", "schedule", "update", "rest")


@pytest.mark.parametrize(("n_lanes", "params"), [(1, GREEDY), (2, GREEDY), (2, DRAWN)])
def test_every_part_of_a_step_takes_time(
    tiny_model: Path, n_lanes: int, params: SamplingParams
) -> None:
    with answering(tiny_model, n_lanes=n_lanes) as answers:
        answers.submit("a", [30, 90, 127], params, n_new=9)
        before = answers.runner._batch.fill
        with timed_parts(answers.engine) as parts:
            for _ in range(6):
                began_s = answers.engine._clock()
                answers.step()
                parts.steps_s.append(answers.engine._clock() - began_s)

        assert all(parts.median_s(name) > 0 for name in PARTS)
        assert answers.runner._batch.fill == before
