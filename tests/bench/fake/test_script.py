"""What the fake server sends, and when: all of it is told before anything is sent."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import pytest

from tgicli.bench.fake.options import FakeOptions, Fault
from tgicli.bench.fake.reply import Desk, FrozenTime, new_loop
from tgicli.bench.fake.script import Asked, Piece, Route, script, sizes, times_ms

ASKED = Asked(
    route=Route.CHAT,
    nonce="n1",
    n_prompt_tokens=3,
    max_tokens=5,
    is_stream=True,
    options=FakeOptions(ttft_ms=200, gap_ms=20),
)


def test_chunks_hold_as_many_tokens_as_asked():
    options = replace(ASKED.options, tokens_per_chunk=4, first_chunk_tokens=1)

    assert sizes(replace(ASKED, options=options, max_tokens=11)) == [1, 4, 4, 2]


def test_the_schedule_is_absolute_and_slowed_as_a_whole():
    slowed = replace(ASKED, options=replace(ASKED.options, slow=1.1))

    assert list(times_ms(ASKED, 3, is_cold=False)) == [200, 220, 240]
    assert list(times_ms(slowed, 3, is_cold=False)) == pytest.approx([220, 242, 264])


def test_jitter_is_the_same_for_the_same_nonce_and_never_reorders():
    asked = replace(ASKED, options=replace(ASKED.options, jitter_ms=60))

    times = list(times_ms(asked, 50, is_cold=False))

    assert times == sorted(times) == list(times_ms(asked, 50, is_cold=False))
    assert times != list(times_ms(replace(asked, nonce="n2"), 50, is_cold=False))


def test_a_role_comes_by_itself_as_early_as_asked():
    asked = replace(ASKED, options=replace(ASKED.options, role_early_ms=150))

    first, second, *_ = script(asked, is_cold=False)

    assert (first.at_ms, second.at_ms) == (50, 200)
    assert b'"delta":{"role":"assistant"}' in first.data


def test_reasoning_comes_first_even_within_a_chunk():
    options = replace(ASKED.options, n_reasoning=3, tokens_per_chunk=2)

    deltas = [
        json.loads(piece.data[6:])["choices"][0]["delta"]
        for piece in script(replace(ASKED, options=options), is_cold=False)
        if piece.is_chunk
    ]

    assert deltas == [
        {"reasoning_content": "n1 sea"},
        {"reasoning_content": " was", "content": " calm"},
        {"content": " and"},
    ]


def test_time_stands_still_once():
    clock = FrozenTime(FakeOptions(freeze_at_s=10, freeze_s=2))
    clock.begin(100)

    assert clock.after(105, 4) == 109  # over before
    assert clock.after(105, 6) == 113  # under way
    assert clock.after(111, 1) == 113  # come meanwhile
    assert clock.after(113, 1) == 114  # come later


def test_chunks_behind_the_first_come_in_step():
    options = FakeOptions(gap_ms=50, aligned=True)
    with closing(new_loop()) as loop:
        desk = Desk(loop, options)

        dues = [desk.due(10.013, Piece(60, b"", joins=joins), options) for joins in (False, True)]

    assert dues == pytest.approx([10.073, 10.1])
    assert [p.joins for p in script(ASKED, is_cold=False)][:3] == [False, True, True]


def test_a_stream_can_come_all_at_its_end():
    pieces = [p for p in script(replace(ASKED, fault=Fault.BURST), is_cold=False) if p.is_chunk]

    assert [piece.at_ms for piece in pieces] == [280] * 5
