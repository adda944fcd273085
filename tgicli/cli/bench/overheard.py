"""A backend whose answers somebody reads along, for showing. Used in the load's process."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from tgicli.core import (
    Backend,
    BackendStats,
    Delta,
    Event,
    Finish,
    GenerationRequest,
    ModelInfo,
    TokenizedPrompt,
)

EVERY_S = 0.1  # more often nobody reads


class Overheard:
    """Passes everything on, and tells the text so far now and then."""

    def __init__(self, backend: Backend, on_text: Callable[[str], None]) -> None:
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

    async def tokenize(self, request: GenerationRequest) -> TokenizedPrompt:
        """As the backend's."""
        return await self._backend.tokenize(request)

    async def count_tokens(self, request: GenerationRequest) -> int | None:
        """As the backend's."""
        return await self._backend.count_tokens(request)

    async def info(self) -> ModelInfo:
        """As the backend's."""
        return await self._backend.info()

    def stats(self) -> BackendStats:
        """As the backend's."""
        return self._backend.stats()

    async def health(self) -> bool:
        """As the backend's."""
        return await self._backend.health()

    async def aclose(self) -> None:
        """As the backend's."""
        await self._backend.aclose()
