"""A conversation with a model in this process: its backend, and prompts that go on token by token.

Used by `run`. The KV cells of a question and its answer serve the next question, whose prompt
begins with both; but only where the tokens are the same. A model may write a word in other pieces
than a tokenizer cuts it into. So what was said is not cut anew: it is remembered as computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tgicli.backends.local import LocalBackend
from tgicli.cli.chat.session import Opened
from tgicli.cli.flags import LoadingFlags
from tgicli.cli.local import context_options
from tgicli.core import GenerationRequest, Token, visible_text
from tgicli.engine.model import Model
from tgicli.engine.prompt import PromptEncoder
from tgicli.errors import TemplateFailed


async def open_local(model: Model, flags: LoadingFlags) -> Opened:
    """Make a context for one conversation.

    Raises:
        ModelLoadError: there is no room for the context.
        TemplateFailed: it is not made for conversations.
    """
    if model.chat_template is None:
        raise TemplateFailed(
            f"{model.path.name} has no chat template, so it can't hold a conversation; "
            "use `tgicli generate`"
        )
    encoder = ContinuingEncoder(model)
    context = context_options(flags, model, n_prompt=0, max_new_tokens=None, n_lanes=1)
    backend = await LocalBackend.open(encoder, context)
    return Opened(backend, encoder.remember)


class _Said(NamedTuple):
    """The beginning of a conversation, as a template writes it and as it was computed."""

    text: str
    token_ids: tuple[int, ...]


class ContinuingEncoder(PromptEncoder):
    """Encodes a conversation that goes on with the tokens that its beginning was made of."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self._said: tuple[_Said, ...] = ()  # each begins with the one before

    def encode(self, request: GenerationRequest) -> list[int]:
        """Return the prompt's token ids."""
        text = self.render(request)
        for said in reversed(self._said):
            if text.startswith(said.text) and (rest := self._rest(text[len(said.text) :])):
                return [*said.token_ids, *rest]
        return super().encode(request)

    def _rest(self, text: str) -> list[int]:
        """Return the tokens of what was added; none where they would not spell just that.

        Some vocabularies put a space before whatever is tokenised by itself.
        """
        ids = self.model.tokenize(text, add_special=False)
        spelled = b"".join(self.model.piece(token_id).data for token_id in ids)
        return ids if spelled == text.encode("utf-8", "surrogateescape") else []

    def remember(self, request: GenerationRequest, answer: Sequence[Token]) -> None:
        """Keep an answer's tokens, up to where they are no longer its text exactly.

        That is the end of the answer, or before: at a stop string that was cut off, for example.
        """
        ids, text = _written(self.model, answer)
        said = _Said(self.render(request) + text, (*self.encode(request), *ids))
        before = (one for one in self._said if said.text.startswith(one.text))
        self._said = (*before, said)


def _written(model: Model, answer: Sequence[Token]) -> tuple[list[int], str]:
    """Return the first tokens of an answer that are its text exactly, and that text."""
    whole = visible_text(answer).encode()
    ids, data, n_ids, n_bytes = list[int](), b"", 0, 0
    for token in answer:
        piece = model.piece(token.id)
        data += piece.data
        if piece.special or not whole.startswith(data):
            break
        ids.append(token.id)
        if whole[len(data) : len(data) + 1] < b"\x80" or whole[len(data)] >= 0xC0:
            n_ids, n_bytes = len(ids), len(data)  # a character ends here
    return ids[:n_ids], whole[:n_bytes].decode()
