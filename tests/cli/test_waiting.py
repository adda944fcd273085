from __future__ import annotations

import asyncio
import threading
import time

import pytest

from tgicli.cli.loop import run
from tgicli.cli.waiting import wait_for
from tgicli.errors import DeadlineExceeded, ModelNotFound


def test_what_work_returns_in_time_is_returned() -> None:
    assert wait_for(lambda: "done", 30) == "done"


@pytest.mark.parametrize("error", [ModelNotFound("none"), TimeoutError("the work's own")])
def test_what_work_raises_in_time_is_raised(error: Exception) -> None:
    def work() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        wait_for(work, 30)

    assert caught.value is error


def test_work_that_takes_longer_is_left_alone() -> None:
    ends = threading.Event()
    begun = time.monotonic()

    with pytest.raises(DeadlineExceeded, match=r"it took longer than 0\.2 s \(--timeout\)"):
        wait_for(lambda: ends.wait(30), 0.2)

    assert time.monotonic() - begun < 10
    ends.set()


def test_what_was_waited_before_a_loop_is_part_of_its_time() -> None:
    begun = time.monotonic()

    with pytest.raises(DeadlineExceeded, match=r"it took longer than 60 s \(--timeout\)"):
        run(asyncio.sleep(60), timeout_s=60, spent_s=59.9)

    assert time.monotonic() - begun < 10
