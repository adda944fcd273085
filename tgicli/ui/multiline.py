'''Tell whether what is typed is a whole question, or goes on in the next line. Pure.

It goes on behind a backslash at the end, inside of """ ... """ around it all, which are taken away,
and inside of a ``` block, which stays: it is Markdown.
'''

from __future__ import annotations

import re

MARK = "/"  # how a command begins
QUOTES = '"""'
_FENCE = re.compile(r"^ {0,3}```[^`]*$", re.MULTILINE)  # ```one``` is no fence


def goes_on(text: str) -> bool:
    """Whether the next line belongs to the same question."""
    _, text = split_command(text)
    if text.lstrip().startswith(QUOTES):
        return not _is_quoted(text)
    is_continued = text.endswith("\\") and not text.endswith("\\\\")
    return is_continued or len(_FENCE.findall(text)) % 2 == 1


def next_line(text: str) -> str:
    """Return a text that goes on, up to the beginning of its next line."""
    is_quoted = split_command(text)[1].lstrip().startswith(QUOTES)
    return (text if is_quoted else text.removesuffix("\\")) + "\n"


def whole(text: str) -> str:
    """Return what was meant: without quotes around it, and without blanks at the end."""
    if _is_quoted(text):
        return text.strip()[len(QUOTES) : -len(QUOTES)].strip("\n")
    return text.rstrip()


def split_command(text: str) -> tuple[str, str]:
    """Return a command's name, empty in front of a question, and the rest."""
    if not text.startswith(MARK):
        return "", text
    name, *rest = text.split(maxsplit=1)
    return name, rest[0] if rest else ""


def _is_quoted(text: str) -> bool:
    text = text.strip()
    return len(text) >= 2 * len(QUOTES) and text.startswith(QUOTES) and text.endswith(QUOTES)
