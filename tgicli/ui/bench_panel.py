"""Show a load test while it runs: which point, how far, how fast; on a pipe, a line a point.

Called in the process that does not measure, some times a second, with counters; a painter's thread
draws. Knows no bench: who shows it hands in the numbers. At its end nothing of it is left.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from rich.cells import cell_len
from rich.text import Text

from tgicli.ui.durations import duration_text
from tgicli.ui.painter import Painter
from tgicli.ui.plots import histogram, needs_ascii, short, sparkline
from tgicli.ui.rows import beside, clean, fitted, row
from tgicli.ui.tables import PointRow, point_rows, point_words
from tgicli.ui.terminal import Terminal

SPEED_EVERY_S = 1.0
_MOST_SPEEDS = 600  # as many as the widest sparkline may join
_WIDEST = 160
_FACT_CELLS = 13
_SHORTEST_BAR = 8
_NAME_CELLS = 11
_GAP_CELLS = 4
_PLOT_CELLS = 36  # the narrowest plot that may stand beside another
_LEAST_BAR_LINES, _MOST_BAR_LINES = 2, 10
_PLOT_FRAME_LINES = 3  # a blank, a title and the numbers below
_LEAST_VALUES = 8  # of a histogram: fewer have no shape
_N_FOR_P90 = 36  # fewer requests say nothing about it


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchView:
    """How a load test stands."""

    target: str
    model: str
    point: str  # "concurrency 8"
    n_point: int  # the first is 1
    n_points: int
    phase: str  # "loading", "warming up", "measuring"
    share: float | None = None  # of this point, that is done; None: not known
    left_s: float | None = None  # of this point
    total_left_s: float | None = None  # of all points
    n_in_flight: int = 0
    n_target: int | None = None  # closed loop: so many users
    rate: float | None = None  # open loop: requests a second, offered
    n_ok: int = 0
    n_busy: int = 0
    n_errors: int = 0
    n_dropped: int = 0
    n_tokens: int = 0
    tokens_per_s: float = 0.0
    ttft_ms: tuple[float, ...] = ()  # of this point, so far
    tpot_ms: tuple[float, ...] = ()


class BenchProgress(Protocol):
    """Where the numbers are shown."""

    def show(self, view: BenchView) -> None:
        """Show these numbers."""
        ...

    def add(self, point: PointRow) -> None:
        """Show what a load point gave that is over."""
        ...

    def close(self) -> None:
        """Take away what is not to stay."""
        ...


def open_bench_progress(
    terminal: Terminal, *, is_live: bool = True, clock: Callable[[], float] = time.monotonic
) -> BenchProgress:
    """Choose how it is shown: a panel where stderr can be painted over and somebody wants it."""
    if terminal.stderr_can_animate and is_live:
        return _Panel(terminal, clock)
    return _Lines(terminal)


class _Lines:
    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def show(self, view: BenchView) -> None:
        """A pipe's reader waits for whole points."""

    def add(self, point: PointRow) -> None:
        self._terminal.say(point_words(point))

    def close(self) -> None:
        """What is said is said."""


class State(NamedTuple):
    """All that is drawn; replaced as a whole, so that the painter's thread needs no lock."""

    view: BenchView | None = None
    points: tuple[PointRow, ...] = ()
    speeds: tuple[float, ...] = ()  # tokens a second, one a second, newest last


class _Panel:
    def __init__(self, terminal: Terminal, clock: Callable[[], float]) -> None:
        self._state = State()
        self._clock = clock
        self._next_speed_s = float("-inf")
        is_ascii = needs_ascii(terminal.stderr, is_dumb=terminal.is_dumb)
        self._painter = Painter(
            terminal, lambda size: draw(self._state, size, is_ascii=is_ascii), clock=clock
        ).start()

    def show(self, view: BenchView) -> None:
        speeds = self._state.speeds
        if (now_s := self._clock()) >= self._next_speed_s:
            self._next_speed_s = now_s + SPEED_EVERY_S
            speeds = (*speeds, view.tokens_per_s)[-_MOST_SPEEDS:]
        self._state = self._state._replace(view=view, speeds=speeds)
        self._painter.changed()

    def add(self, point: PointRow) -> None:
        self._state = self._state._replace(points=(*self._state.points, point))
        self._painter.changed()

    def close(self) -> None:
        self._painter.close()


def draw(state: State, size: os.terminal_size, *, is_ascii: bool = False) -> list[Text]:
    """Return the panel's rows; plots only where there is room for them."""
    view = state.view
    if view is None:
        return []
    n_columns = max(min(size.columns - 1, _WIDEST), 1)
    head = [
        *_heading(view, n_columns),
        _bar(view, n_columns, is_ascii),
        row(),
        *_counters(view, n_columns),
        row(),
        *_speeds(view, state.speeds, n_columns, is_ascii),
    ]
    table = [row(), *point_rows(state.points, n_columns)] if state.points else []
    n_free = size.lines - 1 - len(head) - len(table)
    return [*head, *_plots(view, n_columns, n_free, is_ascii), *table]


def _heading(view: BenchView, n_columns: int) -> list[Text]:
    left = "" if view.total_left_s is None else f"  {duration_text(view.total_left_s)} left"
    place = f" point {view.n_point}/{view.n_points}{left}"
    target = fitted(clean(view.target), n_columns - 15 - cell_len(place))
    load = clean(view.point)
    return [
        row((" tgicli bench  ", "bold"), (target, "cyan"), (place, "bold")),
        row((f" {clean(view.model)}", "dim")),
        row(),
        row((f" {load}", "bold cyan"), f"  {clean(view.phase)}"),
    ]


def _bar(view: BenchView, n_columns: int, is_ascii: bool) -> Text:
    """Return how far this point is; without a bar where that is not known."""
    left = "" if view.left_s is None else f"  {duration_text(view.left_s)} left"
    if view.share is None:
        return row((f" {left.strip() or 'until it is steady'}", "dim"))
    share = min(max(view.share, 0.0), 1.0)
    words = f" {100 * share:3.0f} %{left}"
    n_bar = n_columns - len(words) - 1
    if n_bar < _SHORTEST_BAR:
        return row(words)
    done, rest = ("=", "-") if is_ascii else ("━", "─")
    n_done = int(share * n_bar)
    return row(" ", (done * n_done, "green"), (rest * (n_bar - n_done), "dim"), words)


def _counters(view: BenchView, n_columns: int) -> list[Text]:
    """Return names with their values below, as many side by side as there is room for."""
    facts = [
        ("in flight", _in_flight(view), ""),
        ("answered", f"{view.n_ok:,}", ""),
        ("busy", f"{view.n_busy:,}", "yellow" if view.n_busy else ""),
        ("errors", f"{view.n_errors:,}", "red" if view.n_errors else ""),
        ("tokens", f"{view.n_tokens:,}", ""),
    ]
    if view.rate is not None:
        facts.append(("dropped", f"{view.n_dropped:,}", "yellow" if view.n_dropped else ""))
    shown = facts[: max((n_columns - 1) // _FACT_CELLS, 1)]
    names = "".join(f" {name:<{_FACT_CELLS - 1}}" for name, _, _ in shown)
    values = ((f" {fitted(value, _FACT_CELLS - 1)}", f"bold {style}") for _, value, style in shown)
    return [row((names, "dim")), row(*values)]


def _in_flight(view: BenchView) -> str:
    if view.n_target is not None:
        return f"{view.n_in_flight:,}/{view.n_target:,}"
    return f"{view.n_in_flight:,}" + ("" if view.rate is None else f" @ {view.rate:g}/s")


def _speeds(view: BenchView, speeds: Sequence[float], n_columns: int, is_ascii: bool) -> list[Text]:
    speed = f"{short(view.tokens_per_s):<{_NAME_CELLS}}"
    n_spark = n_columns - 2 * _NAME_CELLS - 1
    recent = speeds[-max(n_spark, 1) :]
    spark = sparkline(recent, n_spark, is_ascii=is_ascii)
    return [
        row((f" {'tokens/s':<{_NAME_CELLS}}", "dim"), (speed, "bold"), (spark, "cyan")),
        _so_far("TTFT ms", view.ttft_ms),
        _so_far("TPOT ms", view.tpot_ms),
    ]


def _so_far(name: str, values: Sequence[float]) -> Text:
    """Return a metric's middle and its slow end: p90, or the largest of a few."""
    title = (f" {name:<{_NAME_CELLS}}", "dim")
    if not values:
        return row(title, ("-", "dim"))
    ordered = sorted(values)
    end, value = ("max", ordered[-1])
    if len(ordered) >= _N_FOR_P90:
        end, value = "p90", _quantile(ordered, 0.9)
    middle = f"{short(_quantile(ordered, 0.5)):<{_NAME_CELLS - 4}}"
    return row(title, ("p50 ", "dim"), (middle, "bold"), (f"{end} ", "dim"), (short(value), "bold"))


def _quantile(ordered: Sequence[float], share: float) -> float:
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def _plots(view: BenchView, n_columns: int, n_free: int, is_ascii: bool) -> list[Text]:
    """Return histograms, two beside each other where the window is wide; none without room."""
    n_lines = min(n_free - _PLOT_FRAME_LINES, _MOST_BAR_LINES)
    if n_lines < _LEAST_BAR_LINES or len(view.ttft_ms) < _LEAST_VALUES:
        return []
    has_both = len(view.tpot_ms) >= _LEAST_VALUES
    is_wide = n_columns >= 2 * _PLOT_CELLS + _GAP_CELLS and has_both
    n_cells = (n_columns - _GAP_CELLS) // 2 if is_wide else n_columns
    samples = [("TTFT", view.ttft_ms), ("TPOT", view.tpot_ms)][: 2 if is_wide else 1]
    plots = [
        histogram(values, n_cells, n_lines, title=f" {name}", is_ascii=is_ascii)
        for name, values in samples
    ]
    return [row(), *beside(plots, n_cells + _GAP_CELLS)]
