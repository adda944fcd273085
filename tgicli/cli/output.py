"""In which form an answer is written, and what takes it in.

Used by the commands that show one answer at a time, on the event loop. Words only; the sinks are
`generate`'s and `chat`'s own.
"""

from __future__ import annotations

import enum
from typing import Protocol

from tgicli.core import Delta, Finish


class Output(enum.Enum):
    """What is written to stdout."""

    AUTO = "auto"  # drawn on a terminal, plain elsewhere
    PLAIN = "plain"
    RAW = "raw"  # the answer's bytes and nothing else
    JSON = "json"


class Sink(Protocol):
    """Takes an answer's events in."""

    def write(self, event: Delta | Finish) -> None:
        """Take the next event.

        Raises:
            BrokenPipeError: nobody reads it any more.
        """
        ...

    def close(self) -> None:
        """Show for good what is not shown yet; also after an interrupt."""
        ...
