"""What `tgicli chat` is to do, checked: made of its flags, used by `run` and what it opens.

Called on the main thread before anything heavy is imported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from tgicli.cli.chat.conversation import Conversation, load
from tgicli.cli.chat.flags import ChatFlags
from tgicli.cli.endpoint import check_endpoint, sampling_for_server
from tgicli.cli.flags import LoadingFlags, says_how_to_load
from tgicli.cli.output import Output
from tgicli.cli.precedence import is_flag
from tgicli.config import state_path
from tgicli.core import SamplingParams
from tgicli.errors import ConfigError

if TYPE_CHECKING:
    from tgicli.backends.endpoint import RemoteOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOptions:
    """What to do, checked."""

    conversation: Conversation  # how it begins
    unanswered: str | None  # the last question of it
    question: str | None  # to be answered first
    history: Path | None  # None: what is typed is not kept
    params: SamplingParams
    output: Output
    reasoning: Literal["show", "hide", "stdout"]
    stats: bool
    quiet: bool
    remote: RemoteOptions | None  # None: a model in this process
    may_be_warm: bool  # or in a server of the user's, if it is loaded there
    n_retries: int
    timeout_s: float | None  # of each answer here; a server has its own
    loading: LoadingFlags

    @property
    def is_loaded(self) -> bool:
        """Whether something was said before."""
        return bool(self.conversation.turns) or self.unanswered is not None


def to_options(ctx: typer.Context, flags: ChatFlags) -> ChatOptions:
    """Check the flags.

    Raises:
        ConfigError: one is wrong, or two contradict each other.
        RequestError: a value is out of its range.
    """
    check_endpoint(ctx, flags.remote, "reasoning", for_any=("timeout",))
    is_remote = flags.remote.is_remote
    conversation, unanswered = _beginning(ctx, flags)
    options = ChatOptions(
        conversation=conversation,
        unanswered=unanswered,
        question=flags.question,
        history=state_path() / "chat_history" if flags.history else None,
        params=_params(ctx, flags),
        output=Output.PLAIN if flags.plain else Output.AUTO,
        reasoning=flags.reasoning,
        stats=flags.stats,
        quiet=flags.quiet,
        remote=flags.remote.to_remote(ctx, flags.loading.model) if is_remote else None,
        may_be_warm=not is_remote and flags.server and not says_how_to_load(ctx),
        n_retries=flags.remote.retries,
        timeout_s=flags.remote.own_timeout_s,
        loading=flags.loading,
    )
    _check(options)
    return options


def _beginning(ctx: typer.Context, flags: ChatFlags) -> tuple[Conversation, str | None]:
    """Return the conversation as it begins, and its last question if nobody has answered it.

    Raises:
        ConfigError: there is no such file, or it holds something else.
    """
    if flags.load is None:
        return Conversation(flags.system or None), None
    conversation, unanswered = load(flags.load)
    # The file's own system prompt is part of it: nothing less than a flag replaces it.
    if conversation.system is None or is_flag(ctx, "system"):
        conversation = replace(conversation, system=flags.system or None)
    return conversation, unanswered


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
