"""Run the engine on a real model, in the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from tgicli.core import Delta, Finish, SamplingParams, Token
from tgicli.engine.engine import Engine
from tgicli.engine.model import LoadOptions, Model
from tgicli.engine.runner import ContextOptions, Runner
from tgicli.engine.sequence import Sequence
from tgicli.errors import TgicliError

GREEDY = SamplingParams(temperature=0)


class Answers:
    """A model whose engine is stepped by hand, and what its requests got."""

    def __init__(self, model: Model, runner: Runner) -> None:
        self.model = model
        self.runner = runner
        self.engine = Engine(runner, lambda emitted: None)
        self.tokens: dict[str, list[Token]] = {}
        self.finish: dict[str, Finish] = {}
        self.errors: dict[str, TgicliError] = {}

    def submit(
        self, name: str, prompt: list[int], params: SamplingParams = GREEDY, *, n_new: int = 12
    ) -> None:
        self.submit_sequence(Sequence(name, list(prompt), params, n_new))

    def submit_sequence(self, sequence: Sequence) -> None:
        self.tokens[sequence.request_id] = []
        self.engine.submit(sequence)
        self.engine._read_inbox(block=False)

    def step(self) -> None:
        for item in chain.from_iterable(self.engine.step()):
            match item.event:
                case Delta():
                    self.tokens[item.request_id] += item.event.tokens
                case Finish():
                    self.tokens[item.request_id] += item.event.tokens
                    self.finish[item.request_id] = item.event
                case TgicliError():
                    self.errors[item.request_id] = item.event

    def run(self) -> None:
        while self.engine._scheduler.has_work:
            self.step()

    def ids(self, name: str) -> list[int]:
        return [token.id for token in self.tokens[name]]

    def text(self, name: str) -> str:
        return Delta(tuple(self.tokens[name])).text

    def answer(
        self, prompt: list[int], params: SamplingParams = GREEDY, *, n_new: int = 12
    ) -> list[int]:
        """Return the token ids of one request that runs alone."""
        self.submit("alone", prompt, params, n_new=n_new)
        self.run()
        return self.ids("alone")


@contextmanager
def answering(
    path: Path,
    *,
    n_lanes: int = 1,
    n_ctx: int = 256,
    prefix_reuse: bool = True,
    batch_size: int = 64,
    cache_bytes: int = 0,
) -> Iterator[Answers]:
    """Load a model and make a context for it."""
    model = Model.load(path, LoadOptions())
    options = ContextOptions(
        n_ctx=n_ctx,
        n_lanes=n_lanes,
        batch_size=batch_size,
        prefix_reuse=prefix_reuse,
        cache_bytes=cache_bytes,
    )
    runner = Runner(model, options)
    try:
        yield Answers(model, runner)
    finally:
        runner.close()
        model.close()


def alone(
    path: Path,
    prompts: Mapping[str, list[int]],
    params: SamplingParams = GREEDY,
    *,
    n_new: int = 12,
) -> dict[str, list[int]]:
    """Answer each prompt by itself in a context without reuse: what every other way must equal."""
    with answering(path, prefix_reuse=False) as answers:
        return {
            name: answers.answer(prompt, params, n_new=n_new) for name, prompt in prompts.items()
        }
