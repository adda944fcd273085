"""Write comparisons where they are wanted: JSON, Markdown, CSV, HTML. On the main thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tgicli.bench.result import Remark, Setting
from tgicli.bench.stream_vs_full import StreamVsFull
from tgicli.bench.verdict import Comparison
from tgicli.cli.bench.outputs import write_files
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.cli.bench.runs import Bench


def side_names(bench: Bench) -> tuple[str, str]:
    """Return what the two sides are called."""
    options = bench.options
    assert options.other is not None
    return options.target.shown, options.other.shown


def write_comparison(
    bench: Bench,
    comparison: Comparison,
    words: Sequence[str],
    remarks: Sequence[Remark],
    terminal: Terminal,
) -> None:
    """Write two sides' comparison into every file that is wanted; remarks are on the sides.

    Raises:
        ConfigError: a file can't be written, after all.
    """
    from tgicli.bench.paired_sheets import comparison_csv, comparison_markdown, paired_json
    from tgicli.bench.report.comparison import comparison_html

    setting, names, output = _setting(bench), side_names(bench), bench.options.output
    remarks, told = (*remarks, *bench.remarks), [*(one.words for one in remarks), *words]
    write_files(
        [
            (output.out, lambda: paired_json(comparison, setting, remarks)),
            (output.md, lambda: comparison_markdown(comparison, names, setting, told).encode()),
            (output.csv, lambda: comparison_csv(comparison)),
            (
                output.html,
                lambda: comparison_html(comparison, names, setting, words, remarks).encode(),
            ),
        ],
        terminal,
    )


def write_streaming(bench: Bench, found: StreamVsFull, terminal: Terminal) -> None:
    """Write what streaming gained and cost into every file that is wanted.

    Raises:
        ConfigError: a file can't be written, after all.
    """
    from tgicli.bench.paired_sheets import paired_json, stream_csv, stream_markdown
    from tgicli.bench.report.streaming import stream_html

    setting, output = _setting(bench), bench.options.output
    write_files(
        [
            (output.out, lambda: paired_json(found, setting, bench.remarks)),
            (output.md, lambda: stream_markdown(found, setting).encode()),
            (output.csv, lambda: stream_csv(found)),
            (output.html, lambda: stream_html(found, setting, bench.remarks).encode()),
        ],
        terminal,
    )


def _setting(bench: Bench) -> Setting:
    assert bench.setting is not None  # something was measured
    return bench.setting
