"""`tgicli config`: it tells what the commands see."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tgicli.cli.app import Commands
from tgicli.errors import ExitStatus

Write = Callable[[str], Path]


def test_every_option_is_shown_with_its_value_and_where_it_is_set(
    cli: Cli, config_file: Write, monkeypatch: pytest.MonkeyPatch
):
    path = config_file("temperature = 0.5\n\n[generate]\nchat = false\n")
    monkeypatch.setenv("TGICLI_TOP_K", "7")

    rows = [line.split() for line in cli("config").stdout.splitlines()]

    assert rows[0] == ["#", str(path)]
    assert ["temperature", "0.5", f"{path}:1"] in rows
    assert ["chat", "false", f"{path}:4"] in rows
    assert ["top-k", "7", "TGICLI_TOP_K"] in rows
    assert ["top-p", "1.0", "default"] in rows
    assert ["model", "(the", "demo", "model)", "default"] in rows


def test_json_has_the_values_themselves(
    cli: Cli, config_file: Write, monkeypatch: pytest.MonkeyPatch
):
    path = config_file('stop = ["a"]\nfile = "notes"\n')
    monkeypatch.setenv("TGICLI_TEMPERATURE", "0.25")

    shown = json.loads(cli("config", "--json").stdout)

    generate = shown["commands"]["generate"]
    assert (shown["file"], shown["exists"]) == (str(path), True)
    assert generate["stop"] == {"value": ["a"], "origin": "file", "place": f"{path}:1"}
    assert generate["file"] == {"value": ["notes"], "origin": "file", "place": f"{path}:2"}
    assert generate["temperature"] == {
        "value": 0.25,
        "origin": "environment",
        "place": "TGICLI_TEMPERATURE",
    }
    assert generate["seed"] == {"value": None, "origin": "default", "place": None}


def test_sub_commands_have_their_options_too(cli: Cli):
    shown = json.loads(cli("config", "--json").stdout)

    assert "json" in shown["commands"]["models list"]


def test_a_table_reaches_the_sub_commands_that_have_the_option(cli: Cli, config_file: Write):
    path = config_file("[models]\njson = true\n")

    commands = json.loads(cli("config", "--json").stdout)["commands"]

    assert commands["models list"]["json"]["place"] == f"{path}:2"
    assert commands["generate"]["json"]["origin"] == "default"


def test_the_path_is_printed_whether_there_is_a_file_or_not(cli: Cli, tmp_path: Path):
    outcome = cli("config", "path")

    assert outcome.stdout == f"{tmp_path}/nowhere/tgicli/config.toml\n"


@pytest.mark.parametrize("args", [("config", "path"), ("generate", "--help"), ("--help",)])
def test_a_broken_file_breaks_neither_its_path_nor_help(
    cli: Cli, config_file: Write, args: tuple[str, ...]
):
    config_file("temperature = = 1")

    assert cli(*args).status == ExitStatus.OK


@pytest.mark.parametrize("args", [("config",), ("generate", "hi"), ("models", "list")])
def test_a_broken_file_is_an_error_for_who_needs_it(
    cli: Cli, config_file: Write, args: tuple[str, ...]
):
    path = config_file("temperature = = 1")

    outcome = cli(*args)

    assert outcome.status == ExitStatus.USAGE
    assert outcome.stderr.startswith(f"error: {path} is not valid TOML")


def test_a_mistyped_name_is_guessed_among_all_commands(cli: Cli, config_file: Write):
    path = config_file("temprature = 1\n")

    outcome = cli("models", "list")

    assert outcome.stderr == (
        f"error: {path}:1: there is no option temprature; did you mean temperature?\n"
    )


def test_a_value_is_checked_though_a_flag_overrides_it(cli: Cli, config_file: Write):
    path = config_file('\n[generate]\nkv-type = "f64"\n')

    outcome = cli("generate", "hi", "--kv-type", "f16")

    assert outcome.status == ExitStatus.USAGE
    assert outcome.stderr == (
        f'error: {path}:3: kv-type = "f64": must be f32, f16, bf16, q8_0 or q4_0\n'
    )


def test_a_variable_that_sets_nothing_is_pointed_out(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TGICLI_TEMPRATURE", "1")
    monkeypatch.setenv("TGICLI_TRACEBACK", "0")

    outcome = cli("config")

    assert outcome.status == ExitStatus.OK
    assert outcome.stderr == (
        "warning: no option is set by TGICLI_TEMPRATURE; did you mean TGICLI_TEMPERATURE?\n"
    )


def test_a_wrong_variable_is_an_error_here_too(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TGICLI_SEED", "x")

    assert cli("config").stderr == "error: TGICLI_SEED=x: must be a whole number\n"


def test_an_option_of_other_commands_is_called_theirs(cli: Cli, config_file: Write):
    path = config_file("[generate]\nport = 1\n")

    words = f"{path}:2: there is no option port in [generate]; it is an option of serve"
    assert cli("generate", "hi").stderr == f"error: {words}\n"


def test_no_more_names_are_listed_than_anybody_reads(cli: Cli, config_file: Write):
    path = config_file("[generate]\nqqq = 1\n")

    words = f"{path}:2: there is no option qqq in [generate]; `tgicli config` shows all"
    assert cli("generate", "hi").stderr == f"error: {words}\n"


def test_what_contradicts_itself_is_told_with_where_it_is_set(
    cli: Cli, config_file: Write, monkeypatch: pytest.MonkeyPatch
):
    path = config_file("raw = true\n[generate]\nplain = true\n")
    monkeypatch.setenv("TGICLI_REGEX", "a")
    monkeypatch.setenv("TGICLI_GBNF", "b")

    of_file = cli("generate", "hi")
    of_variables = cli("generate", "hi", "--raw")

    words = f"raw ({path}:1) and plain ({path}:3) exclude each other; choose one"
    assert (of_file.status, of_file.stderr) == (ExitStatus.USAGE, f"error: {words}\n")
    assert "TGICLI_REGEX and TGICLI_GBNF exclude each other" in of_variables.stderr


@pytest.mark.parametrize("command", ["config", "serve"])
def test_a_port_that_there_is_not_is_told_with_where_it_is_set(
    cli: Cli, config_file: Write, monkeypatch: pytest.MonkeyPatch, command: str
):
    path = config_file("[serve]\nport = 99999\n")

    assert f"{path}:2: port = 99999: must be <= 65535" in cli(command).stderr
    config_file("")
    monkeypatch.setenv("TGICLI_PORT", "99999")
    assert "TGICLI_PORT=99999: must be <= 65535" in cli(command).stderr


def test_the_help_page_shows_what_the_file_sets(cli: Cli, config_file: Write):
    config_file("temperature = 0.125")

    assert "[0.125]" in cli("generate", "--help").stdout


def test_what_is_not_utf_8_is_shown_as_the_bytes_that_it_is(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TGICLI_FILE", os.fsdecode(b"\xff"))

    outcome = cli("config")

    assert outcome.status == ExitStatus.OK
    assert "TGICLI_FILE" in outcome.stdout


@pytest.mark.parametrize(
    "args",
    [("config",), ("config", "--json"), ("config", "profiles"), ("config", "profiles", "--json")],
)
def test_a_password_in_an_address_is_hidden(
    cli: Cli, config_file: Write, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
):
    config_file('[serve]\nconnect = "u:secret@h"\n[profiles.work]\nvs = "http://u:secret@h"\n')
    monkeypatch.setenv("TGICLI_ENDPOINT", "http://u:secret@h/v1?api_key=secret&v=1")

    outcome = cli(*args)

    assert "***@h" in outcome.stdout
    assert "secret" not in outcome.stdout


def test_the_help_page_hides_what_config_hides(cli: Cli, config_file: Write):
    config_file('api-key = "secret"\nendpoint = "http://u:secret@h"\nheader = ["a: secret"]\n')

    page = cli("generate", "--help").stdout

    assert "[http://***@h]" in page
    assert "secret" not in page


def test_a_table_of_every_command_is_allowed(cli: Cli, config_file: Write):
    config_file("\n".join(f"[{name}]" for name in Commands.modules))

    assert cli("config").status == ExitStatus.OK
