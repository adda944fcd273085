"""Pieces of which a report is made: sections, figures, lists, tables that scroll. For `page`."""

from __future__ import annotations

from collections.abc import Mapping

from tgicli.bench.report.svg import element, escaped


def section(name: str, title: str, *content: str) -> str:
    """Return a part of the page with its heading; `name` is its own on the page."""
    heading = element("h2", escaped(title), id=f"{name}-heading")
    return element("section", heading, *content, id=name, aria_labelledby=f"{name}-heading")


def figure(caption: str, picture: str, *, is_wide: bool = False) -> str:
    """Return a picture with words (markup) above it; a wide one scrolls on a narrow page."""
    if not is_wide:
        return element("figure", element("figcaption", caption), picture)
    area = scrolled(picture, "scrolls sideways")
    return element("figure", element("figcaption", caption), area, class_="wide")


def list_of(facts: Mapping[str, str]) -> str:
    """Return names with what they are."""
    pairs = (
        element("div", element("dt", escaped(name)), element("dd", escaped(value)))
        for name, value in facts.items()
    )
    return element("dl", *pairs)


def scrolled(content: str, label: str) -> str:
    """Return what scrolls by itself where the window is narrower; the keyboard reaches it."""
    return element("div", content, class_="scroll", role="region", aria_label=label, tabindex="0")
