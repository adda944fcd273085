"""Where prompts come from: made to a length, or a file's. Used by `job` and `runs`; files are read
before anything is loaded or sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from tgicli.bench.dataset_entries import Item
from tgicli.bench.datasets import Drawn, Trace, draw, read_dataset, read_trace, repetition
from tgicli.bench.prompts import synthetic
from tgicli.bench.result import Remark, note
from tgicli.bench.ruler import Ruler
from tgicli.cli.bench.options import BenchOptions, Sweeping, Traced

N_PROMPTS = 512  # that are made; further ones are these with other nonces
MAX_DRAWN = 4096  # of a file's
CHARACTERS_PER_TOKEN = 3  # at least, of ordinary text: for room, not for figures


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked."""

    options: BenchOptions
    items: tuple[Item, ...] = ()  # a file's; empty: prompts are made
    trace: Trace | None = None
    remarks: tuple[Remark, ...] = ()

    @property
    def longest(self) -> tuple[int, int]:
        """How many tokens the longest prompt and the longest answer have, about."""
        options = self.options
        n_new = options.output_tokens.longest
        if not self.items:
            return options.prompt_tokens.longest + options.shared_prefix, n_new
        return max(map(_prompt_room, self.items)), max(_new_room(i, n_new) for i in self.items)

    @property
    def expects_cache(self) -> bool:
        """Whether prompts begin alike because somebody wants it, or because they once did."""
        if not self.items:
            return self.options.shared_prefix > 0
        return any(item.opening for item in self.items)

    def draw(self, ruler: Ruler, *, n_ctx: int) -> Drawn:
        """Make the prompts, with what whoever reads the figures must know of them.

        Raises:
            ConfigError: none fits into the context, or has room for what makes it unlike others.
        """
        options = self.options
        if not self.items:
            made = synthetic(
                N_PROMPTS,
                prompt_tokens=options.prompt_tokens,
                output_tokens=options.output_tokens,
                shared_prefix=options.shared_prefix,
                seed=options.seed,
                ruler=ruler,
            )
            return Drawn(made, _doubts(ruler))
        is_trace = self.trace is not None
        drawn = draw(
            self.items,
            None,
            output_tokens=options.output_tokens,
            seed=options.seed,
            ruler=ruler,
            keeps_order=is_trace,
            overrides_lengths=options.keeps_output_tokens,
            n_ctx=0 if is_trace else n_ctx,
        )
        prompts = drawn.prompts if is_trace else drawn.prompts[:MAX_DRAWN]
        is_made = any(item.prompt is None for item in self.items)
        doubts = _doubts(ruler) if is_made else ()
        return Drawn(prompts, (*self.remarks, *doubts, *drawn.remarks))

    def repetition(self, n_prompts: int, n_requests: int) -> tuple[Remark, ...]:
        """Say that a file's prompts were asked more than once; nothing where they were not."""
        told = repetition(n_prompts, n_requests) if self.items else None
        return () if told is None else (told,)


def asking_of(options: BenchOptions) -> Asking:
    """Read the files. Raises ConfigError, which names the line."""
    plan = options.plan
    if not isinstance(plan, Sweeping) and isinstance(plan[0], Traced):
        trace = read_trace(plan[0].path)
        return Asking(options, trace.items, trace, trace.remarks)
    if options.dataset is not None:
        dataset = read_dataset(options.dataset)
        return Asking(options, dataset.items, None, dataset.remarks)
    return Asking(options)


def _doubts(ruler: Ruler) -> tuple[Remark, ...]:
    """Say that prompts may not be as long as was asked for; nothing where the server counts."""
    if not ruler.is_assumed:
        return ()
    return (
        note("the server tells no counts of tokens: prompts are only about as long as was asked"),
    )


def _prompt_room(item: Item) -> int:
    if item.prompt is None:
        return item.n_prompt_tokens or 0
    if isinstance(item.prompt, str):
        return len(item.prompt) // CHARACTERS_PER_TOKEN
    return sum(len(turn.content) for turn in item.prompt) // CHARACTERS_PER_TOKEN


def _new_room(item: Item, usual: int) -> int:
    return max(usual, item.max_new_tokens or 0, len(item.answer) // CHARACTERS_PER_TOKEN)
