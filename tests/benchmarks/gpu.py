"""How close to the GPU's limits is the engine, and how does it compare with llama.cpp's programs?

In this order:
    truth      greedy answers of the demo model beside llama.cpp's own (equality.py)
    speed      tokens/s while all lanes decode, by turns with llama-batched-bench, for models with
               random weights in real shapes (shapes.py), and the share of a step that is not
               llama_decode: there the device is waited for inside it
    bandwidth  bytes of weights times tokens/s at batch 1, beside ggml's copies (copying.py)
    serving    `tgicli serve` beside llama-server (serving.py), with --serving

Without a GPU it says so and measures the CPU, which tests this script and says nothing of a GPU.
Build the peers with the flags of the installed wheel: `peers.py --cmake GGML_CUDA=on`.

What would make it lie: a peer that was built for another device (its device is not asked for); a
hot card that slows down (rounds are interleaved); a model of which not all layers are on the GPU
(printed as `GPU layers`).
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from copying import copied_bytes_per_s
from driving import ENDLESS, Driver, computing, loaded, on_own_thread, prompt_of
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
    size_flags,
)
from shapes import SHAPES, made

from tgicli.engine.devices import devices
from tgicli.engine.llama import llama_cpp
from tgicli.engine.memory import Device, gpus_among
from tgicli.engine.model import Model
from tgicli.engine.runner import ContextOptions, Runner

HERE = Path(__file__).parent
N_PROMPT = 64
COPIED_BYTES = 1 << 30
N_TRIES = 20  # of a peer that prints nothing


class Turn(NamedTuple):
    """One round."""

    engine: float  # tokens a second
    peer: float
    outside: float  # the share of the engine's steps that is not llama_decode


@dataclass(frozen=True, slots=True)
class Measured:
    """A shape at one batch size."""

    shape: str
    n_lanes: int
    weights_bytes: int
    turns: list[Turn]

    @property
    def bytes_per_s(self) -> float:
        """The weights read a second, at batch 1."""
        return self.weights_bytes * Spread.of(turn.engine for turn in self.turns).median


def main() -> None:
    """Print all tables; exit 1 when an answer differs or another script fails."""
    options = _parse()
    present = devices()
    gpus = gpus_among(present)
    demo, peer = find_model(None), find_peer(options.peers, "llama-completion")
    print_setting(demo, threads=options.threads, peer=peer)
    for device in present:
        print(f"- device {device.label}")
    if not gpus:
        print("\n**There is no GPU: these are the CPU's figures and say nothing of one.**")
    is_true = not options.truth or _run_beside("equality.py", options)
    names = options.shapes or (["1b", "8b"] if gpus else ["tiny"])
    paths = {name: made(name, options.folder, like=demo) for name in names}
    measured = [found for name, path in paths.items() for found in _measure(name, path, options)]
    _print_speeds(measured)
    _print_bandwidth(measured, gpus[0] if gpus else present[0])
    if options.serving:
        for path in paths.values():
            is_true &= _run_beside("serving.py", options, "--model", str(path), *_serving(options))
    raise SystemExit(0 if is_true else 1)


def _parse() -> argparse.Namespace:
    options = parser(__doc__)
    add_rounds_options(options, repeat=5)
    add_peers_option(options)
    options.add_argument(
        "--shape",
        dest="shapes",
        action="append",
        choices=SHAPES,
        help="repeatable (default: 1b and 8b; tiny without a GPU)",
    )
    options.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32, 64], metavar="N")
    options.add_argument("--n-new", type=int, default=128, metavar="N", help="tokens to decode")
    options.add_argument("--ctx-size", type=int, default=512, metavar="N", help="of a lane")
    options.add_argument(
        "--folder", type=Path, default=Path("random-models"), help="for the models that are made"
    )
    options.add_argument("--serving", action="store_true", help="compare the servers, too")
    options.add_argument("--no-truth", dest="truth", action="store_false")
    return options.parse_args()


def _serving(options: argparse.Namespace) -> list[str]:
    """Return a load for a large device: 256-token prompts, and a prefix of 2,000 tokens."""
    most = str(max(options.batches))
    load = ["--clients", *map(str, options.batches), "--lanes", most, "--sharers", most]
    size = ["--paragraphs", "6", "--prefix-words", "1500", "--ctx-size", "4096"]
    return [*load, *size, "--n-new", str(options.n_new), "--repeat", str(options.repeat)]


def _run_beside(script: str, options: argparse.Namespace, *arguments: str) -> bool:
    """Run another benchmark, whose output is part of ours; say whether it was content."""
    threads = ["--threads", str(options.threads)]
    command = [sys.executable, HERE / script, "--peers", options.peers, *threads, *arguments]
    print(f"\n## {script}\n", flush=True)
    return subprocess.run(command).returncode == 0


def _measure(name: str, path: Path, options: argparse.Namespace) -> Iterator[Measured]:
    program = find_peer(options.peers, "llama-batched-bench")
    print(f"\n## {name}: {path.name}\n")
    with loaded(path) as model:
        print(f"- {model.size_bytes:,} bytes of weights, GPU layers {model.gpu_layers} (-1: all)")
        for n_lanes in options.batches:
            turns = _take_turns(model, program, options, n_lanes)
            yield Measured(name, n_lanes, _read_bytes(model, name), turns)


def _read_bytes(model: Model, name: str) -> int:
    """Return the bytes that a token at batch 1 reads; of an embedding that is no output, a row."""
    shape = SHAPES[name]
    embedding = 0 if shape.is_tied else shape.n_vocab * shape.n_embd // 32 * 34
    return model.size_bytes - embedding


def _take_turns(
    model: Model, program: Path, options: argparse.Namespace, n_lanes: int
) -> list[Turn]:
    size = ContextOptions(n_ctx=options.ctx_size, n_lanes=n_lanes, threads=options.threads)
    with computing(model, size) as runner:
        what = ["-npp", str(N_PROMPT), "-ntg", str(options.n_new), "-npl", str(n_lanes)]
        how = [*size_flags(runner, threads=options.threads), "-fa", "auto"]
        offload = ["-ngl", "999" if model.gpu_layers else "0"]
        form = ["--output-format", "jsonl"]
        command: list[str | Path] = [program, "-m", model.path, *what, *how, *offload, *form]
        print_command(command)
        decode = functools.partial(_decode, model, runner, options)
        on_own_thread(decode)  # the first run of a context also reserves its buffers

        def turn() -> Turn:
            speed = on_own_thread(decode)
            with _awaited_decode():
                outside = on_own_thread(functools.partial(_outside, model, runner, options))
            return Turn(speed, _bench(command), outside)

        return rounds(options, turn)


def _driver(model: Model, runner: Runner, options: argparse.Namespace) -> Driver:
    """Return an engine of which every lane decodes and will for long enough."""
    driver = Driver(runner, prefix_reuse=False, prompt_tokens_beside_decodes=512)
    for lane in range(runner.n_lanes):
        prompt = prompt_of(model, N_PROMPT, topic=lane)
        driver.submit(str(lane), prompt, ENDLESS, n_new=options.ctx_size - N_PROMPT)
    driver.run_until_all_answer()
    return driver


def _decode(model: Model, runner: Runner, options: argparse.Namespace) -> float:
    """Return the tokens per second of steps in which every lane decodes."""
    driver = _driver(model, runner, options)
    began_s = time.perf_counter()
    for _ in range(options.n_new):
        driver.step()
    elapsed_s = time.perf_counter() - began_s
    driver.abort_all()
    return float(options.n_new * runner.n_lanes / elapsed_s)


def _outside(model: Model, runner: Runner, options: argparse.Namespace) -> float:
    """Return the share of the same steps that is spent outside llama_decode."""
    driver = _driver(model, runner, options)
    decoded_s, steps_s = runner.decode_s, 0.0
    for _ in range(options.n_new):
        steps_s += driver.step().duration_s
    driver.abort_all()
    return 1 - (runner.decode_s - decoded_s) / steps_s


@contextmanager
def _awaited_decode() -> Iterator[None]:
    """Make llama_decode wait for the device, so that its time is its own."""
    decode = llama_cpp.llama_decode

    def and_wait(ctx: Any, batch: Any) -> int:
        code: int = decode(ctx, batch)
        llama_cpp.llama_synchronize(ctx)
        return code

    llama_cpp.llama_decode = and_wait
    try:
        yield
    finally:
        llama_cpp.llama_decode = decode


def _bench(command: list[str | Path]) -> float:
    """Return the peer's tokens per second. Its log loses its last lines when it ends quickly."""
    for _ in range(N_TRIES):
        printed = run_peer(command).stdout
        for line in printed.splitlines():
            if line.startswith(b"{"):
                return float(json.loads(line)["speed_tg"])
    raise SystemExit(f"llama-batched-bench printed no figures in {N_TRIES} runs")


def _print_speeds(measured: list[Measured]) -> None:
    rows = [
        [
            f"{found.shape}, {found.n_lanes}",
            Spread.of(turn.engine for turn in found.turns).text(1),
            Spread.of(turn.peer for turn in found.turns).text(1),
            Spread.of(turn.engine / turn.peer for turn in found.turns).text(3),
            f"{Spread.of(turn.outside for turn in found.turns).median:.1%}",
        ]
        for found in measured
    ]
    header = ["shape, batch", "engine tokens/s", "peer tokens/s", "engine / peer"]
    print_table([*header, "outside llama_decode"], rows)


def _print_bandwidth(measured: list[Measured], device: Device) -> None:
    """Print how much of the memory's bandwidth one sequence uses."""
    copied = copied_bytes_per_s(device.name, n_bytes=COPIED_BYTES, repeat=10)
    rows = [
        [
            found.shape,
            f"{found.bytes_per_s / 1e9:.1f}",
            f"{copied / 1e9:.1f}",
            f"{found.bytes_per_s / copied:.1%}",
        ]
        for found in measured
        if found.n_lanes == 1
    ]
    header = ["shape, batch 1", "weights GB/s", f"{device.name} copies GB/s (read + written)"]
    print_table([*header, "share"], rows)


if __name__ == "__main__":
    main()
