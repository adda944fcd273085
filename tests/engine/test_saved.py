"""Copies of lanes in RAM, without a model."""

from __future__ import annotations

from typing import Any

import pytest

from tgicli.engine import saved
from tgicli.engine.saved import SavedLanes


class Cells:
    """llama.cpp's four bytes a lane; writes are refused while `is_full`, and reads are `cut`."""

    is_full = False
    cut = 0

    def __init__(self) -> None:
        self.lanes = {0: b"lane", 1: b"none"}

    def llama_state_seq_get_size(self, ctx: Any, lane: int) -> int:
        return len(self.lanes[lane])

    def llama_state_seq_get_data(self, ctx: Any, copy: Any, n_bytes: int, lane: int) -> int:
        copy[:] = self.lanes[lane]
        return n_bytes - self.cut

    def llama_state_seq_set_data(self, ctx: Any, copy: Any, n_bytes: int, lane: int) -> int:
        if self.is_full:
            return 0
        self.lanes[lane] = bytes(copy[:n_bytes])
        return n_bytes


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> Cells:
    cells = Cells()
    monkeypatch.setattr(saved, "llama_cpp", cells)
    return cells


def test_a_lane_comes_back_in_another_one(cells: Cells) -> None:
    copies = SavedLanes(None)
    copies.save(1, lane=0)

    assert copies.restore(1, lane=1)
    assert cells.lanes[1] == b"lane"


def test_what_was_never_saved_or_is_dropped_does_not_come_back(cells: Cells) -> None:
    copies = SavedLanes(None)
    copies.save(1, lane=0)
    copies.drop(1)

    assert not copies.restore(1, lane=1)
    assert not copies.restore(2, lane=1)


def test_half_a_copy_is_none(cells: Cells) -> None:
    cells.cut = 1
    copies = SavedLanes(None)
    copies.save(1, lane=0)

    assert not copies.restore(1, lane=1)


def test_a_copy_that_could_not_be_restored_is_dropped(cells: Cells) -> None:
    copies = SavedLanes(None)
    copies.save(1, lane=0)
    cells.is_full = True

    assert not copies.restore(1, lane=1)
    cells.is_full = False
    assert not copies.restore(1, lane=1)
