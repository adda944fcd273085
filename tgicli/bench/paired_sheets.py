"""Comparisons as files: two sides in turns, and streamed against whole. JSON, CSV, Markdown.

Called by the command. Pure. A figure that could not be measured is an empty cell, or a dash.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import NamedTuple

from tgicli.bench.markdown import NONE, number_cell, plain, setting_lines, table_row
from tgicli.bench.named_metric import parse_metric, unit_of
from tgicli.bench.result import Estimate, Remark, Setting
from tgicli.bench.sheets import Cell, csv_bytes
from tgicli.bench.stream_vs_full import StreamVsFull
from tgicli.bench.verdict import Comparison, Ratio

_RATIO_COLUMNS = ["metric", "unit", "a", "b", "ratio", "low", "high", "verdict"]
_RATIO_COLUMNS += ["same_within", "n_blocks", "per_block"]
_SCHEMA_VERSION = 1


class StreamFigure(NamedTuple):
    """A figure of streamed answers against whole ones."""

    name: str  # as JSON has it
    label: str
    estimate: Estimate
    unit: str


def stream_figures(found: StreamVsFull) -> tuple[StreamFigure, ...]:
    """Return all of them, in the order in which they are shown."""
    share = found.wait_share.times(100)
    return (
        StreamFigure("ttft_ms", "first words, streamed", found.ttft_ms, "ms"),
        StreamFigure("e2e_stream_ms", "last words, streamed", found.e2e_stream_ms, "ms"),
        StreamFigure("e2e_full_ms", "whole answer at once", found.e2e_full_ms, "ms"),
        StreamFigure("head_start_ms", "head start of the stream", found.head_start_ms, "ms"),
        StreamFigure("wait_share_pct", "wait for it, of the whole's", share, "%"),
        StreamFigure("stream_cost_pct", "cost of streaming", found.stream_cost_pct, "%"),
    )


def paired_json(
    found: Comparison | StreamVsFull, setting: Setting, remarks: Sequence[Remark]
) -> bytes:
    """Write what was found; remarks are those on the prompts, and on two sides' measurements."""
    kind = "comparison" if isinstance(found, Comparison) else "stream-vs-full"
    document = {
        "kind": f"tgicli bench {kind}",
        "schema_version": _SCHEMA_VERSION,
        "setting": asdict(setting),
        "remarks": [asdict(remark) for remark in remarks],
        "found": asdict(found),
    }
    return json.dumps(document, indent=2, allow_nan=False).encode() + b"\n"


def comparison_csv(comparison: Comparison) -> bytes:
    """Write one row a metric: geometric means of the sides, their ratio, and each block's."""
    return csv_bytes(
        _RATIO_COLUMNS,
        [
            {
                "metric": label,
                "unit": unit_of(parse_metric(label).name),
                "a": ratio.a,
                "b": ratio.b,
                "ratio": ratio.value,
                "low": ratio.low,
                "high": ratio.high,
                "verdict": ratio.verdict.value,
                "same_within": comparison.same_within,
                "n_blocks": comparison.n_blocks,
                "per_block": " ".join(f"{one:.6g}" for one in ratio.per_block),
            }
            for label, ratio in comparison.metrics.items()
        ],
    )


def stream_csv(found: StreamVsFull) -> bytes:
    """Write one row a figure, with the ends of its 95 % interval."""
    counts = {
        "n_pairs": found.n_pairs,
        "n_failed": found.n_failed,
        "n_texts": found.n_texts,
        "n_text_equal": found.n_text_equal,
        "n_counted": found.n_counted,
        "n_tokens_equal": found.n_tokens_equal,
    }
    rows: list[Mapping[str, Cell]] = [
        {
            "metric": one.name,
            "unit": one.unit,
            "value": one.estimate.value,
            "low": one.estimate.low,
            "high": one.estimate.high,
        }
        for one in stream_figures(found)
    ]
    rows += [{"metric": name, "unit": "", "value": n} for name, n in counts.items()]
    return csv_bytes(["metric", "unit", "value", "low", "high"], rows)


def comparison_markdown(
    comparison: Comparison, names: tuple[str, str], setting: Setting, words: Iterable[str]
) -> str:
    """Write a table of two sides, and under it the words that must be known beside it."""
    titles = ["Metric", "A", "B", "Change", "95 % interval", "Verdict"]
    lines = [table_row(titles), table_row(["---", *["--:"] * 4, "---"])]
    lines += [table_row(_ratio_cells(*one, comparison)) for one in comparison.metrics.items()]
    sides = [f"{side}: {name}" for side, name in zip("AB", names, strict=True)]
    return _text(lines, [*sides, *words], setting)


def stream_markdown(found: StreamVsFull, setting: Setting) -> str:
    """Write a table, and under it what must be known beside it."""
    titles = [f"{found.n_pairs} pairs", "Mean", "95 % interval"]
    lines = [table_row(titles), table_row(["---", "--:", "--:"])]
    lines += [table_row(_stream_cells(one)) for one in stream_figures(found)]
    words = [
        f"texts that are equal: {found.n_text_equal} of {found.n_texts}",
        f"token counts that are: {found.n_tokens_equal} of {found.n_counted}",
        *(remark.words for remark in found.remarks),
    ]
    return _text(lines, words, setting)


def change_words(ratio: float | None) -> str:
    """Write a ratio as a change."""
    return NONE if ratio is None else f"{round(100 * (ratio - 1), 1) + 0.0:+.1f} %"  # never -0.0


def _ratio_cells(label: str, ratio: Ratio, comparison: Comparison) -> list[str]:
    unit = unit_of(parse_metric(label).name)
    has_interval = ratio.low is not None
    interval = f"{change_words(ratio.low)} to {change_words(ratio.high)}" if has_interval else NONE
    return [
        f"{label}, {unit}" if unit else label,
        number_cell(ratio.a),
        number_cell(ratio.b),
        change_words(ratio.value),
        interval,
        comparison.said(ratio),
    ]


def _stream_cells(one: StreamFigure) -> list[str]:
    value, low, high = one.estimate.value, one.estimate.low, one.estimate.high
    has_interval = low is not None and high is not None
    interval = f"{number_cell(low)} to {number_cell(high)}" if has_interval else NONE
    return [f"{one.label}, {one.unit}", number_cell(value), interval]


def _text(table: Sequence[str], words: Iterable[str], setting: Setting) -> str:
    told = [f"- {plain(one)}" for one in words]
    return "\n".join([*table, "", *told, "", *setting_lines(setting)]) + "\n"
