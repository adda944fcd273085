"""Models in the cache that all tools of the hub share, found without its library and its network.

Called by `resolve` and `tgicli models`, on whichever thread resolves a model. A cached model is
taken as it is: only `tgicli models pull` asks the hub for a newer one. Never writes, never
downloads.

    <cache>/models--org--name/blobs/<hash>              the bytes
                             /refs/main                 the newest commit we know
                             /snapshots/<commit>/<file> links to blobs
"""

from __future__ import annotations

import os
from pathlib import Path

from tgicli.models import names
from tgicli.models.names import HubName

_PREFIX = "models--"


def cache_dir() -> Path:
    """Return the cache's directory, as HF_HUB_CACHE, HF_HOME and XDG_CACHE_HOME say."""
    environ = os.environ
    home = os.path.join(environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    hub = os.path.join(environ.get("HF_HOME", home), "hub")
    hub = environ.get("HF_HUB_CACHE", environ.get("HUGGINGFACE_HUB_CACHE", hub))
    return Path(os.path.expandvars(os.path.expanduser(hub)))


def repository_dir(repository: str) -> Path:
    """Return where the cache keeps a repository, whether it is there or not."""
    return cache_dir() / (_PREFIX + repository.replace("/", "--"))


def find_cached(name: HubName) -> Path | None:
    """Return the first part of a cached model; None when none is meant, or several are.

    The newest version that has it wins. A name that leaves the quantisation open means the
    preferred one among those that are here, whatever else the hub may have.
    """
    for snapshot in _snapshots(repository_dir(name.repository)):
        if (file := names.find(_whole_models(snapshot), name.selector)) is not None:
            return snapshot / file
    return None


def cached_names() -> list[str]:
    """List the whole models in the cache by the names that `-m` takes, sorted."""
    found = set()
    for folder in _repository_dirs():
        repository = folder.name.removeprefix(_PREFIX).replace("--", "/", 1)
        for snapshot in _snapshots(folder):
            found |= {
                _shortest_name(repository, snapshot, file) for file in _whole_models(snapshot)
            }
    return sorted(found)


def _repository_dirs() -> list[Path]:
    try:
        return list(cache_dir().glob(f"{_PREFIX}*--*"))
    except OSError:  # not readable: nothing in it can be loaded either
        return []


def _snapshots(folder: Path) -> list[Path]:
    """List a repository's cached versions: main first, then from new to old."""
    try:
        snapshots = sorted((folder / "snapshots").iterdir(), key=lambda path: -path.stat().st_mtime)
    except OSError:  # never downloaded, or not readable: either way not here
        return []
    commit = _main(folder)
    return sorted(snapshots, key=lambda path: path.name != commit)


def _main(folder: Path) -> str | None:
    """Return the newest commit that is known of a repository; None when it can't be read."""
    try:
        return (folder / "refs" / "main").read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None


def _whole_models(snapshot: Path) -> list[str]:
    """List the models that a snapshot has with all parts, as paths within it."""
    there = {
        path.relative_to(snapshot).as_posix()
        for path in snapshot.rglob("*")
        # A link whose blob was deleted is a leftover.
        if path.suffix.lower() == ".gguf" and path.exists()
    }
    return [model for model in names.models(there) if there.issuperset(names.part_names(model))]


def _shortest_name(repository: str, snapshot: Path, file: str) -> str:
    quant = names.quant(file)
    if quant and names.find(_whole_models(snapshot), quant) == file:
        return f"{repository}:{quant}"
    return f"{repository}:{file}"
