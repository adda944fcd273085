"""The flags of `tgicli chat`, as they are written.

Imported by the command's module; nothing heavy is. `options` checks them and makes a value of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tgicli.cli.endpoint import EndpointFlags
from tgicli.cli.flags import LOADING, LoadingFlags, SamplingFlags
from tgicli.cli.signature import argument, option

CONVERSATION, OUTPUT = "Conversation", "Output"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatFlags:
    """What the command line, the variables and the file say."""

    question: str | None = argument(
        None, metavar="QUESTION", help="What to ask first; without it, you are asked."
    )
    system: str | None = option(
        None,
        "--system",
        "-s",
        metavar="TEXT",
        panel=CONVERSATION,
        help="Tell the model how to behave.",
    )
    load: Path | None = option(
        None,
        metavar="FILE",
        panel=CONVERSATION,
        help="Go on with the conversation that /save has written to FILE.",
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
    server: bool = option(
        True,
        panel=LOADING,
        help="Without -m, let a `tgicli serve` of yours answer that has the model loaded.",
    )
    remote: EndpointFlags
    loading: LoadingFlags
