"""best_of over a real socket: every run counts, though one is the answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import RunningServer, running_server, taken_place

SAMPLED = {"max_new_tokens": 3, "do_sample": True, "best_of": 2}
COMPLETION = {"prompt": "Hello", "max_tokens": 3, "temperature": 1, "best_of": 2}


@pytest.fixture(scope="module")
def narrow(tiny_model: Path) -> Iterator[RunningServer]:
    """A server with two places."""
    options = ["--max-concurrent-requests", "2", "--max-total-tokens", "4100"]
    with running_server(tiny_model, *options) as one:
        yield one


def test_the_tokens_of_all_runs_are_counted(narrow: RunningServer):
    before = narrow.metric("tgicli_generated_tokens")

    _, answer = narrow.post("/v1/completions", COMPLETION)

    n_tokens = answer["usage"]["completion_tokens"]
    assert n_tokens > 3
    assert narrow.metric("tgicli_generated_tokens") == before + n_tokens


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/generate", {"inputs": "Hello", "parameters": SAMPLED}),
        ("/v1/completions", COMPLETION),
    ],
)
def test_each_run_takes_a_place(narrow: RunningServer, path: str, body: dict[str, Any]):
    with taken_place(narrow):
        status, answer = narrow.post(path, body)

    assert (status, answer["error_type"]) == (429, "overloaded")
