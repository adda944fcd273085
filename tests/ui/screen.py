"""A terminal window with scrollback for tests: pyte, resized as real windows are.

pyte forgets lines when it is resized. Real terminals keep them, and do one of two things with lines
that became too wide: wrap them anew (tmux, VTE, kitty, iTerm2) or leave them alone (xterm).
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import pyte
import pyte.modes
import pyte.screens


class Line(NamedTuple):
    """A row of cells; a character of two cells leaves the second one empty."""

    cells: list[Any]
    goes_on: bool = False  # wrapped by the terminal from the row above


class Window(pyte.HistoryScreen):  # type: ignore[misc]  # pyte has no types
    """What a person sees, and what scrolled out above."""

    def __init__(self, columns: int, lines: int, *, reflows: bool = True) -> None:
        super().__init__(columns, lines, history=100_000)
        self.reflows = reflows
        self.n_writes = 0
        self._stream = pyte.ByteStream(self)

    @property
    def size(self) -> os.terminal_size:
        return os.terminal_size((self.columns, self.lines))

    def write(self, data: bytes) -> None:
        self.n_writes += bool(data)
        self._stream.feed(data)

    def everything(self) -> list[str]:
        """Return the lines of scrollback and screen, without blanks at their ends."""
        rows = [_text(line) for _, line in _unwrapped(self._grid())]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def screen_rows(self) -> list[str]:
        return [_text(line) for line in self._grid()[-self.lines :]]

    def draw(self, data: str) -> None:
        for (
            character
        ) in data:  # pyte drops what follows a character without width, such as a joiner
            wraps = self.cursor.x == self.columns and pyte.modes.DECAWM in self.mode
            super().draw(character)
            if wraps:
                self.buffer[self.cursor.y].goes_on = True

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        super().erase_in_line(how, private)
        if self.cursor.x == 0:
            self._forget(self.cursor.y, self.cursor.y + 1)

    def erase_in_display(self, how: int = 0, *args: Any, **kwargs: Any) -> None:
        if (self.cursor.y, self.cursor.x) == (0, 0):  # tmux saves what would be lost
            self.history.top.extend(self.buffer[y] for y in range(self.lines))
        super().erase_in_display(how, *args, **kwargs)
        self._forget(self.cursor.y + 1, self.lines)

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Resize as tmux does: the height, then the width; the cursor stays on its character."""
        self._resize_height(lines or self.lines)
        if columns and columns != self.columns:
            self._resize_width(columns)

    def _resize_height(self, lines: int) -> None:
        # Rows below the cursor make room; when there are none, rows above go to the scrollback.
        y = len(self.history.top) + self.cursor.y
        grid = self._grid()
        bottom = max(y + 1, min(len(grid), len(self.history.top) + lines))
        self.lines = lines
        self._show(grid[:bottom], y, self.cursor.x)

    def _resize_width(self, columns: int) -> None:
        y, x = len(self.history.top) + self.cursor.y, self.cursor.x
        grid = self._grid()
        self.columns = columns
        if self.reflows:
            grid, y, x = _rewrapped(grid, y, x, columns)
        self._show(grid, y, min(x, columns - 1))

    def _grid(self) -> list[Line]:
        rows = [*self.history.top, *(self.buffer[y] for y in range(self.lines))]
        return [_line(row) for row in rows]

    def _show(self, grid: list[Line], y: int, x: int) -> None:
        """Show the end of the grid; a cursor that was pushed out stays at the top, as in tmux."""
        top = max(len(grid) - self.lines, 0)
        rows = [self._row(line) for line in grid]
        self.history.top.clear()
        self.history.top.extend(rows[:top])
        self.buffer.clear()
        self.buffer.update(enumerate(rows[top:]))
        self.set_margins()
        self.cursor.y, self.cursor.x = (y - top, x) if y >= top else (0, 0)

    def _row(self, line: Line) -> Any:
        row = pyte.screens.StaticDefaultDict(self.default_char)
        row.update(enumerate(line.cells))
        row.goes_on = line.goes_on
        return row

    def _forget(self, begin: int, end: int) -> None:
        """Erase rows whole: also what a narrower window hides, and that they were wrapped."""
        for y in range(begin, end):
            self.buffer.pop(y, None)


def _line(row: Any) -> Line:
    cells = [row[x] for x in range(max(row, default=-1) + 1)]
    while cells and cells[-1].data == " ":
        cells.pop()
    return Line(cells, getattr(row, "goes_on", False))


def _text(line: Line) -> str:
    return "".join(cell.data for cell in line.cells).rstrip()


def _rewrapped(grid: list[Line], y: int, x: int, columns: int) -> tuple[list[Line], int, int]:
    """Wrap all lines for so many columns; return them and where the cursor is then."""
    wrapped: list[Line] = []
    cursor = (0, 0)
    for i, joined in _unwrapped(grid):
        parts = list(_parts(joined.cells, columns))
        if i <= y:
            n_before = sum(len(line.cells) for line in grid[i:y]) + x
            cursor = (len(wrapped) + n_before // columns, n_before % columns)
        wrapped += [Line(part, goes_on=n > 0) for n, part in enumerate(parts)]
    while len(wrapped) > cursor[0] + 1 and not wrapped[-1].cells:
        wrapped.pop()
    return wrapped, *cursor


def _unwrapped(grid: list[Line]) -> list[tuple[int, Line]]:
    """Join what the terminal had wrapped; with each line comes its first row."""
    lines: list[tuple[int, Line]] = []
    for i, line in enumerate(grid):
        if line.goes_on and lines:
            lines[-1][1].cells.extend(line.cells)
        else:
            lines.append((i, Line(list(line.cells))))
    return lines


def _parts(cells: list[Any], columns: int) -> list[list[Any]]:
    parts: list[list[Any]] = [[]]
    for n, cell in enumerate(cells):
        is_wide = n + 1 < len(cells) and cells[n + 1].data == ""
        if cell.data != "" and len(parts[-1]) + 1 + is_wide > columns:
            parts.append([])
        parts[-1].append(cell)
    return parts
