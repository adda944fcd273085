"""Where `generate` and `chat` find a server of the same user that has the model in memory already.

Such a server listens, beside its address, on a Unix socket in a folder that nobody else may enter.
The socket's name is made from what was loaded, so looking there is all that finding takes. Who gets
in needs no key: it is the user whose server it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from tgicli.cli.flags import LoadingFlags
from tgicli.config import state_path
from tgicli.errors import TgicliError
from tgicli.models.resolve import ModelFile, resolve


def servers_are_there() -> bool:
    """Say whether any server of the user's can be found; costs no more than a look."""
    try:
        return any(_folder().glob("*.sock"))
    except OSError:  # a folder of somebody else's holds none of ours
        return False


def servers_with(loading: LoadingFlags) -> tuple[ModelFile, list[Path]] | None:
    """Return the model's file and where servers with it may listen.

    None: it is not on disk; so it will be downloaded, or missed, where it is loaded.
    """
    try:
        found = resolve(loading.model, offline=True)
    except TgicliError:
        return None
    return found, server_sockets(found.path, loading)


def server_sockets(model: Path, loading: LoadingFlags) -> list[Path]:
    """Return the sockets under which servers with this model may listen, newest first."""
    folder = _folder()
    if not _is_private(folder):
        return []
    found = folder.glob(f"{_digest(model, loading)}-*.sock")
    return sorted(found, key=_bound_s, reverse=True)


def _bound_s(path: Path) -> float:
    """Return when a socket was bound; 0 if its server has just ended."""
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0


@contextlib.contextmanager
def offered(model: Path, loading: LoadingFlags) -> Iterator[socket.socket]:
    """Give a bound socket for a server with this model; it is gone after the block.

    Raises:
        OSError: there is no place for it.
    """
    folder = _folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_private(folder):
        raise PermissionError(f"{folder} is open to others")
    path = folder / f"{_digest(model, loading)}-{os.getpid()}.sock"
    path.unlink(missing_ok=True)  # of a process that was killed and had our number
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as bound:
        bound.bind(str(path))
        try:
            yield bound
        finally:
            path.unlink(missing_ok=True)


def _folder() -> Path:
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "tgicli"
    return state_path() / "run"


def _is_private(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:  # not there, or somebody else's
        return False
    is_ours = status.st_uid == os.getuid() and not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    return stat.S_ISDIR(status.st_mode) and is_ours


def _digest(model: Path, loading: LoadingFlags) -> str:
    """Return a name for what answers depend on."""
    adapters = [(str(lora.path.resolve()), lora.scale) for lora in loading.lora]
    loaded = (str(model.resolve()), loading.kv_type, adapters)
    return hashlib.sha256(repr(loaded).encode()).hexdigest()[:16]
