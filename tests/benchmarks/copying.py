"""How fast does a device copy within its own memory?

Used by gpu.py: a model at batch 1 reads all its weights for each token, so this is the limit that
no engine can pass. ggml itself does the copying, by its own backend for the device.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tgicli.engine.llama import ggml

F32 = 0  # ggml_type
OVERHEAD_BYTES = 1 << 16  # for two tensors' descriptions
_POINTER = ctypes.c_void_p


class _InitParams(ctypes.Structure):
    """ggml's ggml_init_params."""

    _fields_ = (
        ("mem_size", ctypes.c_size_t),
        ("mem_buffer", _POINTER),
        ("no_alloc", ctypes.c_bool),
    )


def copied_bytes_per_s(device: str, *, n_bytes: int, repeat: int) -> float:
    """Return the bytes read and written a second in the fastest of some copies."""
    with _two_tensors(device, n_bytes) as (first, second):
        copy = ggml("ggml_backend_tensor_copy", None, _POINTER, _POINTER)
        copy(first, second)  # touches the memory
        return max(_once(lambda: copy(first, second), n_bytes) for _ in range(repeat))


def _once(copy: object, n_bytes: int) -> float:
    assert callable(copy)
    began_s = time.perf_counter()
    copy()
    return 2 * n_bytes / (time.perf_counter() - began_s)


@contextmanager
def _two_tensors(device: str, n_bytes: int) -> Iterator[tuple[int, int]]:
    found = ggml("ggml_backend_dev_by_name", _POINTER, ctypes.c_char_p)(device.encode())
    backend = ggml("ggml_backend_dev_init", _POINTER, _POINTER, ctypes.c_char_p)(found, None)
    params = _InitParams(mem_size=OVERHEAD_BYTES, mem_buffer=None, no_alloc=True)
    context = ggml("ggml_init", _POINTER, _InitParams)(params)
    new = ggml("ggml_new_tensor_1d", _POINTER, _POINTER, ctypes.c_int, ctypes.c_int64)
    tensors = new(context, F32, n_bytes // 4), new(context, F32, n_bytes // 4)
    allocate = ggml("ggml_backend_alloc_ctx_tensors", _POINTER, _POINTER, _POINTER)
    buffer = allocate(context, backend)
    if not buffer:
        raise SystemExit(f"{device} has no room for two times {n_bytes:,} bytes")
    try:
        yield tensors
    finally:
        ggml("ggml_backend_buffer_free", None, _POINTER)(buffer)
        ggml("ggml_free", None, _POINTER)(context)
        ggml("ggml_backend_free", None, _POINTER)(backend)
