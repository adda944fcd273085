"""Answers that somebody reads along, for showing. Used in the load's process."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from tgicli.bench.ask_options import Answering
from tgicli.core import Delta, Event, Finish, GenerationRequest

EVERY_S = 0.1  # more often nobody reads


class Overheard:
    """Passes answers on, and tells the text so far now and then."""

    def __init__(self, backend: Answering, on_text: Callable[[str], None]) -> None:
        self._backend = backend
        self._on_text = on_text

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """Stream the backend's answer."""
        text, next_s = "", 0.0
        async with aclosing(self._backend.generate(request)) as events:
            async for event in events:
                yield event
                if isinstance(event, Delta | Finish):
                    text += event.text
                    if time.monotonic() >= next_s:
                        next_s = time.monotonic() + EVERY_S
                        self._on_text(text)
