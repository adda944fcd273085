"""A server of known times, and the test runner's own signals after each test."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tgicli.bench.fake.options import FakeOptions
from tgicli.bench.fake.server import FakeServer


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """Leave the test runner's own handlers as they are."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    saved = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in saved.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """Return where a quick server is."""
    with FakeServer(FakeOptions(ttft_ms=20, gap_ms=4)) as fake:
        yield fake.url
