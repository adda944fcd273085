"""Keep the keyboard quiet while an answer is painted.

Used by `chat` around a whole conversation, on the main thread. What is typed meanwhile would be
echoed into the answer; so it is not shown, and waits for the next question. Ctrl-C and Ctrl-Z work.
"""

from __future__ import annotations

import contextlib
import termios
from collections.abc import Iterator

from tgicli.ui.terminal import Terminal

_LOCAL, _INPUT, _CHARACTERS = 3, 0, 6  # places in what tcgetattr returns


@contextlib.contextmanager
def quiet_keyboard(terminal: Terminal) -> Iterator[None]:
    """Show nothing that is typed, for the length of a block. stdin must be a terminal."""
    assert terminal.stdin is not None
    fd = terminal.stdin.fileno()
    before = termios.tcgetattr(fd)
    quiet = termios.tcgetattr(fd)
    quiet[_LOCAL] &= ~(termios.ECHO | termios.ICANON)
    quiet[_LOCAL] |= termios.NOFLSH  # Ctrl-C stops the answer, and not what is typed meanwhile
    quiet[_INPUT] &= ~termios.ICRNL  # Enter stays Enter until somebody reads it
    # In this mode the places of VEOF and VEOL may mean these: a read waits for one character.
    quiet[_CHARACTERS][termios.VMIN] = 1
    quiet[_CHARACTERS][termios.VTIME] = 0
    termios.tcsetattr(fd, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
