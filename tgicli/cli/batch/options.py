"""What `generate --input` is to do, checked. Values only; made of flags, used by `job`."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tgicli.cli.flags import LoadingFlags
from tgicli.wire.batch import Ask

if TYPE_CHECKING:
    from tgicli.backends.endpoint import RemoteOptions

InputFormat = Literal["auto", "jsonl", "text"]


class Earlier(enum.Enum):
    """What becomes of answers from an earlier run."""

    KEEP = "keep"  # and refuse to go on when a prompt or a parameter has changed
    REDO_CHANGED = "redo-changed"
    RESTART = "restart"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """Which prompts to ask, of whom, and where the answers go."""

    input: Path
    output: Path | None  # None: stdout
    format: InputFormat
    common: Ask
    chat: bool | None  # None: when the model has a template
    concurrency: int
    in_order: bool
    earlier: Earlier
    stops_at_failure: bool
    patience_s: float
    timeout_s: float | None  # of each answer here; a server has its own
    quiet: bool
    stats: bool  # say at the end how fast it was
    remote: RemoteOptions | None  # None: a model in this process
    loading: LoadingFlags
