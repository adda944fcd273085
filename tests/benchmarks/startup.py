"""How long does a whole run of the program take, beside llama.cpp's own?

Two pairs, by turns, each run a process from its start to its exit:
    64 greedy tokens of one prompt: `tgicli generate` against `llama-completion --no-warmup`
    `tgicli --help` against `python -c "import typer"`
The first pair is run twice: as both are by default, and with the same context size for both, for
llama-completion makes room for as many tokens as the model was trained on unless it is told
otherwise. A run before the first round brings the files into the page cache and lets Python
compile. The two outputs are compared, too; the script says when they differ.

What would make it lie: other programs on the machine (--patience measures disturbed rounds again),
a cold disk, and one thing that the table shows and does not explain: 64 tokens of computing are in
both, so the difference between the two in seconds says more than their ratio.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

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
    run_peer,
)

PROMPT = "Once upon a time, in a village by the sea, there lived a clockmaker who"
N_NEW = "64"
Command = list[str | Path]


class Seconds(NamedTuple):
    """Wall time of one round."""

    ours: float
    other: float


def main() -> None:
    """Print the table."""
    options = _parse()
    path = find_model(options.model)
    completion = find_peer(options.peers, "llama-completion")
    print_setting(path, threads=options.threads, peer=completion)
    program = _program(options.tgicli)
    size = str(options.ctx_size)
    generate, complete = _generate(program, path, options), _complete(completion, path, options)
    pairs: dict[str, tuple[Command, Command]] = {
        "64 tokens, as by default": (generate, complete),
        f"64 tokens, context of {size}": ([*generate, "--ctx-size", size], [*complete, "-c", size]),
        "--help, against importing typer": (
            [program, "--help"],
            [sys.executable, "-c", "import typer"],
        ),
    }
    _compare_outputs(generate, complete)
    _print({name: _measure(pair, options) for name, pair in pairs.items()})


def _parse() -> argparse.Namespace:
    made = parser(__doc__)
    add_rounds_options(made, repeat=10)
    add_peers_option(made)
    made.add_argument("--tgicli", type=Path, help="the program (default: beside this Python)")
    made.add_argument("--ctx-size", type=int, default=256, metavar="N")
    return made.parse_args()


def _program(named: Path | None) -> Path:
    path = named or Path(sys.executable).parent / ("tgicli.exe" if os.name == "nt" else "tgicli")
    if not path.exists():
        raise SystemExit(f"there is no {path}; run: pip install tgicli")
    return path


def _generate(program: Path, model: Path, options: argparse.Namespace) -> Command:
    what: Command = [program, "generate", "--raw", "--no-chat", "--temperature", "0"]
    size = ["--max-new-tokens", N_NEW, "--threads", str(options.threads)]
    return [*what, *size, "--model", model, PROMPT]


def _complete(program: Path, model: Path, options: argparse.Namespace) -> Command:
    how = ["--temp", "0", "-no-cnv", "--no-warmup", "--no-display-prompt"]
    size = ["-n", N_NEW, "-t", str(options.threads)]
    return [program, "-m", model, "-p", PROMPT, *how, *size]


def _compare_outputs(generate: Command, complete: Command) -> None:
    """Say whether both print the same answer."""
    ours = run_peer(generate).stdout.rstrip(b"\n")
    theirs = run_peer(complete).stdout.rstrip(b"\n")
    words = "the same" if ours == theirs else f"NOT the same: {ours!r} and {theirs!r}"
    print(f"- the two answers are {words}")


def _measure(pair: tuple[Command, Command], options: argparse.Namespace) -> list[Seconds]:
    for command in pair:
        print_command(command)
        _wall_s(command)
    first, second = (functools.partial(_wall_s, command) for command in pair)
    return rounds(options, lambda: Seconds(first(), second()))


def _wall_s(command: Command) -> float:
    began_s = time.perf_counter()
    run_peer(command)
    return time.perf_counter() - began_s


def _print(measured: dict[str, list[Seconds]]) -> None:
    rows = []
    for name, pairs in measured.items():
        ours, other = zip(*pairs, strict=True)
        rows.append(
            [
                name,
                Spread.of(ours).text(3),
                Spread.of(other).text(3),
                Spread.of(a - b for a, b in pairs).text(3),
                Spread.of_ratios(ours, other).text(3),
            ]
        )
    print_table(["", "tgicli s", "other s", "difference s", "ratio"], rows)


if __name__ == "__main__":
    main()
