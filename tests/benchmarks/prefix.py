"""What does it save to compute a shared beginning once, and does the answer stay the same?

Requests that share a prefix and end differently arrive together, in a fresh engine, with and
without reuse by turns. Measured is the time from their arrival to the moment when the last of them
has its first token; counted are the prompt tokens that came from another request's cells.

The answers are greedy and compared token by token in every round. They may part where two tokens
are nearly equally likely, because llama.cpp sums in another order when a prompt is cut into other
chunks: so the gap between the two log-probabilities is printed.

What would make it lie: other programs on the machine (--patience measures disturbed rounds again),
or prompts so short that a step's fixed cost rules.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import NamedTuple

from driving import ENDLESS, Driver, computing, find_part, loaded, prompt_of
from harness import (
    Spread,
    add_rounds_options,
    find_model,
    parser,
    print_setting,
    print_table,
    rounds,
)

from tgicli.engine.model import Model
from tgicli.engine.runner import ContextOptions, Runner

N_TAIL = 24  # prompt tokens of a request's own


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one way of computing the requests brought."""

    last_first_token_s: float
    n_cached: int
    n_prompt: int
    answers: list[list[int]]


class Pair(NamedTuple):
    """One round."""

    without: Outcome
    reusing: Outcome


def main() -> None:
    """Print the table."""
    options = _parse()
    path = find_model(options.model)
    print_setting(path, threads=options.threads)
    with loaded(path) as model:
        prompts = _prompts(model, options)
        size = ContextOptions(
            n_ctx=len(prompts[0]) + options.n_new, n_lanes=len(prompts), threads=options.threads
        )
        with computing(model, size) as runner:
            pairs = rounds(options, lambda: _take_turns(runner, prompts, options))
            _print(pairs)
            _print_parts(runner, prompts, pairs)


def _parse() -> argparse.Namespace:
    made = parser(__doc__)
    add_rounds_options(made, repeat=5)
    made.add_argument("--requests", type=int, default=8, metavar="N")
    made.add_argument("--prefix", type=int, default=450, metavar="N", help="tokens they share")
    made.add_argument("--n-new", type=int, default=24, metavar="N", help="tokens of each answer")
    return made.parse_args()


def _prompts(model: Model, options: argparse.Namespace) -> list[list[int]]:
    shared = prompt_of(model, options.prefix, topic=1000)
    tails = [prompt_of(model, N_TAIL, topic=n + 1) for n in range(options.requests)]
    return [shared + tail for tail in tails]


def _take_turns(runner: Runner, prompts: list[list[int]], options: argparse.Namespace) -> Pair:
    without, reusing = (
        _answer(runner, prompts, options.n_new, prefix_reuse=reuse) for reuse in (False, True)
    )
    return Pair(without, reusing)


def _answer(runner: Runner, prompts: list[list[int]], n_new: int, *, prefix_reuse: bool) -> Outcome:
    driver = Driver(runner, prefix_reuse=prefix_reuse)
    names = [str(index) for index in range(len(prompts))]
    began_s = time.perf_counter()
    for name, prompt in zip(names, prompts, strict=True):
        driver.submit(name, prompt, ENDLESS, n_new=n_new)
    driver.run()
    return Outcome(
        last_first_token_s=max(driver.first_s.values()) - began_s,
        n_cached=sum(finish.n_cached_tokens for finish in driver.finish.values()),
        n_prompt=sum(map(len, prompts)),
        answers=[driver.ids(name) for name in names],
    )


def _print(pairs: list[Pair]) -> None:
    rows = [
        _row("without reuse", [pair.without for pair in pairs]),
        _row("with reuse", [pair.reusing for pair in pairs]),
    ]
    print_table(["", "last first token s", "prompt tokens", "of these cached"], rows)
    seconds = [
        [outcome.last_first_token_s for outcome in column] for column in zip(*pairs, strict=True)
    ]
    print(f"without / with: {Spread.of_ratios(*seconds).text(2)}")


def _print_parts(runner: Runner, prompts: list[list[int]], pairs: list[Pair]) -> None:
    """Say how many answers are the same with reuse, and where the others part."""
    parts = []
    for pair in pairs:
        answers = zip(prompts, pair.without.answers, pair.reusing.answers, strict=True)
        for prompt, without, reusing in answers:
            if part := find_part(without, reusing):
                parts.append(part.text(runner, prompt, without))
    n_answers = len(pairs) * len(prompts)
    print(f"output identical: {n_answers - len(parts)} of {n_answers} answers", *parts, sep="\n- ")


def _row(name: str, outcomes: list[Outcome]) -> list[str]:
    return [
        name,
        Spread.of(outcome.last_first_token_s for outcome in outcomes).text(2),
        str(outcomes[0].n_prompt),
        Spread.of(outcome.n_cached for outcome in outcomes).text(0),
    ]


if __name__ == "__main__":
    main()
