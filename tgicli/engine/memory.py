"""What a model needs of each device's memory, and whether it is there.

Used by the runner, by `placement` and by `tgicli doctor`, on any thread. Pure: knows no llama.cpp
and asks no machine; tests hand in devices as values. Layers are counted as llama.cpp does: a
model's blocks, and the output layer last.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

HOST = "CPU"  # llama.cpp's name of the device whose memory is the machine's own
MARGIN_BYTES = 512 << 20  # left free on a GPU, for what its driver takes while it computes


class DeviceKind(enum.StrEnum):
    """What a device is; the members' order is ggml's."""

    CPU = "cpu"
    GPU = "gpu"
    INTEGRATED_GPU = "integrated gpu"  # its memory is the machine's own
    ACCELERATOR = "accelerator"  # works beside the CPU, on its memory
    META = "meta"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What computes."""

    name: str  # in llama.cpp's words, e.g. CUDA0
    description: str
    kind: DeviceKind
    free_bytes: int  # what this process may still take; 0: the driver does not tell
    total_bytes: int

    @property
    def label(self) -> str:
        """Its name, what it is, and its memory, e.g. `CUDA0: NVIDIA H100, 79.6 GiB`."""
        memory = f", {gib(self.total_bytes)}" if self.total_bytes else ""
        return f"{self.name}: {self.description}{memory}"

    @property
    def margin_bytes(self) -> int:
        """What must stay free."""
        return 0 if self.kind is DeviceKind.CPU else MARGIN_BYTES


def gpus_among(devices: Iterable[Device]) -> tuple[Device, ...]:
    """Return those that layers are put on: integrated ones only where there are no others."""
    devices = tuple(devices)
    real = tuple(device for device in devices if device.kind is DeviceKind.GPU)
    return real or tuple(d for d in devices if d.kind is DeviceKind.INTEGRATED_GPU)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one device has to hold."""

    weights_bytes: int = 0
    kv_bytes: int = 0  # the KV cache, and recurrent states
    compute_bytes: int = 0  # buffers for a step, its logits included

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.weights_bytes + self.kv_bytes + self.compute_bytes

    def __add__(self, other: Share) -> Share:
        return Share(
            weights_bytes=self.weights_bytes + other.weights_bytes,
            kv_bytes=self.kv_bytes + other.kv_bytes,
            compute_bytes=self.compute_bytes + other.compute_bytes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a model needs with one context, by device name."""

    shares: Mapping[str, Share]
    n_layers: int  # that can be put on a GPU
    n_gpu_layers: int  # that are

    @property
    def total(self) -> Share:
        """What all devices hold together."""
        return sum(self.shares.values(), Share())

    def without_weights(self) -> Need:
        """Return what is still needed when the weights are in memory already."""
        shares = {name: replace(share, weights_bytes=0) for name, share in self.shares.items()}
        return replace(self, shares=shares)


@dataclass(frozen=True, slots=True)
class Shortage:
    """A device that has too little."""

    device: Device
    share: Share

    def __str__(self) -> str:
        where = "" if self.device.name == HOST else f" on {self.device.name}"
        return (
            f"{gib(self.share.total_bytes + self.device.margin_bytes)}{where} "
            f"({_parts(self.share, self.device.margin_bytes)}), "
            f"{gib(self.device.free_bytes)} are free"
        )


def _parts(share: Share, margin_bytes: int) -> str:
    named = {
        "of weights": share.weights_bytes,
        "for the context": share.kv_bytes,
        "to compute": share.compute_bytes,
        "to spare": margin_bytes,
    }
    return ", ".join(f"{gib(n_bytes)} {what}" for what, n_bytes in named.items() if n_bytes)


def shortages(need: Need, devices: Iterable[Device]) -> list[Shortage]:
    """Return the devices that have too little; one that does not tell what it has is trusted."""
    devices = tuple(devices)
    asked = [(device, share_of(device, need, devices)) for device in devices]
    return [
        Shortage(device, share)
        for device, share in asked
        if device.total_bytes
        and share.total_bytes
        and share.total_bytes + device.margin_bytes > device.free_bytes
    ]


def share_of(device: Device, need: Need, devices: Iterable[Device]) -> Share:
    """Return what a device's memory has to hold; the host's also what integrated GPUs hold."""
    share = need.shares.get(device.name, Share())
    if device.kind is not DeviceKind.CPU:
        return share
    shared = (d.name for d in devices if d.kind is DeviceKind.INTEGRATED_GPU)
    return sum((need.shares.get(name, Share()) for name in shared), share)


def most_gpu_layers(
    n_layers: int, need_with: Callable[[int], Need], devices: Sequence[Device]
) -> int:
    """Return how many layers the GPUs can hold at most: n_layers if they fit, 0 if none does.

    Main memory is not checked: fewer layers on a GPU only means more of them there.
    """
    gpus = gpus_among(devices)
    if not shortages(need_with(n_layers), gpus):
        return n_layers
    fits, too_many = 0, n_layers
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if shortages(need_with(middle), gpus):
            too_many = middle
        else:
            fits = middle
    return fits


def gib(n_bytes: int) -> str:
    """Spell a number of bytes as memory is counted; what is small in MiB."""
    if n_bytes < 100 << 20:
        return f"{n_bytes / 2**20:,.1f} MiB"
    return f"{n_bytes / 2**30:,.1f} GiB"
