"""What this machine and this installation have: the facts behind `tgicli doctor`.

Called by `doctor` on the main thread. Looks and never changes anything, never uses the network,
never loads a model's weights; of a secret it tells whether there is one.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tgicli import __version__
from tgicli.cli.flags import LoadingFlags
from tgicli.cli.local import Expected, expected_context, load_options
from tgicli.cli.warm import servers_are_there
from tgicli.config import config_path, state_path
from tgicli.engine.hardware import available_memory_bytes, n_usable_cores, total_memory_bytes
from tgicli.errors import ModelLoadError
from tgicli.models.cache import cache_dir, cached_names
from tgicli.models.resolve import demo_path, resolve

if TYPE_CHECKING:
    from tgicli.engine.memory import Device
    from tgicli.engine.placement import Placement

SECRETS = ("HF_TOKEN", "OPENAI_API_KEY", "TGICLI_API_KEY", "TGICLI_CONNECT_KEY")
LIBRARIES = ("httpx", "huggingface-hub", "llguidance", "numpy", "prometheus-client", "uvloop")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    """A device that llama.cpp can compute on."""

    gpu: int | None  # what --main-gpu takes
    name: str
    description: str
    kind: str
    free_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFacts:
    """The installed llama.cpp."""

    binding_version: str
    version: str
    backends: tuple[str, ...]
    has_gpu_offload: bool
    devices: tuple[DeviceFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is kept."""

    path: str
    exists: bool
    problem: str | None  # why it is not used

    @classmethod
    def at(cls, path: Path, problem: str | None = None) -> Place:
        """Look whether it is there."""
        return cls(path=str(path), exists=os.path.exists(path), problem=problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All that does not depend on a model. The fields are the keys of --json."""

    tgicli: str
    python: str
    system: str
    llama: BuildFacts | None  # None: it does not load
    problem: str | None  # why it does not
    n_cores: int
    free_memory_bytes: int | None
    total_memory_bytes: int | None
    places: Mapping[str, Place]
    n_cached_models: int
    has_servers: bool  # of this user, that `generate` and `chat` may find
    libraries: Mapping[str, str | None]  # the versions of those installed
    secrets: Mapping[str, bool]  # whether a variable is set


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What one device would have to hold of a model."""

    device: str
    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    spare_bytes: int
    needed_bytes: int  # the sum of these
    free_bytes: int
    fits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether a model fits."""

    model: str
    n_ctx: int
    n_lanes: int
    kv_type: str
    n_layers: int
    n_gpu_layers: int
    holdings: tuple[Holding, ...]
    fits: bool
    note: str | None
    refusal: str | None  # what loading it would say


def diagnose(file_problem: str | None = None) -> Diagnosis:
    """Look at everything but a model; file_problem is what is wrong with the configuration file."""
    llama, problem = _llama()
    demo = demo_path()
    places = {
        "config file": Place.at(config_path(), file_problem),
        "models": Place.at(cache_dir()),
        "state": Place.at(state_path()),
    }
    if demo is not None:
        places["demo model"] = Place.at(demo)
    return Diagnosis(
        tgicli=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        llama=llama,
        problem=problem,
        n_cores=n_usable_cores(),
        free_memory_bytes=available_memory_bytes(),
        total_memory_bytes=total_memory_bytes(),
        places=places,
        n_cached_models=len(cached_names()),
        has_servers=servers_are_there(),
        libraries={name: _version(name) for name in LIBRARIES},
        secrets={name: bool(os.environ.get(name, "").strip()) for name in SECRETS},
    )


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def _llama() -> tuple[BuildFacts | None, str | None]:
    try:
        from tgicli.engine.build import build_info

        build = build_info()
    except ModelLoadError as error:
        return None, str(error)
    from tgicli.engine.memory import gpus_among

    numbers = {gpu.name: index for index, gpu in enumerate(gpus_among(build.devices))}
    devices = tuple(
        DeviceFacts(
            gpu=numbers.get(device.name),
            name=device.name,
            description=device.description,
            kind=device.kind.value,
            free_bytes=device.free_bytes,
            total_bytes=device.total_bytes,
        )
        for device in build.devices
    )
    facts = BuildFacts(
        binding_version=build.binding_version,
        version=build.version,
        backends=build.backends,
        has_gpu_offload=build.has_gpu_offload,
        devices=devices,
    )
    return facts, None


def _holdings(placement: Placement, present: Sequence[Device]) -> Iterator[Holding]:
    from tgicli.engine.memory import share_of

    short = {shortage.device.name for shortage in placement.missing}
    for device in present:
        share = share_of(device, placement.need, present)
        if share.total_bytes:
            yield Holding(
                device=device.name,
                weights_bytes=share.weights_bytes,
                kv_bytes=share.kv_bytes,
                compute_bytes=share.compute_bytes,
                spare_bytes=device.margin_bytes,
                needed_bytes=share.total_bytes + device.margin_bytes,
                free_bytes=device.free_bytes,
                fits=device.name not in short,
            )


def fit(name: str | None, flags: LoadingFlags, *, n_lanes: int) -> Fit:
    """Say what a model would need, without loading it.

    Raises:
        ModelError: there is no such model, or llama.cpp can't read it.
        ConfigError: a GPU is named that is not there.
    """
    from tgicli.engine.devices import devices
    from tgicli.engine.placement import check_gpus, choose, need_with
    from tgicli.engine.room import refusal

    model, load, present = resolve(name, offline=True), load_options(flags), devices()
    check_gpus(load, present)
    context = expected_context(model.path, flags, Expected(n_lanes=n_lanes))
    placement = choose(load, present, need_with(model.path, load, context))
    need, missing = placement.need, placement.missing
    return Fit(
        model=str(model.path),
        n_ctx=context.n_ctx,
        n_lanes=n_lanes,
        kv_type=context.kv_type,
        n_layers=need.n_layers,
        n_gpu_layers=need.n_gpu_layers,
        holdings=tuple(_holdings(placement, present)),
        fits=not missing,
        note=placement.note,
        refusal=refusal(model.path.name, need, missing, context.n_tokens) if missing else None,
    )
