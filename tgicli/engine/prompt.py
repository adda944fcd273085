"""A request's prompt to token ids, and the check that it fits.

Called on the event loop (or a worker thread for a long prompt) before a sequence is submitted, so
that a refusal comes before the first token. Never touches the context.

Only a chat template writes control tokens into a conversation. Where their texts stand in what a
user or a tool says, they are tokenised as any other text, so that a file about chat templates is
read to its end, and a web page can't speak as the system. A prompt without a template is the
caller's own, and may have them.
"""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from tgicli.core import GenerationRequest, Message, Tool
from tgicli.engine.model import Model
from tgicli.errors import ContextOverflow, RequestError, TemplateFailed

if TYPE_CHECKING:
    from tgicli.engine.chat import ChatTemplate

BREAK = "\ufdd0"  # a noncharacter, where a text is cut for the tokeniser
N_REMEMBERED = 4  # prompts: each is asked for its length first, and best_of asks again and again


class PromptEncoder:
    """Encode prompts for one model. From any thread."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._template: ChatTemplate | None = None  # parsed when first used
        self._ids = functools.lru_cache(N_REMEMBERED)(self._to_ids)

    def encode(self, request: GenerationRequest) -> list[int]:
        """Return the prompt's token ids, the last `truncate` of them.

        Raises:
            RequestError: there are none to go on from, or the template refuses the messages.
        """
        ids = self._ids(request.prompt, request.tools, request.continues, request.reuse_key)
        if not ids and request.generates:
            raise RequestError("the prompt is empty: it has no tokens")
        return list(ids) if request.truncate is None else ids[-request.truncate :]

    def _to_ids(
        self,
        prompt: str | tuple[Message, ...],
        tools: tuple[Tool, ...],
        continues: bool,
        reuse_key: str,
    ) -> list[int]:
        """Encode; the key keeps apart who is to notice nothing of each other."""
        if isinstance(prompt, str):
            return self.model.tokenize(prompt, add_special=True)
        messages = tuple(map(self._spelled_out, prompt))
        first, *rest = self._render(messages, tools, continues).split(BREAK)
        ids = self.model.tokenize(first, add_special=False)
        for part in rest:
            ids += self._tokenize_behind(part)
        return ids

    def _tokenize_behind(self, part: str) -> list[int]:
        """Return the ids of a text that goes on: a SentencePiece vocabulary begins with a blank."""
        line_end = self.model.tokenize("\n", add_special=False)
        ids = self.model.tokenize(f"\n{part}", add_special=False)
        if ids[: len(line_end)] != line_end:  # they are one token
            return self.model.tokenize(part, add_special=False)
        return ids[len(line_end) :]

    def _spelled_out(self, message: Message) -> Message:
        """Return a message with a break in each text that would be taken for a control token."""
        if message.role == "assistant":  # a model said it, which may have written some
            return message
        content = message.content
        while texts := self._control_texts(content):
            pattern = "|".join(map(re.escape, sorted(texts, key=len, reverse=True)))
            content = re.sub(pattern, lambda found: f"{found[0][0]}{BREAK}{found[0][1:]}", content)
        return replace(message, content=content)

    def _control_texts(self, content: str) -> set[str]:
        """Return the texts of control tokens that would be recognised."""
        texts = set()
        for part in set(content.split(BREAK)):
            for token_id in set(self.model.tokenize(part, add_special=False)):
                piece = self.model.piece(token_id)
                text = piece.data.decode("utf-8", "replace")
                if piece.special and len(text) > 1 and text in part:
                    texts.add(text)
        return texts

    def render(self, request: GenerationRequest) -> str:
        """Return the prompt's text: messages as the model's own template writes them.

        Raises:
            TemplateFailed: there is no template, or it refuses the messages.
        """
        if isinstance(request.prompt, str):
            return request.prompt
        return self._render(request.prompt, request.tools, request.continues)

    def _render(
        self, messages: tuple[Message, ...], tools: tuple[Tool, ...], continues: bool
    ) -> str:
        if self._template is None:
            self._template = self._parse_template()
        return self._template.render(messages, tools=tools, continues=continues)

    def _parse_template(self) -> ChatTemplate:
        from tgicli.engine.chat import ChatTemplate  # jinja2 takes 90 ms, and --no-chat needs none

        source = self.model.chat_template
        if source is None:
            raise TemplateFailed(
                f"{self.model.path.name} has no chat template",
                aside="use --no-chat to send the prompt as it is",
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
    advice, aside = "shorten it", "or keep its end with --truncate N, or raise --ctx-size"
    if room >= 1:
        advice, aside = (
            f"that leaves room for {room:,}",
            "lower --max-new-tokens, or raise --ctx-size",
        )
    wanted = "" if max_new_tokens is None else f" and {max_new_tokens:,} more are wanted"
    raise ContextOverflow(
        f"the prompt has {n_prompt:,} tokens{wanted}, the context holds {n_ctx:,}; {advice}",
        aside=aside,
    )
