"""Prompts as the flags want them, and what whoever reads the figures must know of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.bench.conftest import Understood
from tgicli.bench.ruler import Ruler, Word
from tgicli.cli.bench.asking import asking_of

RULER = Ruler(
    words=(Word("word", 1.0),),
    n_overhead=0.0,
    n_nonce=1.0,
    n_inner_nonce=1.0,
    n_task=8.0,
    characters_per_token=4.0,
)
LENGTHS = '{"timestamp": 0, "input_length": 20, "output_length": 4}'
TEXTS = '{"timestamp": 0, "prompt": "Name a colour", "output_length": 4}'


@pytest.mark.parametrize("is_assumed", [False, True])
@pytest.mark.parametrize("flags", [(), ("--trace", "lengths.jsonl"), ("--trace", "texts.jsonl")])
def test_lengths_that_are_a_guess_are_told(
    understood: Understood,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: tuple[str, ...],
    is_assumed: bool,
):
    monkeypatch.chdir(tmp_path)
    Path("lengths.jsonl").write_text(LENGTHS)
    Path("texts.jsonl").write_text(TEXTS)
    asking = asking_of(understood("http://a", *flags))

    drawn = asking.draw(replace(RULER, is_assumed=is_assumed), n_ctx=0)

    is_told = any("tells no counts of tokens" in remark.text for remark in drawn.remarks)
    assert is_told is (is_assumed and "texts.jsonl" not in flags)
