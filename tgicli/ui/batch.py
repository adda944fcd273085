"""Show on stderr how far a batch of prompts is: a bar on a terminal, a line now and then elsewhere.

Called on the event loop, some times a second; writes at its own pace. Knows no batch: who shows it
hands in the numbers. The bar leaves no trace.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rich.cells import cell_len
from rich.console import Console
from rich.progress_bar import ProgressBar

from tgicli.ui.durations import duration_text
from tgicli.ui.pace import Pace
from tgicli.ui.painting import BEGIN_FRAME, END_FRAME, ERASE_BELOW, painted
from tgicli.ui.speed import Speed
from tgicli.ui.terminal import Terminal

LINE_S, _LONGEST_LINE_S = 5.0, 300.0
_LINE_SHARE = 0.1  # of the time so far: what takes a night says less often
_SHORTEST_BAR, _LONGEST_BAR = 8, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchView:
    """How far a batch is."""

    n_prompts: int
    n_answered: int
    n_failed: int
    n_running: int
    n_allowed: int  # to run at once, now
    n_tokens: int
    trouble: str  # why nothing is heard; empty: all is well
    left_s: float | None  # None: not known yet


class BatchProgress(Protocol):
    """Where the numbers are shown."""

    def show(self, view: BatchView) -> None:
        """Show these numbers, if it is time for it."""
        ...

    def close(self) -> None:
        """Take away what is not to stay."""
        ...


def open_progress(
    terminal: Terminal, *, clock: Callable[[], float] = time.monotonic
) -> BatchProgress:
    """Choose how it is shown."""
    if terminal.stderr_can_animate:
        return _Bar(terminal, clock)
    return _Lines(terminal, clock)


class _Bar:
    def __init__(self, terminal: Terminal, clock: Callable[[], float]) -> None:
        self._terminal = terminal
        self._pace = Pace(clock)
        self._speed = Speed(clock)
        self._is_shown = False

    def show(self, view: BatchView) -> None:
        tokens_per_s = self._speed.measure(view.n_tokens)
        if self._pace.rest_s > 0:
            return
        with self._pace.frame():
            row = draw_bar(view, tokens_per_s, self._terminal)
            frame = f"{BEGIN_FRAME}{painted([row])}{END_FRAME}"
            self._terminal.write_stderr(frame.encode(errors="replace"))
        self._is_shown = True
        self._terminal.painted[self] = self._terminal.stderr

    def close(self) -> None:
        if self._is_shown:
            self._terminal.write_stderr(f"\r{ERASE_BELOW}".encode())
            self._terminal.painted.pop(self, None)

    def paint_again(self) -> None:
        """Leave it to the next numbers."""


class _Lines:
    def __init__(self, terminal: Terminal, clock: Callable[[], float]) -> None:
        self._terminal = terminal
        self._clock = clock
        self._began_s = clock()
        self._next_s = self._began_s + LINE_S
        self._speed = Speed(clock)

    def show(self, view: BatchView) -> None:
        tokens_per_s = self._speed.measure(view.n_tokens)
        now = self._clock()
        if now >= self._next_s:
            share_s = _LINE_SHARE * (now - self._began_s)
            self._next_s = now + min(max(share_s, LINE_S), _LONGEST_LINE_S)
            self._terminal.say(to_text(view, tokens_per_s))

    def close(self) -> None:
        """What is said is said."""


def to_text(view: BatchView, tokens_per_s: float) -> str:
    """Say it in a line of its own."""
    answered = f"{view.n_answered:,} of {view.n_prompts:,} prompts answered"
    left = "" if view.left_s is None else f"{duration_text(view.left_s)} left"
    return ", ".join(filter(None, [answered, *_facts(view, tokens_per_s), left]))


def _facts(view: BatchView, tokens_per_s: float) -> list[str]:
    return [
        f"{view.n_failed:,} failed" if view.n_failed else "",
        f"{view.n_running:,}/{view.n_allowed:,} running",
        view.trouble,
        f"{tokens_per_s:,.0f} tokens/s",
    ]


def draw_bar(view: BatchView, tokens_per_s: float, terminal: Terminal) -> str:
    """Return the row, with colours: the bar as far as there is room, then the words."""
    done = f"{view.n_answered:,}/{view.n_prompts:,}"
    left = "" if view.left_s is None else duration_text(view.left_s)
    words = "  ".join(filter(None, [done, *_facts(view, tokens_per_s), left]))
    n_columns = max(terminal.stderr_size().columns - 1, 1)
    n_bar = min(n_columns - cell_len(words) - 1, _LONGEST_BAR)
    if n_bar < _SHORTEST_BAR:
        return words[:n_columns]
    n_done = view.n_answered + view.n_failed
    bar = ProgressBar(total=view.n_prompts, completed=n_done, width=n_bar)
    return f"{_rendered(bar, n_bar, terminal)} {words}"


def _rendered(bar: ProgressBar, n_cells: int, terminal: Terminal) -> str:
    console = Console(
        file=io.StringIO(),
        width=n_cells,
        force_terminal=True,
        color_system="standard" if terminal.stderr_has_colour else None,
        legacy_windows=False,
    )
    with console.capture() as captured:
        console.print(bar, end="")
    return captured.get().rstrip("\n")
