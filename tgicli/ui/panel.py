"""Show on a terminal what a server is doing: its places, its speed, its last requests.

`update`, `add` and `close` are called by the server's event loop and never wait for the terminal,
except `close` for a moment; a painter's thread draws. Knows no server: who shows it hands in the
numbers. Nothing is painted while nothing changes.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from rich.cells import cell_len
from rich.text import Text

from tgicli.ui.painter import Painter
from tgicli.ui.rows import clean, cropped, fitted, row
from tgicli.ui.speed import Speed
from tgicli.ui.terminal import Terminal

_WIDEST = 100
_USUAL_LINES, _MAX_LINES = 8, 16  # of requests; the more in a window of 48 lines
_TIME_CELLS = 11
_FACT_CELLS = 14
_SHORTEST_BAR = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerView:
    """What a server is doing now, and what it has done since it started."""

    address: str
    model: str
    state: str = "ready"
    n_places: int  # requests that may run or wait
    n_running: int
    n_waiting: int
    n_done: int
    n_refused: int  # because all places were taken
    n_generated_tokens: int
    n_prompt_tokens: int
    n_cached_tokens: int  # of the prompts', taken from an earlier request
    worst_step_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLine:
    """One request that is over."""

    time: datetime  # shown as it is
    method: str
    path: str
    status: int
    n_prompt_tokens: int | None
    n_new_tokens: int | None
    ttft_s: float | None  # from arrival to the first token
    duration_s: float


class Panel:
    """A picture of a server on stderr, repainted four times a second at most."""

    def __init__(self, terminal: Terminal, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._speed = Speed(clock)
        self._lock = threading.Lock()  # of the two that follow
        self._shown: tuple[ServerView, float] | None = None
        self._lines: deque[RequestLine] = deque(maxlen=_MAX_LINES)
        self._painter = Painter(terminal, self._drawn, clock=clock)

    def start(self) -> Panel:
        """Begin to paint, if stderr can be painted over."""
        self._painter.start()
        return self

    def update(self, view: ServerView) -> None:
        """Show these numbers. Call it some times a second: the speed is measured between calls."""
        tokens_per_s = self._speed.measure(view.n_generated_tokens)
        with self._lock:
            self._shown = view, tokens_per_s
        self._painter.changed()

    def add(self, line: RequestLine) -> None:
        """Show a request below the others."""
        with self._lock:
            self._lines.append(line)
        self._painter.changed()

    def close(self) -> None:
        """Leave the last state on the screen, with the cursor below."""
        self._painter.close(keeps=True)

    def _drawn(self, size: os.terminal_size) -> list[Text]:
        with self._lock:
            shown, lines = self._shown, tuple(self._lines)
        return [] if shown is None else draw(*shown, lines, size)


class _Column(NamedTuple):
    """A column of the table of requests."""

    title: str
    n_cells: int
    n_least_columns: int  # a narrower panel does without it
    value: Callable[[RequestLine], str]


_NUMBERS = (
    _Column("status", 7, 0, lambda line: str(line.status)),
    _Column("prompt", 8, 64, lambda line: _count(line.n_prompt_tokens)),
    _Column("new", 7, 54, lambda line: _count(line.n_new_tokens)),
    _Column("ttft", 8, 74, lambda line: _duration(line.ttft_s)),
    _Column("total", 10, 32, lambda line: _duration(line.duration_s)),
)


def draw(
    view: ServerView, tokens_per_s: float, lines: Sequence[RequestLine], size: os.terminal_size
) -> list[Text]:
    """Return the panel's rows: shorter than the window is wide, and fewer than it is high."""
    n_columns = max(min(size.columns - 1, _WIDEST), 1)
    head = [
        *_heading(view, n_columns),
        row(),
        _places(view, n_columns),
        row(),
        *_facts(view, tokens_per_s, n_columns),
        row(),
    ]
    n_lines = min(max(_USUAL_LINES, size.lines // 3), size.lines - len(head) - 2)
    rows = head + _requests(lines[-max(n_lines, 1) :], n_columns)
    return cropped(rows[: max(size.lines - 1, 1)], n_columns)


def _heading(view: ServerView, n_columns: int) -> list[Text]:
    name, state = " tgicli serve  ", f" ● {clean(view.state)}"
    address = fitted(clean(view.address), n_columns - len(name) - cell_len(state))
    colour = "green" if view.state == "ready" else "yellow"
    return [
        row((name, "bold"), (address, "cyan"), (state, colour)),
        row((f" {clean(view.model)}", "dim")),
    ]


def _places(view: ServerView, n_columns: int) -> Text:
    """Return a bar of all places, as far as there is room, and who has them in words."""
    places = f"{view.n_places:,}"
    n_digits = len(places)  # so that the bar keeps its length
    running = f" {view.n_running:{n_digits},} running"
    waiting = f"  {view.n_waiting:{n_digits},} waiting"
    places = f"  {places} places"
    n_bar = n_columns - len(running + waiting + places) - 2
    bar = _bar(view, n_bar) if n_bar >= _SHORTEST_BAR else row()
    return bar + row((running, "green"), (waiting, "yellow"), (places, "dim"))


def _bar(view: ServerView, n_cells: int) -> Text:
    n_taken = view.n_running + view.n_waiting
    # Rounded up, so that one of many is seen.
    ends = [-(-n_cells * n // max(view.n_places, 1)) for n in (view.n_running, n_taken)]
    n_running, n_used = (min(end, n_cells) for end in ends)
    n_waiting, n_free = n_used - n_running, n_cells - n_used
    return row(
        " ",
        ("█" * n_running, "green"),
        ("▒" * n_waiting, "yellow"),
        ("·" * n_free + " ", "dim"),
    )


def _facts(view: ServerView, tokens_per_s: float, n_columns: int) -> list[Text]:
    """Return names with their values below, as many side by side as there is room for."""
    facts = [
        ("tokens/s", f"{tokens_per_s:.0f}" if tokens_per_s >= 10 else f"{tokens_per_s:.1f}"),
        ("done", _count(view.n_done)),
        ("refused", _count(view.n_refused)),
        ("cached", _percentage(view.n_cached_tokens, view.n_prompt_tokens)),
        ("worst step", _duration(view.worst_step_s)),
    ]
    n_beside = min(max(n_columns // _FACT_CELLS, 1), len(facts))
    n_cells = n_columns // n_beside
    rows: list[Text] = []
    for i in range(0, len(facts), n_beside):
        names, values = zip(*facts[i : i + n_beside], strict=True)
        rows.append(row(*((fitted(f" {name}", n_cells), "dim") for name in names)))
        rows.append(row(*((fitted(f" {value}", n_cells), "bold") for value in values)))
    return rows


def _requests(lines: Sequence[RequestLine], n_columns: int) -> list[Text]:
    columns = [column for column in _NUMBERS if n_columns >= column.n_least_columns]
    n_cells = n_columns - _TIME_CELLS - sum(column.n_cells for column in columns)
    titles = [column.title.rjust(column.n_cells) for column in columns]
    heading = f"{' time':{_TIME_CELLS}}{fitted('request', n_cells)}{''.join(titles)}"
    if not lines:
        return [row((heading, "dim")), row((" no requests yet", "dim"))]
    return [row((heading, "dim")), *(_request(line, columns, n_cells) for line in lines)]


def _request(line: RequestLine, columns: Sequence[_Column], n_cells: int) -> Text:
    request = fitted(clean(f"{line.method} {line.path}"), n_cells)
    status, *values = (column.value(line).rjust(column.n_cells) for column in columns)
    return row(
        (f" {line.time:%H:%M:%S}  ", "dim"),
        request,
        (status, _colour_of(line.status)),
        "".join(values),
    )


def _colour_of(status: int) -> str:
    if status < 400:
        return "green"
    return "yellow" if status < 500 else "bold red"


def _count(n: int | None) -> str:
    if n is None:
        return "-"
    return f"{n:,}" if n < 1_000_000 else f"{n / 1_000_000:,.1f}M"


def _percentage(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02} min"
