"""What does a grammar cost, once a request and once a token?

The model writes one answer under each grammar. Its tokens are then replayed, without the model,
through a constraint that was compiled anew: `mask` finds the ids that are allowed, `candidates`
takes their logits over for the sampler, `accept` goes on by the token. Told are the means over the
answer's tokens, then the median of the rounds. In `without` the candidates are all ids, as where
log-probabilities are asked for. Compiling includes the first mask, and the first grammar of all
the vocabulary, told apart.

What would make it lie: other programs on the machine (--patience measures disturbed rounds again);
an answer that is unlike yours, because a mask costs most where the grammar has not been before.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from driving import Driver, computing, loaded
from harness import (
    Spread,
    add_rounds_options,
    find_model,
    parser,
    print_setting,
    print_table,
    rounds,
)

from tgicli.core import Grammar, GrammarKind, SamplingParams
from tgicli.engine.grammar import GrammarCompiler
from tgicli.engine.model import Model
from tgicli.engine.runner import ContextOptions
from tgicli.engine.sampler import Candidates
from tgicli.engine.sequence import Sequence

_T = TypeVar("_T")
PROMPT = "Three friends, described in JSON:\n"
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 40},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "mood": {"enum": ["cheerful", "tired", "curious"]},
        "born": {"type": "string", "format": "date"},
    },
    "required": ["name", "age", "mood", "born"],
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "an object with four keys": PERSON,
    "three of them in an array": {"type": "array", "items": PERSON, "minItems": 3, "maxItems": 3},
    "any object": {"type": "object"},
}


PARTS = ["mask", "candidates", "accept", "without"]  # of what happens once a token


class Costs:
    """Seconds of one replay, part by part."""

    def __init__(self, n_tokens: int) -> None:
        self._seconds: dict[str, float] = {}
        self._n_tokens = n_tokens

    def timed(self, part: str, function: Callable[..., _T], *arguments: Any) -> _T:
        """Call a function, and count the time for a part."""
        began_s = time.perf_counter()
        result = function(*arguments)
        self._seconds[part] = self._seconds.get(part, 0.0) + time.perf_counter() - began_s
        return result

    @property
    def compile_s(self) -> float:
        """How long the grammar took once."""
        return self._seconds["compile"]

    def per_token_s(self, part: str) -> float:
        """Return a part's mean over the answer."""
        return self._seconds[part] / self._n_tokens

    @property
    def added_s(self) -> float:
        """What the grammar adds to a token, in the mean."""
        mask, candidates, accept, without = map(self.per_token_s, PARTS)
        return mask + candidates + accept - without


def main() -> None:
    """Print the table."""
    options = _parse()
    path = find_model(options.model)
    print_setting(path, threads=options.threads)
    grammars = [Grammar(GrammarKind.JSON_SCHEMA, json.dumps(s)) for s in SCHEMAS.values()]
    with loaded(path) as model:
        compiler = GrammarCompiler(model)
        began_s = time.perf_counter()
        compiler.compile(grammars[0])
        print(f"- the first grammar: {(time.perf_counter() - began_s) * 1e3:.0f} ms", flush=True)
        answers = _write(model, compiler, grammars, options)
        replays = list(zip(grammars, answers, strict=True))
        columns = rounds(options, lambda: [_replay(model, compiler, *each) for each in replays])
    _print(answers, zip(*columns, strict=True))


def _parse() -> argparse.Namespace:
    made = parser(__doc__)
    add_rounds_options(made, repeat=20)
    made.add_argument("--n-new", type=int, default=150, metavar="N", help="tokens of an answer")
    return made.parse_args()


def _write(
    model: Model, compiler: GrammarCompiler, grammars: list[Grammar], options: argparse.Namespace
) -> list[list[int]]:
    """Return the ids of one answer under each grammar."""
    prompt = model.tokenize(PROMPT, add_special=True)
    size = ContextOptions(n_ctx=len(prompt) + options.n_new, threads=options.threads)
    with computing(model, size) as runner:
        driver = Driver(runner)
        for index, grammar in enumerate(grammars):
            params = SamplingParams(temperature=1, seed=index, grammar=grammar)
            constraint = compiler.compile(grammar)
            driver.tokens[str(index)] = []
            driver.engine.submit(
                Sequence(str(index), list(prompt), params, options.n_new, constraint=constraint)
            )
        driver.run()
    return [driver.ids(str(index)) for index in range(len(grammars))]


def _replay(model: Model, compiler: GrammarCompiler, grammar: Grammar, answer: list[int]) -> Costs:
    logits = (ctypes.c_float * model.n_vocab)()
    row = ctypes.cast(logits, ctypes.POINTER(ctypes.c_float))
    candidates = Candidates(model.n_vocab)
    costs = Costs(len(answer))
    constraint = costs.timed("compile", compiler.compile, grammar)
    for token_id in answer:
        allowed = costs.timed("mask", constraint.allowed)
        costs.timed("candidates", candidates.fill, row, allowed)
        costs.timed("accept", constraint.accept, token_id)
        costs.timed("without", candidates.fill, row)
    return costs


def _print(answers: list[list[int]], columns: Iterable[tuple[Costs, ...]]) -> None:
    rows = [
        [
            name,
            str(len(answer)),
            Spread.of(costs.compile_s * 1e3 for costs in column).text(2),
            *(Spread.of(c.per_token_s(part) * 1e6 for c in column).text(0) for part in PARTS),
            Spread.of(costs.added_s * 1e6 for costs in column).text(0),
        ]
        for name, answer, column in zip(SCHEMAS, answers, columns, strict=True)
    ]
    header = ["schema", "tokens", "compile ms", *(f"{part} µs" for part in PARTS)]
    print_table([*header, "the grammar adds µs"], rows)


if __name__ == "__main__":
    main()
