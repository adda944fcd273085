"""What a model thinks before its answer: to stderr, nowhere, or to where the answer goes.

Fed with events on the event loop, before the answer's own sink. Thoughts that come once the answer
has begun are kept for its end: a drawn answer and they would paint over each other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Protocol

from tgicli.cli.output import Output
from tgicli.core import Delta, Finish, Token
from tgicli.ui.terminal import Terminal, harmless
from tgicli.wire.answers import END

if TYPE_CHECKING:
    from tgicli.cli.output import Sink

_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


class Wishes(Protocol):
    """What an answer's options say that matters here."""

    @property
    def output(self) -> Output:
        """What is written to stdout."""
        ...

    @property
    def reasoning(self) -> Literal["show", "hide", "stdout"]:
        """Where thoughts go."""
        ...

    @property
    def quiet(self) -> bool:
        """Whether stderr gets as little as possible."""
        ...


class ReasoningSink:
    """Takes the thoughts out of an answer's events."""

    def __init__(self, sink: Sink, options: Wishes, terminal: Terminal) -> None:
        self._sink = sink
        self._terminal = terminal
        self._is_json = options.output is Output.JSON
        self._is_joined = options.reasoning == "stdout"
        self._is_shown = options.reasoning == "show" and not options.quiet
        self._has_answered = False
        self._shown = ""  # the last piece of thoughts on stderr that no line break ends
        self._late: list[str] = []

    def write(self, event: Delta | Finish) -> None:
        """Take the next event."""
        if not any(token.reasoning for token in event.tokens):
            self._write_answer(event)
        elif self._is_joined:
            self._write_answer(replace(event, tokens=tuple(map(self._joined, event.tokens))))
        else:
            self._show("".join(token.text for token in event.tokens if token.reasoning))
            rest = tuple(token for token in event.tokens if not token.reasoning)
            if rest or isinstance(event, Finish):  # whoever takes an answer in waits for its end
                self._write_answer(replace(event, tokens=rest or (END,)))

    def close(self) -> None:
        """Show for good what is not shown yet."""
        self._end_thoughts()
        self._sink.close()
        if self._late:
            self._has_answered = False
            self._show("".join(self._late))
            self._end_thoughts()

    def _joined(self, token: Token) -> Token:
        """Return a thought as a part of the text; in JSON as a token that is not."""
        return replace(token, reasoning=False, special=self._is_json) if token.reasoning else token

    def _write_answer(self, event: Delta | Finish) -> None:
        if event.text:
            self._end_thoughts()
            self._has_answered = True
        self._sink.write(event)

    def _show(self, text: str) -> None:
        if not self._is_shown:
            return
        if self._has_answered:
            self._late.append(text)
            return
        self._shown = text
        if self._terminal.stderr_is_terminal:
            text = harmless(text)
        if self._terminal.stderr_has_colour:
            text = f"{_DIM}{text}{_PLAIN}"
        self._terminal.write_stderr(text.encode("utf-8", errors="replace"))

    def _end_thoughts(self) -> None:
        """End the thoughts' last line, and leave one blank before an answer below."""
        if self._shown:
            self._terminal.write_stderr(b"\n" if self._shown.endswith("\n") else b"\n\n")
        self._shown = ""
