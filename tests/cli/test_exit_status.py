"""What the shell gets: each exit status that can be had without a model, by real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tgicli.errors import ExitStatus

TGICLI = [sys.executable, "-m", "tgicli"]


def status_of(*args: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    """Run the program to its end; return its status, stdout and stderr."""
    process = subprocess.run([*TGICLI, *args], input=stdin, capture_output=True, check=False)
    return process.returncode, process.stdout, process.stderr


def shell(command: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash in which $TGICLI is the program."""
    variables = {**os.environ, "TGICLI": " ".join(TGICLI)}
    return subprocess.run(["bash", "-c", command], env=variables, capture_output=True, check=False)


def waiting_for_stdin() -> subprocess.Popen[bytes]:
    """Start the program with a silent pipe as stdin; return it when it says that it waits."""
    process = subprocess.Popen(
        [*TGICLI, "generate"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"waiting for the prompt on stdin\n"
    return process


def test_0_done():
    status, stdout, stderr = status_of("config", "path")

    assert (status, stderr) == (ExitStatus.OK, b"")
    assert stdout.endswith(b"config.toml\n")


def test_2_usage():
    status, stdout, stderr = status_of("generate", "--no-such-flag")

    assert (status, stdout) == (ExitStatus.USAGE, b"")
    assert stderr.startswith(b"error: no such option: --no-such-flag")


def test_2_nothing_asked():
    assert status_of()[0] == ExitStatus.USAGE


def test_2_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TGICLI_CONFIG", str(tmp_path / "none.toml"))

    assert status_of("generate", "hi")[0] == ExitStatus.USAGE


def test_5_request():
    status, _, stderr = status_of("generate", stdin=b"")

    assert status == ExitStatus.BAD_REQUEST
    assert stderr.startswith(b"error: the prompt is empty")


def test_5_request_that_is_no_text():
    status, _, stderr = status_of("generate", stdin=b"ab\xff")

    assert status == ExitStatus.BAD_REQUEST
    assert b"byte 0xff at offset 2" in stderr


def test_8_model():
    status, _, stderr = status_of("generate", "hi", "-m", "/no/such.gguf")

    assert status == ExitStatus.MODEL
    assert stderr.startswith(b"error: ")


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, ExitStatus.INTERRUPTED), (signal.SIGTERM, ExitStatus.TERMINATED)],
)
def test_130_and_143_signals(number: signal.Signals, status: ExitStatus):
    process = waiting_for_stdin()

    process.send_signal(number)

    stdout, stderr = process.communicate()
    assert (process.returncode, stdout, stderr) == (status, b"", b"")


@pytest.mark.parametrize("command", ["--help", "--version", "config", "completion bash"])
def test_141_closed_pipe_silently(command: str):
    reader, writer = os.pipe()
    os.close(reader)

    process = subprocess.run(
        [*TGICLI, *command.split()], stdout=writer, stderr=subprocess.PIPE, check=False
    )

    os.close(writer)
    assert (process.returncode, process.stderr) == (ExitStatus.BROKEN_PIPE, b"")


def test_7_output_that_cannot_be_written():
    process = shell("$TGICLI --help >/dev/full")

    assert process.returncode == ExitStatus.STREAM_BROKEN
    assert b"No space left on device" in process.stderr


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("$TGICLI generate <&-", ExitStatus.BAD_REQUEST),
        ("$TGICLI generate - <&-", ExitStatus.BAD_REQUEST),
        ("$TGICLI generate hi -m /no/such.gguf <&-", ExitStatus.MODEL),
        ("$TGICLI generate hi -m /no/such.gguf 2>&-", ExitStatus.MODEL),
        ("$TGICLI --help >&-", ExitStatus.BROKEN_PIPE),
    ],
)
def test_closed_streams_are_no_bug(command: str, status: ExitStatus):
    assert shell(command).returncode == status
