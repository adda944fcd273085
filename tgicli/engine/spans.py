"""Which bytes of a text each of its tokens stands for.

Called before admission, never on the engine thread. Pure but for the vocabulary's table of pieces.
"""

from __future__ import annotations

from tgicli.core import PromptToken
from tgicli.engine.model import Model


def spans(model: Model, text: str, token_ids: list[int]) -> tuple[PromptToken, ...]:
    """Return each token with the bytes [start, stop) of the text that it stands for.

    A token that is not written in the text, such as BOS, stands for nothing. SentencePiece puts a
    space before a text, which is not written either. A text that the vocabulary normalises may not
    hold a piece as it is: that token stands for nothing, too, and the next ones are searched on.
    """
    data, position, tokens = text.encode("utf-8", "surrogateescape"), 0, []
    for token_id in token_ids:
        piece = model.piece(token_id).data
        if position == 0 and not data.startswith(piece):
            piece = piece.removeprefix(b" ")
        stop = position + len(piece) if data.startswith(piece, position) else position
        part = data[position:stop].decode("utf-8", "replace")
        tokens.append(PromptToken(token_id, part, position, stop))
        position = stop
    return tuple(tokens)
