"""Profiles of the configuration file: who chooses one, and what it wins over."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Outcome
from tgicli.errors import ExitStatus

Write = Callable[[str], Path]
FILE = """\
temperature = 0.5
model = "top.gguf"

[generate]
temperature = 0.6

[profiles.work]
endpoint = "http://localhost:1"
temperature = 0.7
api-key = "sesame"
retries = 0

[profiles.home]
top-k = 3
"""


def shown(cli: Cli, *args: str) -> dict[str, dict[str, object]]:
    """Return what `tgicli config` says of generate's options."""
    found = json.loads(cli(*args, "config", "--json").stdout)
    options: dict[str, dict[str, object]] = found["commands"]["generate"]
    return options


def test_a_profile_wins_over_the_rest_of_the_file(cli: Cli, config_file: Write):
    path = config_file(FILE)

    options = shown(cli, "--profile", "work")

    assert options["temperature"] == {"value": 0.7, "origin": "profile", "place": f"{path}:9"}
    assert options["model"]["origin"] == "file"


def test_without_a_profile_none_holds(cli: Cli, config_file: Write):
    config_file(FILE)

    options = shown(cli)

    assert (options["temperature"]["value"], options["endpoint"]["value"]) == (0.6, None)


def test_a_variable_chooses_and_a_flag_wins_over_it(
    cli: Cli, config_file: Write, monkeypatch: pytest.MonkeyPatch
):
    config_file(FILE)
    monkeypatch.setenv("TGICLI_PROFILE", "home")

    assert shown(cli)["top-k"]["value"] == 3
    assert shown(cli, "--profile", "work")["temperature"]["value"] == 0.7
    assert shown(cli, "--profile", "work")["top-k"]["value"] == 0


def test_a_variable_and_a_flag_win_over_a_profile(
    cli: Cli, config_file: Write, monkeypatch: pytest.MonkeyPatch
):
    config_file(FILE)
    monkeypatch.setenv("TGICLI_TEMPERATURE", "0.9")

    assert shown(cli, "--profile", "work")["temperature"]["origin"] == "environment"


@pytest.mark.parametrize("args", [("generate", "hi"), ("chat",)])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_command_obeys_its_profile(
    cli: Cli, config_file: Write, args: tuple[str, ...], is_first: bool
):
    config_file('[profiles.gone]\nmodel = "/gone.gguf"\n[profiles.warm]\nmodel = "x.gguf"')
    profile = ("--profile", "gone")

    outcome = cli(*profile, *args) if is_first else cli(*args, *profile)

    assert outcome.status == ExitStatus.MODEL
    assert "/gone.gguf" in outcome.stderr


def ask(cli: Cli, *args: str) -> Outcome:
    return cli("generate", "hi", "--no-stdin", *args)


def test_a_profiles_endpoint_is_asked_without_the_files_model(cli: Cli, config_file: Write):
    config_file(FILE)

    outcome = ask(cli, "--profile", "work", "--chat", "--dry-run", "--api", "openai-chat")

    assert "localhost:1" in outcome.stdout + outcome.stderr
    assert "top.gguf" not in outcome.stdout + outcome.stderr
    assert "sesame" not in outcome.stdout + outcome.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FILE, "there is no profile wrk in {path}; did you mean work?"),
        ("[profiles.zzz]", "there is no profile wrk in {path}; known: zzz"),
        ("temperature = 1", "there is no profile wrk in {path}; it has none"),
        ("profiles = 3", "{path}:1: profiles = 3: must be a table; write [profiles] on a line"),
        ("[profiles]\nwrk = 3", "{path}:2: wrk = 3: must be a table; write [profiles.wrk] on"),
        (
            "[profiles.wrk]\ntemprature = 1",
            "{path}:2: there is no option temprature in [profiles.wrk]; did you mean temperature?",
        ),
        ("[profiles.wrk]\n\ntop-k = 'x'", '{path}:3: top-k = "x": must be a whole number'),
        ("[profiles.wrk]\nprofile = 'x'", "{path}:2: there is no option profile in [profiles.wrk]"),
    ],
)
def test_a_profile_that_can_not_hold_says_why(cli: Cli, config_file: Write, text: str, words: str):
    path = config_file(text)

    outcome = ask(cli, "--profile", "wrk")

    assert outcome.status == ExitStatus.USAGE
    assert outcome.stderr.startswith(f"error: {words.format(path=path)}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "[profiles.w]\nsede = 2",
            "{path}:2: there is no option sede in [profiles.w]; did you mean",
        ),
        ("[profiles.w]\ntop-k = 'x'", '{path}:2: top-k = "x": must be a whole number'),
        ("[profiles.w.generate]\nseed = 2", "{path}:1: a profile has options for all commands and"),
        ("[serve]\nprot = 2", "{path}:2: there is no option prot in [serve]; did you mean port?"),
    ],
)
@pytest.mark.parametrize("command", ["config", "doctor"])
def test_what_nothing_has_asked_for_yet_is_checked(
    cli: Cli, config_file: Write, command: str, text: str, words: str
):
    path = config_file(text)

    outcome = cli(command)

    assert outcome.status == ExitStatus.USAGE
    assert f"error: {words.format(path=path)}" in outcome.stderr


def test_a_profile_without_a_file_is_an_error(cli: Cli, tmp_path: Path):
    outcome = ask(cli, "--profile", "work")

    path = tmp_path / "nowhere" / "tgicli" / "config.toml"
    assert outcome.stderr == f"error: there is no profile work: {path} does not exist\n"


def test_the_file_itself_may_choose(cli: Cli, config_file: Write):
    config_file('profile = "gone"\n[profiles.gone]\nmodel = "/gone.gguf"\n')

    assert "/gone.gguf" in ask(cli).stderr


def test_what_the_file_itself_chooses_is_shown(cli: Cli, config_file: Write):
    path = config_file(f'profile = "home"\n{FILE}')

    assert shown(cli)["top-k"] == {"value": 3, "origin": "profile", "place": f"{path}:15"}
    assert f"# {path}\n# profile home\n" in cli("config").stdout
    assert "home (chosen)" in cli("config", "profiles").stdout
    assert shown(cli, "--profile", "work")["temperature"]["value"] == 0.7


def test_what_the_file_chooses_for_one_command_holds_for_no_other(cli: Cli, config_file: Write):
    config_file('[chat]\nprofile = "cold"\n[profiles.cold]\ntemperature = 0.1\n')

    found = json.loads(cli("config", "--json").stdout)

    commands = found["commands"]
    assert [commands[name]["temperature"]["value"] for name in ("chat", "generate")] == [0.1, 0.8]
    assert found["profile"] is None


def test_the_help_page_shows_what_the_profile_sets(cli: Cli, config_file: Write):
    config_file(FILE)

    assert "[0.7]" in cli("--profile", "work", "chat", "--help").stdout


def test_profiles_are_listed_with_what_they_set_but_no_key(cli: Cli, config_file: Write):
    path = config_file(FILE)

    rows = cli("config", "profiles", "--profile", "home").stdout.splitlines()
    found = json.loads(cli("config", "profiles", "--json").stdout)

    assert rows[0] == f"# {path}"
    assert ["endpoint", "http://localhost:1", f"{path}:8"] in [row.split() for row in rows]
    assert ["api-key", "***", f"{path}:10"] in [row.split() for row in rows]
    assert "home (chosen)" in rows
    assert found["profiles"]["home"] == {"top-k": {"value": 3, "place": f"{path}:14"}}
    assert "sesame" not in str(found)
    assert cli("config", "profiles", "--names").stdout.split() == list(found["profiles"])


def test_a_list_of_no_profiles_says_how_to_write_one(cli: Cli, config_file: Write):
    path = config_file("")

    outcome = cli("config", "profiles")

    assert outcome.status == ExitStatus.USAGE
    assert outcome.stderr == (
        f"error: there is no profile; write [profiles.NAME] into {path}, and options below\n"
    )


def test_the_files_path_is_printed_whatever_the_profile(cli: Cli, config_file: Write):
    path = config_file("temperature = = 1")

    assert cli("--profile", "work", "config", "path").stdout == f"{path}\n"
