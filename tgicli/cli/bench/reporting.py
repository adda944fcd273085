"""`tgicli bench report FILE`: show a result, or compute it from records. On the main thread."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tgicli.cli.bench.flags import OutputFlags
from tgicli.cli.bench.outputs import check_outputs, read_file, write_outputs
from tgicli.cli.bench.status import BenchStatus
from tgicli.errors import ConfigError
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.bench.recording import Recording
    from tgicli.bench.result import Result


def report_file(path: Path, output: OutputFlags, terminal: Terminal) -> int:
    """Show it; return the exit status.

    Raises:
        ConfigError: it is neither a result nor records.
    """
    check_outputs(output)
    result, recording = _read(path)
    write_outputs(result, recording, output, terminal)
    return 0 if result.is_valid else BenchStatus.INVALID


def _read(path: Path) -> tuple[Result, Recording | None]:
    from tgicli.bench.files import from_json, from_lines, is_records
    from tgicli.bench.summary import summarize_recording

    data = read_file(path)
    try:
        if is_records(data):
            recording = from_lines(data)
            return summarize_recording(recording), recording
        return from_json(data), None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
