"""How long do running answers wait when a long prompt arrives, and what does the prompt pay?

Some sequences decode; then a long prompt is submitted, and the engine is stepped until that prompt
has its first token. Every sequence decodes in every step, so the gap between two of its tokens is
the step's duration. Told are the worst gap, in ms and against the median step of the 32 before,
the prompt's time to its first token, and what the sequences got meanwhile. The prompt tokens that a
step may carry beside decodes are fixed (Engine's prompt_tokens_beside_decodes), or learned, with
pace.STRETCH at several values. All settings run once in each round, in this order.

What would make it lie: other programs on the machine, for the worst gap is a maximum and hears
them all (--patience measures disturbed rounds again); a prompt that is not much longer than the
learning takes.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from driving import ENDLESS, Driver, computing, loaded, prompt_of
from harness import (
    Spread,
    add_rounds_options,
    find_model,
    parser,
    print_setting,
    print_table,
    rounds,
)

from tgicli.engine import pace
from tgicli.engine.model import Model
from tgicli.engine.runner import ContextOptions, Runner

N_PROMPT = 64  # tokens of the sequences' own prompts
N_STEPS_BEFORE = 32


@dataclass(frozen=True, slots=True)
class Setting:
    """How many prompt tokens a step may carry beside decodes."""

    fixed_tokens: int | None = None
    stretch: float = pace.STRETCH

    @property
    def name(self) -> str:
        """Its name in the table."""
        if self.fixed_tokens is not None:
            return f"{self.fixed_tokens} tokens"
        return f"learned, STRETCH {self.stretch:g}"


@dataclass(frozen=True, slots=True)
class Stall:
    """What the arrival of the prompt did."""

    before_s: float  # the median step before it
    worst_s: float
    ttft_s: float  # the prompt's
    n_steps: int  # until then
    n_sequences: int

    @property
    def tokens_per_s(self) -> float:
        """What the decoding sequences got together while the prompt was computed."""
        return self.n_sequences * self.n_steps / self.ttft_s


def main() -> None:
    """Print the table."""
    options = _parse()
    path = find_model(options.model)
    settings = [Setting(fixed_tokens=n) for n in options.budgets]
    settings += [Setting(stretch=stretch) for stretch in options.stretches]
    print_setting(path, threads=options.threads)
    size = ContextOptions(
        n_ctx=options.ctx_size, n_lanes=options.sequences + 1, threads=options.threads
    )
    with loaded(path) as model, computing(model, size) as runner:
        columns = rounds(
            options, lambda: [_measure(model, runner, setting, options) for setting in settings]
        )
    rows = zip(settings, zip(*columns, strict=True), strict=True)
    _print([(setting, list(stalls)) for setting, stalls in rows])


def _parse() -> argparse.Namespace:
    made = parser(__doc__)
    add_rounds_options(made, repeat=3)
    budgets = [8, 16, 32, 64, 128, 256, 512]
    made.add_argument("--budgets", type=int, nargs="*", default=budgets, metavar="N")
    made.add_argument("--stretches", type=float, nargs="*", default=[2, 3, 4], metavar="X")
    made.add_argument("--sequences", type=int, default=4, metavar="N")
    made.add_argument("--prompt", type=int, default=1500, metavar="N", help="its tokens")
    made.add_argument("--ctx-size", type=int, default=2048, metavar="N", help="tokens of a lane")
    return made.parse_args()


def _measure(model: Model, runner: Runner, setting: Setting, options: argparse.Namespace) -> Stall:
    driver = Driver(runner, prefix_reuse=False, prompt_tokens_beside_decodes=setting.fixed_tokens)
    with _stretched(setting.stretch):
        for index in range(options.sequences):
            prompt = prompt_of(model, N_PROMPT, topic=index + 1)
            driver.submit(str(index), prompt, ENDLESS, n_new=options.ctx_size - N_PROMPT)
        driver.run_until_all_answer()
        before_s = statistics.median(driver.step().duration_s for _ in range(N_STEPS_BEFORE))
        driver.submit("long", prompt_of(model, options.prompt, topic=9), ENDLESS, n_new=2)
        steps = [driver.step()]
        while not driver.tokens["long"]:
            steps.append(driver.step())
        driver.abort_all()
    return Stall(
        before_s=before_s,
        worst_s=max(step.duration_s for step in steps),
        ttft_s=steps[-1].ended_s - steps[0].began_s,
        n_steps=len(steps),
        n_sequences=options.sequences,
    )


@contextmanager
def _stretched(stretch: float) -> Iterator[None]:
    usual = pace.STRETCH
    pace.STRETCH = stretch
    try:
        yield
    finally:
        pace.STRETCH = usual


def _print(measured: list[tuple[Setting, list[Stall]]]) -> None:
    header = ["beside decodes", "step before ms", "worst gap ms", "worst gap / step before"]
    rows = [
        [
            setting.name,
            Spread.of(stall.before_s * 1e3 for stall in stalls).text(1),
            Spread.of(stall.worst_s * 1e3 for stall in stalls).text(0),
            Spread.of(stall.worst_s / stall.before_s for stall in stalls).text(1),
            Spread.of(stall.ttft_s for stall in stalls).text(2),
            Spread.of(stall.tokens_per_s for stall in stalls).text(1),
            Spread.of(stall.n_steps for stall in stalls).text(0),
        ]
        for setting, stalls in measured
    ]
    print_table([*header, "prompt's TTFT s", "tokens/s meanwhile", "steps"], rows)


if __name__ == "__main__":
    main()
