"""Pages of comparisons, made of figures by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tests.bench.results import SETTING
from tgicli.bench.report.comparison import comparison_html
from tgicli.bench.report.streaming import stream_html
from tgicli.bench.result import Estimate, Remark
from tgicli.bench.stream_vs_full import StreamVsFull
from tgicli.bench.verdict import Block, Comparison, compare

METRICS = ("ttft", "tpot", "icl.p95", "output_tps")


def comparison_of(
    factor: float = 1.1,
    *,
    n_blocks: int = 5,
    metrics: Sequence[str] = METRICS,
    noise: Mapping[str, float] | None = None,
    n_tokens: float = 32,
) -> Comparison:
    """Return what blocks say whose B takes so much longer, give or take 0.2 %."""

    def turn(side: float, k: int) -> dict[str, float]:
        drift = side * (1 + 0.001 * (k % 3))
        figures = {"ttft": 100 * drift, "tpot": 10 * drift, "icl.p95": 12 * drift}
        return {**figures, "output_tps": 400 / drift}

    def a(k: int) -> dict[str, float]:
        return turn(1, k) | {"n_tokens": 32}

    def b(k: int) -> dict[str, float]:
        return turn(factor, k) | {"n_tokens": n_tokens}

    blocks = [Block(a=(a(k), a(k + 1)), b=(b(k + 2), b(k))) for k in range(n_blocks)]
    return replace(compare(blocks, metrics=metrics), noise=noise or {})


def comparison_page(factor: float = 1.1, **options: object) -> str:
    """Return the page of such blocks."""
    comparison = comparison_of(factor, **options)  # type: ignore[arg-type]
    names = ("http://a:8080", "http://b:8080")
    return comparison_html(comparison, names, SETTING, ["5 blocks of A B B A; decided"])


def streams(*remarks: Remark, ttft_ms: float | None = 80.0) -> StreamVsFull:
    """Return what pairs say of an answer of 400 ms."""
    return StreamVsFull(
        n_pairs=8,
        n_failed=0,
        ttft_ms=Estimate(ttft_ms, ttft_ms and ttft_ms - 1, ttft_ms and ttft_ms + 1),
        e2e_stream_ms=Estimate(404, 402, 406),
        e2e_full_ms=Estimate(400, 398, 402),
        head_start_ms=Estimate(320, 318, 322),
        stream_cost_pct=Estimate(1.0, 0.2, 1.8),
        wait_share=Estimate(0.2, 0.19, 0.21),
        n_texts=4,
        n_text_equal=4,
        n_counted=4,
        n_tokens_equal=3,
        remarks=remarks,
    )


def streaming_page(*remarks: Remark, ttft_ms: float | None = 80.0) -> str:
    """Return the page of such pairs."""
    return stream_html(streams(*remarks, ttft_ms=ttft_ms), SETTING, ())
