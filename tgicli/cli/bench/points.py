"""Make load points of what was asked for: when requests are sent, and for how long.

Used by `runs` before a point is measured. Pure: all times and prompts are drawn from the seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import overload

from tgicli.bench.plan import Closed, Open, Point, Prompt
from tgicli.bench.prompts import draw_nonces, with_nonce
from tgicli.bench.schedule import draw_open, draw_ramp
from tgicli.cli.bench.options import Ramped, Rate, Users

WantedLoad = Users | Rate | Ramped

OPEN_WARMUP_S = 10.0  # at most, where nobody says
OPEN_WARMUP_SHARE = 0.25  # of measuring, at most
TAIL_S = 30.0  # of a schedule behind the measuring's end, so that the load does not fall there
ENDLESS = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long to hold a load."""

    warmup_s: float | None  # None: until it is steady, at a rate for a share of measuring
    duration_s: float | None
    n_requests: int | None


def point_of(load: WantedLoad, times: Times, *, seed: int, max_in_flight: int | None) -> Point:
    """Draw a load point.

    Raises:
        ConfigError: nothing would be sent.
    """
    match load:
        case Users(n=n):
            return Point(
                name=f"concurrency {n}",
                load=Closed(n),
                warmup_s=times.warmup_s,
                duration_s=times.duration_s,
                n_requests=times.n_requests,
            )
        case Rate():
            return _open_point(load, times, seed, max_in_flight)
        case Ramped(ramp=ramp, arrival=arrival):
            drawn = draw_ramp(*ramp, seed, arrival=arrival, max_in_flight=max_in_flight)
            name = f"{ramp.low:g} to {ramp.high:g} requests/s"
            return Point(name=name, load=drawn, warmup_s=0.0, duration_s=ramp.seconds)


def drawn_again(point: Point, load: WantedLoad, *, seed: int, block: int) -> Point:
    """Draw a load point for a repeat: with a schedule of its own, or how it falls is never told.

    Users have none, and are as they are.
    """
    if isinstance(load, Users):
        return point
    assert isinstance(point.load, Open)
    times = Times(warmup_s=point.warmup_s, duration_s=point.duration_s, n_requests=point.n_requests)
    own_seed = Random(f"repeat {block} of {seed}").getrandbits(32)
    return point_of(load, times, seed=own_seed, max_in_flight=point.load.max_in_flight)


def _open_point(load: Rate, times: Times, seed: int, max_in_flight: int | None) -> Point:
    span_s = times.duration_s
    if times.n_requests is not None:
        span_s = min(span_s or float("inf"), times.n_requests / load.rate)
    assert span_s is not None
    warmup_s = times.warmup_s
    if warmup_s is None:
        warmup_s = min(OPEN_WARMUP_S, OPEN_WARMUP_SHARE * span_s)
    # Twice the time for n requests: a Poisson process may take longer for them than on average.
    slack_s = span_s if times.n_requests is not None else 0.0
    drawn = draw_open(
        rate=load.rate,
        arrival=load.arrival,
        seconds=warmup_s + span_s + slack_s + TAIL_S,
        n=None,
        seed=seed,
        max_in_flight=max_in_flight,
    )
    return Point(
        name=f"{load.rate:g} requests/s",
        load=drawn,
        warmup_s=warmup_s,
        duration_s=times.duration_s,
        n_requests=times.n_requests,
    )


class FreshPrompts(Sequence[Prompt]):
    """Prompts without an end, of which no two begin alike: the given ones with other nonces."""

    def __init__(self, prompts: Sequence[Prompt], seed: str) -> None:
        self._prompts = prompts
        self._seed = seed
        self._nonces: Iterator[str] | None = None
        self._drawn: list[str] = []

    def __len__(self) -> int:
        return ENDLESS

    @overload
    def __getitem__(self, index: int) -> Prompt: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Prompt]: ...

    def __getitem__(self, index: int | slice) -> Prompt | Sequence[Prompt]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(ENDLESS))]
        return with_nonce(self._prompts[index % len(self._prompts)], self._nonce(index))

    def _nonce(self, index: int) -> str:
        if self._nonces is None:
            self._nonces = draw_nonces(self._seed)
        while len(self._drawn) <= index:
            self._drawn.append(next(self._nonces))
        return self._drawn[index]

    def __reduce__(self) -> tuple[type[FreshPrompts], tuple[Sequence[Prompt], str]]:
        return FreshPrompts, (self._prompts, self._seed)
