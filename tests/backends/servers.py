"""Other programs that serve a model, each as a process of its own on a free port."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

LLAMA_SERVER = "LLAMA_SERVER"  # names the program
EXTRAS = ("fastapi", "pydantic_settings", "sse_starlette", "starlette_context")
PATIENCE_S = 60.0


def llama_server(model: Path, *, n_ctx: int) -> contextlib.AbstractContextManager[str]:
    """Give the URL of a llama-server, or skip the test."""
    program = os.environ.get(LLAMA_SERVER)
    if program is None:
        pytest.skip(f"the variable {LLAMA_SERVER} names no llama-server")
    port = _free_port()
    size = ["-c", str(2 * n_ctx), "-np", "2", "-t", "1"]
    command = [program, "-m", str(model), "--port", str(port), "--no-webui", *size]
    return _running(command, port, "/health")


def llama_cpp_server(model: Path, *, n_ctx: int) -> contextlib.AbstractContextManager[str]:
    """Give the URL of llama-cpp-python's own server, or skip the test."""
    missing = [name for name in EXTRAS if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"llama_cpp.server needs {', '.join(missing)}")
    port = _free_port()
    # Otherwise a request cuts the one before it off.
    manners = ["--n_ctx", str(n_ctx), "--n_threads", "1", "--interrupt_requests", "False"]
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model), *manners]
    return _running([*command, "--port", str(port)], port, "/v1/models")


@contextlib.contextmanager
def _running(command: Sequence[str], port: int, page: str) -> Iterator[str]:
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait(url + page, process)
            yield url
        except TimeoutError:
            log.seek(0)
            words = log.read().decode("utf-8", "replace")[-2000:]
            pytest.fail(f"{command[0]} does not serve:\n{words}")
        finally:
            process.kill()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s and process.poll() is None:
        with contextlib.suppress(OSError, urllib.error.HTTPError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.05)
    raise TimeoutError


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port
