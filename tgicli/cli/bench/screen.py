"""Show what a run does, on stderr: a panel on a terminal, a line for each load point elsewhere.

Called on the command's event loop, a few times a second. The figures that are shown here are made
on the way; results come from records.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tgicli.bench.meter import Phase, Progress
from tgicli.bench.plan import Closed, Point
from tgicli.bench.result import PointResult, Remark
from tgicli.cli.bench.jobs import Loaded, Noted
from tgicli.cli.bench.showing import point_row
from tgicli.cli.bench.single_jobs import Counted
from tgicli.ui.bench_panel import BenchProgress, BenchView, open_bench_progress
from tgicli.ui.status import Status
from tgicli.ui.terminal import Terminal

MAX_VALUES = 4096  # of a metric, that are kept for showing


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which load is measured, of how many."""

    target: str
    model: str
    point: Point
    number: int  # the first is 1
    n_points: int
    total_left_s: float | None  # when it begins


class Screen:
    """What is seen of a run."""

    def __init__(self, terminal: Terminal, *, is_quiet: bool, is_live: bool) -> None:
        self._terminal = terminal
        self._is_quiet = is_quiet
        self._is_live = is_live
        self._status = Status(terminal)
        self._panel: BenchProgress | None = None
        self._place: Place | None = None
        self._ttfts_ms: tuple[float, ...] = ()
        self._tpots_ms: tuple[float, ...] = ()

    def says(self, text: str) -> None:
        """Show what is being done, before something is measured; with a panel nothing is."""
        if not self._is_quiet and self._panel is None:
            self._status.show(text)

    def tells(self, text: str) -> None:
        """Say a line for good, where there is no panel that tells as much."""
        is_drawn = self._is_live and self._terminal.stderr_can_animate
        if not self._is_quiet and not is_drawn:
            self._terminal.say(text)

    @contextlib.contextmanager
    def pairs(self, target: str, n_pairs: int) -> Iterator[Callable[[object], None]]:
        """Show streams beside whole answers; give what is to be told of them."""
        if self._is_quiet:
            yield lambda what: None
            return
        from tgicli.cli.bench.pair_screen import PairScreen

        self._status.clear()
        screen = PairScreen(self._terminal, target, n_pairs, is_live=self._is_live)
        with contextlib.closing(screen):
            yield screen.hears

    def remarks(self, remark: Remark) -> None:
        """Say what must be known of the prompts."""
        if not self._is_quiet:
            self._status.clear()
            self._terminal.say(remark.words)

    def hears(self, what: object) -> None:
        """Take what the other process says."""
        match what:
            case Loaded(fraction=fraction):
                self.says(f"loading the model {fraction:4.0%}")
            case Noted(text=text) if not self._is_quiet:
                self._status.clear()
                self._terminal.say(text)
            case Counted(n=n, words=words):
                self.says(f"{n} {words}")
            case Progress() if self._panel is not None and self._place is not None:
                self._panel.show(self._view(what, self._place))

    def begins(self, place: Place) -> None:
        """Begin a load point."""
        self._place = place
        self._ttfts_ms = self._tpots_ms = ()
        if not self._is_quiet and self._panel is None:
            self._status.clear()
            self._panel = open_bench_progress(self._terminal, is_live=self._is_live)

    def ends(self, result: PointResult) -> None:
        """Show what a load point gave."""
        if self._panel is not None:
            self._panel.add(point_row(result))

    def _view(self, progress: Progress, place: Place) -> BenchView:
        self._ttfts_ms = (*self._ttfts_ms, *progress.ttft_ms)[-MAX_VALUES:]
        self._tpots_ms = (*self._tpots_ms, *progress.tpot_ms)[-MAX_VALUES:]
        load = place.point.load
        total_s = place.total_left_s
        return BenchView(
            target=place.target,
            model=place.model,
            point=place.point.name,
            n_point=place.number,
            n_points=place.n_points,
            phase=progress.phase.value,
            share=progress.share,
            left_s=_left_s(progress, place.point),
            total_left_s=None if total_s is None else max(0.0, total_s - progress.elapsed_s),
            n_in_flight=progress.n_in_flight,
            n_target=load.concurrency if isinstance(load, Closed) else None,
            rate=None if isinstance(load, Closed) else load.rate,
            n_ok=progress.n_ok,
            n_busy=progress.n_busy,
            n_errors=progress.n_errors,
            n_dropped=progress.n_dropped,
            n_tokens=progress.n_tokens,
            tokens_per_s=progress.tokens_per_s,
            ttft_ms=self._ttfts_ms,
            tpot_ms=self._tpots_ms,
        )

    def close(self) -> None:
        """Leave nothing behind but what was said."""
        self._status.clear()
        if self._panel is not None:
            self._panel.close()


def _left_s(progress: Progress, point: Point) -> float | None:
    """Return how long measuring goes on; None: nobody knows."""
    if progress.phase is not Phase.MEASURING or point.duration_s is None or progress.share is None:
        return None
    return point.duration_s * (1 - progress.share)
