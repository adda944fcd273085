"""Split growing Markdown into what is finished and what may still change.

Called by the live region, on the painter thread. Pure: knows no terminal, no Rich, no clock. It
has no grammar of its own: markdown-it says on which lines blocks begin, and CommonMark closes a
block for good when the next one begins.

Invariants
    only whole lines decide: after "foo", the line "```" opens a fence, "```x`" is more of foo
    the pieces, rendered one after the other, are the document rendered at once
    feeding costs the length of the tail, never of the document
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tgicli.ui.formulas import add_formulas


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Markdown that renders by itself: whole blocks, items of a list, or lines of a fence."""

    source: str
    continues: bool = False  # its first block began in the piece before
    has_gap: bool = True  # a blank line goes before it
    number: int | None = None  # of its first item, where an ordered list goes on


class Splitter:
    """Takes text as it comes, gives pieces as they finish."""

    def __init__(self) -> None:
        # The blocks are enough here; what is inside of them is the costly half.
        self._parser = new_parser().disable(["inline", "text_join"])
        self._tail = Piece(source="")

    @property
    def tail(self) -> Piece:
        """What may still change."""
        return self._tail

    def feed(self, text: str) -> Piece | None:
        r"""Add text, with \n at line ends; return what it finished."""
        self._tail = replace(self._tail, source=self._tail.source + text)
        return self._split() if "\n" in text else None

    def close(self) -> Piece:
        """Return the rest: nothing will change it any more."""
        rest, self._tail = self._tail, Piece(source="")
        return rest

    def _split(self) -> Piece | None:
        lines = self._tail.source.split("\n")
        tokens = self._parser.parse(_joined(lines[:-1]))  # the last line isn't whole
        blocks = [token for token in tokens if token.level == 0 and token.map]
        if not blocks:
            return None
        border, rest = self._border(lines, tokens, blocks)
        if border == 0:
            return None
        finished, self._tail = replace(self._tail, source=_joined(lines[:border])), rest
        return finished

    def _border(
        self, lines: list[str], tokens: list[Token], blocks: list[Token]
    ) -> tuple[int, Piece]:
        """Return how many lines are finished, and the rest.

        All blocks but the last are. Of the last,
        1. a list: all items but the last;
        2. a fence: its code up to the last line that is not blank (blanks at its end do not show);
        3. anything else: nothing.
        """
        last = blocks[-1]
        items = _items(tokens, last)
        if len(items) > 1:
            border = first_line(items[-1])
            goes_on = self._tail.number if len(blocks) == 1 else None
            return border, Piece(
                source="\n".join(lines[border:]),
                continues=True,
                has_gap=is_blank(lines[border - 1]),
                number=_number_of_last(items, goes_on),
            )
        begin = first_line(last)
        if (border := _end_of_code(lines, last)) > begin + 1:
            opening_and_rest = [lines[begin], *lines[border:]]
            return border, Piece(source="\n".join(opening_and_rest), continues=True, has_gap=False)
        return begin, Piece(source="\n".join(lines[begin:]))


def new_parser() -> MarkdownIt:
    """Return the Markdown that we read: CommonMark, tables, strikethrough and formulas.

    What is nested deeper than 50 levels isn't shown (Rich's limit is 20).
    """
    parser = MarkdownIt("commonmark", {"maxNesting": 50}).enable(["table", "strikethrough"])
    return add_formulas(parser)


def is_blank(line: str) -> bool:
    """Whether a line separates, also inside a quote."""
    return not line.strip(" \t>")


def first_line(token: Token) -> int:
    """Return the line, counted from 0, on which the token's block begins."""
    assert token.map is not None
    return token.map[0]


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _items(tokens: list[Token], block: Token) -> list[Token]:
    if not block.type.endswith("_list_open"):
        return []
    items = [token for token in tokens if token.level == 1 and token.type == "list_item_open"]
    return [item for item in items if first_line(item) >= first_line(block)]


def _number_of_last(items: list[Token], first: int | None) -> int | None:
    """Return the last item's number; the source's own counts for the list's first item only."""
    if not items[0].info:  # bullets
        return None
    return (int(items[0].info) if first is None else first) + len(items) - 1


def _end_of_code(lines: list[str], block: Token) -> int:
    """Return the line after the last finished line of a fence's code; 0 for other blocks."""
    if block.type != "fence":
        return 0
    end = first_line(block) + 1 + block.content.count("\n")
    while not lines[end - 1].strip():
        end -= 1
    return end
