"""Render a piece of Markdown to rows of a terminal.

Called by the live region, on the painter thread; the one place that knows Rich's Markdown, so
importing it is slow. Knows no cursor and no screen: a row is text with colours, nothing in it
moves.

What we show otherwise than Rich does
    code      no background and no padding: a narrowed window and a copied line stay clean; a
              finished line that is too long is wrapped by the terminal, so it is copied as one
    lists     a blank line between items, and inside of one, where the source has one; "1." for "1"
    quotes    a blank line where the source has one
    lines     a line break is kept, where Rich joins lines: models end lines on purpose
    HTML      shown as written, where Rich drops it; <br> breaks the line, <kbd>...</kbd> is bold
    formulas  as written, where CommonMark takes backslashes and stars from them
    tables    a long word is folded, where Rich cuts it off; no blank lines around
    links     with the address, so that an answer can't hide it; images likewise
    headings  all at the left
    rules     without a second blank line below
and no row ends with blanks: they would wrap when the window gets narrower.

A link whose definition comes in a later piece stays as it was written: the piece is printed by
then.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import dropwhile
from typing import ClassVar, NamedTuple

from markdown_it.token import Token
from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType, RenderResult
from rich.containers import Renderables
from rich.markdown import Heading, Markdown, MarkdownContext, MarkdownElement, TableElement
from rich.rule import Rule
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from tgicli.ui.blocks import Piece, first_line, is_blank, new_parser
from tgicli.ui.code import highlight, settle

_N_LEAST_COLUMNS = 8  # narrower is laid out as if it were so wide
_BR = re.compile(r"<br ?/?>", re.IGNORECASE)
_THEME = Theme(
    {
        "markdown.code": "cyan",
        "markdown.kbd": "bold",
        "markdown.link": "blue",
        "markdown.link_url": "blue underline",
    }
)


class Row(NamedTuple):
    """One line on a terminal."""

    text: str  # with colours
    n_cells: int


class Renderer:
    """Renders pieces in their order, and remembers what later ones need of earlier ones."""

    def __init__(self, *, has_colour: bool) -> None:
        self._has_colour = has_colour
        self._parser = new_parser()
        self._links: dict[str, object] = {}  # defined so far
        self._code_above = ""  # lines of the open fence that are printed
        self._console = Console(file=io.StringIO(), width=80, height=25, theme=_THEME)

    def commit(self, piece: Piece, n_columns: int) -> list[Row]:
        """Render a finished piece and remember it."""
        tokens = self._parser.parse(piece.source, {"references": self._links})
        rows = self._rows(piece, tokens, n_columns, is_finished=True)
        self._code_above = self._open_code(piece, tokens)
        return rows

    def preview(self, piece: Piece, n_columns: int) -> list[Row]:
        """Render a piece that may still change."""
        tokens = self._parser.parse(piece.source, {"references": dict(self._links)})
        return self._rows(piece, tokens, n_columns, is_finished=False)

    def _open_code(self, piece: Piece, tokens: list[Token]) -> str:
        if not tokens or tokens[-1].type != "fence":
            return ""
        fence = tokens[-1]
        above = self._code_above if piece.continues and len(tokens) == 1 else ""
        return settle(above + fence.content, _language(fence))

    def _rows(
        self, piece: Piece, tokens: list[Token], n_columns: int, *, is_finished: bool
    ) -> list[Row]:
        if piece.continues and tokens:
            _continue(tokens[0], piece, self._code_above)
        rows: list[Row] = []
        is_below = False  # something: of a fence that goes on, all code may be printed already
        for block in _blocks(_prepared(tokens, piece.source.split("\n"))):
            of_block = self._block_rows(block, n_columns, is_finished=is_finished)
            rows += [Row("", 0), *of_block] if is_below and of_block else of_block
            is_below = bool(rows) or piece.continues
        return rows

    def _block_rows(self, block: list[Token], n_columns: int, *, is_finished: bool) -> list[Row]:
        options = self._console.options.update_width(max(n_columns, _N_LEAST_COLUMNS))
        is_code = block[0].type in ("fence", "code_block")
        if is_code and is_finished:
            options = options.update(no_wrap=True, overflow="ignore")
        rows = [self._row(line) for line in _lines(self._console, _Document(block), options)]
        # Rich puts an empty line before a block that has blocks inside; in code it is the author's.
        return rows if is_code else list(dropwhile(lambda row: not row.text, rows))

    def _row(self, line: Iterable[Segment]) -> Row:
        segments = _without_trailing_blanks(line)
        text = "".join(self._painted(segment) for segment in segments)
        return Row(text, Segment.get_line_length(segments))

    def _painted(self, segment: Segment) -> str:
        style = segment.style or Style.null()
        seen = style if self._has_colour else style.without_color
        return seen.render(segment.text, color_system=ColorSystem.STANDARD)


def _without_trailing_blanks(line: Iterable[Segment]) -> list[Segment]:
    segments = list(line)
    while segments and not segments[-1].text.strip(" "):
        segments.pop()
    if segments:
        text, style, _ = segments.pop()
        segments.append(Segment(text.rstrip(" "), style))
    return segments


def _continue(token: Token, piece: Piece, code_above: str) -> None:
    """Let a block know what came before it, in pieces of their own."""
    token.meta["above"] = code_above
    if piece.number is not None:
        token.attrs["start"] = piece.number


def _blocks(tokens: Iterable[Token]) -> Iterator[list[Token]]:
    """Group tokens by top-level block."""
    block: list[Token] = []
    for token in tokens:
        block.append(token)
        if token.level == 0 and token.nesting < 1:
            yield block
            block = []


def _prepared(tokens: Sequence[Token], lines: list[str]) -> Iterator[Token]:
    """Tell Rich in tokens what it doesn't know: blank lines, markers, what HTML and images show."""
    numbers: list[int | None] = []  # of the next item, per open list; None: bullets
    is_first = True  # in its container
    for token in tokens:
        if token.map and token.level and not is_first and is_blank(lines[first_line(token) - 1]):
            yield Token("gap", "", 0, level=token.level)
        match token.type:
            case "ordered_list_open":
                numbers.append(int(token.attrs.get("start", 1)))
            case "bullet_list_open":
                numbers.append(None)
            case "ordered_list_close" | "bullet_list_close":
                numbers.pop()
            case "list_item_open":
                token.meta["marker"] = _marker(numbers, token.markup)
            case "html_block":
                token.type, token.info = "fence", "html"
            case "inline":
                token.children = list(_prepared_inline(token.children or []))
        is_first = token.nesting == 1
        yield token


def _marker(numbers: list[int | None], delimiter: str) -> str:
    """Return what goes before an item, and count it; wide enough for 99 items to be aligned."""
    number = numbers[-1]
    if number is None:
        return " • "
    numbers[-1] = number + 1
    return f"{number}{delimiter}".rjust(3) + " "


def _prepared_inline(tokens: Iterable[Token]) -> Iterator[Token]:
    begins_line = False
    n_open_keys = 0  # Rich fails at a </kbd> too many, and one too few is bold for too long
    for token in tokens:
        is_break = _breaks_line(token)
        match token.type:
            case _ if is_break:
                yield Token("hardbreak", "br", 0)
            case "text" if begins_line:
                yield Token("text", "", 0, content=token.content.lstrip(" "))
            case "html_inline" if token.content == "<kbd>":
                n_open_keys += 1
                yield token
            case "html_inline" if token.content == "</kbd>" and n_open_keys:
                n_open_keys -= 1
                yield token
            case "html_inline":
                yield Token("text", "", 0, content=token.content)
            case "image":
                yield Token("text", "", 0, content=f"{token.content} ({token.attrs['src']})")
            case "link_open" | "link_close" if token.markup == "autolink":
                continue
            case _:
                yield token
        begins_line = is_break
    for _ in range(n_open_keys):
        yield Token("html_inline", "", 0, content="</kbd>")


def _breaks_line(token: Token) -> bool:
    if token.type == "html_inline":
        return bool(_BR.fullmatch(token.content))
    return token.type in ("softbreak", "hardbreak")


def _lines(
    console: Console, renderable: RenderableType, options: ConsoleOptions
) -> list[list[Segment]]:
    """Render without cutting off what is too wide, as Console.render_lines would."""
    return list(Segment.split_lines(console.render(renderable, options)))


def _language(token: Token) -> str:
    return token.info.strip().partition(" ")[0]


class _Heading(Heading):
    LEVEL_ALIGN: ClassVar[dict[str, JustifyMethod]] = {}


class _Code(MarkdownElement):
    def __init__(self, token: Token) -> None:
        self.token = token

    @classmethod
    def create(cls, markdown: Markdown, token: Token) -> _Code:
        return cls(token)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = self.token.content.rstrip()
        if code:
            above = self.token.meta.get("above", "")
            yield from highlight(f"{code}\n", _language(self.token), above=above)


class _Rule(MarkdownElement):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Rule(style="markdown.hr")


class _Gap(MarkdownElement):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text()


class _Table(TableElement):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in super().__rich_console__(console, options):
            assert isinstance(table, Table)
            for column in table.columns:
                column.overflow = "fold"
            table.show_edge = False
            yield table


class _Container(MarkdownElement):
    """A list; and what items and quotes have in common: they hold blocks."""

    def __init__(self) -> None:
        self.children = Renderables()

    def on_child_close(self, context: MarkdownContext, child: MarkdownElement) -> bool:
        self.children.append(child)
        return False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.children


class _Item(_Container):
    def __init__(self, marker: str) -> None:
        super().__init__()
        self.marker = marker

    @classmethod
    def create(cls, markdown: Markdown, token: Token) -> _Item:
        return cls(token.meta["marker"])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        prefix = Segment(self.marker, console.get_style("markdown.item.number"))
        indent = Segment(" " * cell_len(self.marker))
        lines = _lines(console, self.children, _narrowed(options, cell_len(self.marker)))
        for line in lines or [[]]:
            yield prefix
            yield from line
            yield Segment.line()
            prefix = indent


class _Quote(_Container):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        style = console.get_style("markdown.block_quote")
        for line in _lines(console, self.children, _narrowed(options, 2)):
            yield Segment("▌ ", style)
            yield from line
            yield Segment.line()


def _narrowed(options: ConsoleOptions, n_columns: int) -> ConsoleOptions:
    return options.update_width(max(options.max_width - n_columns, _N_LEAST_COLUMNS))


class _Document(Markdown):
    """Rich's Markdown, from prepared tokens and with our elements."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = Markdown.elements | {
        "heading_open": _Heading,
        "fence": _Code,
        "code_block": _Code,
        "hr": _Rule,
        "gap": _Gap,
        "table_open": _Table,
        "bullet_list_open": _Container,
        "ordered_list_open": _Container,
        "list_item_open": _Item,
        "blockquote_open": _Quote,
    }

    def __init__(self, tokens: list[Token]) -> None:
        super().__init__("", justify="left", hyperlinks=False)
        self.parsed = tokens
