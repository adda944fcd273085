"""Markdown for tests: fragments that hypothesis joins into anything, and a long answer."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st

# Pieces of every construct, also half ones: joined at random they open, break and close each other.
FRAGMENTS = (
    *(
        "word ",
        "b c",
        "a",
        "漢字",
        "🎉",
        "é",
        "שלום",
        "\\",
        "&amp;",
        "\u2028",
        "\x1b[2J",
        "\x07",
        "\x00",
    ),
    *("\n", "\n\n", "\r\n", "\r", "  \n", "  ", "    ", "\t"),
    *("- ", "* ", "+ ", "1. ", "2) ", "10. ", "> ", "#", "# ", "## ", "---", "***", "==="),
    *("```", "~~~", "````", "py\n", "def f():\n    pass\n", '"""', "/*", "*/", "`"),
    *("|", "| a | b |\n", "|---|--:|\n", "**", "_", "~~", "[x](http://y)", "![i](u)", "[ref]"),
    *("<div>", "</div>", "<!-- ", "-->", "<br>", "<T>", "<http://z>"),
    *("<kbd>", "</kbd>"),
    *("\\(", "\\)", "\\[", "\\]", "\n\\[\n", "$", "$$", "\n$$\n"),
)


def documents(*, max_size: int = 40) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(FRAGMENTS), max_size=max_size).map("".join)


@st.composite
def split_documents(draw: st.DrawFn) -> list[str]:
    """Draw a document in pieces."""
    text = draw(documents())
    cuts = draw(st.sets(st.integers(0, len(text)), max_size=12))
    borders = sorted(cuts | {0, len(text)})
    return [text[begin:end] for begin, end in itertools.pairwise(borders)]


def long_answer() -> str:
    """Return an answer of some 300 lines with everything in it."""
    return "\n\n".join(
        [
            "# A long answer",
            "It has **bold**, *italic* and `code`, a [link](https://example.org) and a\nbreak.",
            *(f"Paragraph {n}: {'the quick brown fox jumps. ' * (n % 7)}" for n in range(12)),
            "\n".join(
                f"{n}. item {n} of the list, with enough words to wrap" for n in range(1, 25)
            ),
            "\n\n".join(f"* loose {n}\n\n  more of {n}\n  - inner {n}" for n in range(12)),
            "```python\n" + "\n\n".join(_function(n) for n in range(15)) + "\n```",
            "Setext\n------",
            "| n | square | word |\n|--:|:-----:|------|",
            "| n | square | word |\n|--:|:-----:|------|\n"
            + "\n".join(f"| {n} | {n * n} | 漢字 {n} 🎉 |" for n in range(70)),
            "> quoted\n>\n> > twice\n\n---\n\n    indented\n\n<div>\nhtml\n</div>",
            "1. Code in a list:\n\n   ```sh\n   ls | wc\n   ```\n2. The end",
            "~~~~\nopen fence ```\n" + "\n".join(f"line {n}" for n in range(40)),
        ]
    )


def _function(n: int) -> str:
    return f'def f{n}(x: int) -> int:\n    """Add {n}.\n\n    Slowly."""\n    return x + {n}  # {n}'
