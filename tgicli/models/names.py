"""What a model's name says: parts of a split model, quantisations, repositories on a hub.

Called by the rest of the room, on whichever thread resolves a model. Pure: never touches the disk
or the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tgicli.errors import ModelNotFound

# llama.cpp's -hf takes Q4_K_M, then Q8_0, then whatever comes first. We list more, and then ask.
PREFERRED_QUANTS = ("Q4_K_M", "Q4_0", "Q8_0", "Q4_K_S", "Q5_K_M", "Q6_K", "MXFP4", "BF16", "F16")

_PART = re.compile(r"(?P<stem>.+)-(?P<index>\d{5})-of-(?P<count>\d{5})\.gguf")
_REPOSITORY = re.compile(r"(?P<repository>\w[\w.-]*/\w[\w.-]*)(?::(?P<selector>.+))?", re.ASCII)
_QUANT = re.compile(
    r"(?<![A-Z0-9])(?:UD-)?(?:I?Q\d(?:_\w+?)?|TQ\d_0|BF16|F16|F32|MXFP4(?:_MOE)?|NVFP4)(?=[-./]|$)",
    re.IGNORECASE | re.ASCII,
)
# Files beside a model that are none: vision projectors, importance matrices, draft heads.
_COMPANION = re.compile(
    r"(?:^|[-._/])(?:mmproj|imatrix|mtp|eagle3|dflash|dspark)(?:[-._]|$)", re.IGNORECASE
)
_MAX_PARTS = 1000  # far above any real model, so that a hostile name costs nothing


@dataclass(frozen=True, slots=True)
class HubName:
    """`org/name[:file.gguf | :QUANT]`, as `-m` takes it."""

    repository: str
    selector: str | None = (
        None  # a file's path in the repository, or a quantisation; None: the preferred one
    )

    @classmethod
    def parse(cls, name: str) -> HubName | None:
        """Read a name; None when it has not the form of one."""
        match = _REPOSITORY.fullmatch(name)
        return cls(match["repository"], match["selector"]) if match else None

    def __str__(self) -> str:
        return f"{self.repository}:{self.selector}" if self.selector else self.repository


def part_names(name: str) -> tuple[str, ...]:
    """List all parts of a split model, given any of them; a model in one piece is its only part."""
    match = _PART.fullmatch(name)
    if not match or not 1 <= int(match["index"]) <= int(match["count"]) <= _MAX_PARTS:
        return (name,)
    n_parts = int(match["count"])
    return tuple(f"{match['stem']}-{i:05}-of-{n_parts:05}.gguf" for i in range(1, n_parts + 1))


def stem(name: str) -> str:
    """Return a file's name for people: without directory, part number and suffix."""
    return _whole(name).rpartition("/")[2]


def quant(name: str) -> str | None:
    """Return the quantisation a file's name speaks of, in capitals, e.g. Q4_K_M."""
    found = _QUANT.findall(_whole(name))
    return str(found[-1]).upper() if found else None


def models(files: Iterable[str]) -> list[str]:
    """Keep the models among a repository's files, each split model as its first part, sorted."""
    ggufs = (file for file in files if file.lower().endswith(".gguf"))
    return sorted({part_names(file)[0] for file in ggufs if not _COMPANION.search(file)})


def find(files: Iterable[str], selector: str | None) -> str | None:
    """Return the one model that a selector means, or None when it is none or several.

    Without a selector: the only model, or that of the first preferred quantisation.
    """
    candidates = models(files)
    if selector is None:
        if len(candidates) == 1:
            return candidates[0]
        found = (_matching(candidates, wanted) for wanted in PREFERRED_QUANTS)
        candidates = next((matches for matches in found if matches), [])
    else:
        candidates = _matching(candidates, selector)
    return candidates[0] if len(candidates) == 1 else None


def choose(files: Iterable[str], name: HubName) -> str:
    """Return the one model that a name means among its repository's files.

    Raises:
        ModelNotFound: none is meant, or several are; lists what could be.
    """
    files = list(files)
    candidates = models(files)
    if not candidates:
        raise ModelNotFound(
            f"{name.repository} has no GGUF model; look for a repository whose name ends in -GGUF"
        )
    if (chosen := find(files, name.selector)) is not None:
        return chosen
    matches = _matching(candidates, name.selector or "")
    if name.selector is None:
        reason = "has several models and none is preferred"
    else:
        reason = f"has {len(matches) or 'no'} models named {name.selector}"
    listing = "".join(f"\n  {name.repository}:{file}" for file in matches or candidates)
    raise ModelNotFound(f"{name.repository} {reason}; name one of these:{listing}")


def _matching(candidates: list[str], selector: str) -> list[str]:
    if selector.lower().endswith(".gguf"):
        wanted = part_names(selector)[0]
        exact = [wanted] if wanted in candidates else []
        return exact or [file for file in candidates if file.rpartition("/")[2] == wanted]
    exact = [file for file in candidates if quant(file) == selector.upper()]
    word = re.compile(rf"(?<![A-Z0-9]){re.escape(selector)}(?![A-Z0-9_])", re.IGNORECASE)
    return exact or [file for file in candidates if word.search(_whole(file))]


def _whole(name: str) -> str:
    """Return a file's path without part number and suffix."""
    match = _PART.fullmatch(name)
    return match["stem"] if match else re.sub(r"\.gguf$", "", name, flags=re.IGNORECASE)
