"""What the installed llama.cpp is: its version, what it was compiled for, the devices it found.

Called by `tgicli --version` and `tgicli doctor`. Loads the shared library, never a model.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

from tgicli.engine.devices import devices
from tgicli.engine.llama import ggml, llama_cpp, quiet_log
from tgicli.engine.memory import Device


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


def _ggml_text(name: str) -> str:
    return (ggml(name, ctypes.c_char_p)() or b"unknown").decode("utf-8", "replace")
