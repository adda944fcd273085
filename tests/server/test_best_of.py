"""best_of over a real socket: every run counts, though one is the answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.conftest import RunningServer, running_server

COMPLETION = {"prompt": "Hello", "max_tokens": 3, "temperature": 1}


@pytest.fixture(scope="module")
def narrow(tiny_model: Path) -> Iterator[RunningServer]:
    """A server with three places."""
    options = ["--max-concurrent-requests", "3", "--max-total-tokens", "256"]
    with running_server(tiny_model, *options) as one:
        yield one


def test_the_tokens_of_all_runs_are_counted(narrow: RunningServer):
    before = narrow.metric("tgicli_generated_tokens")

    _, answer = narrow.post("/v1/completions", {**COMPLETION, "best_of": 2})

    n_tokens = answer["usage"]["completion_tokens"]
    assert n_tokens > 3
    assert narrow.metric("tgicli_generated_tokens") == before + n_tokens
