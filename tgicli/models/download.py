"""Bring a hub's files to disk: what broke off goes on from its end.

Called by `hub`, on its thread. The library throws away what a broken download brought; here a
partial file lies beside the blob it will become, is locked by whoever writes it, and the next run
goes on from its end. Never writes to the terminal: progress is a callback.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tgicli.errors import ModelLoadError, Unreachable
from tgicli.models import names
from tgicli.models.gguf import read_header
from tgicli.models.hub_errors import OTHER_DISK, not_a_hub

LIBRARY = "tgicli"  # how we introduce ourselves
Progress = Callable[[int, int], None]  # bytes that are here, bytes in all

_RETRY_WAITS_S = (0.5, 1.0, 2.0, 4.0)  # after failures in a row that brought nothing


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as the hub describes it."""

    path: str  # in the repository
    url: str
    n_bytes: int
    blob: Path  # where its bytes belong; the name is their hash

    def is_cached(self) -> bool:
        """Whether the blob is there, with the right size and a header that can be read."""
        try:
            return self.blob.exists() and read_header(self.blob).n_bytes == self.n_bytes
        except ModelLoadError:
            return False

    @property
    def partial(self) -> Path:
        """Where its bytes are until all have come."""
        return self.blob.with_name(f"{self.blob.name}.tgicli-partial")

    @property
    def n_missing(self) -> int:
        """How many bytes must still come, whoever fetches them."""
        try:
            return self.n_bytes - self.partial.stat().st_size
        except FileNotFoundError:
            return self.n_bytes


def download(files: list[RemoteFile], progress: Progress | None) -> None:
    """Fetch what isn't cached, reporting the sum over all files."""
    n_done, n_total = 0, sum(file.n_bytes for file in files)

    def advance(n_bytes: int) -> None:
        nonlocal n_done
        n_done += n_bytes
        if progress is not None:
            progress(n_done, n_total)

    if missing := [file for file in files if not file.is_cached()]:
        _prepare_folder(missing)
    for file in files:
        if file.is_cached():
            advance(file.n_bytes)
        else:
            _fetch_blob(file, advance)


def _prepare_folder(files: list[RemoteFile]) -> None:
    """Make the folder of a model's parts; refuse them if they don't fit on its disk together."""
    folder = files[0].blob.parent
    folder.mkdir(parents=True, exist_ok=True)
    n_missing, n_free = sum(file.n_missing for file in files), shutil.disk_usage(folder).free
    if n_free < n_missing:
        raise ModelLoadError(
            f"{names.stem(files[0].path)} needs {n_missing} bytes more and {folder} has {n_free}; "
            f"{OTHER_DISK}"
        )


def _fetch_blob(file: RemoteFile, advance: Callable[[int], None]) -> None:
    with file.partial.open("ab") as sink:
        # Whoever fetches it already goes first, and may leave us nothing to do.
        fcntl.flock(sink, fcntl.LOCK_EX)
        if file.is_cached():
            file.partial.unlink(missing_ok=True)
            advance(file.n_bytes)
            return
        if sink.seek(0, os.SEEK_END) > file.n_bytes:
            sink.truncate(0)
        advance(sink.seek(0, os.SEEK_END))
        _receive(file, sink, advance)
        _check_hash(file, sink)
        file.partial.replace(file.blob)


def _receive(file: RemoteFile, sink: BinaryIO, advance: Callable[[int], None]) -> None:
    """Append what is missing, going on where a connection breaks, until nothing comes any more."""
    from huggingface_hub import errors

    waits = iter(_RETRY_WAITS_S)
    while (n_before := sink.tell()) < file.n_bytes:
        try:
            _append(file, sink, advance)
        except errors.HTTPError as error:  # type: ignore[attr-defined]  # httpx's or its heir's
            if _is_refusal(error):
                raise
            if sink.tell() != n_before:
                waits = iter(_RETRY_WAITS_S)
            if (wait_s := next(waits, None)) is None:
                raise Unreachable(
                    f"the download of {file.path} broke off after {sink.tell()} of {file.n_bytes} "
                    f"bytes ({error}); they are kept, and the same command goes on from there"
                ) from error
            time.sleep(wait_s)


def _append(file: RemoteFile, sink: BinaryIO, advance: Callable[[int], None]) -> None:
    """Ask once for what is missing, and append what comes."""
    from huggingface_hub import constants, get_session, hf_raise_for_status
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # documented

    n_here = sink.tell()
    headers = build_hf_headers(library_name=LIBRARY)
    headers["Accept-Encoding"] = "identity"  # so that offsets count the file's own bytes
    if n_here:
        headers["Range"] = f"bytes={n_here}-"
    timeout_s = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with get_session().stream("GET", file.url, headers=headers, timeout=timeout_s) as response:
        hf_raise_for_status(response)
        if n_here and response.status_code != 206:  # the range was ignored: here comes all of it
            sink.truncate(0)
            sink.seek(0)  # truncating leaves the cursor where it was
            advance(-n_here)
        for chunk in response.iter_bytes():
            sink.write(chunk)
            advance(len(chunk))
    if sink.tell() == n_here:
        raise not_a_hub(file.url)


def _is_refusal(error: Exception) -> bool:
    """Tell whether the hub answered, and asking again is in vain."""
    status = getattr(getattr(error, "response", None), "status_code", 500)
    return 400 <= status < 500 and status not in (408, 429)


def _check_hash(file: RemoteFile, sink: BinaryIO) -> None:
    """Compare with the blob's name, if that is a SHA-256: small files in git have another hash."""
    if len(file.blob.name) != 2 * hashlib.sha256().digest_size:
        return
    sink.flush()
    with file.partial.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    if digest != file.blob.name:
        sink.truncate(0)
        raise ModelLoadError(
            f"{file.path} came damaged: its SHA-256 is {digest} and the hub says "
            f"{file.blob.name}; nothing is kept, try again"
        )
