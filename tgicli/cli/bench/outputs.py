"""Write results where they are wanted: stdout, and files in several formats.

Called on the main thread. Whether files can be written is looked at before anything is measured.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tgicli.cli.bench.flags import OutputFlags
from tgicli.errors import ConfigError
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.bench.recording import Recording
    from tgicli.bench.result import Result

STDOUT = Path("-")

Writer = tuple[Path | None, Callable[[], bytes]]  # where, if anywhere, and what


def check_outputs(output: OutputFlags) -> None:
    """Say now what could not be written later.

    Raises:
        ConfigError: a file can't be.
    """
    wanted = [path for path in _paths(output) if path is not None]
    on_stdout = [path for path in wanted if path == STDOUT]
    if len(on_stdout) > 1:
        raise ConfigError("two outputs want stdout (`-`); give one of them a file")
    files = [path.resolve() for path in wanted if path != STDOUT and not path.is_char_device()]
    if twice := next((path for path in files if files.count(path) > 1), None):
        raise ConfigError(f"two outputs want {twice}; give one of them another file")
    for path in wanted:
        if path != STDOUT and (os.path.isdir(path) or not os.access(_nearest(path), os.W_OK)):
            raise ConfigError(f"can't write {path}: it is a folder, or its folder can't be written")


def _nearest(path: Path) -> Path:
    return path if os.path.exists(path) else path.parent


def _paths(output: OutputFlags) -> Iterator[Path | None]:
    yield from (output.out, output.html, output.md, output.csv, output.records)


def write_outputs(
    result: Result, recording: Recording | None, output: OutputFlags, terminal: Terminal
) -> None:
    """Write every file that is wanted, records first, and the table.

    Raises:
        ConfigError: a file can't be written, after all; the others are.
        BrokenPipeError: nobody reads stdout any more.
    """
    from tgicli.bench.files import to_json, to_lines
    from tgicli.bench.sheets import to_csv, to_markdown

    writers: list[Writer] = []
    if recording is not None:
        writers.append((output.records, lambda: to_lines(recording)))
    writers += [
        (output.out, lambda: to_json(result)),
        (output.md, lambda: to_markdown(result).encode()),
        (output.csv, lambda: to_csv(result)),
        (output.html, lambda: _html(result, recording)),
    ]
    try:
        write_files(writers, terminal)
    finally:
        if STDOUT not in _paths(output):
            from tgicli.cli.bench.showing import result_table

            terminal.write_stdout(result_table(result, recording, terminal))


def write_files(writers: Iterable[Writer], terminal: Terminal) -> None:
    """Write each file that is wanted, and make only those.

    Raises:
        ConfigError: some can't be written; all others are.
    """
    errors = []
    for path, make in sorted(writers, key=lambda writer: writer[0] == STDOUT):
        if path is not None:
            try:
                write_file(path, make(), terminal)
            except ConfigError as error:
                errors.append(str(error))
    if errors:
        raise ConfigError("; ".join(errors))


def _html(result: Result, recording: Recording | None) -> bytes:
    from tgicli.bench.report.page import to_html

    measured = () if recording is None else recording.points
    records = [record for point in measured for run in point.runs for record in run.records]
    return to_html(result, records).encode()


def write_file(path: Path, data: bytes, terminal: Terminal) -> None:
    """Write a file, or stdout. Raises ConfigError when it can't be."""
    if path == STDOUT:
        terminal.write_stdout(data)
        return
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"can't write {path}: {error.strerror}") from error


def read_file(path: Path) -> bytes:
    """Read a file. Raises ConfigError when it can't be."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"can't read {path}: {error.strerror}") from error
