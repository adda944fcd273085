"""What the installed llama.cpp is: its version, what it was compiled for, the devices it found.

Called by `tgicli --version`, `tgicli doctor` and before a model goes to a GPU, on any thread. Loads
the shared library, never a model. What of ggml the binding does not declare is called from here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tgicli.engine.hardware import available_memory_bytes, total_memory_bytes
from tgicli.engine.llama import llama_cpp, quiet_log
from tgicli.engine.memory import Device, DeviceKind


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInfo:
    """Facts about llama-cpp-python and the llama.cpp in it."""

    binding_version: str  # of llama-cpp-python
    version: str  # of llama.cpp, with ggml's and its commit
    backends: tuple[str, ...]  # a line for each backend, e.g. `CPU: SSE3, AVX2`
    devices: tuple[Device, ...]
    has_gpu_offload: bool


def build_info() -> BuildInfo:
    """Ask llama.cpp what it is."""
    import importlib.metadata  # 20 ms

    quiet_log()
    llama_cpp.llama_backend_init()
    version = llama_cpp.llama_version().decode()
    return BuildInfo(
        binding_version=importlib.metadata.version("llama-cpp-python"),
        version=f"{version} (ggml {_ggml_text('ggml_version')}, {_ggml_text('ggml_commit')})",
        backends=tuple(parse_backends(llama_cpp.llama_print_system_info().decode())),
        devices=devices(),
        has_gpu_offload=bool(llama_cpp.llama_supports_gpu_offload()),
    )


def parse_backends(system_info: str) -> Iterator[str]:
    """Split `CPU : SSE3 = 1 | AVX = 1 | CUDA : ARCHS = 750 |` into a line for each backend."""
    backend, names = "", list[str]()
    for item in system_info.split(" | "):
        head, colon, rest = item.partition(" : ")
        if colon:
            if names:
                yield f"{backend}: {', '.join(names)}"
            backend, names, item = head.strip(), [], rest
        name, _, value = item.strip(" |").partition(" = ")
        if name and value != "0":
            names.append(name if value == "1" else f"{name}={value}")
    if names:
        yield f"{backend}: {', '.join(names)}"


def devices() -> tuple[Device, ...]:
    """Return what this build can compute on, with the memory that is free there now."""
    quiet_log()
    llama_cpp.llama_backend_init()
    n_devices = ggml("ggml_backend_dev_count", ctypes.c_size_t)()
    get = ggml("ggml_backend_dev_get", ctypes.c_void_p, ctypes.c_size_t)
    return tuple(_device(get(index)) for index in range(n_devices))


def _device(pointer: int) -> Device:
    kind = list(DeviceKind)[ggml("ggml_backend_dev_type", ctypes.c_int, ctypes.c_void_p)(pointer)]
    free_bytes, total_bytes = _device_memory(pointer)
    if kind is DeviceKind.CPU:  # ggml knows the machine's memory, not a container's
        free_bytes = available_memory_bytes() or free_bytes
        total_bytes = total_memory_bytes() or total_bytes
    return Device(
        name=_device_text("name", pointer),
        description=_device_text("description", pointer),
        kind=kind,
        free_bytes=free_bytes,
        total_bytes=total_bytes,
    )


def _device_memory(pointer: int) -> tuple[int, int]:
    size = ctypes.POINTER(ctypes.c_size_t)
    ask = ggml("ggml_backend_dev_memory", None, ctypes.c_void_p, size, size)
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    ask(pointer, ctypes.byref(free), ctypes.byref(total))
    return free.value, total.value


def _device_text(what: str, device: int) -> str:
    text = ggml(f"ggml_backend_dev_{what}", ctypes.c_char_p, ctypes.c_void_p)(device)
    return (text or b"").decode("utf-8", "replace")


def _ggml_text(name: str) -> str:
    return (ggml(name, ctypes.c_char_p)() or b"unknown").decode("utf-8", "replace")


def ggml(name: str, result: type | None, *arguments: type) -> Any:
    """Return one of ggml's functions, which the binding does not declare; libllama finds it."""
    function = llama_cpp._lib[name]  # [] makes a fresh one, unlike the dot
    function.restype, function.argtypes = result, arguments
    return function
