"""Bring a hub's files to disk: what broke off goes on from its end.

Called by `hub`, on its thread. The library throws away what a broken download brought; here a
partial file lies beside the blob it will become, is locked by whoever writes it, and the next run
goes on from its end. Never writes to the terminal: progress is a callback.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tgicli.errors import ModelLoadError, Overloaded, TgicliError, Unreachable
from tgicli.models import names
from tgicli.models.gguf import read_header
from tgicli.models.hub_errors import OTHER_DISK, asked_wait_s, not_a_hub, reason, status_of

if TYPE_CHECKING:
    from huggingface_hub.errors import Response  # type: ignore[attr-defined]  # httpx's or its heir's

LIBRARY = "tgicli"  # how we introduce ourselves
Progress = Callable[[int, int], None]  # bytes that are here, bytes in all

_CONTENT_RANGE = re.compile(r"bytes (?P<first>\d+)-(?P<last>\d+)/(?P<total>\d+|\*)")
_RETRY_WAITS_S = (0.5, 1.0, 2.0, 4.0)  # after failures in a row that brought nothing
_MAX_WAIT_S = 60.0  # a storage that asks for more is left alone


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
            wait_s, asked_s = next(waits, None), asked_wait_s(error)
            if wait_s is None or asked_s > _MAX_WAIT_S:
                raise _broken_off(file, sink.tell(), error) from error
            time.sleep(max(wait_s, asked_s))


def _broken_off(file: RemoteFile, n_here: int, error: Exception) -> TgicliError:
    kept = "they are kept, and the same command goes on from there" if n_here else "try again later"
    words = (
        f"the download of {file.path} broke off after {n_here} of {file.n_bytes} bytes "
        f"({reason(error)}); {kept}"
    )
    if status_of(error) == 429:
        return Overloaded(words, retry_after_s=asked_wait_s(error) or None)
    return Unreachable(words)


def _append(file: RemoteFile, sink: BinaryIO, advance: Callable[[int], None]) -> None:
    """Ask once for what is missing, and append what comes of it.

    Raises:
        Unreachable: something else came; of that nothing is kept.
    """
    from huggingface_hub import hf_raise_for_status

    n_here = sink.tell()
    with ExitStack() as stack:
        response = stack.enter_context(_ask(file, n_here))
        if response.status_code in (206, 416) and n_here not in _span(file, response):
            response = stack.enter_context(_ask(file, 0))  # it can't begin where we are
        hf_raise_for_status(response)
        span = _span(file, response)
        if n_here not in span:
            raise not_a_hub(file.url)
        n_known = n_here - span.start
        for chunk in response.iter_bytes():
            new = chunk[n_known:]
            n_known -= len(chunk) - len(new)
            if sink.tell() + len(new) > span.stop:
                break
            sink.write(new)
            advance(len(new))
        if sink.tell() != span.stop:  # it came whole, and was shorter or longer
            sink.truncate(n_here)
            raise not_a_hub(file.url)


def _ask(file: RemoteFile, start: int) -> AbstractContextManager[Response]:
    """Ask for a file's bytes from an offset on."""
    from huggingface_hub import constants, get_session
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # documented

    headers = build_hf_headers(library_name=LIBRARY)
    headers["Accept-Encoding"] = "identity"  # so that offsets count the file's own bytes
    if start:
        headers["Range"] = f"bytes={start}-"
    timeout_s = constants.HF_HUB_DOWNLOAD_TIMEOUT
    return get_session().stream("GET", file.url, headers=headers, timeout=timeout_s)


def _span(file: RemoteFile, response: Response) -> range:
    """Return which bytes of the file an answer brings; none if it is of something else.

    A network's login page comes with status 200, too: its length tells.
    """
    headers, n_file = response.headers, file.n_bytes
    n_bytes = int(headers.get("Content-Length", n_file))
    if response.status_code == 206:
        rest = f"bytes {n_file - n_bytes}-{n_file - 1}/*"  # where it doesn't say which
        said = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", rest))
        if said is None or said["total"] not in ("*", str(n_file)):
            return range(0)
        return range(int(said["first"]), min(int(said["last"]) + 1, n_file))
    is_file = response.is_success and (n_bytes == n_file or "Content-Encoding" in headers)
    return range(n_file if is_file else 0)


def _is_refusal(error: Exception) -> bool:
    """Tell whether somebody answered, and asking again is in vain."""
    status = status_of(error)
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
