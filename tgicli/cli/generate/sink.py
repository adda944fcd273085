"""Where an answer goes: to a view as text or to stdout as JSON, token by token or whole at the end.

Chosen once, then fed with events on the event loop. Nothing here waits for a slow reader:
`streaming` does, between two events, and the engine never.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tgicli.cli.generate.options import GenerateOptions
from tgicli.cli.output import Output, Sink
from tgicli.core import Delta, Finish, Run, Token, visible_text
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.ui.live import View


def open_sink(options: GenerateOptions, terminal: Terminal) -> Sink:
    """Choose the sink that the options name."""
    sink = _open_answer_sink(options, terminal)
    if options.remote is None:
        return sink
    from tgicli.cli.reasoning import ReasoningSink

    return ReasoningSink(sink, options, terminal)


def _open_answer_sink(options: GenerateOptions, terminal: Terminal) -> Sink:
    if options.output is Output.JSON:
        sink: Sink = _Json(terminal) if options.stream else _WholeJson(terminal, options.details)
        return sink
    from tgicli.ui.live import open_view

    view = open_view(
        terminal,
        markdown=options.output is not Output.PLAIN,
        raw=options.output is Output.RAW,
    )
    text = _Text(view, special=options.special)
    return text if options.stream else _Whole(text)


class _Text:
    """The answer's text, as it comes."""

    def __init__(self, view: View, *, special: bool) -> None:
        self._view = view
        self._to_text = _every_text if special else visible_text

    def write(self, event: Delta | Finish) -> None:
        if text := self._to_text(event.tokens):
            self._view.append(text)

    def close(self) -> None:
        self._view.close()


def _every_text(tokens: Iterable[Token]) -> str:
    return "".join(token.text for token in tokens)


class _Whole:
    """The answer's text, at the end; nothing of one that did not come to its end."""

    def __init__(self, text: _Text) -> None:
        self._text = text
        self._tokens: tuple[Token, ...] = ()

    def write(self, event: Delta | Finish) -> None:
        self._tokens += event.tokens
        if isinstance(event, Finish):
            self._text.write(Delta(self._tokens))

    def close(self) -> None:
        self._text.close()


class _Json:
    """One JSON object a token and line, as TGI streams them."""

    def __init__(self, terminal: Terminal) -> None:
        from tgicli.wire.tgi import StreamEncoder

        self._terminal = terminal
        self._encoder = StreamEncoder()

    def write(self, event: Delta | Finish) -> None:
        lines = [line + b"\n" for line in self._encoder.encode(event)]
        self._terminal.offer_stdout(b"".join(lines))

    def close(self) -> None:
        """Each line is written when it comes."""


class _WholeJson:
    """The whole answer as one JSON object, as TGI's /generate gives it."""

    def __init__(self, terminal: Terminal, details: bool) -> None:
        self._terminal = terminal
        self._details = details
        self._tokens: tuple[Token, ...] = ()

    def write(self, event: Delta | Finish) -> None:
        self._tokens += event.tokens
        if isinstance(event, Finish):
            from tgicli.wire.tgi import encode_answer

            line = encode_answer(Run(self._tokens, event), details=self._details)
            self._terminal.offer_stdout(line + b"\n")

    def close(self) -> None:
        """An answer that did not come to its end has no JSON."""
