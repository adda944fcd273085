"""What `tgicli bench` returns beside what every command does. Values only."""

from __future__ import annotations

import enum

from tgicli.errors import ExitStatus, TgicliError


class BenchStatus(enum.IntEnum):
    """What the process returns once something was measured, or compared."""

    GATE_FAILED = 3
    INVALID = 4
    UNDECIDED = 5

    @property
    def meaning(self) -> str:
        """Say in a few words when this status is returned."""
        return _MEANINGS[self]


_MEANINGS = {
    BenchStatus.GATE_FAILED: "compare --fail-on found a regression, or --strict a missed --slo",
    BenchStatus.INVALID: "the figures can't be believed; the first lines say why",
    BenchStatus.UNDECIDED: "with --strict: too few measurements to decide",
}

EPILOG = (
    "Exit status, once something was measured:\n"
    + f"  {0:3}  {ExitStatus.OK.meaning}\n"
    + "\n".join(f"  {status:3}  {status.meaning}" for status in BenchStatus)
    + "\n\nBefore that, as of every command: `tgicli --help` lists them."
)


class LoadProcessDied(TgicliError):
    """The process that makes the load ended by itself."""
