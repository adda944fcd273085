"""Pieces of which reports are made: the page, sections, figures, lists, tables that scroll.

Used by each kind of report. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tgicli.bench.report.style import style_sheet
from tgicli.bench.report.svg import element, escaped
from tgicli.bench.result import Remark, Setting, Severity

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(title: str, body: str) -> str:
    """Return a whole document, which may use nothing but its own style."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{escaped(title)}</title>\n<style>\n{style_sheet()}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def headed(title: str, words: str) -> str:
    """Return a page's head line, and what stands below it."""
    return element(
        "header", element("h1", escaped(title)), element("p", escaped(words), class_="quiet")
    )


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


def title_cell(text: str, scope: str, **spans: int) -> str:
    """Return the title of a row or of columns."""
    return element("th", escaped(text), scope=scope, **spans)


def table(caption: str, heads: Sequence[Sequence[str]], rows: Sequence[str]) -> str:
    """Return a table; heads are lines of titles."""
    head = "".join(element("tr", *cells) for cells in heads)
    return element(
        "table",
        element("caption", element("span", escaped(caption))),
        element("thead", head),
        element("tbody", *rows),
    )


def verdict_card(label: str, word: str, look: str, facts: Sequence[str], items: str) -> str:
    """Return what comes first: a word, some facts beside it, and a list's items (markup) below.

    label: what it is, for who can't see it. look: "valid", "warned" or "invalid".
    """
    told = "".join(element("span", escaped(fact)) for fact in facts)
    return element(
        "section",
        element("h2", element("span", escaped(word), class_="word")),
        element("p", told, class_="facts"),
        element("ul", items) if items else "",
        class_=f"verdict {look}",
        aria_label=label,
    )


def validity(severities: Collection[Severity]) -> tuple[str, str]:
    """Return whether to believe figures with such remarks: a word, and how its card looks."""
    if Severity.INVALID in severities:
        return "INVALID", "invalid"
    return (
        ("VALID, with warnings", "warned") if Severity.WARNING in severities else ("VALID", "valid")
    )


def remark_item(remark: Remark, where: str = "") -> str:
    """Return a remark as a list's item; where: what it is about, if not all."""
    severity = element("strong", f"{remark.severity.value}: ")
    about = f"{where}: " if where else ""
    return element("li", severity, escaped(f"{about}{remark.text}"))


def setting_section(setting: Setting) -> str:
    """Return what was measured, how and where."""
    facts = {
        "target": setting.target,
        "server": setting.server,
        "model": setting.model,
        "seed": str(setting.seed),
        "started": setting.started_at,
        "client": f"tgicli {setting.tgicli}, Python {setting.python}",
        "machine": f"{setting.machine}, {setting.n_cores} cores",
        "server's machine": "this one, too" if setting.is_same_host else "another",
        **{name: _option(value) for name, value in setting.options.items()},
    }
    command = element("pre", element("code", escaped(setting.command)))
    return section("setting", "Setting", command, list_of(facts))


def _option(value: str | float | bool | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not set" if value is None else str(value)
