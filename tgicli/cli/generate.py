"""`tgicli generate`: its options, and which of them exclude each other.

Called by `app` on the main thread. What it is asked for is checked here or in core before anything
heavy is imported; `answer` does the work.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

import typer

from tgicli.cli.command import is_flag, rank_of
from tgicli.cli.options import LoadingOptions, SamplingOptions
from tgicli.cli.prompt import read_prompt
from tgicli.cli.signature import argument, option, takes
from tgicli.core import SamplingParams
from tgicli.errors import ConfigError
from tgicli.ui.terminal import Terminal

PROMPT, OUTPUT = "Prompt", "Output"
STDIN = Path("-")

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Output(enum.Enum):
    """What is written to stdout."""

    AUTO = "auto"  # drawn on a terminal, plain elsewhere
    PLAIN = "plain"
    RAW = "raw"  # the answer's bytes and nothing else
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateFlags:
    """What the command line, the variables and the file say."""

    prompt: str | None = argument(
        None,
        metavar="PROMPT",
        help="What to answer; `-` reads it from stdin. What stdin or FILE holds comes after it, "
        "behind a blank line and without the newline at its end.",
    )
    file: Path | None = option(
        None, "--file", "-f", metavar="FILE", panel=PROMPT, help="Read FILE instead of stdin."
    )
    stdin: bool | None = option(
        None,
        panel=PROMPT,
        default_text="if there is data",
        help="Read stdin, however late it comes, or never. Otherwise a pipe beside PROMPT that "
        "stays silent for 5 s is left alone.",
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
        panel=PROMPT,
        default_text="a prompt that is too long is refused",
        help="Keep the last N tokens of the prompt.",
    )
    sampling: SamplingOptions
    best_of: int = option(
        1,
        metavar="N",
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
        0, metavar="N", panel=OUTPUT, help="With --json: the N likeliest tokens of each step."
    )
    special: bool = option(False, "--special", panel=OUTPUT, help="Show special tokens, too.")
    stats: bool = option(False, "--stats", panel=OUTPUT, help="Timings and the seed, on stderr.")
    quiet: bool = option(
        False, "--quiet", "-q", panel=OUTPUT, help="No progress and no notes on stderr."
    )
    loading: LoadingOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateOptions:
    """What to do, checked."""

    prompt: str
    system: str | None
    chat: bool | None  # None: when the model has a template
    params: SamplingParams
    truncate: int | None
    best_of: int
    output: Output
    stream: bool
    details: bool
    special: bool
    stats: bool
    quiet: bool
    loading: LoadingOptions


@app.command("generate")
@takes(GenerateFlags)
def generate(ctx: typer.Context, flags: GenerateFlags) -> None:
    """Stream a model's answer to PROMPT.

    \b
    Examples:
      tgicli generate "Why is the sky blue?"
      git diff | tgicli generate "Write a commit message" -m ./model.gguf
      tgicli generate --file notes.txt --system "Summarise in three lines."
      tgicli generate "Once upon a time" --no-chat --max-new-tokens 100 --seed 7
      tgicli generate "Name a colour" --json --no-stream --details

    The answer goes to stdout, everything else to stderr. Each option can also be set by a variable
    (--top-k by TGICLI_TOP_K) or in the configuration file; `tgicli config` shows what holds.
    """
    terminal: Terminal = ctx.obj.terminal
    output = _output(ctx, flags)
    _check(ctx, flags, output)
    params = flags.sampling.to_params(
        logprobs=output is Output.JSON, top_n_tokens=flags.top_n_tokens
    )
    options = GenerateOptions(
        prompt=_prompt(ctx, flags, terminal),
        system=None if flags.chat is False else flags.system,
        chat=flags.chat,
        params=params,
        truncate=flags.truncate,
        best_of=flags.best_of,
        output=output,
        stream=flags.stream,
        details=flags.details,
        special=flags.special,
        stats=flags.stats,
        quiet=flags.quiet,
        loading=flags.loading,
    )
    from tgicli.cli.answer import answer

    answer(options, terminal)


def _output(ctx: typer.Context, flags: GenerateFlags) -> Output:
    """Return the wanted format; a flag wins over a variable, and that over the file.

    Raises:
        ConfigError: two are wanted in the same place.
    """
    wanted = {"raw": flags.raw, "plain": flags.plain, "json": flags.json}
    ranks = {name: rank_of(ctx, name) for name, is_wanted in wanted.items() if is_wanted}
    first = [name for name, rank in ranks.items() if rank == max(ranks.values())]
    if len(first) > 1:
        raise ConfigError(f"--{first[0]} and --{first[1]} exclude each other; choose one")
    return Output(first[0]) if first else Output.AUTO


def _check(ctx: typer.Context, flags: GenerateFlags, output: Output) -> None:
    """Refuse flags that contradict each other; what a variable or the file says gives way.

    Raises:
        ConfigError: two flags do.
    """
    given = {name for name in ctx.params if is_flag(ctx, name)}
    if "-" in (flags.prompt, str(flags.file)) and "stdin" in given and not flags.stdin:
        raise ConfigError("`-` and --no-stdin exclude each other; choose one")
    if "file" in given and flags.file != STDIN:
        if flags.prompt == "-":
            raise ConfigError("`-` and --file exclude each other; choose one")
        if "stdin" in given and flags.stdin:
            raise ConfigError("--stdin and --file exclude each other; choose one")
    if {"system", "chat"} <= given and not flags.chat:
        raise ConfigError(
            "--system needs the chat template, which --no-chat leaves out; choose one"
        )
    for name in ("details", "top_n_tokens"):
        if name in given and output is not Output.JSON:
            raise ConfigError(f"--{name.replace('_', '-')} shows in JSON only; add --json")


def _prompt(ctx: typer.Context, flags: GenerateFlags, terminal: Terminal) -> str:
    """Return the prompt.

    Raises:
        ConfigError: there is none, and nobody to ask; the help page is shown.
        RequestError: it has no text.
    """
    argument, file, stdin = flags.prompt, flags.file, flags.stdin
    if argument == "-":
        argument, stdin = None, True
    if file == STDIN:
        file, stdin = None, True
    prompt = read_prompt(argument, file, terminal, stdin=stdin)
    if prompt is None:
        terminal.write_stderr(f"{ctx.get_help()}\n\n".encode())
        raise ConfigError("there is no prompt: say it as an argument, or send it on stdin")
    return prompt
