"""Real servers on the demo model, each a process of its own on a real socket."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 60


@dataclass(slots=True, eq=False)
class RunningServer:
    """A `tgicli serve` process."""

    url: str
    process: subprocess.Popen[bytes]
    stderr: list[str] = field(default_factory=list)

    def get(self, path: str) -> tuple[int, bytes]:
        """Return the status and the body of a GET."""
        return self._ask(urllib.request.Request(self.url + path))

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Return the status and the decoded JSON of a POST."""
        status, answer = self._ask(
            urllib.request.Request(
                self.url + path,
                data=json.dumps(body).encode(),
                headers={"content-type": "application/json"},
            )
        )
        return status, json.loads(answer)

    @staticmethod
    def _ask(request: urllib.request.Request) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


@contextmanager
def running_server(model: Path, *options: str) -> Iterator[RunningServer]:
    """Start a server on a free port, wait until it is ready, end it with the block."""
    command = [sys.executable, "-m", "tgicli", "serve", "-m", str(model), "--port", "0", *options]
    environ = {name: v for name, v in os.environ.items() if not name.startswith("TGICLI_")}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**environ, "TGICLI_CONFIG": os.devnull},
    )
    assert process.stderr is not None
    lines: list[str] = []
    is_ready = threading.Event()

    def read() -> None:
        for line in process.stderr or ():
            lines.append(line.decode())
            if " on http" in lines[-1]:
                is_ready.set()
        is_ready.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert is_ready.wait(PATIENCE_S), "the server is not ready"
        found = re.search(r"https?://[^\s;]+", "".join(lines))
        assert found, "".join(lines)
        yield RunningServer(found[0], process, lines)
    finally:
        process.send_signal(signal.SIGKILL if process.poll() is None else 0)
        process.wait()
        reader.join()
        process.stderr.close()


@pytest.fixture(scope="session")
def server(demo_model: Path) -> Iterator[RunningServer]:
    """A server with places for all."""
    with running_server(demo_model, "--max-total-tokens", "1024", "--max-batch-size", "4") as one:
        yield one


@pytest.fixture
def overloaded_server(demo_model: Path) -> Iterator[RunningServer]:
    """A server whose only place is taken."""
    limits = ["--max-concurrent-requests", "1", "--max-total-tokens", "4096"]
    with running_server(demo_model, *limits, "--max-batch-size", "1") as one, taken_place(one):
        yield one


@contextmanager
def taken_place(server: RunningServer) -> Iterator[None]:
    """Stream an answer that does not end while the block runs."""
    body = {"inputs": "Once", "parameters": {"max_new_tokens": 4000}}
    request = urllib.request.Request(
        server.url + "/generate_stream",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
        response.readline()
        yield


def eventually(holds: Callable[[], bool], *, within_s: float = 10.0) -> bool:
    """Return whether something comes to hold in time."""
    end_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.02)
    return True
