"""Ask llama-server for token ids. Used by equality.py; speaks to 127.0.0.1 only."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

START_TIMEOUT_S = 60.0


class CompletionServer:
    """llama-server for the length of a block."""

    def __init__(self, command: list[str | Path]) -> None:
        """Take the command line without an address; it starts with the block."""
        self._address = f"127.0.0.1:{_free_port()}"
        host, _, port = self._address.partition(":")
        self.command = [*command, "--host", host, "--port", port]

    def __enter__(self) -> Self:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not self._is_healthy():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                self._process.kill()
                raise SystemExit(f"{self.command[0]} does not start")
            time.sleep(0.1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait()

    def token_ids(self, prompt: str, *, n_new: int) -> list[int]:
        """Return the ids of a greedy answer, computed from an empty cache."""
        answer = self._call(
            "/completion",
            {
                "prompt": prompt,
                "n_predict": n_new,
                "temperature": 0,
                "cache_prompt": False,
                "return_tokens": True,
            },
        )
        return [int(token_id) for token_id in answer["tokens"]]

    def _is_healthy(self) -> bool:
        with contextlib.suppress(urllib.error.URLError):  # not listening, or still loading
            self._call("/health", None)
            return True
        return False

    def _call(self, route: str, body: dict[str, object] | None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://{self._address}{route}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as response:
            answer: dict[str, Any] = json.load(response)
        return answer


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port
