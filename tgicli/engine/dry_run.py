"""Ask llama.cpp what a model with one context would take, without taking it.

Called before a model loads or a context is made, on whichever thread does that, and while nothing
else of llama.cpp works: its log is listened to meanwhile. llama.cpp then loads the vocabulary alone
and simulates the rest (`no_alloc`), with the devices, splits and graphs of the real thing, and logs
where each layer goes, how large each cache and each compute buffer would be. It does not log how
large the weights would be; those are added up from the file's list of tensors.

Never allocates weights, cache or compute buffers; a recurrent state is the exception.
"""

from __future__ import annotations

import ctypes
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tgicli.engine.devices import devices
from tgicli.engine.hardware import available_memory_bytes
from tgicli.engine.llama import ggml, llama_cpp, quiet_log
from tgicli.engine.memory import HOST, Device, DeviceKind, Need, Share, gib
from tgicli.engine.model import LoadOptions, model_params
from tgicli.errors import ModelLoadError

CELL_BYTES = 64  # of llama.cpp's table of cells, for each token of the context
_MAX_TOKENS = 2**32 - 1  # llama_context_params.n_ctx
_MIB = 1 << 20

_LAYER = re.compile(r"layer +(\d+) assigned to device (.+), is_swa")
_CACHED_LAYER = re.compile(r"llama_kv_cache: layer +(\d+): dev = (.+)")
_CACHE = re.compile(r"llama_kv_cache: size = +([\d.]+) MiB")
_BUFFER = re.compile(r": +(\S.*?) +(output|compute|RS|\S+ state) buffer size = +([\d.]+) MiB")
_BLOCK = re.compile(r"blk\.(\d+)\.")
_INPUT = re.compile(r"(token_|position_|per_layer_token_)")  # what llama.cpp keeps on the host


def measure(path: Path, load: LoadOptions, context: Any, *, n_tokens: int) -> Need:
    """Return what the model needs with a context of n_tokens, on each device.

    context is the llama_context_params that the real one will have.

    Raises:
        ModelLoadError: llama.cpp refused, or the context is too large even to be simulated.
    """
    _check_cells(n_tokens)
    with _recorded() as lines:
        _simulate(path, load, context)
    return read_need(lines, tensor_sizes(path), devices())


def _check_cells(n_tokens: int) -> None:
    needed, available = n_tokens * CELL_BYTES, available_memory_bytes()
    if n_tokens > _MAX_TOKENS or (available is not None and needed > available):
        free = "an unknown number of GiB are" if available is None else f"{gib(available)} are"
        raise ModelLoadError(
            f"a context of {n_tokens:,} tokens needs {gib(needed)} for the table of its cells "
            f"alone, {free} free; choose a smaller --ctx-size"
        )


@contextmanager
def _recorded() -> Iterator[list[str]]:
    """Give the lines that llama.cpp logs in the block, debugging ones included."""
    log, lines = quiet_log(), [""]

    def receive(level: int, text: bytes, user_data: object) -> None:
        log.callback(level, text, user_data)
        first, *others = text.decode("utf-8", "replace").split("\n")
        lines[-1] += first
        lines.extend(others)

    callback = llama_cpp.llama_log_callback(receive)
    log.clear()
    llama_cpp.llama_log_set(callback, None)
    try:
        yield lines
    finally:
        llama_cpp.llama_log_set(log.callback, None)


def _simulate(path: Path, load: LoadOptions, context: Any) -> None:
    llama_cpp.llama_backend_init()
    params = model_params(load)
    params.no_alloc, params.load_mode = True, 0  # nothing is mapped
    model = llama_cpp.llama_model_load_from_file(bytes(path), params)
    if not model:
        raise ModelLoadError("\n  ".join([f"llama.cpp can't load {path}", *quiet_log().lines]))
    try:
        ctx = llama_cpp.llama_init_from_model(model, context)
        if not ctx:
            what = f"llama.cpp can't make a context of {context.n_ctx:,} tokens"
            raise ModelLoadError("\n  ".join([what, *quiet_log().lines]))
        llama_cpp.llama_free(ctx)
    finally:
        llama_cpp.llama_model_free(model)


@dataclass(slots=True, eq=False)
class _Reading:
    """What the log has told so far."""

    places: dict[int, str] = field(default_factory=dict)  # layer: device; the last is the output
    cached: list[str] = field(default_factory=list)  # the devices of one cache's layers
    kv: Counter[str] = field(default_factory=Counter)  # bytes by device
    compute: Counter[str] = field(default_factory=Counter)

    def read(self, line: str, named: Iterable[Device]) -> None:
        """Take one line."""
        if found := _LAYER.search(line):
            self.places[int(found[1])] = found[2]
        elif found := _CACHED_LAYER.search(line):
            self.cached.append(found[2])
        elif found := _CACHE.search(line):
            self._spread(float(found[1]) * _MIB)
        elif found := _BUFFER.search(line):
            part = self.compute if found[2] in ("output", "compute") else self.kv
            part[_owner(found[1], named)] += round(float(found[3]) * _MIB)

    def _spread(self, n_bytes: float) -> None:
        """Share a cache's size out among its layers."""
        for device in self.cached:
            self.kv[device] += round(n_bytes / len(self.cached))
        self.cached = []


def read_need(lines: Iterable[str], tensors: Mapping[str, int], named: Iterable[Device]) -> Need:
    """Return what the log of a simulation says, with the weights' sizes in bytes by name."""
    named, reading = tuple(named), _Reading()
    for line in lines:
        reading.read(line, named)
    weights = _weights(tensors, reading.places)
    names = {*weights, *reading.kv, *reading.compute}
    shares = {
        name: Share(
            weights_bytes=weights[name],
            kv_bytes=reading.kv[name],
            compute_bytes=reading.compute[name],
        )
        for name in names
    }
    on_gpu = [place for place in reading.places.values() if place != HOST]
    return Need(shares=shares, n_layers=len(reading.places), n_gpu_layers=len(on_gpu))


def _owner(buffer: str, named: Iterable[Device]) -> str:
    """Return the device that has a buffer, e.g. CUDA0; CUDA_Host and CPU_Mapped are the host's."""
    names = [device.name for device in named if device.kind is not DeviceKind.CPU]
    return max((name for name in names if buffer.startswith(name)), key=len, default=HOST)


def _weights(tensors: Mapping[str, int], places: Mapping[int, str]) -> Counter[str]:
    """Add the tensors up by device: a layer's go with it, the output's with the last."""
    output = places[max(places)] if places else HOST
    weights = Counter[str]()
    for name, n_bytes in tensors.items():
        weights[_place(name, places, output)] += n_bytes
    if output != HOST and "output.weight" not in tensors:  # the embedding serves as output, too
        weights[output] += tensors.get("token_embd.weight", 0)
    return weights


def _place(name: str, places: Mapping[int, str], output: str) -> str:
    if block := _BLOCK.match(name):
        return places.get(int(block[1]), HOST)
    return HOST if _INPUT.match(name) else output


def tensor_sizes(path: Path) -> dict[str, int]:
    """Return the bytes of each tensor of a model, of all its parts.

    Raises:
        ModelLoadError: a part can't be read.
    """
    sizes = defaultdict[str, int](int)
    for part in _parts(path):
        for name, n_bytes in _sizes_in(part):
            sizes[name] += n_bytes
    return dict(sizes)


class _InitParams(ctypes.Structure):
    """ggml's gguf_init_params."""

    _fields_ = (("no_alloc", ctypes.c_bool), ("ctx", ctypes.c_void_p))


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    open_file = ggml("gguf_init_from_file", ctypes.c_void_p, ctypes.c_char_p, _InitParams)
    pointer = open_file(bytes(path), _InitParams(no_alloc=True, ctx=None))
    if not pointer:
        raise ModelLoadError(f"llama.cpp can't read the header of {path}")
    try:
        yield pointer
    finally:
        ggml("gguf_free", None, ctypes.c_void_p)(pointer)


def _sizes_in(path: Path) -> Iterator[tuple[str, int]]:
    with _opened(path) as file:
        n_tensors = ggml("gguf_get_n_tensors", ctypes.c_int64, ctypes.c_void_p)(file)
        name_of = ggml("gguf_get_tensor_name", ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int64)
        size_of = ggml("gguf_get_tensor_size", ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int64)
        for index in range(n_tensors):
            yield name_of(file, index).decode("utf-8", "replace"), size_of(file, index)


def _parts(path: Path) -> Iterator[Path]:
    """Yield the files of a model, of which `path` is the first."""
    with _opened(path) as file:
        key = ggml("gguf_find_key", ctypes.c_int64, ctypes.c_void_p, ctypes.c_char_p)
        number = key(file, b"split.count")
        count = ggml("gguf_get_val_u16", ctypes.c_uint16, ctypes.c_void_p, ctypes.c_int64)
        n_parts = count(file, number) if number >= 0 else 1
    if n_parts <= 1:
        yield path
        return
    prefix, part = ctypes.create_string_buffer(4096), ctypes.create_string_buffer(4096)
    llama_cpp.llama_split_prefix(prefix, len(prefix), bytes(path), 0, n_parts)
    for index in range(n_parts):
        llama_cpp.llama_split_path(part, len(part), prefix.value, index, n_parts)
        yield Path(part.value.decode("utf-8", "surrogateescape"))
