"""Show on a terminal what a server is doing: its places, its speed, its last requests.

`update`, `add` and `close` are called by the server's event loop and never wait for the terminal,
except `close` for a moment; a thread of our own paints. Knows no server: who shows it hands in the
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

from rich.cells import cell_len, set_cell_size
from rich.color import ColorSystem
from rich.style import Style

from tgicli.ui.painting import BEGIN_FRAME, END_FRAME, painted
from tgicli.ui.terminal import Terminal, harmless

FRAME_S = 0.25
SPEED_WINDOW_S = 5.0
_PATIENCE_S = 1.0  # a terminal that is held (Ctrl-S) must not hold up the end of the process
_WIDEST = 100
_USUAL_LINES, _MAX_LINES = 8, 16  # of requests; the more in a window of 48 lines
_TIME_CELLS = 11
_FACT_CELLS = 14
_SHORTEST_BAR = 8
_LINE_ENDS = str.maketrans({"\n": "␊", "\t": "␉"})


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


class _Picture(NamedTuple):
    """What a terminal shows."""

    rows: list[str]  # with colours
    size: os.terminal_size  # of the window


class Panel:
    """A picture of a server on stderr, repainted four times a second at most."""

    def __init__(self, terminal: Terminal, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal = terminal
        self._clock = clock
        self._next_s = float("-inf")
        self._speed = Speed(clock)
        self._lock = threading.Lock()  # of the two that follow
        self._shown: tuple[ServerView, float] | None = None
        self._lines: deque[RequestLine] = deque(maxlen=_MAX_LINES)
        self._painted: _Picture | None = None
        self._has_news = threading.Event()
        self._is_closing = threading.Event()
        # A daemon: a terminal that takes no bytes must not keep the process alive.
        self._painter = threading.Thread(target=self._paint_all, name="panel", daemon=True)

    def start(self) -> Panel:
        """Begin to paint, if stderr can be painted over."""
        if self._terminal.stderr_can_animate:
            self._painter.start()
        return self

    def update(self, view: ServerView) -> None:
        """Show these numbers. Call it some times a second: the speed is measured between calls."""
        tokens_per_s = self._speed.measure(view.n_generated_tokens)
        with self._lock:
            self._shown = view, tokens_per_s
        self._has_news.set()

    def add(self, line: RequestLine) -> None:
        """Show a request below the others."""
        with self._lock:
            self._lines.append(line)
        self._has_news.set()

    def close(self) -> None:
        """Leave the last state on the screen, with the cursor below."""
        self._is_closing.set()
        self._has_news.set()
        if self._painter.is_alive():
            self._painter.join(_PATIENCE_S)
        if self._terminal.stderr_can_animate and not self._painter.is_alive():
            self._paint()
            n_rows = len(self._painted.rows) if self._painted else 0
            self._terminal.write_stderr(b"\r\n" * n_rows)

    def tick(self) -> None:
        """Paint a frame, if there is news and a frame may be painted now."""
        if not self._has_news.is_set() or self._rest_s > 0:
            return
        self._has_news.clear()
        self._next_s = self._clock() + FRAME_S
        self._paint()

    @property
    def _rest_s(self) -> float:
        return max(0.0, self._next_s - self._clock())

    def _paint_all(self) -> None:
        while not self._is_closing.is_set():
            self._has_news.wait()
            self._is_closing.wait(self._rest_s)
            self.tick()

    def _paint(self) -> None:
        with self._lock:
            shown, lines = self._shown, tuple(self._lines)
        if shown is None:
            return
        size = self._terminal.stderr_size()
        has_colour = self._terminal.stderr_has_colour
        rows = [_painted(row, has_colour) for row in draw(*shown, lines, size)]
        picture = _Picture(rows, size)
        if picture != self._painted:
            self._painted = picture
            self._terminal.write_stderr(_frame(rows))


class Speed:
    """Tokens a second, over the last seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._past: deque[tuple[float, int]] = deque()  # (when, how many there were), FRAME_S apart

    def measure(self, n_tokens: int) -> float:
        """Return the speed, given how many tokens there are now."""
        now_s = self._clock()
        while len(self._past) > 1 and self._past[1][0] <= now_s - SPEED_WINDOW_S:
            self._past.popleft()
        if not self._past or now_s - self._past[-1][0] >= FRAME_S:
            self._past.append((now_s, n_tokens))
        first_s, n_first = self._past[0]
        return (n_tokens - n_first) / (now_s - first_s) if now_s > first_s else 0.0


class Span(NamedTuple):
    """A piece of a row, in one style."""

    text: str
    style: str = ""


Row = list[Span]


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
) -> list[Row]:
    """Return the panel's rows: shorter than the window is wide, and fewer than it is high."""
    n_columns = max(min(size.columns - 1, _WIDEST), 1)
    head = [
        *_heading(view, n_columns),
        [],
        _places(view, n_columns),
        [],
        *_facts(view, tokens_per_s, n_columns),
        [],
    ]
    n_lines = min(max(_USUAL_LINES, size.lines // 3), size.lines - len(head) - 2)
    rows = head + _requests(lines[-max(n_lines, 1) :], n_columns)
    return [_cropped(row, n_columns) for row in rows[: max(size.lines - 1, 1)]]


def _heading(view: ServerView, n_columns: int) -> list[Row]:
    name, state = " tgicli serve  ", f" ● {_clean(view.state)}"
    address = _fitted(_clean(view.address), n_columns - len(name) - cell_len(state))
    colour = "green" if view.state == "ready" else "yellow"
    return [
        [Span(name, "bold"), Span(address, "cyan"), Span(state, colour)],
        [Span(f" {_clean(view.model)}", "dim")],
    ]


def _places(view: ServerView, n_columns: int) -> Row:
    """Return a bar of all places, as far as there is room, and who has them in words."""
    places = f"{view.n_places:,}"
    n_digits = len(places)  # so that the bar keeps its length
    running = f" {view.n_running:{n_digits},} running"
    waiting = f"  {view.n_waiting:{n_digits},} waiting"
    places = f"  {places} places"
    n_bar = n_columns - len(running + waiting + places) - 2
    bar = _bar(view, n_bar) if n_bar >= _SHORTEST_BAR else []
    return [*bar, Span(running, "green"), Span(waiting, "yellow"), Span(places, "dim")]


def _bar(view: ServerView, n_cells: int) -> Row:
    n_taken = view.n_running + view.n_waiting
    # Rounded up, so that one of many is seen.
    ends = [-(-n_cells * n // max(view.n_places, 1)) for n in (view.n_running, n_taken)]
    n_running, n_used = (min(end, n_cells) for end in ends)
    n_waiting, n_free = n_used - n_running, n_cells - n_used
    return [
        Span(" "),
        Span("█" * n_running, "green"),
        Span("▒" * n_waiting, "yellow"),
        Span("·" * n_free + " ", "dim"),
    ]


def _facts(view: ServerView, tokens_per_s: float, n_columns: int) -> list[Row]:
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
    rows: list[Row] = []
    for i in range(0, len(facts), n_beside):
        names, values = zip(*facts[i : i + n_beside], strict=True)
        rows.append([Span(_fitted(f" {name}", n_cells), "dim") for name in names])
        rows.append([Span(_fitted(f" {value}", n_cells), "bold") for value in values])
    return rows


def _requests(lines: Sequence[RequestLine], n_columns: int) -> list[Row]:
    columns = [column for column in _NUMBERS if n_columns >= column.n_least_columns]
    n_cells = n_columns - _TIME_CELLS - sum(column.n_cells for column in columns)
    titles = [column.title.rjust(column.n_cells) for column in columns]
    heading = f"{' time':{_TIME_CELLS}}{_fitted('request', n_cells)}{''.join(titles)}"
    if not lines:
        return [[Span(heading, "dim")], [Span(" no requests yet", "dim")]]
    return [[Span(heading, "dim")], *(_request(line, columns, n_cells) for line in lines)]


def _request(line: RequestLine, columns: Sequence[_Column], n_cells: int) -> Row:
    request = _fitted(_clean(f"{line.method} {line.path}"), n_cells)
    status, *values = (column.value(line).rjust(column.n_cells) for column in columns)
    return [
        Span(f" {line.time:%H:%M:%S}  ", "dim"),
        Span(request),
        Span(status, _colour_of(line.status)),
        Span("".join(values)),
    ]


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


def _clean(text: str) -> str:
    return harmless(text).translate(_LINE_ENDS)


def _fitted(text: str, n_cells: int) -> str:
    """Return the text as wide as that, with an ellipsis where it was cut."""
    if cell_len(text) <= n_cells:
        return set_cell_size(text, n_cells)
    return set_cell_size(text, n_cells - 1) + "…" if n_cells > 0 else ""


def _cropped(row: Row, n_cells: int) -> Row:
    """Return what fits; without blanks at the end, which a narrower window would wrap."""
    cropped: Row = []
    for span in row:
        n_free = n_cells - sum(cell_len(before.text) for before in cropped)
        text = span.text if cell_len(span.text) <= n_free else _fitted(span.text, n_free)
        cropped.append(span._replace(text=text))
    while cropped and not cropped[-1].text.rstrip():
        cropped.pop()
    if cropped:
        cropped[-1] = cropped[-1]._replace(text=cropped[-1].text.rstrip())
    return cropped


def _painted(row: Row, has_colour: bool) -> str:
    return "".join(_in_style(span, has_colour) for span in row)


def _in_style(span: Span, has_colour: bool) -> str:
    style = Style.parse(span.style)
    seen = style if has_colour else style.without_color
    return seen.render(span.text, color_system=ColorSystem.STANDARD)


def _frame(rows: list[str]) -> bytes:
    """Return what shows the rows in the place of those before."""
    return f"{BEGIN_FRAME}{painted(rows)}{END_FRAME}".encode(errors="replace")
