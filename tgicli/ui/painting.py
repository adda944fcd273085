"""Paint rows over and over at one place. Used by the Markdown view's region and the server's panel.

Turns rows into text for the terminal; writes nothing. The cursor rests at the beginning of the
rows, so that the next frame finds it also when a resized window has wrapped the lines anew.
"""

from __future__ import annotations

from collections.abc import Sequence

# A terminal that knows synchronized output (mode 2026) shows a frame at once; the others ignore it.
BEGIN_FRAME, END_FRAME = "\x1b[?2026h\r", "\x1b[?2026l"
# NOTE: tmux moves the screen to the scrollback when it is erased from its first cell on.
ERASE_BELOW = "\x1b[K\x1b[C\x1b[J\r"

_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
# A line is erased before it is written: after a row of full width, some terminals would erase its
# last character.
_ERASE_LINE = "\x1b[K"
# We count a row as one, also where terminal and Rich differ about a character's width (emoji).
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"


def painted(rows: Sequence[str]) -> str:
    """Return what paints the rows where the cursor is, and goes back there."""
    if not rows:
        return ERASE_BELOW
    above = "".join(f"{_ERASE_LINE}{row}\r\n" for row in rows[:-1])
    up = f"\x1b[{len(rows) - 1}A" if above else ""
    shown = f"{_NO_WRAP}{above}{ERASE_BELOW}{rows[-1]}{_WRAP}"
    return f"{_HIDE_CURSOR}{shown}\r{up}{_SHOW_CURSOR}"
