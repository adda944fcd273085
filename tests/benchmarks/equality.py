"""Are the engine's greedy answers those of llama.cpp's own program, byte by byte?

Each prompt is answered by llama-completion, by the engine alone, and by the engine in batches of
different prompts. The bytes compared are the tokens' own, before anything is made of them; the
engine's text must be what UTF-8 decoding makes of these bytes. With --ids, llama-server answers,
too, and the token ids are compared.

Alone every answer must be equal: the script exits 1 when one is not. In a batch llama.cpp may sum
in another order: its flash attention on a CPU uses one kernel for chunks of 64 prompt tokens and
more, and another one below. So two tokens with nearly equal logits can change places, and from
there on the texts part. Where that happens the position is printed with the gap between the two
tokens' log-probabilities there, computed alone: 0.0x is a near tie, more would be a bug.

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
    print_command(_command(program, path, Path("PROMPT.txt"), options))
    expected = {name: _complete(program, path, prompt, options) for name, prompt in PROMPTS.items()}
    served = dict(_serve(path, options)) if options.ids else {}
    with loaded(path) as model:
        n_unequal = _compare(model, expected, served, options)
    raise SystemExit(1 if n_unequal else 0)


def _parse() -> argparse.Namespace:
    made = parser(__doc__)
    add_peers_option(made)
    made.add_argument("--n-new", type=int, default=64, metavar="N", help="tokens of each answer")
    made.add_argument("--batch", type=int, default=8, metavar="N", help="prompts computed together")
    made.add_argument(
        "--ctx-size", type=int, default=512, metavar="N", help="tokens of each prompt"
    )
    made.add_argument("--ids", action="store_true", help="compare token ids with llama-server's")
    return made.parse_args()


def _command(
    program: Path, model: Path, prompt: Path, options: argparse.Namespace
) -> list[str | Path]:
    # --binary-file, because --file drops a newline at the end
    what: list[str | Path] = ["-m", model, "--binary-file", prompt, "--no-escape"]
    how = ["-n", str(options.n_new), "--temp", "0", "-no-cnv", "--no-warmup", "--no-display-prompt"]
    size = ["-c", str(options.ctx_size), "-b", "512", "-ub", "512", "-t", str(options.threads)]
    return [program, *what, *how, *size]


def _complete(program: Path, model: Path, prompt: str, options: argparse.Namespace) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prompt.txt"
        file.write_bytes(prompt.encode())
        printed = run_peer(_command(program, model, file, options)).stdout
    if not printed.endswith(b"\n\n"):
        raise SystemExit(f"llama-completion ended with {printed[-20:]!r}, not with a blank line")
    return printed.removesuffix(b"\n\n").removesuffix(END_OF_TEXT)


def _serve(model: Path, options: argparse.Namespace) -> Iterator[tuple[str, list[int]]]:
    program = find_peer(options.peers, "llama-server")
    size = ["-c", str(options.ctx_size), "-b", "512", "-ub", "512", "-t", str(options.threads)]
    with CompletionServer([program, "-m", model, "-np", "1", *size]) as server:
        print_command(server.command)
        for name, prompt in PROMPTS.items():
            yield name, server.token_ids(prompt, n_new=options.n_new)


def _compare(
    model: Model,
    expected: dict[str, bytes],
    served: dict[str, list[int]],
    options: argparse.Namespace,
) -> int:
    """Print a row for each prompt; return how many answers differ alone."""
    alone = _answer(model, n_together=1, options=options)
    together = _answer(model, n_together=options.batch, options=options)
    rows = []
    with computing(model, _size(options, n_lanes=1)) as runner:
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


def _answer(model: Model, *, n_together: int, options: argparse.Namespace) -> dict[str, Answer]:
    """Let the engine answer all prompts, n_together at a time, without reuse of prefixes."""
    answers: dict[str, Answer] = {}
    with computing(model, _size(options, n_lanes=n_together)) as runner:
        names = iter(PROMPTS)
        while batch := list(itertools.islice(names, n_together)):
            answers |= _answer_batch(model, runner, batch, options.n_new)
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
