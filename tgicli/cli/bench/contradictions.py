"""Refuse flags of `tgicli bench TARGET` that contradict each other, or that nothing would come of.

Used by `options` on the main thread. Only what stands on the command line is refused: a variable or
the file may say what holds for other loads.
"""

from __future__ import annotations

from collections.abc import Sequence

import typer

from tgicli.cli.bench.flags import BenchFlags
from tgicli.cli.precedence import is_flag, spelled_flag
from tgicli.errors import ConfigError

_ONE_OF = (
    ("vs", "noise", "stream_vs_full"),
    ("dataset", "prompt_tokens"),
    ("trace", "dataset"),
    ("arrival", "burstiness", "burst"),
    ("concurrency", "max_in_flight"),
    ("sweep", "repeat"),
    ("find_max", "repeat"),
)
ARRIVALS = ("arrival", "burstiness", "burst")
# What a flag says by itself, and those that would say it again.
_SETTLED: dict[str, tuple[str, Sequence[str]]] = {
    "trace": (
        "what is sent, and when",
        ("prompt_tokens", "shared_prefix", "duration", "requests", "warmup", *ARRIVALS),
    ),
    "ramp": ("how long it goes on", ("duration", "requests", "warmup")),
    "dataset": ("how prompts begin", ("shared_prefix",)),
}


def check_flags(ctx: typer.Context, flags: BenchFlags) -> None:
    """Refuse what contradicts itself, or would be passed over.

    Raises:
        ConfigError: something does; says what to leave out, or to add.
    """
    if is_flag(ctx, "retries") and flags.remote.retries:
        raise ConfigError(
            "--retries must be 0: a bench asks once; a request that is refused is a result"
        )
    for names in _ONE_OF:
        _exclude(ctx, names)
    for name, (what, others) in _SETTLED.items():
        _check_settled(ctx, name, what, others)
    _check_judging(ctx, flags)
    if flags.comparing.is_wanted:
        _check_comparing(ctx, flags)


def _exclude(ctx: typer.Context, names: Sequence[str]) -> None:
    given = [name for name in names if is_flag(ctx, name)]
    if len(given) > 1:
        spelled = " and ".join(map(spelled_flag, given))
        raise ConfigError(f"{spelled} exclude each other; choose one")


def _check_settled(ctx: typer.Context, name: str, what: str, others: Sequence[str]) -> None:
    given = [spelled_flag(other) for other in others if is_flag(ctx, other)]
    if is_flag(ctx, name) and given:
        raise ConfigError(f"{spelled_flag(name)} says {what}; leave out {' and '.join(given)}")


def _check_judging(ctx: typer.Context, flags: BenchFlags) -> None:
    judging = flags.judging
    if judging.find_max and judging.slo is None:
        raise ConfigError("--find-max needs an objective; add --slo ttft:200,tpot:50")
    compares_sides = flags.comparing.vs is not None or flags.comparing.noise
    if is_flag(ctx, "strict") and judging.strict and judging.slo is None and not compares_sides:
        raise ConfigError("--strict needs something to be strict about; add --slo, or --vs")


def _check_comparing(ctx: typer.Context, flags: BenchFlags) -> None:
    if flags.judging.check:
        raise ConfigError("--check looks at one target's text; leave out what it is compared to")
    if is_flag(ctx, "slo"):
        raise ConfigError("--slo is not for comparisons, whose verdicts are of two sides")
    if is_flag(ctx, "records"):
        raise ConfigError("--records is not for comparisons, which --json writes")
