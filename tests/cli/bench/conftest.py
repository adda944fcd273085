"""A server of known times, what flags mean, and the test runner's own signals after each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tgicli.bench.fake.options import FakeOptions
from tgicli.bench.fake.server import FakeServer
from tgicli.cli.bench.options import BenchOptions

Understood = Callable[..., BenchOptions]


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """Return where a quick server is."""
    with FakeServer(FakeOptions(ttft_ms=20, gap_ms=4)) as fake:
        yield fake.url


@pytest.fixture
def understood(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Understood:
    """Return a function from a command line to what would be done."""
    seen: list[BenchOptions] = []

    def take(options: BenchOptions, _terminal: Any) -> int:
        seen.append(options)
        return 0

    monkeypatch.setattr("tgicli.cli.bench.job.run_job", take)

    def call(*args: str) -> BenchOptions:
        outcome = cli("bench", *args)
        assert outcome.status == 0, outcome.stderr
        return seen[-1]

    return call
