"""Token bytes to safe text: whole characters only, and nothing of a stop string.

Called by Sequence on the engine thread, one Detokenizer each. Pure: knows bytes, no vocabulary and
no llama.cpp; the runner looks the bytes up.

The bytes are the pieces of `llama_token_to_piece(vocab, id, lstrip=0)` as they are: what llama.cpp
prints in its own programs. A piece does not depend on its neighbours in any vocabulary:
    SPM, UGM, WPM   "▁" is a space and <0xNN> its byte. An answer may start with a space and keeps
                    it: only `llama_detokenize` strips one, at the start of a whole text.
    BPE, RWKV       the bytes that the token stands for; the space before a word belongs to it.
    control tokens  are no part of the answer: Sequence leaves them out, so they release nothing.
    `tokenizer.ggml.add_space_prefix` and clean_up_tokenization_spaces do not apply to pieces.

Invariants
    bytes split anywhere give the same text, Python's `decode("utf-8", "replace")` of the whole; but
        a character that the end cuts off is dropped
    the answer ends before the leftmost match of a stop string, however the pieces cut it
    only an unfinished character, and what may still belong to a stop string, is held back
"""

from __future__ import annotations

from dataclasses import replace
from encodings.utf_8 import IncrementalDecoder

from tgicli.core import Token


class Detokenizer:
    """Turn one sequence's token bytes into text that may be shown at once."""

    def __init__(self, stop: tuple[str, ...] = ()) -> None:
        self.stopped = False  # a stop string was found: nothing will be released any more
        self._decoder = IncrementalDecoder("replace")
        self._root = _build(stop) if stop else None
        self._node = self._root
        self._held = ""  # not released; ends with what self._node stands for
        self._cut: int | None = None  # where in _held a match starts that an earlier one may beat

    @property
    def holds(self) -> bool:
        """Whether a part of what was pushed is undecided: a later token will release or drop it."""
        return not self.stopped and bool(self._held or self._decoder.buffer)

    def push(self, piece: bytes) -> str:
        """Return the text that this token releases; empty after a stop string."""
        text = self._decoder.decode(piece)
        if self.stopped:
            return ""
        if self._node is None:
            return text
        if self._node is self._root and self._root.children.keys().isdisjoint(text):
            return text
        return self._scan(self._node, text)

    def finish(self) -> str:
        """Return what is held at the end: it can't become a stop string any more."""
        if self._cut is not None:
            return self._stop_at(self._cut)
        held, self._held = self._held, ""
        return held

    def _scan(self, node: _Node, text: str) -> str:
        """Follow the text through the automaton and release what is decided."""
        n_seen = len(self._held)
        self._held += text
        for end, character in enumerate(text, n_seen + 1):
            node = node.follow(character)
            if node.n_matched and (self._cut is None or end - node.n_matched < self._cut):
                self._cut = end - node.n_matched
            # A match that starts further left may still complete, and then it is the one.
            if self._cut is not None and self._cut <= end - node.depth:
                return self._stop_at(self._cut)
        self._node = node
        return self._release(len(self._held) - node.depth)

    def _release(self, count: int) -> str:
        released, self._held = self._held[:count], self._held[count:]
        if self._cut is not None:
            self._cut -= count
        return released

    def _stop_at(self, position: int) -> str:
        self.stopped = True
        before, self._held, self._cut = self._held[:position], "", None
        return before


def add_to_last_text(tokens: list[Token], rest: str) -> None:
    """Put what finish() returned on the last token that has a text of its own."""
    if rest:
        index = max(i for i, token in enumerate(tokens) if token.is_answer)
        tokens[index] = replace(tokens[index], text=tokens[index].text + rest)


class _Node:
    """A beginning of stop strings; together they are an automaton (Aho and Corasick, 1975)."""

    __slots__ = ("children", "depth", "fallback", "n_matched")

    def __init__(self, depth: int = 0) -> None:
        self.depth = depth  # characters from the root
        self.children: dict[str, _Node] = {}
        self.fallback: _Node | None = None  # the longest proper suffix that is a beginning too
        self.n_matched = 0  # length of the longest stop string that ends here; 0: none

    def follow(self, character: str) -> _Node:
        """Return the longest beginning that the text up to this character ends with."""
        node: _Node = self
        while (child := node.children.get(character)) is None:
            if node.fallback is None:
                return node
            node = node.fallback
        return child


def _build(stop: tuple[str, ...]) -> _Node:
    root = _Node()
    for string in stop:
        _insert(root, string)
    nodes = [root]
    for node in nodes:  # grows while it is read: shallow nodes first, as fallbacks are shallower
        for character, child in node.children.items():
            child.fallback = node.fallback.follow(character) if node.fallback else root
            child.n_matched = child.n_matched or child.fallback.n_matched
            nodes.append(child)
    return root


def _insert(root: _Node, string: str) -> None:
    assert string, "SamplingParams refuses empty stop strings"
    node = root
    for character in string:
        node = node.children.setdefault(character, _Node(node.depth + 1))
    node.n_matched = len(string)
