from __future__ import annotations

import pytest

from tests.fakes import FakeClock
from tgicli.ui.painter import FRAME_S
from tgicli.ui.speed import SPEED_WINDOW_S, Speed


def test_the_speed_is_that_of_the_last_seconds() -> None:
    clock = FakeClock()
    speed = Speed(clock)
    speeds = []

    for n_tokens in [*range(0, 1000, 25), *[975] * 40]:  # 100 a second for 10 s, then none
        speeds.append(speed.measure(n_tokens))
        clock.advance(FRAME_S)

    assert speeds[0] == 0
    assert speeds[1:40] == pytest.approx([100] * 39)
    assert speeds[50] == pytest.approx(100 * (1 - 11 * FRAME_S / SPEED_WINDOW_S))
    assert speeds[-1] == 0


def test_measuring_often_changes_no_speed_and_keeps_nothing() -> None:
    clock = FakeClock()
    speed = Speed(clock)

    for n_tokens in range(100_000):
        tokens_per_s = speed.measure(n_tokens)
        clock.advance(0.001)

    assert tokens_per_s == pytest.approx(1000)
    assert len(speed._past) <= SPEED_WINDOW_S / FRAME_S + 2
