"""Colour code that arrives line by line.

Called by the renderer, on the painter thread. The colours are the terminal owner's own sixteen,
and of these the ones legible on dark and on light; the background stays as it is.

A lexer can't be stopped and resumed: lines printed earlier are given again, as `above`, and
`settle` keeps them few. Code and `above` are whole lines, each with its line end.
"""

from __future__ import annotations

from rich.style import Style
from rich.syntax import ANSISyntaxTheme, Syntax
from rich.text import Text

_THEME = ANSISyntaxTheme(
    {
        ("Comment",): Style(dim=True, italic=True),
        ("Comment", "Preproc"): Style(color="magenta"),
        ("Keyword",): Style(color="magenta"),
        ("Operator", "Word"): Style(color="magenta"),
        ("Name", "Builtin"): Style(color="cyan"),
        ("Name", "Function"): Style(color="blue", bold=True),
        ("Name", "Class"): Style(color="blue", bold=True),
        ("Name", "Decorator"): Style(color="magenta", bold=True),
        ("Name", "Tag"): Style(color="blue", bold=True),
        ("Name", "Attribute"): Style(color="cyan"),
        ("Name", "Variable"): Style(color="cyan"),
        ("Literal", "String"): Style(color="green"),
        ("Literal", "Number"): Style(color="cyan"),
        ("Generic", "Deleted"): Style(color="red"),
        ("Generic", "Inserted"): Style(color="green"),
        ("Generic", "Heading"): Style(bold=True),
        ("Generic", "Subheading"): Style(bold=True),
        ("Generic", "Prompt"): Style(bold=True),
    }
)
_N_FEW_LINES = 40  # up to which a context is short enough
_N_PROVING_LINES = 8  # which must look alike with a shorter context before we trust it


def highlight(code: str, language: str, *, above: str = "") -> list[Text]:
    """Return the lines of code, coloured as they are below `above`."""
    syntax = Syntax("", language, theme=_THEME, word_wrap=True)
    return list(syntax.highlight(above + code).split("\n"))[above.count("\n") :]


def settle(code: str, language: str) -> str:
    """Return an end of the code below which new lines look as they would below all of it.

    It begins at an unindented line. Whether the lexer is at rest there, and not inside a string or
    a PHP tag, shows in the lines that follow: they look alike with and without what came before.
    """
    lines = code.splitlines(keepends=True)
    unindented = [i for i, line in enumerate(lines[:-_N_PROVING_LINES]) if line[:1].strip()]
    if len(lines) <= _N_FEW_LINES or not unindented:
        return code
    above, rest = "".join(lines[: unindented[-1]]), "".join(lines[unindented[-1] :])
    is_at_rest = highlight(rest, language) == highlight(rest, language, above=above)
    return rest if is_at_rest else code
