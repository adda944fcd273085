"""Huge pages: when they are worth having, and that memory really lies in them."""

from __future__ import annotations

import ctypes
from contextlib import closing
from pathlib import Path

import pytest

from tgicli.engine import huge_pages
from tgicli.engine.model import LoadOptions, Model

MIB = 1 << 20
needs_huge_pages = pytest.mark.skipif(
    not huge_pages.are_there(), reason="this machine gives no huge pages on request"
)


def n_bytes_in_huge_pages() -> int:
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    (kib,) = [line.split()[1] for line in lines if line.startswith("AnonHugePages:")]
    return int(kib) * 1024


@needs_huge_pages
def test_what_is_allocated_goes_into_huge_pages() -> None:
    before = n_bytes_in_huge_pages()
    memory = ctypes.create_string_buffer(64 * MIB)
    ctypes.memset(memory, 1, len(memory))

    huge_pages.take()

    assert n_bytes_in_huge_pages() - before > 8 * MIB
    assert memory.raw == b"\1" * len(memory)


@needs_huge_pages
@pytest.mark.parametrize("mapped", [True, False])
def test_weights_that_are_read_lie_in_huge_pages_and_mapped_ones_do_not(
    demo_model: Path, mapped: bool
) -> None:
    before = n_bytes_in_huge_pages()

    with closing(Model.load(demo_model, LoadOptions(gpu_layers=0, mmap=mapped))) as model:
        taken = n_bytes_in_huge_pages() - before
        size = model.size_bytes

    assert (taken > size / 2) is not mapped


def test_only_what_malloc_may_have_mapped_is_taken() -> None:
    maps = b"""\
7f0000000000-7f0002000000 rw-p 00000000 00:00 0
7f1000000000-7f1000800000 rw-p 00000000 00:00 0
7f2000000000-7f2002000000 ---p 00000000 00:00 0
7f3000000000-7f3002000000 r--p 00000000 00:00 0
7f4000000000-7f4002000000 rw-s 00000000 00:01 5 /dev/zero (deleted)
7f5000000000-7f5002000000 rw-p 00000000 fd:00 7 /a file/with \xff and blanks
7f6000000000-7f6002000000 rw-p 00000000 00:00 0 [heap]
"""

    assert list(huge_pages._large_mappings(maps)) == [(0x7F0000000000, 0x7F0002000000)]


@pytest.mark.parametrize(
    ("size", "free", "pays"),
    [
        (100 * MIB, 400 * MIB, True),
        (100 * MIB, 399 * MIB, False),
        (512 * MIB, 64_000 * MIB, True),
        (513 * MIB, 64_000 * MIB, False),
        (100 * MIB, None, False),
    ],
)
def test_they_pay_off_for_small_weights_where_there_is_plenty_of_memory(
    monkeypatch: pytest.MonkeyPatch, size: int, free: int | None, pays: bool
) -> None:
    monkeypatch.setattr(huge_pages, "available_memory_bytes", lambda: free)
    monkeypatch.setattr(huge_pages, "are_there", lambda: True)

    assert huge_pages.pays_off(size) is pays


def test_nothing_pays_off_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huge_pages, "available_memory_bytes", lambda: 64_000 * MIB)
    monkeypatch.setattr(huge_pages, "are_there", lambda: False)

    assert not huge_pages.pays_off(MIB)


@pytest.mark.parametrize("setting", ["always madvise [never]\n", None])
def test_who_forbids_them_is_obeyed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, setting: str | None
) -> None:
    path = tmp_path / "enabled"
    if setting is not None:
        path.write_text(setting)
    monkeypatch.setattr(huge_pages, "_SETTING", path)

    assert not huge_pages.are_there()
