"""Download models from a hub into the shared cache.

Called by `resolve` and `tgicli models pull`, on whichever thread resolves a model. With `download`
and its neighbours in `hub_*` the door to huggingface_hub, which takes 0.3 s to import and is
imported when something must be downloaded. The library lists, authenticates and keeps the cache's
books; it is kept off the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from tgicli.errors import ModelNotFound
from tgicli.models import names
from tgicli.models.cache import cache_dir, find_cached, repository_dir
from tgicli.models.download import LIBRARY, Progress, RemoteFile, download
from tgicli.models.hub_errors import explained, not_a_hub
from tgicli.models.hub_settings import check_connection, check_variables
from tgicli.models.names import HubName


def fetch(name: HubName, *, progress: Progress | None = None) -> Path:
    """Download what the cache lacks of a model's newest version; return the path of its first part.

    Raises:
        ModelNotFound: the hub has no such repository or model, or doesn't give it to us.
        Unreachable, Overloaded: the hub doesn't answer, or not now; what came is kept.
        ModelLoadError: it can't be stored, or came damaged.
        ConfigError: the environment says something that can't be used.
    """
    check_variables()
    if _is_offline():
        return _cached(name)
    with explained(name), _silenced():
        check_connection()
        first = names.choose(_list_files(name.repository), name)
        files = [_look_up(name.repository, part) for part in names.part_names(first)]
        download(files, progress)
        paths = [_register(name.repository, file) for file in files]
    return paths[0]


def _is_offline() -> bool:
    from huggingface_hub import constants

    return constants.HF_HUB_OFFLINE


def _cached(name: HubName) -> Path:
    path = find_cached(name)
    if path is None:
        raise ModelNotFound(
            f"{name} is not on disk and HF_HUB_OFFLINE forbids to download it; "
            f"unset it and run `tgicli models pull {name}`"
        )
    return path


def _list_files(repository: str) -> list[str]:
    """List what a repository has, but for names that lead out of it."""
    from huggingface_hub import HfApi, constants, errors

    api = HfApi(library_name=LIBRARY)
    try:
        info = api.model_info(repository, timeout=constants.HF_HUB_ETAG_TIMEOUT)
        files = [file.rfilename for file in info.siblings or ()]
        return [file for file in files if _is_within(file)]
    except errors.HFValidationError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # it reads JSON unchecked
        raise not_a_hub(constants.ENDPOINT) from error


def _is_within(file: str) -> bool:
    """Whether a file's name stays in its repository, and in a folder of any system."""
    parts = [PureWindowsPath(part) for part in PurePosixPath(file).parts]
    return "\0" not in file and not any(part.anchor or ".." in part.parts for part in parts)


def _look_up(repository: str, path: str) -> RemoteFile:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(repository, path)
    found = get_hf_file_metadata(url, library_name=LIBRARY)
    if found.size is None or not re.fullmatch(r"[\w-]+", found.etag or ""):
        raise not_a_hub(url)
    return RemoteFile(path, url, found.size, repository_dir(repository) / f"blobs/{found.etag}")


def _register(repository: str, file: RemoteFile) -> Path:
    """Enter a blob into the cache's books, and return its path in the snapshot."""
    from huggingface_hub import hf_hub_download

    path = hf_hub_download(repository, file.path, cache_dir=cache_dir(), library_name=LIBRARY)
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
