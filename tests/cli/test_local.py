"""Which weights are mapped, and which are read, where nobody says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.files import write_gguf
from tgicli.cli.flags import LoadingFlags
from tgicli.cli.local import Expected, placed
from tgicli.engine import huge_pages


@pytest.fixture(autouse=True)
def on_a_cpu_with_huge_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tgicli.engine.model.can_offload", lambda: False)
    monkeypatch.setattr(huge_pages, "pays_off", lambda weights_bytes: weights_bytes < 10_000_000)


def is_mapped(path: Path, flags: LoadingFlags, *, brief: bool = False) -> bool:
    load, note = placed(path, flags, Expected(is_brief=brief))
    assert note is None
    return load.mmap


def test_a_small_model_that_stays_is_read(tiny_model: Path, demo_model: Path) -> None:
    assert not is_mapped(tiny_model, LoadingFlags())
    assert is_mapped(demo_model, LoadingFlags())


def test_a_split_model_is_mapped_however_small_its_first_part(tmp_path: Path) -> None:
    write_gguf(tmp_path / "part.gguf", part=(0, 3))

    assert is_mapped(tmp_path / "part.gguf", LoadingFlags())


def test_for_one_answer_it_is_mapped(tiny_model: Path) -> None:
    assert is_mapped(tiny_model, LoadingFlags(), brief=True)


@pytest.mark.parametrize("brief", [True, False])
@pytest.mark.parametrize("mmap", [True, False])
def test_who_says_so_gets_it(tiny_model: Path, mmap: bool, brief: bool) -> None:
    assert is_mapped(tiny_model, LoadingFlags(mmap=mmap), brief=brief) is mmap


def test_what_is_never_to_be_swapped_is_mapped(tiny_model: Path) -> None:
    assert is_mapped(tiny_model, LoadingFlags(mlock=True))
