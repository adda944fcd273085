"""The devices that this build can compute on, with the memory that is free there.

Called by `tgicli doctor` and before a model is loaded, on any thread. Loads the shared library,
never a model.
"""

from __future__ import annotations

import ctypes

from tgicli.engine.hardware import available_memory_bytes, total_memory_bytes
from tgicli.engine.llama import ggml, llama_cpp, quiet_log
from tgicli.engine.memory import Device, DeviceKind


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
