"""A request's prompt to token ids, and the check that it fits.

Called on the event loop (or a worker thread for a long prompt) before a sequence is submitted, so
that a refusal comes before the first token. Never touches the context.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tgicli.core import GenerationRequest, Message
from tgicli.engine.model import Model
from tgicli.errors import ContextOverflow, RequestError

if TYPE_CHECKING:
    from tgicli.engine.chat import ChatTemplate


@dataclass(slots=True)
class PromptEncoder:
    """Encode prompts for one model."""

    model: Model
    _template: ChatTemplate | None = None  # parsed when first used
    _last: tuple[str | tuple[Message, ...], list[int]] | None = None  # best_of asks again and again

    def encode(self, request: GenerationRequest) -> list[int]:
        """Return the prompt's token ids, the last `truncate` of them.

        Raises:
            RequestError: there are none, or the template refuses the messages.
        """
        if self._last is None or self._last[0] != request.prompt:
            self._last = request.prompt, self._to_ids(request.prompt)
        ids = self._last[1]
        if not ids:
            raise RequestError("the prompt is empty: it has no tokens")
        return list(ids) if request.truncate is None else ids[-request.truncate :]

    def _to_ids(self, prompt: str | tuple[Message, ...]) -> list[int]:
        if isinstance(prompt, str):
            return self.model.tokenize(prompt, add_special=True)
        return self.model.tokenize(self.render(prompt), add_special=False)

    def render(self, messages: Sequence[Message]) -> str:
        """Return the prompt text that the model's own template makes of messages."""
        if self._template is None:
            self._template = self._parse_template()
        return self._template.render(messages)

    def _parse_template(self) -> ChatTemplate:
        from tgicli.engine.chat import ChatTemplate  # jinja2 takes 90 ms, and --no-chat needs none

        source = self.model.chat_template
        if source is None:
            raise RequestError(
                f"{self.model.path.name} has no chat template; "
                f"use --no-chat to send the prompt as it is"
            )
        return ChatTemplate(source, bos=self.model.bos, eos=self.model.eos)


def room_for_answer(n_prompt: int, max_new_tokens: int | None, n_ctx: int) -> int:
    """Return how many tokens may be generated.

    Raises:
        ContextOverflow: prompt and wanted tokens do not fit.
    """
    room = n_ctx - n_prompt
    if max_new_tokens is None and room >= 1:
        return room
    if max_new_tokens is not None and room >= max_new_tokens:
        return max_new_tokens
    wanted = "" if max_new_tokens is None else f" and {max_new_tokens:,} more are wanted"
    raise ContextOverflow(
        f"the prompt has {n_prompt:,} tokens{wanted}, the context holds {n_ctx:,}; "
        f"shorten the prompt, keep its end with --truncate N, or raise --ctx-size"
    )
