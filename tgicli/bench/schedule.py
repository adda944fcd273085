"""Draw when the requests of an open loop are sent.

Called by the bench's command before anything is sent. Pure: a schedule is drawn whole, by one
generator from one seed, and never stretched to end at a round time, so that a Poisson process is
one. Knows no clock. The event loop's timers are late by up to a millisecond; nothing here is finer
than that on purpose, and what came of a schedule is the attack's to count.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import count, takewhile
from random import Random
from typing import NamedTuple

from tgicli.bench.plan import Open
from tgicli.bench.record import NS_PER_S
from tgicli.errors import ConfigError

MAX_REQUESTS = 1_000_000
MIN_WINDOWS = 20  # fewer say nothing about dispersion: its standard error is sqrt(2/(n - 1))
MIN_PER_WINDOW = 4

# Arrivals of a process that has one a second, on average; ascending, endless.
_Arrivals = Iterator[float]


class Ramp(NamedTuple):
    """A rate that grows, or falls, along a straight line."""

    low: float  # requests a second at the beginning
    high: float  # at the end
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Ramp:
        """Read `low:high:seconds`.

        Raises:
            ConfigError: it is something else, or no request would be sent.
        """
        try:
            low, high, seconds = (float(part.removesuffix("s")) for part in text.split(":"))
        except ValueError:
            raise ConfigError(
                f"ramp {text!r} is not LOW:HIGH:SECONDS, such as 1:20:60: from 1 to 20 requests a "
                f"second within a minute"
            ) from None
        ramp = cls(low, high, seconds)
        ramp.check()
        return ramp

    def check(self) -> None:
        """Raise ConfigError where nobody could follow it."""
        for name, value in (("first", self.low), ("last", self.high)):
            if not 0 <= value < math.inf:
                raise ConfigError(f"a ramp's {name} rate must be >= 0 requests/s, got {value}")
        if self.low == self.high == 0:
            raise ConfigError("a ramp from 0 to 0 requests/s sends nothing; give it another end")
        _check_seconds(self.seconds)

    @property
    def mean(self) -> float:
        """Requests a second, on average."""
        return (self.low + self.high) / 2

    def time_of(self, n: float) -> float:
        """Return when n requests are due, in seconds: low*t + (high - low)*t^2/(2*seconds) = n."""
        slope = (self.high - self.low) / self.seconds
        root = math.sqrt(max(0.0, self.low**2 + 2 * slope * n))
        return 2 * n / (self.low + root) if n else 0.0


def draw_open(
    *,
    rate: float,
    arrival: str = "poisson",
    seconds: float | None,
    n: int | None,
    seed: int,
    max_in_flight: int | None = None,
) -> Open:
    """Draw requests at a rate, for so many seconds or so many of them, whichever ends first.

    arrival: `constant`, `poisson`, `gamma:K` (burstiness as vLLM has it, the shape of the gaps'
    distribution: 1 is poisson, less is more bursty, inf is constant), or `burst:K` (K at once, then
    none until the rate allows the next K).

    Raises:
        ConfigError: a number is out of its range, or no request falls into the time.
    """
    if not 0 < rate < math.inf:
        raise ConfigError(f"a rate must be > 0 requests/s, and finite, got {rate}")
    if seconds is None and n is None:
        raise ConfigError(f"a rate of {rate:g} requests/s needs an end: seconds or a number")
    if seconds is not None:
        _check_seconds(seconds)
    _check_count("requests", n)
    times = (unit / rate for unit in _arrivals(arrival, Random(seed)))
    offsets = _collect(times, math.inf if seconds is None else seconds, n)
    if not offsets:
        raise ConfigError(
            f"no request falls into {seconds:g} s at {rate:g} requests/s; give it more time"
        )
    return _open(rate, arrival, offsets, max_in_flight)


def draw_ramp(
    low: float,
    high: float,
    seconds: float,
    seed: int,
    *,
    arrival: str = "poisson",
    max_in_flight: int | None = None,
) -> Open:
    """Draw requests whose rate goes from low to high requests/s, along a straight line.

    Raises:
        ConfigError: a number is out of its range, or no request falls into the time.
    """
    ramp = Ramp(low, high, seconds)
    ramp.check()
    n_expected = ramp.mean * seconds  # past it the line would have to be followed further
    units = takewhile(lambda unit: unit < n_expected, _arrivals(arrival, Random(seed)))
    offsets = _collect(map(ramp.time_of, units), seconds, None)
    if not offsets:
        raise ConfigError(f"no request falls into a ramp of {n_expected:g}; make it longer")
    return _open(ramp.mean, "ramp", offsets, max_in_flight)


def dispersion(offsets_ns: tuple[int, ...]) -> float | None:
    """Return the index of dispersion of counts: 1 for a Poisson process, 0 for a constant rate.

    The variance of the number of arrivals in equal windows, over its mean: the larger one of two.
    Windows as long as a usual gap show bursts, which come evenly over a longer time. Others hold at
    least four arrivals, more as there are more of them (a quarter of the root of their number), so
    that clusters longer than a few gaps show, too. A rate that changes counts as dispersion. None
    where there are too few arrivals for twenty windows.
    """
    if not offsets_ns:
        return None
    start, span = offsets_ns[0], offsets_ns[-1] - offsets_ns[0]
    # The last one ends the last window. The others of a Poisson process are uniform before it.
    inner = [offset - start for offset in offsets_ns if offset < offsets_ns[-1]]
    n_windows = len(inner) // max(MIN_PER_WINDOW, math.isqrt(len(inner)) // 4)
    if n_windows < MIN_WINDOWS:
        return None
    return max(_dispersion(inner, span, n) for n in (n_windows, len(inner)))


def _dispersion(offsets: Sequence[int], span: int, n_windows: int) -> float:
    """Return it in so many windows, the first of which begins half a window before 0, in a ring."""
    counts = [0] * n_windows
    for offset in offsets:
        counts[(2 * offset * n_windows + span) // (2 * span) % n_windows] += 1
    mean = len(offsets) / n_windows
    return sum((n - mean) ** 2 for n in counts) / (n_windows - 1) / mean


def check_arrival(arrival: str) -> None:
    """Raise ConfigError unless draw_open knows such arrivals."""
    _arrivals(arrival, Random(0))


def _arrivals(arrival: str, random: Random) -> _Arrivals:
    kind, _, shape = arrival.partition(":")
    match kind:
        case "constant" if not shape:
            return map(float, count())
        case "poisson" if not shape:
            return _renewals(lambda: random.expovariate(1))
        case "gamma":
            return _gamma(_number(arrival, shape), random)
        case "burst":
            return _bursts(_number(arrival, shape))
    raise ConfigError(
        f"arrivals {arrival!r} are not known; there are constant, poisson, gamma:K and burst:K"
    )


def _gamma(shape: float, random: Random) -> _Arrivals:
    if shape == math.inf:
        return _arrivals("constant", random)
    if shape == 1:  # the same distribution, and so the same schedule
        return _arrivals("poisson", random)
    return _renewals(lambda: random.gammavariate(shape, 1 / shape))


def _bursts(size: float) -> _Arrivals:
    if size != int(min(size, MAX_REQUESTS)):
        raise ConfigError(f"a burst has a whole number of requests, got {size:g}")
    return (float(index // size * size) for index in count())


def _renewals(gap: Callable[[], float]) -> _Arrivals:
    now = 0.0
    while True:
        now += gap()
        yield now


def _number(arrival: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ConfigError(
            f"arrivals {arrival!r} lack their number, such as gamma:0.5 or burst:8"
        ) from None
    if not value > 0:
        raise ConfigError(f"the number of arrivals {arrival!r} must be > 0")
    return value


def _collect(times: Iterator[float], seconds: float, n: int | None) -> tuple[int, ...]:
    """Return the times before the end, in nanoseconds; at most n."""
    offsets: list[int] = []
    for time in times:
        if time >= seconds or len(offsets) == n:
            break
        if len(offsets) == MAX_REQUESTS:
            raise ConfigError(
                f"there would be more than {MAX_REQUESTS} requests in one schedule; "
                f"lower the rate or the time"
            )
        offsets.append(round(time * NS_PER_S))
    return tuple(offsets)


def _open(rate: float, arrival: str, offsets: tuple[int, ...], max_in_flight: int | None) -> Open:
    _check_count("requests in flight", max_in_flight)
    return Open(rate=rate, arrival=arrival, offsets_ns=offsets, max_in_flight=max_in_flight)


def _check_seconds(seconds: float) -> None:
    if not 0 < seconds < math.inf:
        raise ConfigError(f"a duration must be > 0 s, and finite, got {seconds}")


def _check_count(what: str, n: int | None) -> None:
    if n is not None and not 1 <= n <= MAX_REQUESTS:
        raise ConfigError(f"the number of {what} must be in 1..{MAX_REQUESTS}, got {n}")
