"""Download models from a hub into the shared cache.

Called by `resolve` and `tgicli models pull`, on whichever thread resolves a model. The only door to
huggingface_hub, which takes 0.3 s to import and is imported when something must be downloaded.

The library lists, authenticates and keeps the cache's books. The bytes we fetch ourselves, because
it throws away what a broken download brought: a partial file lies beside the blob it will become,
is locked by whoever writes it, and the next run goes on from its end. Never writes to the terminal:
progress is a callback, and the library is silenced.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tgicli.errors import ModelLoadError, ModelNotFound, Overloaded, TgicliError, Unreachable
from tgicli.models import names
from tgicli.models.cache import cache_dir, repository_dir
from tgicli.models.gguf import read_header
from tgicli.models.names import HubName

Progress = Callable[[int, int], None]  # bytes that are here, bytes in all

_RETRY_WAITS_S = (0.5, 1.0, 2.0, 4.0)  # after failures in a row that brought nothing
_LIBRARY = "tgicli"  # how we introduce ourselves
_OTHER_DISK = "free some space, or set HF_HOME to a directory on another disk"


def fetch(name: HubName, *, progress: Progress | None = None) -> Path:
    """Download what the cache lacks of a model's newest version; return the path of its first part.

    Raises:
        ModelNotFound: the hub has no such repository or model, or doesn't give it to us.
        Unreachable, Overloaded: the hub doesn't answer, or not now; what came is kept.
        ModelLoadError: it can't be stored, or came damaged.
    """
    with _explained(name), _silenced():
        _check_online(name)
        first = names.choose(_list_files(name.repository), name)
        files = [_look_up(name.repository, part) for part in names.part_names(first)]
        _download(files, progress)
        paths = [_register(name.repository, file) for file in files]
    return paths[0]


@dataclass(frozen=True, slots=True)
class _RemoteFile:
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


def _check_online(name: HubName) -> None:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise ModelNotFound(
            f"{name} is not on disk and HF_HUB_OFFLINE forbids to download it; "
            f"unset it and run `tgicli models pull {name}`"
        )


def _list_files(repository: str) -> list[str]:
    from huggingface_hub import HfApi, constants

    api = HfApi(library_name=_LIBRARY)
    try:
        info = api.model_info(repository, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise _not_a_hub(constants.ENDPOINT) from error
    files = [file.rfilename for file in info.siblings or ()]
    return [file for file in files if ".." not in file.split("/")]


def _look_up(repository: str, path: str) -> _RemoteFile:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(repository, path)
    found = get_hf_file_metadata(url, library_name=_LIBRARY)
    if found.size is None or not re.fullmatch(r"[\w-]+", found.etag or ""):
        raise _not_a_hub(url)
    return _RemoteFile(path, url, found.size, repository_dir(repository) / f"blobs/{found.etag}")


def _not_a_hub(url: str) -> Unreachable:
    return Unreachable(f"{url} doesn't answer as a hub does; check HF_ENDPOINT and your proxy")


def _download(files: list[_RemoteFile], progress: Progress | None) -> None:
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


def _prepare_folder(files: list[_RemoteFile]) -> None:
    """Make the folder of a model's parts; refuse them if they don't fit on its disk together."""
    folder = files[0].blob.parent
    folder.mkdir(parents=True, exist_ok=True)
    n_missing, n_free = sum(file.n_missing for file in files), shutil.disk_usage(folder).free
    if n_free < n_missing:
        raise ModelLoadError(
            f"{names.stem(files[0].path)} needs {n_missing} bytes more and {folder} has {n_free}; "
            f"{_OTHER_DISK}"
        )


def _fetch_blob(file: _RemoteFile, advance: Callable[[int], None]) -> None:
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


def _receive(file: _RemoteFile, sink: BinaryIO, advance: Callable[[int], None]) -> None:
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


def _append(file: _RemoteFile, sink: BinaryIO, advance: Callable[[int], None]) -> None:
    """Ask once for what is missing, and append what comes."""
    from huggingface_hub import constants, get_session, hf_raise_for_status
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # documented

    n_here = sink.tell()
    headers = build_hf_headers(library_name=_LIBRARY)
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
        raise _not_a_hub(file.url)


def _is_refusal(error: Exception) -> bool:
    """Tell whether the hub answered, and asking again is in vain."""
    status = getattr(getattr(error, "response", None), "status_code", 500)
    return 400 <= status < 500 and status not in (408, 429)


def _check_hash(file: _RemoteFile, sink: BinaryIO) -> None:
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


def _register(repository: str, file: _RemoteFile) -> Path:
    """Enter a blob into the cache's books, and return its path in the snapshot."""
    from huggingface_hub import hf_hub_download

    path = hf_hub_download(repository, file.path, cache_dir=cache_dir(), library_name=_LIBRARY)
    return Path(path)


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep the library off the terminal."""
    import logging
    import warnings

    from huggingface_hub.utils import logging as library_log  # its import sets the level
    from huggingface_hub.utils.tqdm import disable_progress_bars

    library_log.set_verbosity(logging.CRITICAL + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        disable_progress_bars()
        yield


@contextmanager
def _explained(name: HubName) -> Iterator[None]:
    """Turn the library's complaints into ours."""
    from huggingface_hub import constants, errors

    hub, repository = constants.ENDPOINT, name.repository
    try:
        yield
    except errors.GatedRepoError as error:
        raise ModelNotFound(
            f"{repository} is gated; ask for access at {hub}/{repository}, then set HF_TOKEN"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ModelNotFound(
            f"{hub} has no repository {repository}, or it is private; "
            "check the name, or set HF_TOKEN to a token that may read it"
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise Unreachable(f"{hub} went away: {error.__cause__ or error}; try again") from error
    except errors.EntryNotFoundError as error:
        raise ModelNotFound(f"{repository} lists a file that it doesn't have: {error}") from error
    except errors.HFValidationError as error:
        raise ModelNotFound(f"{repository} can't be a repository's name: {error}") from error
    except errors.HfHubHTTPError as error:
        raise _explain_status(error.response.status_code, hub, repository) from error
    except errors.HTTPError as error:  # type: ignore[attr-defined]  # httpx's or its heir's
        raise Unreachable(
            f"can't reach {hub}: {error}; check the network and HF_ENDPOINT, or use a model that "
            "is on disk (`tgicli models list`)"
        ) from error
    except OSError as error:
        raise ModelLoadError(
            f"can't store {name} in {cache_dir()}: {error.strerror or error}; {_OTHER_DISK}"
        ) from error


def _explain_status(status: int, hub: str, repository: str) -> TgicliError:
    if status in (401, 403):
        return ModelNotFound(
            f"{hub} doesn't let us read {repository} (status {status}); "
            "set HF_TOKEN to a token that may"
        )
    if status == 429:
        return Overloaded(
            f"{hub} had too many requests from here; wait, or set HF_TOKEN to be allowed more"
        )
    return Unreachable(f"{hub} answers {status} when asked for {repository}; try again later")
