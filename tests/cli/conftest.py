"""The program in this process, with streams of the test's own and nobody's settings."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tgicli.cli.app import run
from tgicli.ui.terminal import Terminal


@dataclass(frozen=True)
class Outcome:
    """What a run left behind."""

    status: int
    stdout: str
    stderr: str


Cli = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """Leave the test runner's own handlers as they are."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    saved = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in saved.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _nobodys_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the variables and the configuration file of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith("TGICLI_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nowhere"))


@pytest.fixture
def cli() -> Cli:
    """Return the program as a function; its stdin is closed."""

    def call(*args: str) -> Outcome:
        stdout, stderr = io.StringIO(), io.StringIO()
        status = run(args, Terminal(stdin=None, stdout=stdout, stderr=stderr))
        return Outcome(status, stdout.getvalue(), stderr.getvalue())

    return call


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody knows, with its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    what = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -keyout - -out - -subj /CN=localhost"
    made = subprocess.run(
        [*what.split(), "-addext", "subjectAltName=IP:127.0.0.1"], capture_output=True, check=True
    )
    path.write_bytes(made.stdout)
    return path


@pytest.fixture
def config_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes the configuration file."""

    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("TGICLI_CONFIG", str(path))
        return path

    return write
