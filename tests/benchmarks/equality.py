"""Are the engine's greedy answers those of llama.cpp's own program, byte by byte?

Each prompt is answered by llama-completion, by the engine alone, and by the engine in batches of
different prompts. The bytes compared are the tokens' own, before anything is made of them; the
engine's text must be what UTF-8 decoding makes of these bytes. With --ids, llama-server answers,
too, and the token ids are compared.

Alone every answer must be equal: the script exits 1 when one is not. In a batch llama.cpp may sum
in another order, so two tokens with nearly equal logits can change places, and from there on the
texts part. Where that happens the position is printed with the gap between the two tokens'
log-probabilities there, computed alone: 0.0x is a near tie, more would be a bug.

The peers compute as many prompt tokens at once as the engine, because flash attention on a CPU has
one kernel for 64 rows and more, and another one for fewer, which round differently. With
`--peer-micro-batch 512`, llama.cpp's default, longer prompts may therefore part alone, too.

What would make it lie: prompts that the two sides tokenise differently (so the file is given as
bytes, without escapes), or one of them stopping early (so the number of tokens is printed).
"""

from __future__ import annotations

import argparse
import codecs
import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from completion_server import CompletionServer
from driving import GREEDY, Driver, computing, find_part, loaded
from harness import (
    add_peers_option,
    find_model,
    find_peer,
    parser,
    print_command,
    print_setting,
    print_table,
    run_peer,
    size_flags,
)
from prompts import PROMPTS

from tgicli.engine.model import Model
from tgicli.engine.runner import ContextOptions, Runner

EQUAL = "equal"
END_OF_TEXT = b" [end of text]\n"  # llama-completion's own words behind an answer that ended


@dataclass(frozen=True, slots=True)
class Answer:
    """What one prompt got."""

    ids: list[int]
    raw: bytes  # of the tokens that are part of the answer
    text: str


def main() -> None:
    """Compare all prompts, print what is equal, exit 1 when an answer alone is not."""
    options = _parse()
    path = find_model(options.model)
    program = find_peer(options.peers, "llama-completion")
    print_setting(path, threads=options.threads, peer=program)
    with loaded(path) as model, computing(model, _size(options, n_lanes=1)) as runner:
        flags = size_flags(runner, threads=options.threads)
        if options.peer_micro_batch:
            flags += ["-ub", str(options.peer_micro_batch)]
        expected = _complete_all([program, "-m", path, *flags], options.n_new)
        served = dict(_serve(path, flags, options)) if options.ids else {}
        n_unequal = _compare(model, runner, expected, served, options)
    raise SystemExit(1 if n_unequal else 0)


def _parse() -> argparse.Namespace:
    made = parser(__doc__)
    add_peers_option(made)
    made.add_argument("--n-new", type=int, default=64, metavar="N", help="tokens of each answer")
    made.add_argument("--batch", type=int, default=8, metavar="N", help="prompts computed together")
    made.add_argument(
        "--ctx-size", type=int, default=512, metavar="N", help="tokens of each prompt"
    )
    made.add_argument(
        "--peer-micro-batch",
        type=int,
        metavar="N",
        help="prompt tokens that the peers compute at once (default: as many as the engine)",
    )
    made.add_argument("--ids", action="store_true", help="compare token ids with llama-server's")
    return made.parse_args()


def _complete_all(command: list[str | Path], n_new: int) -> dict[str, bytes]:
    """Let llama-completion answer all prompts; return the answers' bytes."""
    how = ["-n", str(n_new), "--temp", "0", "-no-cnv", "--no-warmup", "--no-display-prompt"]
    # --binary-file, because --file drops a newline at the end
    command = [*command, *how, "--no-escape", "--binary-file"]
    print_command([*command, "PROMPT.txt"])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prompt.txt"
        return {name: _complete([*command, file], prompt) for name, prompt in PROMPTS.items()}


def _complete(command: list[str | Path], prompt: str) -> bytes:
    Path(command[-1]).write_bytes(prompt.encode())
    printed = run_peer(command).stdout
    if not printed.endswith(b"\n\n"):
        raise SystemExit(f"llama-completion ended with {printed[-20:]!r}, not with a blank line")
    return printed.removesuffix(b"\n\n").removesuffix(END_OF_TEXT)


def _serve(
    model: Path, flags: list[str], options: argparse.Namespace
) -> Iterator[tuple[str, list[int]]]:
    """Let llama-server answer all prompts; yield the answers' token ids."""
    program = find_peer(options.peers, "llama-server")
    with CompletionServer([program, "-m", model, "-np", "1", *flags]) as server:
        print_command(server.command)
        for name, prompt in PROMPTS.items():
            yield name, server.token_ids(prompt, n_new=options.n_new)


def _compare(
    model: Model,
    runner: Runner,
    expected: dict[str, bytes],
    served: dict[str, list[int]],
    options: argparse.Namespace,
) -> int:
    """Print a row for each prompt; return how many answers differ alone."""
    alone = _answer(model, runner, options.n_new)
    with computing(model, _size(options, n_lanes=options.batch)) as wide:
        together = _answer(model, wide, options.n_new)
    rows = []
    for name, answer in alone.items():
        verdict = _judge(model, answer, expected[name], served.get(name))
        prompt = model.tokenize(PROMPTS[name], add_special=True)
        part = find_part(answer.ids, together[name].ids)
        words = EQUAL if part is None else part.text(runner, prompt, answer.ids)
        rows.append([name, str(len(prompt)), str(len(answer.ids)), verdict, words])
    header = ["prompt", "its tokens", "answer's", "alone", f"in a batch of {options.batch}"]
    print_table(header, rows)
    n_unequal, n_parted = (sum(row[column] != EQUAL for row in rows) for column in (3, 4))
    print(f"{len(rows)} prompts: {n_unequal} differ alone, {n_parted} part in a batch")
    return n_unequal


def _size(options: argparse.Namespace, *, n_lanes: int) -> ContextOptions:
    return ContextOptions(n_ctx=options.ctx_size, n_lanes=n_lanes, threads=options.threads)


def _judge(model: Model, answer: Answer, expected: bytes, served: list[int] | None) -> str:
    """Say whether an answer that was computed alone is the peers', else what differs."""
    if answer.raw != expected:
        return f"**bytes differ** from {_n_common(answer.raw, expected)} of {len(expected)} on"
    if answer.text != _decoded(answer.raw):
        return "**text differs** from its bytes"
    if served is not None and _visible(model, answer.ids) != _visible(model, served):
        return "**ids differ**"
    return EQUAL


def _n_common(a: bytes, b: bytes) -> int:
    """Count the leading bytes that are equal."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a[: len(b)]))


def _answer(model: Model, runner: Runner, n_new: int) -> dict[str, Answer]:
    """Let the engine answer all prompts, one a lane at a time, without reuse of prefixes."""
    answers: dict[str, Answer] = {}
    names = iter(PROMPTS)
    while batch := list(itertools.islice(names, runner.n_lanes)):
        answers |= _answer_batch(model, runner, batch, n_new)
    return answers


def _answer_batch(model: Model, runner: Runner, names: list[str], n_new: int) -> dict[str, Answer]:
    driver = Driver(runner, prefix_reuse=False)
    for name in names:
        prompt = model.tokenize(PROMPTS[name], add_special=True)
        driver.submit(name, prompt, GREEDY, n_new=n_new)
    driver.run()
    return {
        name: Answer(driver.ids(name), _bytes(model, driver.ids(name)), driver.text(name))
        for name in names
    }


def _bytes(model: Model, ids: list[int]) -> bytes:
    return b"".join(model.piece(token_id).data for token_id in _visible(model, ids))


def _visible(model: Model, ids: list[int]) -> list[int]:
    return [token_id for token_id in ids if not model.piece(token_id).special]


def _decoded(raw: bytes) -> str:
    """Decode, dropping a character that the end has cut off."""
    return codecs.getincrementaldecoder("utf-8")("replace").decode(raw)


if __name__ == "__main__":
    main()
