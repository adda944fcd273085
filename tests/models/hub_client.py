"""A process that has huggingface_hub: the library reads its environment once, when it is imported.

Its functions run there, so that the tests' own process never imports the library. Errors come back
as they were raised.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a download returned, and what it reported on the way."""

    path: Path
    progress: list[tuple[int, int]]


@contextmanager
def running_client(environ: Mapping[str, str]) -> Iterator[ProcessPoolExecutor]:
    """Start the process with these variables set."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=set_environ, initargs=(environ,)) as pool:
        yield pool


def set_environ(environ: Mapping[str, str]) -> None:
    """Set variables for all that runs here."""
    os.environ.update(environ)


def fetch(name: str, environ: Mapping[str, str] | None = None, n_retries: int = 0) -> Fetched:
    """Download a model."""
    from tgicli.models import download, hub
    from tgicli.models.names import HubName

    download._RETRY_WAITS_S = (0.0,) * n_retries  # type: ignore[assignment]  # tests don't wait
    reference, progress = HubName.parse(name), list[tuple[int, int]]()
    assert reference is not None
    before = dict(os.environ)
    os.environ.update(environ or {})
    try:
        path = hub.fetch(reference, progress=lambda *sizes: progress.append(sizes))
    finally:
        os.environ.clear()
        os.environ.update(before)
    return Fetched(path, progress)


def fetch_anew(name: str, environ: Mapping[str, str]) -> Fetched:
    """Download a model by new connections, which read the environment again."""
    from huggingface_hub import close_session

    close_session()
    return fetch(name, environ)


def fetch_with_a_full_disk(name: str, n_bytes: int) -> Fetched:
    """Download a model where no file can be longer than n_bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, limits[1]))
    try:
        return fetch(name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def resolve_path(name: str) -> Path:
    """Resolve a name as every command does."""
    from tgicli.models.resolve import resolve

    return resolve(name).path


def library_finds(repository: str, file: str) -> str | None:
    """Ask the library itself where a cached file is."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, file)
    return found if isinstance(found, str) else None
