"""Timers around the parts of an engine's step. Used by throughput.py on the thread that steps.

It puts a timing function before each part, on the very object that the engine calls, and takes it
away again. A part that holds another is told without it: `sample` without the `choice` of a token
from a row of logits, which is compiled code, llama.cpp's or numpy's.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tgicli.engine.engine import Engine
from tgicli.engine.llama import llama_cpp
from tgicli.engine.runner import Runner


class Parts:
    """Seconds of each step, in all and in its parts."""

    def __init__(self) -> None:
        self.steps_s: list[float] = []
        self._calls: dict[str, list[tuple[int, float]]] = {}  # (index of the step, seconds)

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with a timer around it."""
        calls = self._calls.setdefault(name, [])

        def call(*arguments: Any) -> Any:
            began_s = time.perf_counter()
            result = function(*arguments)
            calls.append((len(self.steps_s), time.perf_counter() - began_s))
            return result

        return call

    def median_s(self, name: str) -> float:
        """Return the median over the steps of one part, of the `step`, or of the `rest`."""
        return statistics.median(self._per_step(name))

    def share_outside(self, *names: str) -> float:
        """Return the share of all steps' time that these parts do not account for."""
        inside_s = sum(sum(self._per_step(name)) for name in names)
        return 1 - inside_s / sum(self.steps_s)

    def _per_step(self, name: str) -> list[float]:
        if name == "step":
            return self.steps_s
        if name == "rest":
            parts = [self._per_step(part) for part in self._calls]
            return [step - sum(own) for step, *own in zip(self.steps_s, *parts, strict=True)]
        sums = [0.0] * len(self.steps_s)
        for step, seconds in self._calls[name]:
            sums[step] += seconds
        if name == "sample":
            return [all_of - c for all_of, c in zip(sums, self._per_step("choice"), strict=True)]
        return sums


@contextmanager
def timed_parts(engine: Engine) -> Iterator[Parts]:
    """Time an engine's parts for the length of a block; the block appends to `steps_s`."""
    runner, scheduler, parts = engine.runner, engine._scheduler, Parts()
    assert isinstance(runner, Runner)
    batch, sampler = runner._batch, runner._sampler
    timed: list[tuple[str, object, Callable[..., Any]]] = [
        ("decode", llama_cpp, llama_cpp.llama_decode),
        ("choice", llama_cpp, llama_cpp.llama_sampler_sample),
        ("fill", batch, batch.fill),
        ("sample", sampler, sampler.sample),
        ("schedule", scheduler, scheduler.schedule),
        ("update", scheduler, scheduler.update),
    ]
    if sampler._reads_rows:  # a runner with one lane chooses by chains alone
        timed.append(("choice", sampler._reader, sampler._reader.largest))
    with ExitStack() as stack:
        for name, owner, function in timed:
            attribute = function.__name__
            stack.callback(setattr, owner, attribute, function)
            setattr(owner, attribute, parts.timed(name, function))
        yield parts
