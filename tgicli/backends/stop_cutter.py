"""Cut an answer off before a stop string, where the server keeps it in the text, as TGI does.

Used by the remote backend on the event loop. The matching is the engine's; this carries its result
over to tokens that already have texts.
"""

from __future__ import annotations

from dataclasses import replace

from tgicli.core import Token
from tgicli.engine.detokenizer import Detokenizer, add_to_last_text


class StopCutter:
    """Watches one answer's tokens; holds them back while their texts may become a stop string."""

    def __init__(self, stop: tuple[str, ...]) -> None:
        self._texts = Detokenizer(stop)
        self._held: list[Token] = []

    @property
    def has_cut(self) -> bool:
        """Whether a stop string was found: the answer ends here."""
        return self._texts.stopped

    def push(self, tokens: tuple[Token, ...]) -> tuple[Token, ...]:
        """Return what may be given out, with the texts before a stop string."""
        for token in tokens:
            self._held.append(self._with_text(token))
            if self._texts.stopped:
                break
        return () if self._texts.holds else self._release()

    def close(self) -> tuple[Token, ...]:
        """Return what is held: it can't become a stop string any more."""
        add_to_last_text(self._held, self._texts.finish())
        return self._release()

    def _with_text(self, token: Token) -> Token:
        if not token.is_answer:
            return token
        return replace(token, text=self._texts.push(token.text.encode("utf-8", "replace")))

    def _release(self) -> tuple[Token, ...]:
        released, self._held = tuple(self._held), []
        return released
