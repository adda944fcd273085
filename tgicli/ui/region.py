"""Paint the unfinished end of an answer over and over, and print what is finished above it.

Called by the Markdown view, one thread at a time. Turns text into bytes for the terminal; writes
nothing itself, and reads no clock.

The cursor rests at the beginning of the unfinished part. A terminal keeps its cursor on the same
character when the window is resized and lines are wrapped anew, so a frame begins where the
unfinished part begins, however many rows that has become, and what is above stays. Rows that a
smaller window pushes out of the screen are above the cursor, and so are never unfinished.

Invariants
    a finished row is written once
    the unfinished part fits into the window, also when that is made half as wide
        (made narrower still, or while blank lines are below it in tmux, which keeps those, the
        window pushes some of it to the scrollback, where nothing can erase it)
"""

from __future__ import annotations

import io
import os

from tgicli.ui.blocks import Piece, Splitter
from tgicli.ui.painting import BEGIN_FRAME, END_FRAME, ERASE_BELOW, painted
from tgicli.ui.render import Renderer, Row
from tgicli.ui.terminal import harmless


class LiveRegion:
    """What a terminal shows of an answer, as bytes to write from frame to frame."""

    def __init__(self, *, has_colour: bool) -> None:
        self._newlines = io.IncrementalNewlineDecoder(None, translate=True)
        self._splitter = Splitter()
        self._renderer = Renderer(has_colour=has_colour)
        self._has_printed = False
        self._tail: list[Row] = []  # as painted
        self._size: os.terminal_size | None = None  # when it was painted

    @property
    def unfinished(self) -> str:
        """The text that is not printed for good."""
        return self._splitter.tail.source

    def forget(self) -> None:
        """Know that nothing of the unfinished part is painted any more."""
        self._tail, self._size = [], None

    def frame(self, text: str, size: os.terminal_size) -> bytes:
        """Add text; return what brings the screen up to date, empty when it is."""
        finished = self._feed(self._newlines.decode(text), size.columns)
        tail = _fitting(self._preview(size.columns), size)
        is_painted = tail == self._tail and (size == self._size or not tail)
        self._tail, self._size = tail, size
        return b"" if is_painted and not finished else _frame(finished, tail)

    def last_frame(self, text: str, size: os.terminal_size) -> bytes:
        """Add text; return what prints the rest for good and leaves the cursor below it."""
        finished = self._feed(self._newlines.decode(text, final=True), size.columns)
        finished += self._commit(self._splitter.close(), size.columns)
        return _frame(finished, []) if finished or self._tail else b""

    def _feed(self, text: str, n_columns: int) -> list[Row]:
        piece = self._splitter.feed(harmless(text))
        return self._commit(piece, n_columns) if piece else []

    def _commit(self, piece: Piece, n_columns: int) -> list[Row]:
        rows = self._spaced(piece, self._renderer.commit(piece, n_columns))
        self._has_printed |= bool(rows)
        return rows

    def _preview(self, n_columns: int) -> list[Row]:
        tail = self._splitter.tail
        return self._spaced(tail, self._renderer.preview(tail, n_columns))

    def _spaced(self, piece: Piece, rows: list[Row]) -> list[Row]:
        return [Row("", 0), *rows] if rows and piece.has_gap and self._has_printed else rows


def _fitting(rows: list[Row], size: os.terminal_size) -> list[Row]:
    """Return the last rows that fit into the window, also when it is made half as wide."""
    n_columns, n_free = max(size.columns // 2, 1), size.lines - 1
    for i, row in reversed(list(enumerate(rows))):
        n_free -= max(-(-row.n_cells // n_columns), 1)
        if n_free < 0:
            return rows[i + 1 :]
    return rows


def _frame(finished: list[Row], tail: list[Row]) -> bytes:
    """Return what prints rows where the cursor is, and paints the tail below them."""
    # All is erased before a row is printed: the window may be narrower than we know, and the row
    # wrap onto what is below. When only the tail is painted, row by row flickers less.
    erased = ERASE_BELOW if finished else ""
    printed = "".join(f"{row.text}\r\n" for row in finished)
    rows = painted([row.text for row in tail])
    return f"{BEGIN_FRAME}{erased}{printed}{rows}{END_FRAME}".encode(errors="replace")
