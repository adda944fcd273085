"""The flags of `tgicli chat`, as they are written.

Imported by the command's module; nothing heavy is. `options` checks them and makes a value of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tgicli.cli.endpoint import EndpointFlags
from tgicli.cli.flags import LoadingFlags, SamplingFlags
from tgicli.cli.signature import option

CONVERSATION, OUTPUT = "Conversation", "Output"


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
