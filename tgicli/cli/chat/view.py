"""Where the answers of a conversation go: drawn on a terminal as `generate` draws them.

Used by `session` on the event loop. A blank line parts an answer from the next question; in a
pipe each answer ends with a newline, so that the next one does not run into it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tgicli.cli.chat.options import ChatOptions
from tgicli.cli.output import Output
from tgicli.core import Delta, Finish
from tgicli.ui.live import open_view
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.cli.output import Sink


def open_chat_view(options: ChatOptions, terminal: Terminal) -> Sink:
    """Open the place of one answer."""
    answer = _Answer(options, terminal)
    if options.remote is None:
        return answer
    from tgicli.cli.reasoning import ReasoningSink

    return ReasoningSink(answer, options, terminal)


class _Answer:
    """The answer's text, as it comes."""

    def __init__(self, options: ChatOptions, terminal: Terminal) -> None:
        self._terminal = terminal
        self._view = open_view(terminal, markdown=options.output is not Output.PLAIN, raw=False)
        self._last = ""

    def write(self, event: Delta | Finish) -> None:
        """Take the next event."""
        if text := event.text:
            self._view.append(text)
            self._last = text

    def close(self) -> None:
        """Show for good what is not shown yet."""
        self._view.close()
        if self._last and (self._terminal.stdout_is_terminal or not self._last.endswith("\n")):
            self._terminal.offer_stdout(b"\n")
