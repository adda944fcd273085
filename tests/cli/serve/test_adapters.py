"""The adapters that `tgicli serve` is told to load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tgicli.cli.serve.flags import ServeFlags
from tgicli.errors import ExitStatus
from tgicli.ui.terminal import Terminal

Asked = Callable[..., ServeFlags]
RED, BLUE = ("red", Path("r.gguf")), ("blue", Path("b.gguf"))


@pytest.fixture
def asked(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Return `tgicli serve` as a function that stops where the work would begin."""
    seen: list[ServeFlags] = []

    def serve(flags: ServeFlags, terminal: Terminal) -> None:
        seen.append(flags)

    def ask(*args: str) -> ServeFlags:
        outcome = cli("serve", *args)
        assert (outcome.status, outcome.stderr) == (ExitStatus.OK, "")
        return seen.pop()

    monkeypatch.setattr("tgicli.cli.serve.run.serve", serve)
    return ask


def test_adapters_are_named_between_commas_or_by_several_flags(asked: Asked):
    assert asked().named_lora == ()
    assert asked("--lora-adapters", "red=r.gguf,blue=b.gguf").named_lora == (RED, BLUE)
    assert asked("--lora-adapters", "red=r.gguf", "--lora-adapters", "blue=b.gguf").named_lora == (
        RED,
        BLUE,
    )


def test_a_variable_names_adapters_as_tgis_does(asked: Asked, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TGICLI_LORA_ADAPTERS", "red=r.gguf,blue=b.gguf")

    assert asked().named_lora == (RED, BLUE)


@pytest.mark.parametrize("value", ['"red=r.gguf,blue=b.gguf"', '["red=r.gguf", "blue=b.gguf"]'])
def test_the_file_names_adapters(asked: Asked, config_file: Callable[[str], Path], value: str):
    config_file(f"[serve]\nlora-adapters = {value}")

    assert asked().named_lora == (RED, BLUE)


@pytest.mark.parametrize(
    "flag",
    ["--max-batch-size 2", "--max-batch-prefill-tokens 64", "--cache-ram 0", "--max-queue-wait 1"],
)
def test_what_only_a_model_here_can_do_is_refused_in_front_of_another_server(cli: Cli, flag: str):
    outcome = cli("serve", "--connect", "http://localhost:1", *flag.split())

    assert outcome.status == ExitStatus.USAGE
    assert outcome.stderr.startswith(f"error: {flag.split()[0]} is for a model in this process")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--lora-adapters red", "--lora-adapters red: must be NAME=FILE, or several"),
        ("--lora-adapters red=a,red=b", "--lora-adapters: red names two adapters"),
        (
            "--lora-adapters red=a --connect http://localhost:1",
            "--lora-adapters is for a model in this process; leave it out, or --connect",
        ),
    ],
)
def test_what_names_no_adapter_is_refused(cli: Cli, flags: str, message: str):
    outcome = cli("serve", *flags.split())

    assert outcome.status == ExitStatus.USAGE
    assert outcome.stderr.startswith(f"error: {message}")
