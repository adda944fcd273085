"""What `tgicli generate` is to do, checked: made of its flags, used by `answer` and its helpers.

Called on the main thread before anything heavy is imported. A prompt on stdin is read here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import typer

from tgicli.cli.batch.flags import check_batch
from tgicli.cli.endpoint import check_endpoint, sampling_for_server
from tgicli.cli.flags import LoadingFlags, says_how_to_load
from tgicli.cli.generate.flags import GenerateFlags
from tgicli.cli.output import Output
from tgicli.cli.precedence import is_flag, only_one, refuse_flags
from tgicli.cli.prompt import STDIN, read_prompt
from tgicli.core import GenerationRequest, SamplingParams
from tgicli.errors import ConfigError
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.backends.endpoint import RemoteOptions
    from tgicli.cli.batch.options import BatchOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateOptions:
    """What to do, checked."""

    prompt: str
    system: str | None
    needs_template: bool  # for the system prompt, which was typed: what a file says gives way
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


def to_options(ctx: typer.Context, flags: GenerateFlags, terminal: Terminal) -> GenerateOptions:
    """Check the flags, and read the prompt.

    Raises:
        ConfigError: one is wrong, or two contradict each other.
        RequestError: no prompt can be asked like this, or there is none.
    """
    output = _output(ctx, flags)
    _check(ctx, flags, output)
    is_remote = flags.remote.is_remote
    return GenerateOptions(
        prompt=_prompt(ctx, flags, terminal),
        system=None if flags.chat is False else flags.system or None,
        needs_template=_needs_template(ctx, flags),
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
        timeout_s=flags.remote.own_timeout_s,
        loading=flags.loading,
    )


def to_batch_options(ctx: typer.Context, flags: GenerateFlags) -> BatchOptions:
    """Check the flags of a file of prompts.

    Raises:
        ConfigError, RequestError: as above.
    """
    _check(ctx, flags, _output(ctx, flags))
    from tgicli.wire.batch import Ask

    is_remote = flags.remote.is_remote
    remote = flags.remote.to_remote(ctx, flags.loading.model) if is_remote else None
    common = Ask(
        params=_params(ctx, flags, Output.AUTO),
        system=None if flags.chat is False else flags.system or None,
        needs_template=_needs_template(ctx, flags),
        truncate=flags.truncate,
        best_of=flags.best_of,
    )
    return flags.batch.to_options(
        common,
        flags.loading,
        remote,
        chat=flags.chat,
        timeout_s=flags.remote.own_timeout_s,
        quiet=flags.quiet,
        stats=flags.stats,
    )


def _needs_template(ctx: typer.Context, flags: GenerateFlags) -> bool:
    return bool(flags.system) and is_flag(ctx, "system")


def _output(ctx: typer.Context, flags: GenerateFlags) -> Output:
    """Return the wanted format; a flag wins over a variable, and that over the file.

    Raises:
        ConfigError: two are wanted in the same place.
    """
    wanted = {"raw": flags.raw, "plain": flags.plain, "json": flags.json}
    name = only_one(ctx, (name for name, is_wanted in wanted.items() if is_wanted))
    return Output.AUTO if name is None else Output(name)


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
    if output is not Output.JSON:
        refuse_flags(ctx, ("details", "top_n_tokens"), "shows in JSON only; add --json")
    check_endpoint(ctx, flags.remote, "reasoning", for_any=("timeout",))
    check_batch(ctx, flags.batch)


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


def _may_be_warm(ctx: typer.Context, flags: GenerateFlags, output: Output) -> bool:
    """Say whether a server's answer would be the same: nothing is said about how to load.

    JSON and special tokens need what a chat route does not tell; nor does it tell whether an
    answer that was cut off is one that a regular expression matches.
    """
    asks_more = output is Output.JSON or flags.special or flags.dry_run
    asks_more |= flags.grammar.regex is not None
    return flags.server and not says_how_to_load(ctx) and not asks_more
