"""The flags of `generate --input`, and which others have no meaning beside it.

Imported by `generate`'s flags and options; nothing heavy is.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from tgicli.cli.flags import LoadingFlags
from tgicli.cli.precedence import is_flag, refuse_flags
from tgicli.cli.prompt import STDIN
from tgicli.cli.signature import option
from tgicli.errors import ConfigError

if TYPE_CHECKING:
    from tgicli.backends.endpoint import RemoteOptions
    from tgicli.cli.batch.options import BatchOptions
    from tgicli.wire.batch import Ask

PANEL = "Many prompts"
_OF_ONE_ANSWER = (  # what says how one answer is shown
    *("file", "stdin", "raw", "plain", "json", "stream", "details", "top_n_tokens"),
    *("special", "reasoning", "dry_run", "retries"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFlags:
    """How to answer a file of prompts."""

    input: Path | None = option(
        None,
        metavar="FILE",
        panel=PANEL,
        help="Answer each line of FILE (`-`: stdin): text, a JSON string, or an object with "
        "`prompt` or `messages`, parameters of its own, and keys that its answer repeats.",
    )
    output: Path = option(
        STDIN,
        "--output",
        "-o",
        metavar="FILE",
        panel=PANEL,
        default_text="stdout",
        help="Write the answers to FILE, a JSON object a line. The same command again goes on "
        "where it was interrupted.",
    )
    concurrency: int = option(
        8,
        metavar="N",
        panel=PANEL,
        least=1,
        help="Ask N prompts at once, at most; fewer while a server is busy.",
    )
    input_format: Literal["auto", "jsonl", "text"] = option(
        "auto",
        metavar="auto|jsonl|text",
        panel=PANEL,
        help="What FILE is; auto: what its name ends with, or its first line is.",
    )
    as_completed: bool = option(
        False,
        "--as-completed",
        panel=PANEL,
        help="Leave the answers in the order in which they came.",
    )
    redo_changed: bool = option(
        False,
        "--redo-changed",
        panel=PANEL,
        help="Ask prompts again that have changed since --output was written.",
    )
    restart: bool = option(
        False, "--restart", panel=PANEL, help="Drop the answers in --output, and ask all again."
    )
    fail_fast: bool = option(
        False,
        "--fail-fast",
        panel=PANEL,
        help="Stop at the first prompt that fails. Otherwise the exit status is the greatest of "
        "all failures'.",
    )
    give_up_after: float = option(
        300.0,
        metavar="S",
        panel=PANEL,
        least=0,
        help="Stop when a server has been busy or gone for S seconds; what is answered stays.",
    )

    def to_options(
        self,
        common: Ask,
        loading: LoadingFlags,
        remote: RemoteOptions | None,
        *,
        chat: bool | None,
        timeout_s: float | None,
        quiet: bool,
        stats: bool,
    ) -> BatchOptions:
        """Return what `batch` is to do."""
        from tgicli.cli.batch.options import BatchOptions, Earlier

        assert self.input is not None
        earlier = Earlier.REDO_CHANGED if self.redo_changed else Earlier.KEEP
        return BatchOptions(
            input=self.input,
            output=None if self.output == STDIN else self.output,
            format=self.input_format,
            common=common,
            chat=chat,
            concurrency=self.concurrency,
            in_order=not self.as_completed,
            earlier=Earlier.RESTART if self.restart else earlier,
            stops_at_failure=self.fail_fast,
            patience_s=self.give_up_after,
            timeout_s=timeout_s,
            quiet=quiet,
            stats=stats or not quiet,
            remote=remote,
            loading=loading,
        )

    @property
    def is_wanted(self) -> bool:
        """Whether there is a file of prompts."""
        return self.input is not None


def check_batch(ctx: typer.Context, flags: BatchFlags) -> None:
    """Refuse flags that have no meaning with, or without, a file of prompts.

    Raises:
        ConfigError: there is one.
    """
    if not flags.is_wanted:
        own = sorted(field.name for field in dataclasses.fields(BatchFlags))
        refuse_flags(ctx, own, "is for a file of prompts; name one with --input")
        return
    if is_flag(ctx, "prompt"):
        raise ConfigError("PROMPT is for one prompt; leave it out, or --input")
    refuse_flags(ctx, _OF_ONE_ANSWER, "is for one prompt; leave it out, or --input")
    if flags.redo_changed and flags.restart:
        raise ConfigError("--redo-changed and --restart exclude each other; choose one")
    if flags.output == STDIN:
        refuse_flags(ctx, ("redo_changed", "restart"), "is for a file; name one with --output")
    elif _is_same(flags.input, flags.output):
        raise ConfigError(f"--output {flags.output} is --input, too; choose another file")


def _is_same(one: Path | None, other: Path) -> bool:
    try:
        return one is not None and one.samefile(other)
    except OSError:  # one is not there; or it can't be looked at, as who opens it will say
        return False
