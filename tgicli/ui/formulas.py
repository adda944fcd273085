r"""Let formulas through Markdown as they were written.

Used by `blocks` for its parser. CommonMark takes the backslashes from `\(x\)`, the stars from
`$a*b*c$`, so that what is read, and copied, is another formula. None is drawn: TeX is text here.

A formula on lines of its own, from one that begins with `\[` or `$$` to one that has `\]` or `$$`,
is a block: a minus at the beginning of its line begins no list. It ends at a blank line, too, as
TeX has it; and its first line says whether it is one, so each line decides when it comes.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

_DISPLAYED = {r"\[": r"\]", "$$": "$$"}
_CLOSINGS = {r"\(": r"\)"} | _DISPLAYED
# Nearly as Pandoc has it, so that prices and variables stay what they are: no blank inside of the
# dollars, and no word behind them. And no backtick between them: variables are often beside code.
_IN_DOLLARS = re.compile(r"\$(?=\S)(?:\\.|[^$\\`])+(?<!\s)\$(?!\w)", re.DOTALL)


def add_formulas(parser: MarkdownIt) -> MarkdownIt:
    """Teach the parser formulas; return it."""
    interrupts = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    parser.block.ruler.before("table", "formula", _block, interrupts)  # type: ignore[arg-type]
    parser.inline.ruler.before("escape", "formula", _inline)
    return parser


def _inline(state: StateInline, silent: bool) -> bool:
    end = _end(state.src, state.pos)
    if end is None:
        return False
    if not silent:
        state.pending += state.src[state.pos : end]
    state.pos = end
    return True


def _end(text: str, begin: int) -> int | None:
    """Return where the formula ends that begins here; None: there is none."""
    opening = text[begin : begin + 2]
    if closing := _CLOSINGS.get(opening):
        end = text.find(closing, begin + 2)
        if end > begin + 2:
            return end + 2
        # Only a block begins so: it was cut off, or the rest of it is still to come.
        return len(text) if end < 0 and begin == 0 and _begins_block(text) else None
    found = _IN_DOLLARS.match(text, begin)
    return found.end() if found else None


def _block(state: StateBlock, begin: int, last: int, silent: bool) -> bool:
    first = _line(state, begin)
    if not _begins_block(first) or state.is_code_block(begin):
        return False
    closing = _DISPLAYED[first[:2]]
    if closing in first[2:]:
        return False
    if silent:
        return True
    end = begin + 1
    while end < last and not state.isEmpty(end) and state.sCount[end] >= state.blkIndent:
        end += 1
        if closing in _line(state, end - 1):
            break
    _add_paragraph(state, begin, end)
    state.line = end
    return True


def _begins_block(line: str) -> bool:
    """Whether a formula of several lines begins so; `\\[1]` is a note in escaped brackets."""
    return line[:2] == "$$" or (line[:2] == r"\[" and not line[2:3].strip())


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]


def _add_paragraph(state: StateBlock, begin: int, end: int) -> None:
    state.push("paragraph_open", "p", 1).map = [begin, end]
    inline = state.push("inline", "", 0)
    inline.content = state.getLines(begin, end, state.blkIndent, False).strip()
    inline.map, inline.children = [begin, end], []
    state.push("paragraph_close", "p", -1)
