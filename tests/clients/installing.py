"""Clients that can't live beside the others: installed at test time, kept in pytest's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

HERE = Path(__file__).parent
OLD_CLIENTS = ("huggingface_hub==0.36.2", "text-generation==0.7.0")
REQUIRED = "TGICLI_REQUIRE_CLIENTS"  # set where everything is installed, so nothing may be skipped


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where everything must be there."""
    if os.environ.get(REQUIRED):
        pytest.fail(f"{reason}, and {REQUIRED} is set")
    pytest.skip(reason)


def program(name: str) -> str:
    """Return a program's path, or the test is skipped."""
    found = shutil.which(name)
    if found is None:
        missing(f"{name} is not installed")
    return found


def old_clients(cache: Path) -> Path:
    """Return a folder with the Python clients that want another huggingface_hub than we."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return installed(cache / "-".join(("python", version, *OLD_CLIENTS)), pip_install)


def node_clients(cache: Path) -> Path:
    """Return a folder where Node finds the JavaScript clients and our caller."""
    npm = program("npm")
    wanted = hashlib.sha256((HERE / "node/package.json").read_bytes()).hexdigest()[:16]
    folder = installed(cache / f"node-{wanted}", lambda folder: npm_install(npm, folder))
    shutil.copy(HERE / "node/caller.mjs", folder)
    return folder


def installed(folder: Path, install: Callable[[Path], None]) -> Path:
    """Return the folder, filled at the first use; an installation that failed leaves nothing."""
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
            install(Path(unfinished))
            Path(unfinished).rename(folder)
    return folder


def pip_install(folder: Path) -> None:
    """Install OLD_CLIENTS and what they need into a folder."""
    run("pip", [sys.executable, "-m", "pip", "install", "--target", str(folder), *OLD_CLIENTS])


def npm_install(npm: str, folder: Path) -> None:
    """Install what node/package.json names."""
    shutil.copy(HERE / "node/package.json", folder)
    run("npm", [npm, "install", "--no-package-lock", "--no-audit", "--no-fund"], folder)


def run(name: str, command: list[str], folder: Path | None = None) -> None:
    """Run an installer; the test is skipped if it fails."""
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        missing(f"{name} can't install the clients: {done.stderr.strip()[-500:]}")
