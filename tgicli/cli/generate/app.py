"""`tgicli generate`: its options, and which of them exclude each other.

Called by `app` on the main thread. What it is asked for is checked here or in core before anything
heavy is imported; `answer` does the work.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from tgicli.cli.batch.flags import BatchFlags, check_batch
from tgicli.cli.command import is_flag, strongest
from tgicli.cli.endpoint import EndpointFlags, check_endpoint, sampling_for_server
from tgicli.cli.flags import LOADING, LoadingFlags, SamplingFlags
from tgicli.cli.generate.grammar import GrammarFlags
from tgicli.cli.prompt import STDIN, read_prompt
from tgicli.cli.signature import argument, option, takes
from tgicli.cli.value import check_name
from tgicli.core import GenerationRequest, SamplingParams
from tgicli.errors import ConfigError
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.backends.endpoint import RemoteOptions

PROMPT, OUTPUT = "Prompt", "Output"

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
    reasoning: Literal["show", "hide", "stdout"]
    stats: bool
    dry_run: bool
    quiet: bool
    remote: RemoteOptions | None  # None: a model in this process
    may_be_warm: bool  # or in a server of the user's, if it is loaded there
    n_retries: int
    timeout_s: float | None  # None: as long as it takes, or the server's own limits say
    loading: LoadingFlags


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
      tgicli generate "Invent a person" --schema person.json
      tgicli generate "Name a colour" --endpoint http://localhost:8080
      tgicli generate --input prompts.jsonl --output answers.jsonl --concurrency 16

    The answer goes to stdout, everything else to stderr. Each option can also be set by a variable
    (--top-k by TGICLI_TOP_K) or in the configuration file; `tgicli config` shows what holds.
    """
    terminal: Terminal = ctx.obj.terminal
    output = _output(ctx, flags)
    _check(ctx, flags, output)
    # Many prompts take their time, in this process.
    for_any = () if flags.batch.is_wanted else ("timeout",)
    check_endpoint(ctx, flags.remote, "reasoning", for_any=for_any)
    check_batch(ctx, flags.batch)
    if flags.batch.is_wanted:
        _batch(ctx, flags, terminal)
        return
    is_remote = flags.remote.is_remote
    options = GenerateOptions(
        prompt=_prompt(ctx, flags, terminal),
        system=None if flags.chat is False else flags.system,
        chat=flags.chat,
        params=_params(ctx, flags, output),
        truncate=flags.truncate,
        best_of=flags.best_of,
        output=output,
        stream=flags.stream,
        details=flags.details,
        special=flags.special,
        reasoning=flags.reasoning,
        stats=flags.stats,
        dry_run=flags.dry_run,
        quiet=flags.quiet,
        remote=flags.remote.to_remote(ctx, flags.loading.model) if is_remote else None,
        may_be_warm=not is_remote and _may_be_warm(ctx, flags, output),
        n_retries=flags.remote.retries,
        timeout_s=None if is_remote else flags.remote.timeout or None,
        loading=flags.loading,
    )
    from tgicli.cli.generate.answer import answer

    answer(options, terminal)


def _batch(ctx: typer.Context, flags: GenerateFlags, terminal: Terminal) -> None:
    """Answer a file of prompts."""
    from tgicli.cli.batch.job import batch
    from tgicli.wire.batch import Ask

    common = Ask(
        params=_params(ctx, flags, Output.AUTO),
        system=None if flags.chat is False else flags.system,
        truncate=flags.truncate,
        best_of=flags.best_of,
    )
    is_remote = flags.remote.is_remote
    options = flags.batch.to_options(
        common,
        flags.loading,
        flags.remote.to_remote(ctx, flags.loading.model) if is_remote else None,
        chat=flags.chat,
        quiet=flags.quiet,
        stats=flags.stats,
    )
    batch(options, terminal)


def _may_be_warm(ctx: typer.Context, flags: GenerateFlags, output: Output) -> bool:
    """Say whether a server's answer would be the same: nothing is said about how to load.

    JSON and special tokens need what a chat route does not tell.
    """
    says_how = any(is_flag(ctx, field.name) for field in fields(LoadingFlags))
    asks_more = output is Output.JSON or flags.special or flags.dry_run
    return flags.server and not says_how and not asks_more


def _params(ctx: typer.Context, flags: GenerateFlags, output: Output) -> SamplingParams:
    """Return how to choose tokens.

    Raises:
        ConfigError: the grammar can't be read.
        RequestError: a value is out of its range, or no prompt can be asked with it.
    """
    sampling, is_remote = flags.sampling, flags.remote.is_remote
    if is_remote:
        sampling = sampling_for_server(ctx, sampling)
    # A server's log-probabilities come by themselves, or cost something, or are refused.
    logprobs = output is Output.JSON and not is_remote
    params = sampling.to_params(logprobs=logprobs, top_n_tokens=flags.top_n_tokens)
    params = replace(params, grammar=flags.grammar.to_grammar(ctx))
    # Built to be checked: the prompt's own request comes when the model is there.
    GenerationRequest(
        id="any", prompt="any", params=params, truncate=flags.truncate, best_of=flags.best_of
    )
    return params


def _output(ctx: typer.Context, flags: GenerateFlags) -> Output:
    """Return the wanted format; a flag wins over a variable, and that over the file.

    Raises:
        ConfigError: two are wanted in the same place.
    """
    wanted = {"raw": flags.raw, "plain": flags.plain, "json": flags.json}
    first = strongest(ctx, (name for name, is_wanted in wanted.items() if is_wanted))
    if len(first) > 1:
        raise ConfigError(f"--{first[0]} and --{first[1]} exclude each other; choose one")
    return Output(first[0]) if first else Output.AUTO


def _check(ctx: typer.Context, flags: GenerateFlags, output: Output) -> None:
    """Refuse flags that contradict each other; what a variable or the file says gives way.

    Raises:
        ConfigError: two flags do.
    """
    given = {name for name in ctx.params if is_flag(ctx, name)}
    is_stdin_named = flags.prompt == "-" or STDIN in flags.file
    if is_stdin_named and "stdin" in given and not flags.stdin:
        raise ConfigError("`-` and --no-stdin exclude each other; choose one")
    if flags.prompt == "-" and "file" in given:
        raise ConfigError("`-` and --file exclude each other; choose one")
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
    argument, files, stdin = flags.prompt, flags.file, flags.stdin
    if argument == "-":
        argument, stdin = None, True
    if STDIN in files:
        stdin = False  # it is read in its turn
    prompt = read_prompt(argument, files, terminal, stdin=stdin, quiet=flags.quiet)
    if prompt is None:
        terminal.write_stderr(f"{ctx.get_help()}\n\n".encode())
        raise ConfigError("there is no prompt: say it as an argument, or send it on stdin")
    return prompt
