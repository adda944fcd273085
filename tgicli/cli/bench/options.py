"""What `tgicli bench TARGET` is to do, checked. Values only; made of its flags, used by `job`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer

from tgicli.bench.prompts import Length
from tgicli.bench.schedule import Ramp, check_arrival
from tgicli.bench.slo import Slo, parse_slo
from tgicli.cli.bench.command_line import shown_command
from tgicli.cli.bench.contradictions import ARRIVALS, check_flags
from tgicli.cli.bench.flags import BenchFlags, LoadFlags, MeasuringFlags, OutputFlags
from tgicli.cli.bench.target import LocalTarget, Target, other_of, target_of
from tgicli.cli.precedence import as_set, is_flag, spelled_flag, strongest
from tgicli.errors import ConfigError

DEFAULT_CONCURRENCIES = (1, 4, 16)
DEFAULT_PAIRED_CONCURRENCY = 4
_SEEDS = 1 << 32


@dataclass(frozen=True, slots=True)
class Users:
    """A closed loop."""

    n: int


@dataclass(frozen=True, slots=True)
class Rate:
    """An open loop."""

    rate: float
    arrival: str


@dataclass(frozen=True, slots=True)
class Ramped:
    """An open loop whose rate changes."""

    ramp: Ramp
    arrival: str


@dataclass(frozen=True, slots=True)
class Traced:
    """An open loop whose times are a file's."""

    path: Path


@dataclass(frozen=True, slots=True)
class Sweeping:
    """Closed loops, chosen one after the other; with an objective, the largest that meets it."""

    finds_max: bool


Plan = tuple[Users | Rate | Ramped | Traced, ...] | Sweeping


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """What to do, checked."""

    target: Target
    other: Target | None  # to compare with
    plan: Plan
    max_in_flight: int | None
    prompt_tokens: Length
    output_tokens: Length
    keeps_output_tokens: bool  # a data set's own lengths give way
    shared_prefix: int
    dataset: Path | None
    chat: bool | None  # None: where there is a template
    ignore_eos: bool
    measuring: MeasuringFlags
    seed: int
    slo: Slo | None
    is_strict: bool
    checks_text: bool
    compares_noise: bool  # other is target
    compares_streaming: bool
    output: OutputFlags
    command: str  # without anything secret

    @property
    def compares(self) -> bool:
        """Whether two things are measured in turns."""
        return self.other is not None or self.compares_streaming


def to_options(ctx: typer.Context, flags: BenchFlags) -> BenchOptions:
    """Check the flags.

    Raises:
        ConfigError: one is wrong, or two contradict each other.
    """
    check_flags(ctx, flags)
    target = target_of(ctx, flags)
    other = other_of(ctx, flags, target)
    if flags.measuring.llama_bench_rows and not isinstance(target, LocalTarget):
        raise ConfigError("--llama-bench-rows is for a model in this process; leave it out")
    slo = None if flags.judging.slo is None else parse_slo(flags.judging.slo)
    return BenchOptions(
        target=target,
        other=other,
        plan=_plan(ctx, flags, compares=flags.comparing.is_wanted),
        max_in_flight=flags.load.max_in_flight,
        prompt_tokens=Length.parse(flags.prompts.prompt_tokens),
        output_tokens=Length.parse(flags.prompts.output_tokens),
        keeps_output_tokens=is_flag(ctx, "output_tokens"),
        shared_prefix=flags.prompts.shared_prefix,
        dataset=flags.prompts.dataset,
        chat=flags.prompts.chat,
        ignore_eos=flags.prompts.ignore_eos,
        measuring=flags.measuring,
        seed=_seed(flags.measuring),
        slo=slo,
        is_strict=flags.judging.strict,
        checks_text=flags.judging.check,
        compares_noise=flags.comparing.noise,
        compares_streaming=flags.comparing.stream_vs_full,
        output=flags.output,
        command=shown_command(ctx),
    )


def _seed(flags: MeasuringFlags) -> int:
    import random

    return random.SystemRandom().randrange(_SEEDS) if flags.seed is None else flags.seed


def _plan(ctx: typer.Context, flags: BenchFlags, *, compares: bool) -> Plan:
    """Return the load points; a flag wins over a variable, and that over the file.

    Raises:
        ConfigError: two kinds of load are wanted in the same place.
    """
    load = flags.load
    wanted = {
        "concurrency": load.concurrency is not None,
        "rate": load.rate is not None,
        "ramp": load.ramp is not None,
        "trace": load.trace is not None,
        "sweep": load.sweep,
        "find_max": flags.judging.find_max,
    }
    first = strongest(ctx, (name for name, is_wanted in wanted.items() if is_wanted))
    arrival = next((name for name in ARRIVALS if is_flag(ctx, name)), None)
    if arrival and not {"rate", "ramp"} & {*first}:
        raise ConfigError(f"{spelled_flag(arrival)} says when a rate's requests come; add --rate")
    if len(first) > 1:
        spelled = " and ".join(as_set(ctx, name) for name in first)
        raise ConfigError(f"{spelled} exclude each other; choose one kind of load")
    plan = _points(first[0] if first else "", load, compares=compares)
    if compares and (isinstance(plan, Sweeping) or len(plan) > 1):
        raise ConfigError("a comparison is made at one load; name one, such as --concurrency 4")
    return plan


def _points(kind: str, load: LoadFlags, *, compares: bool) -> Plan:
    arrival = _arrival(load)
    match kind:
        case "rate":
            assert load.rate is not None
            return tuple(Rate(rate, arrival) for rate in load.rate.values)
        case "ramp":
            assert load.ramp is not None
            return (Ramped(Ramp.parse(load.ramp), arrival),)
        case "trace":
            assert load.trace is not None
            return (Traced(load.trace),)
        case "sweep" | "find_max":
            return Sweeping(finds_max=kind == "find_max")
        case "concurrency":
            assert load.concurrency is not None
            return tuple(map(Users, load.concurrency.values))
    if load.max_in_flight is not None:
        return (Users(load.max_in_flight),)
    if compares:
        return (Users(DEFAULT_PAIRED_CONCURRENCY),)
    return tuple(map(Users, DEFAULT_CONCURRENCIES))


def _arrival(load: LoadFlags) -> str:
    """Return when an open loop sends.

    Raises:
        ConfigError: there is no such way.
    """
    arrival = load.arrival
    if load.burstiness is not None:
        arrival = f"gamma:{load.burstiness:g}"
    if load.burst is not None:
        arrival = f"burst:{load.burst}"
    check_arrival(arrival)
    return arrival
