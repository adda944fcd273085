"""Cells and lines of Markdown tables, for `sheets` and `paired_sheets`. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from tgicli.bench.result import Setting

NONE = "–"  # noqa: RUF001  # what could not be measured, in a table for people


def table_row(cells: list[str]) -> str:
    """Return a line of a table."""
    return "| " + " | ".join(map(plain, cells)) + " |"


def plain(text: str) -> str:
    """Keep what a server or a user named from breaking the table."""
    return " ".join(text.replace("|", "\\|").split())


def number_cell(value: float | None) -> str:
    """Return three digits, or whole ones from a hundred on."""
    if value is None:
        return NONE
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def setting_lines(setting: Setting) -> Iterator[str]:
    """Yield what was measured with, and the command."""
    where = f"{setting.machine}, {setting.n_cores} cores, Python {setting.python}"
    yield f"{plain(setting.model)} on {plain(setting.server)}, {plain(setting.target)};"
    yield f"tgicli {setting.tgicli}, {plain(where)}, seed {setting.seed}, {setting.started_at}:"
    yield ""
    yield from ("    " + line for line in setting.command.splitlines())
