"""Show an answer while it is generated, on a terminal or in a pipe.

Commands call `open_view` once and then only `append` and `close`, from one thread. In a pipe the
answer is its bytes and nothing else. No view waits for a slow reader: whoever appends awaits
`Terminal.drain_stdout`. Rich is loaded for the Markdown view alone.
"""

from __future__ import annotations

import io
from typing import Protocol

from tgicli.ui.terminal import Terminal, harmless


class View(Protocol):
    """Where the text of one answer goes."""

    def append(self, text: str) -> None:
        """Show more of the answer.

        Raises:
            BrokenPipeError: nobody reads it any more.
            StreamBroken: it can't be written.
        """
        ...

    def close(self) -> None:
        """Show what isn't shown yet, for good; also after an interrupt. Raises as append does."""
        ...


def open_view(terminal: Terminal, *, markdown: bool, raw: bool) -> View:
    """Choose how an answer is shown. What is not a terminal gets it raw."""
    if raw or not terminal.stdout_is_terminal:
        return RawView(terminal)
    if not markdown or terminal.is_dumb:
        return PlainView(terminal)
    from tgicli.ui.markdown import MarkdownView

    return MarkdownView(terminal).start()


class RawView:
    """The answer's own bytes in UTF-8, each piece at once."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def append(self, text: str) -> None:
        """Write the text as it is."""
        self._terminal.offer_stdout(text.encode("utf-8", errors="replace"))

    def close(self) -> None:
        """Write nothing: the answer is complete as it is."""


class PlainView:
    """The text as it comes, made harmless; the terminal breaks its lines."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._newlines = io.IncrementalNewlineDecoder(None, translate=True)
        self._ends_line = True

    def append(self, text: str) -> None:
        """Write the text, with control characters made visible."""
        self._write(self._newlines.decode(text))

    def close(self) -> None:
        """End the last line."""
        self._write(self._newlines.decode("", final=True))
        if not self._ends_line:
            self._write("\n")

    def _write(self, text: str) -> None:
        if text:
            self._terminal.offer_stdout(harmless(text).encode("utf-8", errors="replace"))
            self._ends_line = text.endswith("\n")
