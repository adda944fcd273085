"""Keep a model's memory in huge pages, so that the CPU looks fewer addresses up.

Used where a model is loaded, on a worker thread. Every token reads all weights; in pages of 4 KiB
their addresses do not fit into the CPU's tables, and each that is missing has to be looked up in
memory. Linux can put memory that is in use into pages of 2 MiB at once (MADV_COLLAPSE, since 6.1:
madvise(2), and transhuge.rst in the kernel's documentation), but not a file that is mapped. So it
must be read into memory of the process's own, which takes longer than to map it: that pays off for
what stays loaded, and for small models, because large ones wait for their weights rather than for
the addresses.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Iterator
from pathlib import Path

from tgicli.engine.hardware import available_memory_bytes, kernel_file

MOST_BYTES = 512 << 20  # of weights; at 1.3 GB nothing is gained any more
MIN_FREE_SHARE = 4  # times the weights must be free, so that nobody misses what is taken
_HUGE_BYTES = 2 << 20
_PIECE_BYTES = 8 << 20  # one call's: it takes a millisecond, and ends where a page can't be moved
_LEAST_BYTES = 16 << 20  # of a mapping: a thread's stack has 8 MiB
_MADV_COLLAPSE = 25
_SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_MAPS = Path("/proc/self/maps")


def pays_off(weights_bytes: int) -> bool:
    """Say whether weights are to be read into huge pages instead of being mapped."""
    free = available_memory_bytes()
    is_small = weights_bytes <= MOST_BYTES
    return is_small and free is not None and free >= MIN_FREE_SHARE * weights_bytes and are_there()


def are_there() -> bool:
    """Say whether this machine gives huge pages on request; found out by asking for one."""
    if sys.platform != "linux" or "[never]" in (kernel_file(_SETTING) or "[never]"):
        return False
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    with mmap.mmap(-1, 2 * _HUGE_BYTES, flags=private) as probe:
        for start in range(0, len(probe), mmap.PAGESIZE):
            probe[start] = 1  # what nobody has touched is no memory yet
        try:
            probe.madvise(_MADV_COLLAPSE)
        except OSError:  # an older kernel, a sandbox, or no such memory left
            return False
    return True


def take() -> None:
    """Put what this process has allocated in large pieces into huge pages.

    A piece for which there is no such page left stays in small ones.
    """
    if not are_there():
        return
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for begin, end in _large_mappings(_MAPS.read_bytes()):
        for start in range(-(-begin // _HUGE_BYTES) * _HUGE_BYTES, end, _PIECE_BYTES):
            madvise(start, min(_PIECE_BYTES, end - start), _MADV_COLLAPSE)


def _large_mappings(maps: bytes) -> Iterator[tuple[int, int]]:
    """Yield the addresses of mappings, in proc_pid_maps(5)'s form, that malloc may have made."""
    for line in maps.rstrip(b"\n").split(b"\n"):
        addresses, mode, _offset, _device, _inode, *name = line.split()
        begin, end = (int(address, 16) for address in addresses.split(b"-"))
        if mode == b"rw-p" and not name and end - begin >= _LEAST_BYTES:
            yield begin, end
