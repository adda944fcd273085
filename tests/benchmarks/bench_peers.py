"""The same server, measured by several tools: do they agree, and if not, why?

`tgicli serve` and llama-server run the same model, one after the other. On each, in turns and with
prompts of the same kind:
    tgicli      `tgicli bench`, whose stamps of every chunk go to a file
    vLLM's      the formulas of `vllm bench serve`, computed from those stamps
    guidellm's  the formulas of guidellm, computed from those stamps
    guidellm    guidellm itself, where it is installed
So the first three tell of the same requests and differ by definition only; the last two have the
same definitions and differ by what two clients see. The definitions stand below the tables.

What would make it lie: other programs on the machine (--patience measures disturbed rounds again);
client, server and model share its cores. A model that ends by itself answers each prompt at another
length: told as tokens an answer.
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from guidellm_peer import GuideRun, default_guidellm, run_guidellm
from harness import (
    Spread,
    add_peers_option,
    add_rounds_options,
    find_model,
    find_peer,
    parser,
    print_command,
    print_setting,
    print_table,
    rounds,
)
from server_process import ServerProcess
from serving import Prompts

from tgicli.bench.files import from_lines
from tgicli.bench.metrics import e2e_ms, icl_ms, ttft_ms
from tgicli.bench.record import Outcome, Record
from tgicli.bench.recording import Recording
from tgicli.bench.sample_statistics import quantile
from tgicli.bench.summary import summarize_recording

Figures = Mapping[str, float]
TTFT50, TTFT90, TPOT, GAP50, GAP99, E2E = (
    "TTFT p50, ms",
    "TTFT p90, ms",
    "TPOT p50, ms",
    "ITL p50, ms",
    "ITL p99, ms",
    "e2e p50, ms",
)
SPEED, LENGTH, COUNT = "tokens/s", "tokens an answer", "requests"
ROWS = (TTFT50, TTFT90, TPOT, GAP50, GAP99, E2E, SPEED, LENGTH, COUNT)
DEFINITIONS = """
c_1 .. c_m are the times of the chunks with text, s the time of sending, N the answer's tokens, n_1
those of the first chunk.

- TTFT: c_1 - s. vLLM's: to the first event with `choices`, text or not: a chat's role, if it comes
  by itself, is taken for the first token.
- TPOT: (c_m - c_1) / (N - n_1), each request counting once. vLLM's: (last - first) / (N - 1) from
  its own first, the role. guidellm's: (c_m - s) / N, so TTFT is in it: larger by about TTFT / N.
- ITL: all gaps between chunks; called so only if each chunk held one token. vLLM's: the same, and
  the gap behind the role (the empty last event, with the reason for the end, would add one more;
  its time is not kept here). guidellm's: the mean gap of each request, (c_m - c_1) / (N - 1), as
  often as it has tokens: its p99 can't show a late chunk.
- e2e: c_m - s, everywhere; guidellm's: to the end of the body.
- tokens/s: tokens that arrived inside the steady window, by its length. vLLM's: all tokens of the
  requests that succeeded, by the time from the first one's sending to the last one's end, so the
  drain at the end is in it. guidellm's: the same.
"""


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked of a server."""

    url: str
    prompts: Sequence[str]
    options: argparse.Namespace


def main() -> None:
    """Print a table for each server, and the definitions."""
    options = _parse()
    path = find_model(options.model)
    program = find_peer(options.peers, "llama-server")
    print_setting(path, threads=options.threads, peer=program)
    print(f"- {options.streams} streams, {options.n_new} new tokens, {options.seconds:g} s a run")
    if not options.guidellm.exists():
        print(f"- there is no {options.guidellm}: see guidellm_peer.py")
    for name, server in _servers(path, program, options).items():
        with server:
            print_command(server.command)
            made = Prompts()
            results = rounds(options, functools.partial(_round, server.url, made, options))
        _print(name, results)
    print(DEFINITIONS)


def _parse() -> argparse.Namespace:
    made = parser(__doc__)
    add_peers_option(made)
    add_rounds_options(made, repeat=3)
    made.add_argument("--streams", type=int, default=4, metavar="N")
    made.add_argument("--n-new", type=int, default=64, metavar="N", help="tokens of an answer")
    made.add_argument("--seconds", type=float, default=20.0, metavar="S", help="of measuring")
    made.add_argument(
        "--guidellm",
        type=Path,
        default=default_guidellm(),
        metavar="FILE",
        help="its program (default: %(default)s)",
    )
    return made.parse_args()


def _servers(model: Path, program: Path, options: argparse.Namespace) -> dict[str, ServerProcess]:
    threads = ["--threads", str(options.threads)]
    lanes, n_ctx = options.streams, 1024
    ours: list[str | Path] = [sys.executable, "-m", "tgicli", "serve", "-m", model, *threads]
    ours += ["--max-total-tokens", str(n_ctx), "--max-batch-size", str(lanes)]
    theirs: list[str | Path] = [program, "-m", model, *threads, "-np", str(lanes)]
    theirs += ["-c", str(n_ctx * lanes), "--no-kv-unified"]
    return {
        "tgicli serve": ServerProcess(ours, host_flag="--hostname"),
        "llama-server": ServerProcess(theirs),
    }


def _round(url: str, made: Prompts, options: argparse.Namespace) -> dict[str, Figures]:
    """Measure once with each tool; no prompt is asked twice."""
    n_prompts = 20 * options.streams * round(options.seconds)
    recording = _tgicli(Work(url, [made.short() for _ in range(n_prompts)], options))
    (run,) = recording.points[0].runs
    records = [
        one for one in run.records if one.send_ns >= run.warm_ns and one.outcome is Outcome.OK
    ]
    if not records:
        raise SystemExit(f"no request was answered within {options.seconds:g} s; see --seconds")
    figures = {
        "tgicli": _ours(recording),
        "vLLM's formulas": _vllm(records),
        "guidellm's formulas": _as_guidellm(records),
    }
    if options.guidellm.exists():
        work = Work(url, [made.short() for _ in range(n_prompts)], options)
        figures["guidellm"] = _guidellm(work)
    return figures


def _tgicli(work: Work) -> Recording:
    with tempfile.TemporaryDirectory() as folder:
        asked, file = Path(folder) / "prompts.jsonl", Path(folder) / "records.jsonl"
        lines = (
            json.dumps({"prompt": prompt, "max_tokens": work.options.n_new})
            for prompt in work.prompts
        )
        asked.write_text("\n".join(lines))
        command: list[str | Path] = [sys.executable, "-m", "tgicli", "bench", f"{work.url}/v1"]
        command += ["--concurrency", str(work.options.streams), "--dataset", asked]
        command += ["--duration", f"{work.options.seconds:g}s", "--no-floor", "--records", file]
        print_command(command)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
        if not file.exists():
            raise SystemExit(f"tgicli bench returned {done.returncode}: {done.stderr.decode()}")
        return from_lines(file.read_bytes())


def _guidellm(work: Work) -> Figures:
    run = run_guidellm(
        work.options.guidellm,
        work.url,
        work.prompts,
        model=None,
        n_streams=work.options.streams,
        n_tokens=work.options.n_new,
        seconds=work.options.seconds,
    )
    return {
        TTFT50: run.figure("time_to_first_token_ms", "p50"),
        TTFT90: run.figure("time_to_first_token_ms", "p90"),
        TPOT: run.figure("time_per_output_token_ms", "p50"),
        GAP50: run.figure("inter_token_latency_ms", "p50"),
        GAP99: run.figure("inter_token_latency_ms", "p99"),
        E2E: run.figure("request_latency", "p50") * 1e3,
        SPEED: run.figure("output_tokens_per_second", "mean"),
        LENGTH: _length(run),
        COUNT: len(run.requests),
    }


def _length(run: GuideRun) -> float:
    return fmean(one.n_tokens for one in run.requests)


def _ours(recording: Recording) -> Figures:
    """Return what `tgicli bench` shows; it leaves out a percentile that it has no sample for."""
    shown = summarize_recording(recording).points[0].figures
    told = {
        name: shown.metrics[metric].quantiles[which].value
        for name, metric, which in (
            (TTFT50, "ttft_ms", "p50"),
            (TTFT90, "ttft_ms", "p90"),
            (TPOT, "tpot_ms", "p50"),
            (GAP50, "icl_ms", "p50"),
            (GAP99, "icl_ms", "p99"),
            (E2E, "e2e_ms", "p50"),
        )
        if metric in shown.metrics and which in shown.metrics[metric].quantiles
    }
    told |= {SPEED: shown.output_tps.value, LENGTH: shown.mean_new_tokens, COUNT: shown.n_ok}
    return {name: value for name, value in told.items() if value is not None}


def _vllm(records: Sequence[Record]) -> Figures:
    """Compute as vllm/benchmarks/serve.py does: the first event stands for the first token."""
    firsts = [(_first_event_ns(one) - one.send_ns) / 1e6 for one in records]
    lasts = [_value(e2e_ms, one) for one in records]
    tpots = [
        (last - first) / (one.n_tokens - 1)
        for one, first, last in zip(records, firsts, lasts, strict=True)
        if one.n_tokens > 1
    ]
    gaps = [gap for one in records for gap in _event_gaps(one)]
    return _figures(records, ttfts=firsts, tpots=tpots, gaps=gaps, e2es=lasts)


def _first_event_ns(record: Record) -> int:
    assert record.first_event_ns is not None
    return record.first_event_ns


def _event_gaps(record: Record) -> Iterator[float]:
    stamps = sorted({_first_event_ns(record), *(chunk.at_ns for chunk in record.chunks)})
    n_together = len(record.chunks) - len({chunk.at_ns for chunk in record.chunks})
    yield from ((after - before) / 1e6 for before, after in pairwise(stamps))
    yield from [0.0] * n_together


def _as_guidellm(records: Sequence[Record]) -> Figures:
    ends = [(one.end_ns - one.send_ns) / 1e6 for one in records]
    tpots = [_value(e2e_ms, one) / one.n_tokens for one in records]
    gaps = [
        mean
        for one in records
        if one.n_tokens > 1
        for mean in [sum(icl_ms(one)) / (one.n_tokens - 1)] * one.n_tokens
    ]
    ttfts = [_value(ttft_ms, one) for one in records]
    return _figures(records, ttfts=ttfts, tpots=tpots, gaps=gaps, e2es=ends)


def _figures(
    records: Sequence[Record],
    *,
    ttfts: Sequence[float],
    tpots: Sequence[float],
    gaps: Sequence[float],
    e2es: Sequence[float],
) -> Figures:
    n_tokens = sum(one.n_tokens for one in records)
    seconds = (max(one.end_ns for one in records) - min(one.send_ns for one in records)) / 1e9
    return {
        TTFT50: quantile(sorted(ttfts), 0.5),
        TTFT90: quantile(sorted(ttfts), 0.9),
        TPOT: quantile(sorted(tpots), 0.5),
        GAP50: quantile(sorted(gaps), 0.5),
        GAP99: quantile(sorted(gaps), 0.99),
        E2E: quantile(sorted(e2es), 0.5),
        SPEED: n_tokens / seconds,
        LENGTH: n_tokens / len(records),
        COUNT: len(records),
    }


def _value(metric: Callable[[Record], float | None], record: Record) -> float:
    """Return a metric of a request that succeeded: such a one has chunks."""
    value = metric(record)
    assert value is not None, record
    return value


def _print(name: str, results: Sequence[dict[str, Figures]]) -> None:
    tools = list(results[0])
    rows = []
    for row in ROWS:
        cells = []
        for tool in tools:
            values = [result[tool][row] for result in results if row in result[tool]]
            cells.append(Spread.of(values).text(1) if values else "too few")
        rows.append([row, *cells])
    print_table([name, *tools], rows)


if __name__ == "__main__":
    main()
