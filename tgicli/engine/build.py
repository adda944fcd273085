"""What the installed llama.cpp is: its version, what it was compiled for, the devices it found.

Called by `tgicli --version` on the main thread. Loads the shared library, never a model.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tgicli.engine.llama import llama_cpp, quiet_log


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInfo:
    """Facts about llama-cpp-python and the llama.cpp in it."""

    binding_version: str  # of llama-cpp-python
    version: str  # of llama.cpp, with ggml's and its commit
    backends: tuple[str, ...]  # a line for each backend, e.g. `CPU: SSE3, AVX2`
    devices: tuple[str, ...]  # e.g. `CUDA0: NVIDIA H100 80GB HBM3`
    has_gpu_offload: bool


def build_info() -> BuildInfo:
    """Ask llama.cpp what it is."""
    quiet_log()
    llama_cpp.llama_backend_init()
    version = llama_cpp.llama_version().decode()
    return BuildInfo(
        binding_version=importlib.metadata.version("llama-cpp-python"),
        version=f"{version} (ggml {_ggml_text('ggml_version')}, {_ggml_text('ggml_commit')})",
        backends=tuple(parse_backends(llama_cpp.llama_print_system_info().decode())),
        devices=tuple(_devices()),
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


def _devices() -> Iterator[str]:
    for index in range(_ggml("ggml_backend_dev_count", ctypes.c_size_t)()):
        device = _ggml("ggml_backend_dev_get", ctypes.c_void_p, ctypes.c_size_t)(index)
        yield f"{_device_text('name', device)}: {_device_text('description', device)}"


def _device_text(what: str, device: int) -> str:
    text = _ggml(f"ggml_backend_dev_{what}", ctypes.c_char_p, ctypes.c_void_p)(device)
    return (text or b"").decode("utf-8", "replace")


def _ggml_text(name: str) -> str:
    return (_ggml(name, ctypes.c_char_p)() or b"unknown").decode("utf-8", "replace")


def _ggml(name: str, result: type, *arguments: type) -> Any:
    """Return one of ggml's functions, which the binding does not declare; libllama finds it."""
    function = llama_cpp._lib[name]  # [] makes a fresh one, unlike the dot
    function.restype, function.argtypes = result, arguments
    return function
