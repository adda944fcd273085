"""Drive the engine by hand: one step at a time, on this thread, with a stamp around each.

Used by the benchmarks of the engine. The engine's own thread does the same steps, with a hand-over
to the readers between them; a benchmark that wants that runs LocalBackend.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, assert_never

from tgicli.core import Delta, Finish, Progress, SamplingParams, Token
from tgicli.engine.engine import Emitted, Engine
from tgicli.engine.model import LoadOptions, Model
from tgicli.engine.runner import ContextOptions, Runner
from tgicli.engine.sequence import Sequence
from tgicli.errors import TgicliError

GREEDY = SamplingParams(temperature=0)
ENDLESS = SamplingParams(temperature=0, ignore_eos=True)
N_TOP = 50
_T = TypeVar("_T")


@contextmanager
def loaded(path: Path) -> Iterator[Model]:
    """Load a model for the length of a block."""
    model = Model.load(path, LoadOptions())
    try:
        yield model
    finally:
        model.close()


@contextmanager
def computing(model: Model, options: ContextOptions) -> Iterator[Runner]:
    """Make a context for the length of a block."""
    runner = Runner(model, options)
    try:
        yield runner
    finally:
        runner.close()


def on_own_thread(task: Callable[[], _T]) -> _T:
    """Run a task on a thread that ends with it.

    NOTE: OpenMP gives every thread that computes a team of its own, for as long as it lives. With
    two teams in one process GNU's runtime sees more threads than CPUs and puts waiting ones to
    sleep at once: everything takes twice as long. So what is to be compared must not share a
    process with a thread that has computed and lives on, be it the main thread.
    """
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(task).result()


@dataclass(frozen=True, slots=True)
class Step:
    """One call of Engine.step."""

    began_s: float
    ended_s: float

    @property
    def duration_s(self) -> float:
        """How long it took."""
        return self.ended_s - self.began_s


class Driver:
    """A fresh engine on a runner, and what its sequences got.

    Lanes of a runner that was driven before count as empty: its cells are dropped at admission.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        prefix_reuse: bool = True,
        prompt_tokens_beside_decodes: int | None = None,
    ) -> None:
        runner.reuses_prefixes = prefix_reuse  # whatever the driver before this one wanted
        self.engine = Engine(
            runner,
            lambda emitted: None,
            prompt_tokens_beside_decodes=prompt_tokens_beside_decodes,
        )
        self.tokens: dict[str, list[Token]] = {}
        self.first_s: dict[str, float] = {}  # when its first token came
        self.finish: dict[str, Finish] = {}

    def submit(self, name: str, prompt: list[int], params: SamplingParams, *, n_new: int) -> None:
        """Hand in a request, as from another thread."""
        self.tokens[name] = []
        self.engine.submit(Sequence(name, list(prompt), params, n_new))

    def abort_all(self) -> None:
        """End what runs, and free its lanes."""
        for sequence in self.engine._scheduler.sequences:
            self.engine.abort(sequence.request_id)
        self.engine._read_inbox(block=False)

    def step(self) -> Step:
        """Do what the engine's thread does in one round. Raises what a sequence ended with."""
        began_s = time.perf_counter()
        self.engine._read_inbox(block=False)
        for emitted in self.engine.step():
            now_s = time.perf_counter()
            for item in emitted:
                self._take(item, now_s)
        return Step(began_s, time.perf_counter())

    def _take(self, item: Emitted, now_s: float) -> None:
        name, event = item.request_id, item.event
        match event:
            case Delta() | Finish():
                self.first_s.setdefault(name, now_s)
                self.tokens[name] += event.tokens
                if isinstance(event, Finish):
                    self.finish[name] = event
            case TgicliError():
                raise event
            case Progress():
                pass
            case _:
                assert_never(event)

    def run(self) -> None:
        """Step until everything has ended."""
        self.engine._read_inbox(block=False)
        while self.engine._scheduler.has_work:
            self.step()

    def run_until_all_answer(self) -> None:
        """Step until every sequence has a token."""
        while not all(self.tokens.values()):
            self.step()

    def ids(self, name: str) -> list[int]:
        """Return the ids of a sequence's tokens so far."""
        return [token.id for token in self.tokens[name]]

    def text(self, name: str) -> str:
        """Return a sequence's text so far."""
        return Delta(tuple(self.tokens[name])).text


@dataclass(frozen=True, slots=True)
class Part:
    """Where two greedy answers to one prompt part."""

    position: int  # in tokens
    first: int
    second: int

    def text(self, runner: Runner, prompt: list[int], answer: list[int]) -> str:
        """Describe it, with the gap between the two tokens' log-probabilities, computed alone."""
        driver = Driver(runner, prefix_reuse=False)
        params = SamplingParams(temperature=0, top_n_tokens=N_TOP, ignore_eos=True)
        driver.submit("next", prompt + answer[: self.position], params, n_new=1)
        driver.run()
        logprobs = {top.id: top.logprob for top in driver.tokens["next"][0].top}
        if not {self.first, self.second} <= logprobs.keys():
            return f"parts at {self.position}, **not a near tie**"
        gap = abs(logprobs[self.first] - logprobs[self.second])
        return f"parts at {self.position}, a gap of {gap:.4f}"


def find_part(first: list[int], second: list[int]) -> Part | None:
    """Return where two answers of a prompt part, None when they are equal."""
    for position, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return Part(position, a, b)
    assert len(first) == len(second), "answers of different lengths differ before the shorter ends"
    return None


def prompt_of(model: Model, n_tokens: int, *, topic: int) -> list[int]:
    """Return a prompt of n_tokens ids in plain words; topics differ from their first word on."""
    sentences = [
        f"{topic} {topic + 17 * line} is the number of line {line} in list {topic}, "
        f"which goes on with the word{'s' * (line % 3)} that follow.\n"
        for line in range(n_tokens // 12 + 1)
    ]
    ids = model.tokenize("".join(sentences), add_special=True)
    assert len(ids) >= n_tokens, f"{len(ids)} tokens of text for {n_tokens}"
    return ids[:n_tokens]
