"""Show the same prompt answered as a stream and at once, in two columns, while it happens.

Called some times a second; a painter's thread draws. Knows no bench. On a pipe only what each pair
gave is said.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from rich.console import Console
from rich.text import Text

from tgicli.ui.painter import Painter
from tgicli.ui.rows import clean, cropped, fitted, row
from tgicli.ui.terminal import Terminal, harmless

_WIDEST = 160
_GAP = " │ "
_MOST_WORDS = 4  # of the pairs that are over, newest below
_TAIL_CHARACTERS = 20_000  # more than fits into a window


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of two ways to ask."""

    text: str = ""  # that has arrived
    elapsed_s: float | None = None  # since it was asked; None: not yet
    first_s: float | None = None  # until the first text
    is_done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PairView:
    """How a comparison of the two stands."""

    target: str
    n_pair: int  # the first is 1
    n_pairs: int
    streamed: Side
    whole: Side


class PairProgress(Protocol):
    """Where both sides are shown."""

    def show(self, view: PairView) -> None:
        """Show this state."""
        ...

    def add(self, words: str) -> None:
        """Show what a pair gave that is over."""
        ...

    def close(self) -> None:
        """Take away what is not to stay."""
        ...


def open_pair_progress(
    terminal: Terminal, *, is_live: bool = True, clock: Callable[[], float] = time.monotonic
) -> PairProgress:
    """Choose how it is shown."""
    if terminal.stderr_can_animate and is_live:
        return _Columns(terminal, clock)
    return _Lines(terminal)


class _Lines:
    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def show(self, view: PairView) -> None:
        """A pipe's reader waits for whole pairs."""

    def add(self, words: str) -> None:
        self._terminal.say(words)

    def close(self) -> None:
        """What is said is said."""


class State(NamedTuple):
    """All that is drawn; replaced as a whole, so that the painter's thread needs no lock."""

    view: PairView | None = None
    words: tuple[str, ...] = ()


class _Columns:
    def __init__(self, terminal: Terminal, clock: Callable[[], float]) -> None:
        self._state = State()
        self._painter = Painter(terminal, lambda size: draw(self._state, size), clock=clock).start()

    def show(self, view: PairView) -> None:
        self._state = self._state._replace(view=view)
        self._painter.changed()

    def add(self, words: str) -> None:
        self._state = self._state._replace(words=(*self._state.words, words)[-_MOST_WORDS:])
        self._painter.changed()

    def close(self) -> None:
        self._painter.close()


def draw(state: State, size: os.terminal_size) -> list[Text]:
    """Return the rows: what is asked, two columns of text, what the pairs so far gave."""
    view = state.view
    if view is None:
        return []
    n_columns = max(min(size.columns - 1, _WIDEST), 1)
    n_cells = max((n_columns - len(_GAP) - 1) // 2, 1)
    place = f" pair {view.n_pair}/{view.n_pairs}"
    target = fitted(clean(view.target), n_columns - 15 - len(place))
    head = [row((" tgicli bench  ", "bold"), (target, "cyan"), (place, "bold")), row()]
    foot = (
        [row(), *(row((f" {clean(words)}", "dim")) for words in state.words)] if state.words else []
    )
    n_lines = max(size.lines - 1 - len(head) - len(foot) - 2, 1)
    left = _column("Streaming", view.streamed, n_cells, n_lines)
    right = _column("Waiting for all", view.whole, n_cells, n_lines)
    return cropped([*head, *map(_joined, left, right), *foot], n_columns)


def _column(name: str, side: Side, n_cells: int, n_lines: int) -> list[Text]:
    """Return a title, the times, and the last lines of the text, each as wide as that."""
    lines = _wrapped(side.text, n_cells)[-n_lines:]
    if not lines and side.elapsed_s is not None:
        timer = f"{side.elapsed_s:.1f} s"
        lines = [""] * (n_lines // 2) + [timer.center(n_cells).rstrip()]
    lines += [""] * (n_lines - len(lines))
    style = "" if side.text else "bold yellow"
    return [
        row((fitted(name, n_cells), "bold green" if side.is_done else "bold")),
        row((fitted(_times(side), n_cells), "dim")),
        *(row((fitted(line, n_cells), style)) for line in lines),
    ]


def _times(side: Side) -> str:
    if side.elapsed_s is None:
        return "not asked yet"
    all_of_it = f"{'all after' if side.is_done else 'asked'} {side.elapsed_s:.1f} s"
    all_of_it += "" if side.is_done else " ago"
    return all_of_it if side.first_s is None else f"text after {side.first_s:.1f} s, {all_of_it}"


def _wrapped(text: str, n_cells: int) -> list[str]:
    tail = harmless(text[-_TAIL_CHARACTERS:]).replace("\t", " ")
    if not tail:
        return []
    console = Console(file=io.StringIO(), width=n_cells)
    return [line.plain.rstrip() for line in Text(tail).wrap(console, n_cells)]


def _joined(left: Text, right: Text) -> Text:
    return row(" ") + left + row((_GAP, "dim")) + right
