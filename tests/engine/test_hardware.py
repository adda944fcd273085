"""What this process may use: affinity and the cgroup's limits win over the machine's size."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tgicli.engine import hardware

COUNT = "from tgicli.engine.hardware import n_usable_cores; print(n_usable_cores())"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for /sys: 8 hyper-threads on 4 cores, all ours, no limits."""
    for cpu in range(8):
        topology = tmp_path / f"cpu/cpu{cpu}/topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{cpu % 4},{cpu % 4 + 4}\n")
    (tmp_path / "cgroup").mkdir()
    monkeypatch.setattr(hardware, "_CPUS", tmp_path / "cpu")
    monkeypatch.setattr(hardware, "_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(hardware, "_affinity", lambda: set(range(8)))
    return tmp_path


def test_hyper_threads_of_one_core_count_once(machine: Path) -> None:
    assert hardware.n_usable_cores() == 4


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("max 100000", 4), ("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1)],
)
def test_a_cgroup_quota_limits_the_cores(machine: Path, limit: str, expected: int) -> None:
    (machine / "cgroup/cpu.max").write_text(f"{limit}\n")

    assert hardware.n_usable_cores() == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_affinity_limits_the_cores() -> None:
    one = min(os.sched_getaffinity(0))

    counted = subprocess.run(
        [sys.executable, "-c", f"import os; os.sched_setaffinity(0, {{{one}}}); {COUNT}"],
        capture_output=True,
        check=True,
    )

    assert counted.stdout == b"1\n"


def test_a_cgroup_limits_the_memory_and_gives_cached_files_back(machine: Path) -> None:
    (machine / "cgroup/memory.max").write_text("1000000\n")
    (machine / "cgroup/memory.current").write_text("700000\n")
    (machine / "cgroup/memory.stat").write_text("anon 500000\nfile 200000\n")

    assert hardware.available_memory_bytes() == 500_000


def test_a_cgroup_limits_the_memory_that_there_is_at_all(machine: Path) -> None:
    (machine / "cgroup/memory.max").write_text("1000000\n")

    assert hardware.total_memory_bytes() == 1_000_000


def test_without_a_limit_there_is_what_the_machine_has(machine: Path) -> None:
    (machine / "cgroup/memory.max").write_text("max\n")

    assert hardware.total_memory_bytes() == hardware._meminfo("MemTotal")
