"""How fast does the engine decode beside llama.cpp's own benchmark, and where does its time go?

Three ways to decode N sequences of 64 prompt tokens each, all lanes full, by turns:
    engine    Engine.step driven by hand, greedy, counted when every sequence has a token
    backend   the same through LocalBackend: the engine's thread, and readers on an event loop
    peer      llama-batched-bench, its decode phase (S_TG): random tokens, no sampling, no text
with the same threads, tokens a sequence, batch sizes and flash attention, and lanes of their own
for each sequence (not --kv-unified). The engine samples and detokenises, the peer does neither: so
a ratio of 1.00 would mean that both were free. The second table splits the engine's steps by timers
around its parts (stopwatch.py).

The peer's own build may be a few per cent faster or slower than the installed library, by the luck
of alignment; with --installed-library both sides run the same machine code.

What would make it lie: other programs on the machine, because threads wait for each other at a
thousand barriers a token (--patience measures disturbed rounds again); a GPU, where llama_decode
only queues the work and the first look at the logits waits for it, so that `sample` seems long; the
backend's streams, which do not begin together, so they are some 50 tokens longer at their end.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import importlib.util
import json
import time
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

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
from stopwatch import Parts, timed_parts

from tgicli.backends.local import LocalBackend
from tgicli.core import Delta, GenerationRequest, SamplingParams
from tgicli.engine.model import Model
from tgicli.engine.prompt import PromptEncoder
from tgicli.engine.runner import ContextOptions, Runner

N_PROMPT = 64
TOKENS_BESIDE_DECODES = 512  # so that all sequences start to decode within a few steps


class Speeds(NamedTuple):
    """Tokens per second in one round."""

    engine: float
    backend: float
    peer: float


def main() -> None:
    """Print both tables."""
    options = _parse()
    path = find_model(options.model)
    program = find_peer(options.peers, "llama-batched-bench")
    print_setting(path, threads=options.threads, peer=find_peer(options.peers, "llama-completion"))
    with loaded(path) as model:
        _print_speeds({n: _rounds(model, program, options, n_lanes=n) for n in options.batches})
        _print_parts({n: _parts(model, options, n_lanes=n) for n in options.batches})


def _parse() -> argparse.Namespace:
    made = parser(__doc__)
    add_rounds_options(made, repeat=5)
    add_peers_option(made)
    made.add_argument("--batches", type=int, nargs="+", default=[1, 4, 8, 16], metavar="N")
    made.add_argument("--n-new", type=int, default=64, metavar="N", help="tokens to decode")
    made.add_argument("--ctx-size", type=int, default=256, metavar="N", help="tokens of a lane")
    made.add_argument(
        "--installed-library",
        action="store_true",
        help="run the peer on llama-cpp-python's own shared library, not on its own (Linux)",
    )
    return made.parse_args()


def _size(options: argparse.Namespace, n_lanes: int) -> ContextOptions:
    return ContextOptions(n_ctx=options.ctx_size, n_lanes=n_lanes, threads=options.threads)


def _rounds(
    model: Model, program: Path, options: argparse.Namespace, *, n_lanes: int
) -> list[Speeds]:
    """Let the three take turns."""
    with computing(model, _size(options, n_lanes)) as runner:
        command = _command(program, model.path, runner, options)
        print_command(command)
        decode = functools.partial(_decode, model, runner, options)
        on_own_thread(decode)  # the first run of a context also reserves its buffers

        def take_turns() -> Speeds:
            engine = on_own_thread(decode)
            backend = asyncio.run(_stream(model, options, n_lanes))
            return Speeds(engine, backend, _bench(command))

        return rounds(options, take_turns)


def _decode(model: Model, runner: Runner, options: argparse.Namespace) -> float:
    """Return the tokens per second of steps in which every lane decodes."""
    driver = _answering(model, runner, options)
    began_s = time.perf_counter()
    for _ in range(options.n_new):
        driver.step()
    elapsed_s = time.perf_counter() - began_s
    driver.abort_all()
    n_tokens: int = options.n_new * runner.n_lanes
    return n_tokens / elapsed_s


def _answering(model: Model, runner: Runner, options: argparse.Namespace) -> Driver:
    """Return an engine of which every lane decodes and will for long enough."""
    driver = Driver(runner, prefix_reuse=False, prompt_tokens_beside_decodes=TOKENS_BESIDE_DECODES)
    for lane in range(runner.n_lanes):
        prompt = prompt_of(model, N_PROMPT, topic=lane)
        driver.submit(str(lane), prompt, ENDLESS, n_new=options.ctx_size - N_PROMPT)
    driver.run_until_all_answer()
    return driver


async def _stream(model: Model, options: argparse.Namespace, n_lanes: int) -> float:
    """Decode through LocalBackend, from the last stream's first token to the first one's end."""
    backend = await LocalBackend.open(
        PromptEncoder(model), replace(_size(options, n_lanes), prefix_reuse=False)
    )
    counts = [0] * n_lanes
    all_answer, one_ends = asyncio.Event(), asyncio.Event()

    async def read(lane: int) -> None:
        async with aclosing(backend.generate(_request(lane, options))) as events:
            async for event in events:
                if isinstance(event, Delta):
                    counts[lane] += len(event.tokens)
                    if all(counts):
                        all_answer.set()
        one_ends.set()

    try:
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(read(lane)) for lane in range(n_lanes)]
            await all_answer.wait()
            began_s, n_before = time.perf_counter(), sum(counts)
            await one_ends.wait()
            speed: float = (sum(counts) - n_before) / (time.perf_counter() - began_s)
            for reader in readers:
                reader.cancel()
    finally:
        await backend.aclose()
    return speed


def _request(lane: int, options: argparse.Namespace) -> GenerationRequest:
    text = f"{lane} and {lane * 7} are numbers. " * 16
    params = SamplingParams(temperature=0, ignore_eos=True, max_new_tokens=2 * options.n_new)
    return GenerationRequest(id=str(lane), prompt=text, params=params, truncate=N_PROMPT)


def _command(
    program: Path, model: Path, runner: Runner, options: argparse.Namespace
) -> list[str | Path]:
    what = ["-npp", str(N_PROMPT), "-ntg", str(options.n_new), "-npl", str(runner.n_lanes)]
    how = [*size_flags(runner, threads=options.threads), "-fa", "auto"]
    form = ["--output-format", "jsonl"]
    command: list[str | Path] = [program, "-m", model, *what, *how, *form]
    if not options.installed_library:
        return command
    return ["env", f"LD_LIBRARY_PATH={_library_folder()}", *command]


def _library_folder() -> Path:
    """Return where llama-cpp-python has its shared libraries."""
    spec = importlib.util.find_spec("llama_cpp")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "lib"


def _bench(command: list[str | Path]) -> float:
    printed = run_peer(command).stdout
    (line,) = [line for line in printed.splitlines() if line.startswith(b"{")]
    return float(json.loads(line)["speed_tg"])


def _print_speeds(of_batch: dict[int, list[Speeds]]) -> None:
    """Print tokens/s and the ratios, round by round."""
    header = ["batch", "engine tokens/s", "backend tokens/s", "peer tokens/s"]
    rows = []
    for n_lanes, speeds in of_batch.items():
        engine, backend, peer = zip(*speeds, strict=True)
        rows.append(
            [
                str(n_lanes),
                *[Spread.of(figures).text(1) for figures in (engine, backend, peer)],
                Spread.of_ratios(engine, peer).text(3),
                Spread.of_ratios(backend, peer).text(3),
            ]
        )
    print_table([*header, "engine / peer", "backend / peer"], rows)


def _parts(model: Model, options: argparse.Namespace, *, n_lanes: int) -> Parts:
    """Time the parts of the engine's steps."""
    with computing(model, _size(options, n_lanes)) as runner:
        return on_own_thread(functools.partial(_time_parts, model, runner, options))


def _time_parts(model: Model, runner: Runner, options: argparse.Namespace) -> Parts:
    driver = _answering(model, runner, options)
    with timed_parts(driver.engine) as parts:
        for _ in range(options.n_new):
            parts.steps_s.append(driver.step().duration_s)
    driver.abort_all()
    return parts


def _print_parts(of_batch: dict[int, Parts]) -> None:
    """Print where the time of a step goes, in its median."""
    header = ["batch", "step ms", "llama_decode ms", "fill µs", "choice µs"]
    rows = [
        [
            str(n_lanes),
            f"{parts.median_s('step') * 1e3:.2f}",
            f"{parts.median_s('decode') * 1e3:.2f}",
            *[
                f"{parts.median_s(name) * 1e6:.0f}"
                for name in ("fill", "choice", "sample", "schedule", "update", "rest")
            ],
            f"{parts.share_outside('decode'):.2%}",
            f"{parts.share_outside('decode', 'choice'):.2%}",
        ]
        for n_lanes, parts in of_batch.items()
    ]
    tail = ["sample µs", "schedule µs", "update µs", "rest µs"]
    print_table([*header, *tail, "outside llama_decode", "Python alone"], rows)


if __name__ == "__main__":
    main()
