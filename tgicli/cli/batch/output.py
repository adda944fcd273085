"""The answers of `generate --input` on disk: what an interrupt, a crash or a full disk leaves is
whole, and the next run goes on from it.

Used by `job` on the main thread and then on the event loop; only waiting for the disk happens on
a thread. A line is appended as soon as it is there, so the file grows in the order of completion;
`sort` brings it into the order of the prompts once all are done.

Invariants
    the file has one line for a prompt at most
    only the last line can be cut off, and opening the file again repairs it
    one process at a time has the file; a file that is not ours is never changed
    a file is replaced by a whole one or not at all
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tgicli.errors import ConfigError, StreamBroken
from tgicli.wire.batch_answers import Record, decode_record, may_be_cut, with_index

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND


@dataclass(frozen=True, slots=True)
class _Stored:
    """A line in the file."""

    record: Record
    start: int
    stop: int


class AnswerFile:
    """An open file of answers, locked for this process."""

    def __init__(self, path: Path) -> None:
        """Open or create the file, lock it, and repair its end.

        Raises:
            ConfigError: it is not ours, another process has it, or it can't be opened.
        """
        self._path = Path(os.path.realpath(path))  # replacing must not replace a link
        self._draft = self._path.with_name(f".{self._path.name}.tgicli")
        self._shown = path
        self._fd = _open_locked(self._path, path)
        try:
            self._lines, self._end = self._scan()
            self._draft.unlink(missing_ok=True)  # of a process that was killed
            _sync_folder(self._path.parent)
        except BaseException:
            os.close(self._fd)
            raise
        self._n_synced = self._end
        self._syncing = asyncio.Lock()

    def close(self) -> None:
        """Wait for the disk, and let others have the file."""
        with contextlib.suppress(OSError):
            os.fsync(self._fd)
        os.close(self._fd)

    @property
    def records(self) -> list[Record]:
        """What the file has a line about, in its order."""
        return [line.record for line in self._lines]

    @property
    def n_answers(self) -> int:
        """How many prompts are answered."""
        return sum(line.record.is_answer for line in self._lines)

    async def write(self, index: int, line: bytes) -> None:
        """Append a line; return when the disk has it.

        Raises:
            StreamBroken: there is no room, or the disk fails; the file is as before.
        """
        record = decode_record(line)
        assert record is not None, "only our lines are written"
        assert record.key.index == index
        self._append(line)
        self._lines.append(_Stored(record, self._end, self._end + len(line)))
        self._end += len(line)
        await self._sync(self._end)

    def _append(self, line: bytes) -> None:
        try:
            _write_all(self._fd, line)
        except OSError as error:
            os.ftruncate(self._fd, self._end)
            raise self._unwritable(error) from error

    async def _sync(self, end: int) -> None:
        """Wait until the disk has the file up to there; who waits together waits once."""
        async with self._syncing:
            if self._n_synced >= end:
                return
            n_written = self._end
            try:
                await asyncio.to_thread(os.fsync, self._fd)
            except OSError as error:
                raise self._unwritable(error) from error
            self._n_synced = n_written

    def keep(self, indexes: Mapping[int, int]) -> None:
        """Take out all lines but those at these places in `records`; give each its prompt's index.

        Raises:
            StreamBroken: there is no room; the file is as before.
        """
        kept = [
            replace(line, record=line.record.at(indexes[place]))
            for place, line in enumerate(self._lines)
            if place in indexes
        ]
        if kept != self._lines:
            self._rewrite(kept)

    def sort(self) -> None:
        """Bring the lines into the order of the prompts. Raises as keep."""
        ordered = sorted(self._lines, key=lambda line: line.record.key.index)
        if ordered != self._lines:
            self._rewrite(ordered)

    def _rewrite(self, lines: list[_Stored]) -> None:
        """Replace the file by one with these lines."""
        draft = self._draft
        try:
            fd = os.open(draft, _FLAGS | os.O_TRUNC, 0o600)
            try:
                # Locked before anybody can find it: there is no moment without a lock.
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                copied = self._copy(lines, fd)
                os.fchmod(fd, stat.S_IMODE(os.fstat(self._fd).st_mode))
                os.fsync(fd)
                os.replace(draft, self._path)
            except BaseException:
                os.close(fd)
                draft.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise self._unwritable(error) from error
        os.close(self._fd)
        self._fd = fd
        _sync_folder(self._path.parent)
        self._lines, self._end = copied, os.fstat(fd).st_size
        self._n_synced = self._end

    def _copy(self, lines: Iterable[_Stored], fd: int) -> list[_Stored]:
        """Write the lines with their records' indexes; return them as they lie there."""
        copied, end = list[_Stored](), 0
        for line in lines:
            data = os.pread(self._fd, line.stop - line.start, line.start)
            data = with_index(data, line.record.key.index)
            _write_all(fd, data)
            copied.append(_Stored(line.record, end, end + len(data)))
            end += len(data)
        return copied

    def _scan(self) -> tuple[list[_Stored], int]:
        """Return the lines, and where the next one goes; cut off what is no whole line.

        Raises:
            ConfigError: a line is none of ours.
        """
        lines: list[_Stored] = []
        end = 0
        with open(os.dup(self._fd), "rb") as file:
            file.seek(0)
            for number, line in enumerate(file, start=1):
                record = decode_record(line)
                if record is None:
                    if not line.endswith(b"\n") and may_be_cut(line):
                        break
                    raise ConfigError(
                        f"--output {self._shown} is not overwritten: its line {number} is no "
                        f"answer of tgicli; choose another file"
                    )
                lines.append(_Stored(record, end, end + len(line)))
                end += len(line)
                if not line.endswith(b"\n"):  # whole but for that
                    lines[-1] = _Stored(record, lines[-1].start, end + 1)
        return lines, self._mend(lines, end)

    def _mend(self, lines: list[_Stored], end: int) -> int:
        os.ftruncate(self._fd, end)
        if lines and lines[-1].stop > end:
            _write_all(self._fd, b"\n")
            return end + 1
        return end

    def _unwritable(self, error: OSError) -> StreamBroken:
        return StreamBroken(f"--output {self._shown} can't be written: {error.strerror}")


def _open_locked(path: Path, shown: Path) -> int:
    """Open the file that has this name, with its lock.

    Raises:
        ConfigError: it can't be opened, is no file, or another process has it.
    """
    while True:
        fd = _open(path, shown)
        try:
            _lock(fd, shown)
            # Whoever had it may have replaced it meanwhile: then this is the old one.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(fd), os.stat(path)):
                    return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _open(path: Path, shown: Path) -> int:
    try:
        # Not `path`: of a pipe, as /dev/stdout may be one, the real path is no path.
        if shown.exists() and not shown.is_file():
            raise ConfigError(f"--output {shown} is no regular file; for a pipe use `-`")
        return os.open(path, _FLAGS, 0o666)
    except OSError as error:
        raise ConfigError(f"can't open --output {shown}: {error.strerror}") from error


def _lock(fd: int, shown: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(
            f"another process is writing --output {shown}; wait for it, or choose another file"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"--output {shown} can't be locked: {error.strerror}; choose a file on another disk"
        ) from error


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _sync_folder(folder: Path) -> None:
    """Make a file's new name last; some file systems have no such thing."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
