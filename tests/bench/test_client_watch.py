"""The client's own figures: a slow client must not look like a slow server."""

from __future__ import annotations

import asyncio
import gc
import threading
import time

from tests.fakes import FakeClock
from tgicli.bench.client_watch import ClientWatch, quiet_gc


async def lag_while(block_s: float) -> ClientWatch:
    """Measure the event loop while something blocks it."""
    watch = ClientWatch()
    measuring = asyncio.create_task(watch.measure_lag())
    await asyncio.sleep(0.05)
    time.sleep(block_s)
    await asyncio.sleep(0.05)
    measuring.cancel()
    return watch


def test_a_blocked_event_loop_shows_as_lag():
    health = asyncio.run(lag_while(0.2)).health()

    assert health.lag_max_ms >= 150
    assert health.lag_p50_ms <= health.lag_p99_ms <= health.lag_max_ms


def test_a_thread_that_computes_shows_as_cpu():
    """As self-test 7 wants: whoever takes the client's core is seen."""
    is_over = threading.Event()

    def hog() -> None:
        while not is_over.is_set():
            sum(range(1000))

    thread = threading.Thread(target=hog)
    watch = ClientWatch()
    thread.start()
    time.sleep(0.3)
    health, own = watch.health(), watch.health(computes=True)
    is_over.set()
    thread.join()

    assert health.cpu_share > 2 * own.cpu_share


def test_what_was_before_its_beginning_and_after_its_end_is_not_measured():
    clock = FakeClock()
    watch = ClientWatch(clock_s=clock)

    async def main() -> None:
        measuring = asyncio.create_task(watch.measure_lag())
        await asyncio.sleep(0.05)
        clock.advance(100)
        await asyncio.sleep(0.05)
        watch.begin()
        clock.advance(1)
        await asyncio.sleep(0.05)
        watch.end()
        clock.advance(100)
        await asyncio.sleep(0.05)
        measuring.cancel()

    asyncio.run(main())

    assert watch.health().lag_max_ms <= 1000


def test_the_collectors_time_is_counted():
    watch = ClientWatch()
    with watch.hearing_gc():
        gc.collect()
    counted_ms = watch.health().gc_ms
    gc.collect()

    assert counted_ms > 0
    assert watch.health().gc_ms == counted_ms


def test_no_garbage_is_collected_meanwhile():
    assert gc.isenabled()

    with quiet_gc():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with quiet_gc():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_without_a_single_look_there_is_no_lag():
    assert ClientWatch().health().lag_p99_ms == 0
