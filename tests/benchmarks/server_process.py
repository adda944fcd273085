"""Run an HTTP server for the length of a block. Speaks to 127.0.0.1 only."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

START_TIMEOUT_S = 60.0


class ServerProcess:
    """A program that answers 200 on /health once it is ready."""

    def __init__(self, command: list[str | Path], *, host_flag: str = "--host") -> None:
        """Take the command line without an address; it starts with the block."""
        host, port = "127.0.0.1", _free_port()
        self.url = f"http://{host}:{port}"
        self.command = [*command, host_flag, host, "--port", str(port)]

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

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health"):
                return True
        except urllib.error.URLError:  # not listening, or still loading
            return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port
