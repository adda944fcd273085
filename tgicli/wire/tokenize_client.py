"""Questions about a prompt's tokens, as servers take them, and their answers. Pure.

TGI: /tokenize and /chat_tokenize. llama-server: /tokenize and /apply-template. vLLM: /tokenize.
llama_cpp.server: /extras/tokenize/count.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tgicli.core import GenerationRequest, PromptToken, TokenizedPrompt
from tgicli.wire.answers import read_json


class _PlacedToken(msgspec.Struct, frozen=True):
    id: int
    text: str
    start: int
    stop: int


class _TokenizedChat(msgspec.Struct, frozen=True):
    tokenize_response: list[_PlacedToken]
    templated_text: str


class _Piece(msgspec.Struct, frozen=True):
    id: int
    piece: str | list[int]  # bytes, where they are no whole characters


class _Pieces(msgspec.Struct, frozen=True):
    tokens: list[_Piece]


class _Templated(msgspec.Struct, frozen=True):
    prompt: str


class _Count(msgspec.Struct, frozen=True):
    count: int


_TOKENS = msgspec.json.Decoder(list[_PlacedToken])
_TOKENIZED_CHAT = msgspec.json.Decoder(_TokenizedChat)
_PIECES = msgspec.json.Decoder(_Pieces)
_TEMPLATED = msgspec.json.Decoder(_Templated)
_COUNT = msgspec.json.Decoder(_Count)


def encode_inputs(text: str) -> bytes:
    """Return a body of TGI's /tokenize."""
    return msgspec.json.encode({"inputs": text})


def encode_content(text: str) -> bytes:
    """Return a body of llama-server's /tokenize, which is to do as its routes that generate."""
    body = {"content": text, "add_special": True, "parse_special": True, "with_pieces": True}
    return msgspec.json.encode(body)


def encode_vllm(request: GenerationRequest, model: str | None) -> bytes:
    """Return a body of vLLM's /tokenize."""
    body: dict[str, Any] = {} if model is None else {"model": model}
    if isinstance(request.prompt, str):
        body["prompt"] = request.prompt
    else:
        body["messages"] = [{"role": m.role, "content": m.content} for m in request.prompt]
    return msgspec.json.encode(body)


def encode_input(text: str) -> bytes:
    """Return a body of llama_cpp.server's /extras/tokenize/count."""
    return msgspec.json.encode({"input": text})


def read_tokens(body: bytes, text: str) -> TokenizedPrompt:
    """Read the answer of TGI's /tokenize to a text."""
    return TokenizedPrompt(text, _placed(read_json(_TOKENS, body)))


def read_tokenized_chat(body: bytes) -> TokenizedPrompt:
    """Read the answer of TGI's /chat_tokenize."""
    read = read_json(_TOKENIZED_CHAT, body)
    return TokenizedPrompt(read.templated_text, _placed(read.tokenize_response))


def read_template(body: bytes) -> str:
    """Read the answer of llama-server's /apply-template."""
    return read_json(_TEMPLATED, body).prompt


def read_pieces(body: bytes, text: str) -> TokenizedPrompt:
    """Read the answer of llama-server's /tokenize; find where each piece stands in the text.

    A piece that does not stand there, such as a BOS token, is given no bytes of it.
    """
    data, position, tokens = text.encode(), 0, []
    for one in read_json(_PIECES, body).tokens:
        piece = one.piece.encode() if isinstance(one.piece, str) else bytes(one.piece)
        if not data.startswith(piece, position):
            piece = piece.removeprefix(b" ")  # which vocabularies put before the first word
        stop = position + (len(piece) if data.startswith(piece, position) else 0)
        shown = data[position:stop].decode("utf-8", "replace")
        tokens.append(PromptToken(one.id, shown, position, stop))
        position = stop
    return TokenizedPrompt(text, tuple(tokens))


def read_count(body: bytes) -> int:
    """Read the number of tokens that vLLM or llama_cpp.server tells."""
    return read_json(_COUNT, body).count


def _placed(tokens: list[_PlacedToken]) -> tuple[PromptToken, ...]:
    return tuple(PromptToken(token.id, token.text, token.start, token.stop) for token in tokens)
