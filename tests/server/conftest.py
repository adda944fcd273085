"""Real servers on the demo model, each a process of its own on a real socket."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.installing import program

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATIENCE_S = 60
CALM = ("--threads", "1")  # two of llama.cpp spin for seconds when others want the cores


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

    def metrics(self) -> dict[str, float]:
        """Return all of /metrics, by what stands before the value."""
        lines = self.get("/metrics")[1].decode().splitlines()
        samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    def metric(self, sample: str) -> float:
        """Return one value, 0 for what was never counted."""
        return self.metrics().get(sample, 0.0)

    def is_idle(self) -> bool:
        """Say whether nothing runs and nothing waits."""
        metrics = self.metrics()
        return metrics["tgi_batch_current_size"] == metrics["tgi_queue_size"] == 0

    def n_descriptors(self) -> int:
        """Return how many files and sockets the process has open; 0 where nobody can tell."""
        folder = Path(f"/proc/{self.process.pid}/fd")
        return len(list(folder.iterdir())) if folder.exists() else 0

    def memory_bytes(self) -> int:
        """Return the process's resident memory; 0 where nobody can tell."""
        status = Path(f"/proc/{self.process.pid}/status")
        found = re.search(r"VmRSS:\s+(\d+)", status.read_text()) if status.exists() else None
        return int(found[1]) * 1024 if found else 0

    def log(self, path: str) -> list[str]:
        """Return the access log's lines of a path, so far."""
        return [line for line in self.stderr if f" {path} " in line]

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
    with (
        tempfile.TemporaryDirectory() as folder,  # so that nobody's `generate` finds it
        # llama.cpp's threads spin at barriers: beside another program two are slower than one.
        running_command(
            "-m", str(model), "--threads", "1", *options, runtime=Path(folder)
        ) as server,
    ):
        yield server


@contextmanager
def running_command(
    *options: str, runtime: Path, settings: Path | None = None
) -> Iterator[RunningServer]:
    """Do the same with all options given, and the folder where `generate` looks for it."""
    command = [sys.executable, "-m", "tgicli", "serve", "--port", "0", *options]
    environ = {name: v for name, v in os.environ.items() if not name.startswith("TGICLI_")}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={
            **environ,
            "TGICLI_CONFIG": str(settings or os.devnull),
            "XDG_RUNTIME_DIR": str(runtime),
        },
    )
    assert process.stderr is not None
    lines: list[str] = []
    is_ready = threading.Event()

    def read() -> None:
        for line in process.stderr or ():
            lines.append(line.decode())
            if " requests at most, " in lines[-1]:
                is_ready.set()
        is_ready.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert is_ready.wait(PATIENCE_S), "the server is not ready"
        found = re.search(r"(https?://|unix:)[^\s;]+", "".join(lines))
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
    with running_server(
        demo_model, "--max-total-tokens", "1024", "--max-batch-size", "4", *CALM
    ) as one:
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


OpenUrl = Callable[..., "Page"]


@pytest.fixture(scope="module")  # while it is open, playwright's event loop is the thread's
def browser() -> Iterator[Browser]:
    """Chromium, or the test is skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = program("chromium")
    playwright.expect.set_options(timeout=PATIENCE_S * 1000)
    with (
        playwright.sync_playwright() as driver,
        driver.chromium.launch(executable_path=path) as chromium,
    ):
        yield chromium


@pytest.fixture
def open_url(browser: Browser) -> Iterator[OpenUrl]:
    """Return a function that opens a page in a browser that knows nothing yet.

    What the page's script throws, and what the server's policy keeps it from, fails the test.
    """
    complaints: list[str] = []

    def open_url(url: str, *, script: str = "", **options: Any) -> Page:
        page = browser.new_context(**options).new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text))
        page.add_init_script(script)
        page.goto(url)
        return page

    yield open_url
    for context in browser.contexts:
        context.close()
    refused = "Failed to load resource"  # Chromium says so of each answer that is an error
    assert [line for line in complaints if not line.startswith(refused)] == []
