"""Rows of a terminal, as Rich's Text, brought to their width and to bytes.

Used by tables, plots and the bench's panels. Pure.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from rich.text import Text

from tgicli.ui.terminal import harmless

Row = Text  # what others call it, who do not import rich
_LINE_ENDS = str.maketrans({"\n": "␊", "\t": "␉"})


def clean(text: str) -> str:
    """Return words from elsewhere as one line that can't drive a terminal."""
    return harmless(text).translate(_LINE_ENDS)


def row(*spans: str | tuple[str, str]) -> Text:
    """Return a row of words, each with its style or without."""
    return Text.assemble(*spans, no_wrap=True, end="")


def fitted(text: str, n_cells: int) -> str:
    """Return the text in so many cells, with an ellipsis where it was cut."""
    fitting = Text(text if n_cells > 0 else "")
    fitting.truncate(max(n_cells, 1), overflow="ellipsis", pad=n_cells > 0)
    return fitting.plain


def cropped(rows: Iterable[Text], n_cells: int) -> list[Text]:
    """Return what fits; no row ends with blanks, which a narrower window would wrap."""
    shown = []
    for one in rows:
        fitting = one.copy()
        fitting.rstrip()
        fitting.truncate(max(n_cells, 1), overflow="ellipsis")
        fitting.rstrip()
        shown.append(fitting)
    return shown


def flowed(words: Sequence[str], n_cells: int, indent: int = 0, gap: str = "  ") -> list[str]:
    """Return lines of words that are never parted; a word that is too long has its own line."""
    lines = [""]
    for word in words:
        longer = f"{lines[-1]}{gap}{word}" if lines[-1] else word
        if cell_len(longer) + indent <= n_cells or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return [" " * indent + line for line in lines if line]


def beside(blocks: Sequence[Sequence[Text]], n_cells: int) -> list[Text]:
    """Return blocks of rows next to each other, each begun n_cells after the one before."""
    return [_joined(parts, n_cells) for parts in zip_longest(*blocks, fillvalue=row())]


def _joined(parts: Iterable[Text], n_cells: int) -> Text:
    joined = row()
    for i, part in enumerate(parts):
        joined = joined + row(" " * (i * n_cells - joined.cell_len)) + part
    return joined


def ansi(one: Text, *, has_colour: bool) -> str:
    """Return a row with its styles as a terminal reads them."""
    console = Console(file=io.StringIO(), width=max(one.cell_len, 1))
    parts = []
    for segment in one.render(console):
        style = segment.style or Style.null()
        seen = style if has_colour else style.without_color
        parts.append(seen.render(segment.text, color_system=ColorSystem.STANDARD))
    return "".join(parts)


def to_bytes(rows: Iterable[Text], *, is_styled: bool, has_colour: bool) -> bytes:
    """Return lines to write; where styles would be noise (a file, a pipe) there are none."""
    lines = (ansi(one, has_colour=has_colour) if is_styled else one.plain for one in rows)
    return "".join(f"{line}\n" for line in lines).encode(errors="replace")
