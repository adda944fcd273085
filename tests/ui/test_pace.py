from __future__ import annotations

import pytest

from tests.fakes import FakeClock
from tgicli.ui.pace import FRAME_S, Pace


def test_the_first_frame_may_be_painted_at_once() -> None:
    pace = Pace(FakeClock())

    assert pace.rest_s == 0


def test_the_next_frame_may_be_painted_a_twelfth_of_a_second_later() -> None:
    clock = FakeClock()
    pace = Pace(clock)
    with pace.frame():
        pass

    clock.advance(FRAME_S / 4)

    assert pace.rest_s == pytest.approx(FRAME_S * 3 / 4)


def test_painting_takes_a_fifth_of_the_time_at_most() -> None:
    clock = FakeClock()
    pace = Pace(clock)
    with pace.frame():
        clock.advance(0.1)

    assert pace.rest_s == pytest.approx(0.4)


def test_a_terminal_that_was_stopped_for_a_minute_is_painted_again_within_a_second() -> None:
    clock = FakeClock()
    pace = Pace(clock)
    with pace.frame():
        clock.advance(60)

    assert pace.rest_s == 1
