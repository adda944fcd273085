"""`tgicli chat`: its options, and which of them exclude each other.

Called by `app` on the main thread. What it is asked for is checked here or in core before anything
heavy is imported; `run` does the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from tgicli.cli.endpoint import EndpointFlags, check_endpoint, sampling_for_server
from tgicli.cli.flags import LoadingFlags, SamplingFlags
from tgicli.cli.generate.app import Output
from tgicli.cli.signature import option, takes
from tgicli.config import state_path
from tgicli.core import SamplingParams
from tgicli.errors import ConfigError

if TYPE_CHECKING:
    from tgicli.backends.endpoint import RemoteOptions

CONVERSATION, OUTPUT = "Conversation", "Output"

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatFlags:
    """What the command line, the variables and the file say."""

    system: str | None = option(
        None,
        "--system",
        "-s",
        metavar="TEXT",
        panel=CONVERSATION,
        help="Tell the model how to behave.",
    )
    history: bool = option(
        True, panel=CONVERSATION, help="Keep what is typed for the next sessions, or forget it."
    )
    sampling: SamplingFlags
    plain: bool = option(
        False, "--plain", panel=OUTPUT, help="Text; no colours, no drawn Markdown."
    )
    reasoning: Literal["show", "hide", "stdout"] = option(
        "show",
        metavar="show|hide|stdout",
        panel=OUTPUT,
        help="What a server's model thinks before its answer: on stderr, nowhere, or with it.",
    )
    stats: bool = option(
        False, "--stats", panel=OUTPUT, help="Tokens and times after each answer, on stderr."
    )
    quiet: bool = option(
        False, "--quiet", "-q", panel=OUTPUT, help="No progress and no notes before the answer."
    )
    remote: EndpointFlags
    loading: LoadingFlags


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOptions:
    """What to do, checked."""

    system: str | None
    history: Path | None  # None: what is typed is not kept
    params: SamplingParams
    output: Output
    reasoning: Literal["show", "hide", "stdout"]
    stats: bool
    quiet: bool
    remote: RemoteOptions | None  # None: a model in this process
    n_retries: int
    loading: LoadingFlags


@app.command("chat")
@takes(ChatFlags)
def chat(ctx: typer.Context, flags: ChatFlags) -> None:
    """Talk to a model: question, answer, question.

    \b
    Examples:
      tgicli chat
      tgicli chat -m ./model.gguf --system "Answer in one sentence."
      tgicli chat --endpoint http://localhost:8080
      tgicli chat --profile work
      printf 'Name a colour.\\nAnother one.\\n' | tgicli chat

    /help lists what can be typed beside questions: /retry, /undo, /save and others. Ctrl-C stops
    the answer and keeps the conversation. Without a terminal at stdin, each line of it is a
    question; the first error ends the run.
    """
    check_endpoint(ctx, flags.remote, "reasoning")
    is_remote = flags.remote.is_remote
    options = ChatOptions(
        system=flags.system,
        history=state_path() / "chat_history" if flags.history else None,
        params=_params(ctx, flags),
        output=Output.PLAIN if flags.plain else Output.AUTO,
        reasoning=flags.reasoning,
        stats=flags.stats,
        quiet=flags.quiet,
        remote=flags.remote.to_remote(ctx, flags.loading.model) if is_remote else None,
        n_retries=flags.remote.retries,
        loading=flags.loading,
    )
    _check(options)
    from tgicli.cli.chat.run import run_chat

    run_chat(options, ctx.obj.terminal)


def _params(ctx: typer.Context, flags: ChatFlags) -> SamplingParams:
    """Return how to choose tokens.

    Raises:
        RequestError: a value is out of its range.
    """
    sampling = flags.sampling
    if flags.remote.is_remote:
        sampling = sampling_for_server(ctx, sampling)
    return sampling.to_params(logprobs=False, top_n_tokens=0)


def _check(options: ChatOptions) -> None:
    """Refuse an endpoint that takes no conversation.

    Raises:
        ConfigError: its URL or --api says so.
    """
    if options.remote is not None and not options.remote.prefers_chat:
        raise ConfigError(
            "that endpoint takes prompts, not conversations: name the server, or its route "
            "/v1/chat/completions, or use `tgicli generate`"
        )
