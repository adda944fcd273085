"""Read what `vllm bench serve --save-result` has written; with --save-detailed intervals, too.

Pure. Names are those of vllm/benchmarks/serve.py. A file of --append-result holds several results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from tgicli.bench.comparable import Comparable, LoadFigures
from tgicli.bench.distributions import of_independent, of_unknown
from tgicli.bench.foreign.told import (
    at,
    closed,
    failures,
    mean_of,
    number,
    numbers,
    of_summary,
    of_values,
    opened,
    quantiles_of,
    ratio,
    single,
    text,
)
from tgicli.bench.result import Estimate

TOOL = "vllm bench serve"
_OURS = {"ttft": "ttft_ms", "tpot": "tpot_ms", "itl": "icl_ms", "e2el": "e2e_ms"}
_MEANINGS = (
    "TTFT ends with the first event, even one without text",
    "gaps between pieces have one that ends with an event without text",
    "output_tps is of answered requests, over the whole run with its beginning and its end",
)


def is_vllm(told: object) -> bool:
    """Whether this is such a result."""
    return at(told, "request_throughput") is not None and at(told, "completed") is not None


def from_vllm(results: Sequence[object]) -> Comparable:
    """Return what one file tells."""
    first = results[0]
    return Comparable(
        tool=TOOL,
        model=text(first, "model_id"),
        options={name: text(first, name) for name in ("backend", "tokenizer_id")},
        surroundings={},
        points=tuple(map(_point, results)),
        meanings=_MEANINGS,
    )


def _point(told: object) -> LoadFigures:
    name, load = _load(told)
    n_ok, n_failed = number(told, "completed"), number(told, "failed")
    return LoadFigures(
        name=name,
        load=load,
        figures={
            **single("output_tps", number(told, "output_throughput")),
            **single("rps_achieved", number(told, "request_throughput")),
            **single("goodput_rps", number(told, "request_goodput")),
            **_summaries(told, n_ok),
            **_details(told),
        },
        mean_prompt_tokens=ratio(number(told, "total_input_tokens"), n_ok),
        mean_new_tokens=ratio(number(told, "total_output_tokens"), n_ok),
        remarks=tuple(failures(n_ok, n_failed)),
    )


def _load(told: object) -> tuple[str, str]:
    rate, n_users = number(told, "request_rate"), number(told, "max_concurrency")
    if rate is not None:
        burstiness = number(told, "burstiness")
        name, load = opened(rate, "poisson" if burstiness == 1 else f"burstiness {burstiness}")
        return name, load if n_users is None else f"{load}, at most {n_users:.0f} at once"
    if n_users is not None:
        return closed(n_users)
    return "all at once", f"{number(told, 'num_prompts') or 0:.0f} requests at once"


def _summaries(told: object, n: float | None) -> dict[str, Estimate]:
    """Return what it has summed up; a gap's mean has no interval, as nobody tells how many."""
    found: dict[str, Estimate] = {}
    for theirs, ours in _OURS.items():
        mean, sd = number(told, f"mean_{theirs}_ms"), number(told, f"std_{theirs}_ms")
        spelled = {q: f"{q}_{theirs}_ms" for q in ("p90", "p95", "p99", "p99.9")}
        found |= of_summary(
            ours,
            mean=mean_of(mean, sd, None if theirs == "itl" else n),
            quantiles=quantiles_of(told, {"p50": f"median_{theirs}_ms"} | spelled),
        )
    return found


def _details(told: object) -> dict[str, Estimate]:
    """Return the same figures with intervals, from each request's times in seconds."""
    requests = _requests(told)
    times: Mapping[str, list[float]] = {
        "ttft_ms": [ttft for ttft, _, _ in requests],
        "tpot_ms": [sum(gaps) / (n - 1) for _, gaps, n in requests if n > 1],
        "icl_ms": list(chain.from_iterable(gaps for _, gaps, _ in requests)),
        "e2e_ms": [ttft + sum(gaps) for ttft, gaps, _ in requests],
    }
    found: dict[str, Estimate] = {}
    for name, seconds in times.items():
        estimate = of_unknown if name == "icl_ms" else of_independent
        found |= of_values(name, [1000 * one for one in seconds], estimate=estimate)
    return found


def _requests(told: object) -> list[tuple[float, list[float], float]]:
    """Return TTFT, gaps and length of each answer, as far as they are told."""
    ttfts, gaps, lengths = (at(told, name) for name in ("ttfts", "itls", "output_lens"))
    if not (isinstance(ttfts, list) and isinstance(gaps, list) and isinstance(lengths, list)):
        return []
    rows = (
        (number(t), numbers(g), number(n)) for t, g, n in zip(ttfts, gaps, lengths, strict=False)
    )
    return [(t, g, n) for t, g, n in rows if t and n]
