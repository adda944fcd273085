"""The fake server's clockwork: replies that are written when they are due, and how late they were.

Lives on the fake server's event loop, in a process of its own; called by `http`. Times are the
loop's, time.monotonic's seconds: the schedule of a reply is absolute and never drifts, so a late
write delays none behind it.

Invariants
    a reply holds a place from when it is taken up to its end, or to its connection's
    lateness is taken just before a write, from when it was due
"""

from __future__ import annotations

import asyncio
import itertools
import math
import select
import selectors
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Protocol

from tgicli.bench.fake.options import FakeOptions, Fault
from tgicli.bench.fake.script import Asked, Piece, script

MAX_KEPT = 200_000  # writes whose lateness is kept until somebody asks
MAX_TIMED = 5_000  # replies whose times are kept


class Way(Protocol):
    """Where a reply is written."""

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        ...

    def end(self) -> None:
        """Send the body's end."""
        ...

    def reset(self) -> None:
        """Break the connection off."""
        ...


class FrozenTime:
    """A clock that stands still once."""

    def __init__(self, options: FakeOptions) -> None:
        self._at_s = math.inf if options.freeze_at_s is None else options.freeze_at_s
        self._length_s = options.freeze_s
        self._from = self._to = math.inf

    def begin(self, now: float) -> None:
        """Count from here to the standstill."""
        self._from = now + self._at_s
        self._to = self._from + self._length_s

    def after(self, start: float, passed_s: float) -> float:
        """Return when so much time has passed on this clock since a start."""
        if start >= self._to or start + passed_s < self._from:
            return start + passed_s
        return start + passed_s + self._to - max(start, self._from)


@dataclass(slots=True)
class Times:
    """When a reply was written: seconds of time.monotonic, which all processes here share."""

    nonce: str
    arrived_s: float  # its request
    chunks_s: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Stats:
    """What the server saw and did."""

    n_requests: int = 0  # to generate something
    n_connections: int = 0
    max_open: int = 0  # connections at once
    n_open: int = 0
    max_running: int = 0
    late_s: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_KEPT))
    times: deque[Times] = field(default_factory=lambda: deque(maxlen=MAX_TIMED))

    def told_times(self) -> list[dict[str, object]]:
        """Return the times of the replies since they were told last."""
        told = [asdict(times) for times in self.times]
        self.times.clear()
        return told

    def told(self) -> dict[str, object]:
        """Return all figures; lateness is that of the writes since it was told last."""
        late, n_writes = sorted(self.late_s), len(self.late_s)
        self.late_s.clear()
        shares = {"p50": 0.5, "p99": 0.99, "max": 1.0} if late else {}
        return {
            "n_requests": self.n_requests,
            "n_connections": self.n_connections,
            "max_open": self.max_open,
            "max_running": self.max_running,
            "n_writes": n_writes,
            "late_ms": {
                name: late[math.ceil(share * n_writes) - 1] * 1e3 for name, share in shares.items()
            },
        }


class Reply:
    """One answer under way."""

    def __init__(
        self, desk: Desk, asked: Asked, way: Way, on_start: Callable[[float], None]
    ) -> None:
        self._desk = desk
        self._way = way
        self._on_start = on_start
        self._arrived = desk.loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._pieces: Iterator[Piece] = iter(())
        self._n_written = 0
        self._times = Times(asked.nonce, self._arrived)
        if asked.options.keeps_times:
            desk.stats.times.append(self._times)
        self.asked = asked
        self.is_cold = False

    def start(self) -> None:
        """Begin to answer: a place is free."""
        self._begun = self._desk.loop.time()
        self._on_start(self._begun - self._arrived)
        self._compose()

    def get_nonce(self, nonce: str) -> None:
        """Answer with another nonce; nothing of the text is written yet."""
        self.asked.nonce = nonce
        if self._timer is not None:
            self._timer.cancel()
            self._compose()

    def cancel(self) -> None:
        """Stop: the client has gone."""
        if self._timer is not None:
            self._timer.cancel()
        self._desk.leave(self)

    def _compose(self) -> None:
        pieces = script(self.asked, is_cold=self.is_cold)
        self._pieces = itertools.islice(pieces, self._n_written, None)
        self._prepare()

    def _prepare(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            self._way.end()
            self._desk.leave(self)
            return
        due = self._desk.due(self._begun, piece, self.asked.options)
        self._timer = self._desk.loop.call_at(due, self._send, piece, due)

    def _send(self, piece: Piece, due: float) -> None:
        now = self._desk.loop.time()
        self._desk.stats.late_s.append(now - due)
        if piece.is_chunk and self.asked.options.keeps_times:
            self._times.chunks_s.append(now)
        if piece.breaks:
            self._way.reset()
            self._desk.leave(self)
            return
        self._way.write(piece.data)
        self._n_written += 1
        if piece.is_chunk:
            self._desk.is_telling(self)
        self._prepare()


class Desk:
    """Takes requests up as far as there are places; the others wait in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop, options: FakeOptions) -> None:
        self.loop = loop
        self.options = options
        self.stats = Stats()
        self._time = FrozenTime(options)
        self._running: set[Reply] = set()
        self._waiting: deque[Reply] = deque()
        self._lonely: Reply | None = None  # waits for another to swap with

    @property
    def is_full(self) -> bool:
        """Whether a request that comes now waits."""
        return 0 < self.options.capacity <= len(self._running)

    def number(self) -> int:
        """Count a request; return how many came before it."""
        if self.stats.n_requests == 0:
            self._time.begin(self.loop.time())
        self.stats.n_requests += 1
        return self.stats.n_requests - 1

    def take(self, reply: Reply) -> None:
        """Answer a request, now or when its turn has come."""
        if reply.asked.fault is Fault.SWAPPED:
            self._swap(reply)
        if self.is_full:
            self._waiting.append(reply)
        else:
            self._start(reply)

    def leave(self, reply: Reply) -> None:
        """Give a place back; a reply that has none may leave, too."""
        self.is_telling(reply)
        if reply in self._waiting:
            self._waiting.remove(reply)
        self._running.discard(reply)
        while self._waiting and not self.is_full:
            self._start(self._waiting.popleft())

    def is_telling(self, reply: Reply) -> None:
        """Take note that a reply's text has begun, or ended: it is swapped with none any more."""
        if reply is self._lonely:
            self._lonely = None

    def due(self, begun: float, piece: Piece, options: FakeOptions) -> float:
        """Return when a piece is to be written."""
        at = begun + piece.at_ms / 1e3
        gap_s = options.gap_ms * options.slow / 1e3
        if options.aligned and piece.joins and gap_s:
            at = math.ceil(at / gap_s - 1e-9) * gap_s
        return self._time.after(begun, at - begun)

    def _start(self, reply: Reply) -> None:
        self._running.add(reply)
        self.stats.max_running = max(self.stats.max_running, len(self._running))
        reply.start()

    def _swap(self, reply: Reply) -> None:
        """Give two replies each other's nonce, before either has begun to write."""
        if self._lonely is None:
            self._lonely = reply
            return
        other, self._lonely = self._lonely, None
        nonces = other.asked.nonce, reply.asked.nonce
        reply.get_nonce(nonces[0])
        other.get_nonce(nonces[1])


if sys.platform == "linux":

    class _FineSelector(selectors.EpollSelector):
        """Waits to the microsecond; epoll by itself rounds up to the millisecond."""

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            if timeout is not None and timeout > 0:
                select.select([self.fileno()], [], [], timeout)
                timeout = 0
            return super().select(timeout)

else:
    _FineSelector = selectors.DefaultSelector


def new_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop whose timers do not round."""
    return asyncio.SelectorEventLoop(_FineSelector())
