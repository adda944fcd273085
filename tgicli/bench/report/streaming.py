"""Write what streaming gained and cost as one HTML page. Pure.

What a reader sees comes first, drawn to scale: a page that fills while it is waited for, and one
that stays empty until all of the answer is there.
"""

from __future__ import annotations

from collections.abc import Sequence

from tgicli.bench.paired_sheets import StreamFigure, stream_figures
from tgicli.bench.report.paired_charts import Wait, waits
from tgicli.bench.report.parts import (
    figure,
    headed,
    page,
    remark_item,
    scrolled,
    section,
    setting_section,
    table,
    title_cell,
    validity,
    verdict_card,
)
from tgicli.bench.report.svg import element
from tgicli.bench.report.tables import estimate_cell
from tgicli.bench.result import Remark, Setting
from tgicli.bench.stream_vs_full import StreamVsFull


def stream_html(found: StreamVsFull, setting: Setting, remarks: Sequence[Remark]) -> str:
    """Return the page; remarks are those on the prompts."""
    title = f"Streamed and whole answers of {setting.model}"
    when = f"{setting.target} ({setting.server}), {setting.started_at}, tgicli {setting.tgicli}"
    main = element(
        "main",
        _verdict(found, (*found.remarks, *remarks)),
        section("waits", "What a reader waits for", _waits(found)),
        section("figures", "Figures", _figures(found)),
        setting_section(setting),
    )
    return page(f"tgicli bench: {title}", headed(title, when) + main)


def _verdict(found: StreamVsFull, remarks: Sequence[Remark]) -> str:
    word, look = validity({remark.severity for remark in remarks})
    facts = [
        f"{found.n_pairs} pairs, {found.n_failed} failed",
        f"{found.n_text_equal} of {found.n_texts} texts are equal",
        f"{found.n_tokens_equal} of {found.n_counted} token counts are",
    ]
    return verdict_card("Validity", word, look, facts, "".join(map(remark_item, remarks)))


def _waits(found: StreamVsFull) -> str:
    ttft, e2e, full = (one.value for one in (found.ttft_ms, found.e2e_stream_ms, found.e2e_full_ms))
    if ttft is None or e2e is None or full is None:
        return element("p", "No pair was answered.", class_="quiet")
    readers = [
        Wait(who="streamed", first_ms=ttft, last_ms=e2e),
        Wait(who="whole", first_ms=full, last_ms=full),
    ]
    title = "Waiting for the first words (grey), and for the others"
    return figure(title, waits("waits-drawn", title, readers), is_wide=True)


def _figures(found: StreamVsFull) -> str:
    rows = [_row(one) for one in stream_figures(found)]
    head = [title_cell(one, "col") for one in ("figure", "mean")]
    caption = "Means of all pairs; below a figure its 95 % interval, over blocks of two pairs."
    return scrolled(table(caption, [head], rows), "Figures")


def _row(one: StreamFigure) -> str:
    return element("tr", title_cell(f"{one.label}, {one.unit}", "row"), estimate_cell(one.estimate))
