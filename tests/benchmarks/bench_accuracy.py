"""How far off are the times that `tgicli bench` measures?

A server whose times are known (`python -m tgicli.bench.fake`) is measured at several numbers of
streams, by `tgicli bench` and, where it is installed, by guidellm, in turns. Told is what a
measured quantile is too large by, in milliseconds: against the times that the server was given,
and beside it what the server itself was late by in that very run, from its own clock. What is left
is loopback and client.

The first request of each stream is left out on both sides: it makes the connection, and meets the
start-up burst of a client that has no warm-up. guidellm keeps no stamps of chunks, so its gaps are
means of whole requests, which can't show a late chunk.

What would make it lie: other programs on the machine (--patience measures disturbed rounds again);
client and server share its cores.
"""

from __future__ import annotations

import argparse
import functools
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from guidellm_peer import default_guidellm, run_guidellm
from harness import add_rounds_options, print_command, print_table, rounds

from tgicli import __version__
from tgicli.bench.fake.options import FakeOptions
from tgicli.bench.fake.reply import Times
from tgicli.bench.fake.server import FakeServer
from tgicli.bench.files import from_lines
from tgicli.bench.metrics import icl_ms, ttft_ms
from tgicli.bench.record import Outcome, Record
from tgicli.bench.sample_statistics import quantile

WORDS = "tell me about the sea and the old boat"
SHARES = (0.5, 0.99)


@dataclass(slots=True)
class Sample:
    """Times in milliseconds, all requests' of a run: the client's, and the server's own."""

    ttft: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    own_ttft: list[float] = field(default_factory=list)
    own_gaps: list[float] = field(default_factory=list)

    def add_own(self, times: Times) -> None:
        """Add what the server did for one request."""
        self.own_ttft.append((times.chunks_s[0] - times.arrived_s) * 1e3)
        self.own_gaps += [(after - before) * 1e3 for before, after in pairwise(times.chunks_s)]

    def join(self, other: Sample) -> None:
        """Add another round's."""
        self.ttft += other.ttft
        self.gaps += other.gaps
        self.own_ttft += other.own_ttft
        self.own_gaps += other.own_gaps


def main() -> None:
    """Print the table."""
    options = _parse()
    has_guide = options.guidellm.exists()
    print(
        f"- {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}, "
        f"tgicli {__version__}, Python {platform.python_version()}"
    )
    print(f"- known: TTFT {options.ttft_ms:g} ms, then a token each {options.gap_ms:g} ms")
    if not has_guide:
        print(f"- there is no {options.guidellm}: see guidellm_peer.py")
    known = FakeOptions(ttft_ms=options.ttft_ms, gap_ms=options.gap_ms, keeps_times=True)
    rows = []
    for n_streams in options.streams:
        results = rounds(options, functools.partial(_round, known, n_streams, has_guide, options))
        for name in results[0]:
            sample = Sample()
            for result in results:
                sample.join(result[name])
            rows.append([f"{n_streams}, {name}", *_figures(sample, known)])
    print_table(_header(), rows)


def _parse() -> argparse.Namespace:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_rounds_options(made, repeat=3)
    made.add_argument("--streams", type=int, nargs="+", default=[1, 16, 64], metavar="N")
    made.add_argument("--ttft-ms", type=float, default=200.0, metavar="MS")
    made.add_argument("--gap-ms", type=float, default=20.0, metavar="MS")
    made.add_argument("--n-new", type=int, default=32, metavar="N", help="tokens of an answer")
    made.add_argument("--seconds", type=float, default=10.0, metavar="S", help="of measuring")
    made.add_argument(
        "--guidellm",
        type=Path,
        default=default_guidellm(),
        metavar="FILE",
        help="its program (default: %(default)s)",
    )
    return made.parse_args()


def _round(
    known: FakeOptions, n_streams: int, has_guide: bool, options: argparse.Namespace
) -> dict[str, Sample]:
    """Measure once with each."""
    with FakeServer(known) as server:
        samples = {"tgicli": _tgicli(server, n_streams, options)}
        if has_guide:
            samples["guidellm"] = _guide(server, n_streams, options)
    return samples


def _tgicli(server: FakeServer, n_streams: int, options: argparse.Namespace) -> Sample:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "records.jsonl"
        command: list[str | Path] = [sys.executable, "-m", "tgicli", "bench", f"{server.url}/v1"]
        command += ["--concurrency", str(n_streams), "--duration", f"{options.seconds:g}s"]
        command += ["--prompt-tokens", "64", "--output-tokens", str(options.n_new)]
        command += ["--no-floor", "--records", file]
        print_command(command)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
        if not file.exists():
            raise SystemExit(f"tgicli bench returned {done.returncode}: {done.stderr.decode()}")
        recording = from_lines(file.read_bytes())
    (run,) = recording.points[0].runs
    measured = [one for one in run.records if one.send_ns >= run.warm_ns]
    return _sample(_whole(measured), server.times())


def _whole(records: Iterable[Record]) -> Iterator[tuple[str, float, list[float]]]:
    for record in records:
        ttft = ttft_ms(record)
        if record.outcome is Outcome.OK and ttft is not None:
            yield record.nonce, ttft, icl_ms(record)


def _guide(server: FakeServer, n_streams: int, options: argparse.Namespace) -> Sample:
    n_prompts = round(n_streams * options.seconds * 1e3 / options.ttft_ms) + n_streams
    prompts = [f"{number} {WORDS}" for number in range(10_000_000, 10_000_000 + n_prompts)]
    run = run_guidellm(
        options.guidellm,
        server.url,
        prompts,
        model="fake",
        n_streams=n_streams,
        n_tokens=options.n_new,
        seconds=options.seconds,
    )
    later = run.requests[n_streams:]
    told = ((one.text.split()[0], one.ttft_ms, [one.itl_ms]) for one in later)
    return _sample(told, server.times())


def _sample(requests: Iterable[tuple[str, float, list[float]]], times: dict[str, Times]) -> Sample:
    sample = Sample()
    for nonce, ttft, gaps in requests:
        sample.ttft.append(ttft)
        sample.gaps += gaps
        sample.add_own(times[nonce])
    return sample


def _header() -> list[str]:
    names = [f"{what} {which}" for what in ("TTFT", "gap") for which in ("p50", "p99")]
    columns = (column for name in names for column in (name, "server's own"))
    return ["streams", "requests", *columns]


def _figures(sample: Sample, known: FakeOptions) -> list[str]:
    told = [
        text
        for values, own, due in (
            (sample.ttft, sample.own_ttft, known.ttft_ms),
            (sample.gaps, sample.own_gaps, known.gap_ms),
        )
        for share in SHARES
        for text in (_error(values, share, due), _error(own, share, due))
    ]
    return [str(len(sample.ttft)), *told]


def _error(values: Sequence[float], share: float, due: float) -> str:
    return f"{quantile(sorted(values), share) - due:+.2f}"


if __name__ == "__main__":
    main()
