"""The flags of `tgicli generate`, as they are written.

Imported by the command's module; nothing heavy is. `options` checks them and makes a value of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tgicli.cli.batch.flags import BatchFlags
from tgicli.cli.endpoint import EndpointFlags
from tgicli.cli.flags import LOADING, LoadingFlags, SamplingFlags
from tgicli.cli.generate.grammar import GrammarFlags
from tgicli.cli.signature import argument, option
from tgicli.cli.value import check_name

PROMPT, OUTPUT = "Prompt", "Output"


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateFlags:
    """What the command line, the variables and the file say."""

    prompt: str | None = argument(
        None,
        metavar="PROMPT",
        parser=check_name,  # what is wrong with it is said where all of the prompt is read
        help="What to answer; `-` reads it from stdin. What FILEs and stdin hold comes after it, "
        "behind a blank line and without the newline at its end.",
    )
    file: tuple[Path, ...] = option(
        (),
        "--file",
        "-f",
        metavar="FILE",
        panel=PROMPT,
        help="Add what FILE holds. Repeatable; TGICLI_FILE holds one.",
    )
    stdin: bool | None = option(
        None,
        panel=PROMPT,
        default_text="if it is a pipe or a file",
        help="Read stdin, whatever it is, or never. Otherwise a pipe or a file beside PROMPT is "
        "read to its end, a socket that stays silent for 5 s is left alone, and so is all beside "
        "FILE.",
    )
    system: str | None = option(
        None,
        "--system",
        "-s",
        metavar="TEXT",
        panel=PROMPT,
        help="Tell the model how to behave.",
    )
    chat: bool | None = option(
        None,
        panel=PROMPT,
        default_text="chat, if the model has a template",
        help="Put the prompt into the model's chat template, or go on from it as it is.",
    )
    truncate: int | None = option(
        None,
        metavar="N",
        least=1,
        panel=PROMPT,
        default_text="a prompt that is too long is refused",
        help="Keep the last N tokens of the prompt.",
    )
    sampling: SamplingFlags
    grammar: GrammarFlags
    best_of: int = option(
        1,
        metavar="N",
        least=1,
        panel=OUTPUT,
        help="Generate N answers and show the likeliest when all are done.",
    )
    raw: bool = option(False, "--raw", panel=OUTPUT, help="The answer's bytes as they are.")
    plain: bool = option(
        False, "--plain", panel=OUTPUT, help="Text; no colours, no drawn Markdown."
    )
    json: bool = option(
        False,
        "--json",
        panel=OUTPUT,
        help="TGI's JSON: an object a token, one a line; with --no-stream one in all.",
    )
    stream: bool = option(
        True, panel=OUTPUT, help="Show each token when it comes, or all at the end."
    )
    details: bool = option(
        False,
        "--details",
        panel=OUTPUT,
        help="With --json --no-stream: why it ended, the seed, all tokens; a stream has them.",
    )
    top_n_tokens: int = option(
        0,
        metavar="N",
        panel=OUTPUT,
        least=0,
        help="With --json: the N likeliest tokens of each step.",
    )
    special: bool = option(False, "--special", panel=OUTPUT, help="Show special tokens, too.")
    reasoning: Literal["show", "hide", "stdout"] = option(
        "show",
        metavar="show|hide|stdout",
        panel=OUTPUT,
        help="What a server's model thinks before its answer: on stderr, nowhere, or with it.",
    )
    stats: bool = option(False, "--stats", panel=OUTPUT, help="Timings and the seed, on stderr.")
    dry_run: bool = option(
        False,
        "--dry-run",
        panel=OUTPUT,
        help="Generate nothing; print the prompt as the model would see it, or the request to a "
        "server as a curl command without the key.",
    )
    quiet: bool = option(
        False, "--quiet", "-q", panel=OUTPUT, help="No progress and no notes on stderr."
    )
    server: bool = option(
        True,
        panel=LOADING,
        help="Without -m, let a `tgicli serve` of yours answer that has the model loaded.",
    )
    remote: EndpointFlags
    batch: BatchFlags
    loading: LoadingFlags
