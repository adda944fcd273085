"""What is known about a request when it is over."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.server.gated import N_TOKENS, gated_server
from tests.server.raw import ask
from tgicli.server.record import Record
from tgicli.server.service import ServerOptions
from tgicli.wire.limits import Limits

OPTIONS = ServerOptions(limits=Limits(max_total_tokens=99, max_input_tokens=98))
TURNS = [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    ("path", "body", "n_prompts", "n_answers"),
    [
        ("/v1/chat/completions", {"messages": TURNS, "n": 3}, 1, 3),
        ("/v1/completions", {"prompt": ["Once", "Hello"], "n": 2, "temperature": 1}, 2, 4),
    ],
)
def test_a_prompt_counts_once_however_many_answers_it_has(
    path: str, body: dict[str, Any], n_prompts: int, n_answers: int, streams: bool
):
    async def record_of_one() -> Record:
        async with gated_server(OPTIONS) as server:
            server.backend.gate.set()
            answer = await ask(server, path, {**body, "stream": streams})
            assert answer.status == 200
        (record,) = server.records
        return record

    record = asyncio.run(record_of_one())

    assert record.n_prompt_tokens == n_prompts
    assert record.n_new_tokens == n_answers * N_TOKENS
