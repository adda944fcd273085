"""How requests of one load are asked, and who answers. For the attack and for single requests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from tgicli.bench.plan import Prompt
from tgicli.bench.record import Record
from tgicli.bench.recorder import Asked
from tgicli.core import Event, GenerationRequest, Message, SamplingParams

Ask = Callable[[Prompt, bool], Awaitable[Record]]
"""Asks a prompt, in pieces if the second argument says so, at temperature 0."""


class Answering(Protocol):
    """All that a load needs of a core.Backend."""

    def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """Stream the answer, as a backend does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AskOptions:
    """How all requests of one load are asked, and where their records belong."""

    chats: bool  # a plain prompt goes through the chat template
    ignore_eos: bool = True  # so that all answers are as long as was asked for
    streams: bool = True  # False: whole answers are asked for
    point: int = 0
    side: int = 0
    block: int = 0

    def to_asked(
        self,
        prompt: Prompt,
        request_id: str,
        *,
        index: int,
        sched_ns: int | None = None,
        is_first_wave: bool = False,
    ) -> Asked:
        """Return what asks a prompt, with all that its record is to tell of it."""
        return Asked(
            request=self._to_request(prompt, request_id),
            prompt=prompt,
            index=index,
            point=self.point,
            side=self.side,
            block=self.block,
            sched_ns=sched_ns,
            is_first_wave=is_first_wave,
        )

    def _to_request(self, prompt: Prompt, request_id: str) -> GenerationRequest:
        asked = prompt.prompt
        if self.chats and isinstance(asked, str):
            asked = (Message("user", asked),)
        params = SamplingParams(
            temperature=0,
            ignore_eos=self.ignore_eos,
            max_new_tokens=prompt.max_new_tokens,
        )
        return GenerationRequest(id=request_id, prompt=asked, params=params, streams=self.streams)
