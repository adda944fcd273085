"""What this process may use of the machine: physical cores and memory.

Called by the runner before it loads, and by `devices` for the CPU's memory. Reads Linux's sysfs,
procfs and cgroups where they are; elsewhere it falls back to what the standard library knows. Never
guesses upwards: a container's limit wins over the machine's size.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")


def n_usable_cores() -> int:
    """Count the physical cores that affinity and the cgroup's quota leave to this process."""
    n_cores = _n_physical(_affinity())
    quota = _cgroup_cpus()
    return max(1, n_cores if quota is None else min(n_cores, math.ceil(quota)))


def _affinity() -> set[int]:
    """Return the logical CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _n_physical(cpus: set[int]) -> int:
    """Count the cores behind logical CPUs: hyper-threads of one core count once."""
    siblings = {
        kernel_file(_CPUS / f"cpu{cpu}/topology/thread_siblings_list") or str(cpu) for cpu in cpus
    }
    return len(siblings)


def _cgroup_cpus() -> float | None:
    """Return the cgroup v2 CPU quota in CPUs, None when there is none."""
    quota, _, period = (kernel_file(_CGROUP / "cpu.max") or "max").partition(" ")
    return None if quota == "max" else int(quota) / int(period)


def available_memory_bytes() -> int | None:
    """Return how much memory this process could still take without swapping, None when unknown."""
    limits = [limit for limit in (_meminfo("MemAvailable"), _cgroup_memory()) if limit is not None]
    return min(limits, default=None)


def total_memory_bytes() -> int | None:
    """Return how much memory this process may have at most, None when unknown."""
    limits = [limit for limit in (_meminfo("MemTotal"), _cgroup_limit()) if limit is not None]
    return min(limits, default=None)


def _meminfo(name: str) -> int | None:
    for line in (kernel_file(Path("/proc/meminfo")) or "").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None


def _cgroup_limit() -> int | None:
    limit = kernel_file(_CGROUP / "memory.max") or "max"
    return None if limit == "max" else int(limit)


def _cgroup_memory() -> int | None:
    limit, used = _cgroup_limit(), kernel_file(_CGROUP / "memory.current")
    return None if limit is None or used is None else limit - int(used) + _cgroup_file_cache()


def _cgroup_file_cache() -> int:
    """Return the bytes of cached files, which the kernel gives back when asked for memory."""
    for line in (kernel_file(_CGROUP / "memory.stat") or "").splitlines():
        name, _, value = line.partition(" ")
        if name == "file":
            return int(value)
    return 0


def kernel_file(path: Path) -> str | None:
    """Return a small kernel file's text, None when this machine has no such file."""
    try:
        return path.read_text().strip()
    except OSError:
        return None
