"""A gateway in front of a server that does as a script says, and clients that go."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.faulty import answer, serving, stall
from tests.server.conftest import eventually, running_command
from tests.server.raw import connected, request_bytes

TGI = answer(200, b'{"model_id":"m","max_total_tokens":4096}')
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
PATIENCE_S = 30.0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/generate", {"inputs": "Hi"}),
        ("/generate_stream", {"inputs": "Hi"}),
        ("/v1/chat/completions", CHAT),
        ("/v1/chat/completions", {**CHAT, "stream": True}),
    ],
    ids=["whole", "a stream", "a whole chat", "a chat's stream"],
)
def test_a_client_that_goes_before_the_server_answers_ends_its_request_there(
    tmp_path: Path, path: str, body: dict[str, Any]
):
    with (
        serving([stall], pages={"/info": TGI}) as server,
        running_command("--connect", server.url, runtime=tmp_path) as gateway,
    ):

        async def ask_and_go() -> None:
            async with connected(gateway) as connection:
                await connection.send(request_bytes(path, body))
                while not server.posts:
                    await asyncio.sleep(0.02)
                connection.cut()

        asyncio.run(asyncio.wait_for(ask_and_go(), PATIENCE_S))

        assert eventually(lambda: server.n_gone == 1)
        assert eventually(gateway.is_idle)
