"""Completions: what is checked in, and what bash, zsh and fish make of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tgicli.cli.shells import Flag, Node, Word, to_bash, to_fish, to_zsh
from tgicli.errors import ExitStatus

CHECKED_IN = Path(__file__).parents[2] / "completions"
SHELLS = ["bash", "zsh", "fish"]
LINES = [
    ("tgicli gen", {"generate"}),
    ("tgicli models ", {"list", "pull", "info"}),
    ("tgicli generate --fl", {"--flash-attn"}),
    ("tgicli generate --flash-attn ", {"auto", "on", "off"}),
    ("tgicli generate --stop models --kv-type q", {"q8_0", "q4_0"}),
    ("tgicli --traceback completion ", {"bash", "zsh", "fish"}),
    ("tgicli generate models --see", {"--seed"}),
    ("tgicli generate -m not", {"notes.gguf"}),
]


def script(shell: str) -> Path:
    return CHECKED_IN / f"tgicli.{shell}"


def needs(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    return found


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_that_is_checked_in_is_the_one_that_is_printed(cli: Cli, shell: str):
    outcome = cli("completion", shell)

    assert outcome.status == ExitStatus.OK
    assert outcome.stdout == script(shell).read_text(), "run completions/update"


def test_another_shell_is_refused_with_those_there_are(cli: Cli):
    outcome = cli("completion", "tcsh")

    assert outcome.status == ExitStatus.USAGE
    assert outcome.stderr == "error: bash|zsh|fish tcsh: must be bash, zsh or fish\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_finds_no_fault_with_its_script(shell: str):
    subprocess.run([needs(shell), "-n", str(script(shell))], check=True)


BASH = """\
source "$1"
read -r -a COMP_WORDS <<< "$2"
[[ $2 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_tgicli
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(("line", "expected"), [case for case in LINES if "notes" not in str(case)])
def test_bash_completes(line: str, expected: set[str]):
    command = [needs("bash"), "--norc", "-c", BASH, "bash", str(script("bash")), line]

    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    assert set(found) == expected


@pytest.fixture
def speaking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program into PATH that says how it was called."""
    program = tmp_path / "tgicli"
    program.write_text("#!/bin/sh\nprintf '%s.\\n' \"$@\"\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)


NAMES = [
    ("tgicli chat --profile ", {"config.", "profiles.", "--names."}),
    ("tgicli generate -m mod", {"models."}),
    ("tgicli models info l", {"list."}),
]
# What our program would say, as bash cuts it into words: model : quant.
COLONS = [("org/m : ", {"Q4", "Q8"}), ("org/m :", {"Q4", "Q8"}), ("org/m : Q4", {"Q4"})]


@pytest.mark.usefixtures("speaking")
@pytest.mark.parametrize(("line", "expected"), NAMES)
def test_bash_asks_for_names(line: str, expected: set[str]):
    command = [needs("bash"), "--norc", "-c", BASH, "bash", str(script("bash")), line]

    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    assert set(found) == expected


@pytest.mark.parametrize("flag", ["-m", "--model ="])
@pytest.mark.parametrize(("words", "expected"), COLONS)
def test_bash_completes_behind_a_colon(tmp_path: Path, flag: str, words: str, expected: set[str]):
    program = tmp_path / "tgicli"
    program.write_text("#!/bin/sh\nprintf '%s\\n' org/m:Q4 org/m:Q8 org/other:Q4\n")
    program.chmod(0o755)
    line = f"{program} generate {flag} {words}"
    command = [needs("bash"), "--norc", "-c", BASH, "bash", str(script("bash")), line]

    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    assert set(found) == expected


def test_bash_runs_nothing_that_stands_in_a_name(tmp_path: Path):
    program, ran = tmp_path / "tgicli", tmp_path / "ran"
    program.write_text("#!/bin/sh\nprintf '%s\\n' 'org/a$(touch ran).gguf' 'two words'\n")
    program.chmod(0o755)
    command = [needs("bash"), "--norc", "-c", BASH, "bash", str(script("bash"))]

    for start in ("org/", "two"):
        line = f"{program} generate -m {start}"
        done = subprocess.run([*command, line], check=True, capture_output=True, cwd=tmp_path)
        assert done.stdout.strip() in (rb"org/a\$\(touch\ ran\).gguf", rb"two\ words")

    assert not ran.exists()


@pytest.mark.usefixtures("speaking")
@pytest.mark.parametrize(("line", "expected"), NAMES)
def test_fish_asks_for_names(line: str, expected: set[str]):
    code = f"source {script('fish')}; complete -C '{line}'"
    command = [needs("fish"), "--no-config", "-c", code]

    found = subprocess.run(command, check=True, capture_output=True, text=True)

    assert {row.split("\t")[0] for row in found.stdout.splitlines()} == expected


@pytest.mark.parametrize(
    "words", ["--flash-attn = o", "--flash-attn =", "--stop = x --flash-attn = o"]
)
def test_bash_completes_behind_an_equals_sign(words: str):
    line = f"tgicli generate {words}"
    command = [needs("bash"), "--norc", "-c", BASH, "bash", str(script("bash")), line]

    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    assert {"on", "off"} <= set(found)


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_fish_completes(tmp_path: Path, line: str, expected: set[str]):
    (tmp_path / "notes.gguf").touch()
    code = f"source {script('fish')}; complete -C '{line}'"
    command = [needs("fish"), "--no-config", "-c", code]

    found = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)

    assert {row.split("\t")[0] for row in found.stdout.splitlines()} == expected


TREE = Node(
    path="tgicli",
    help="Root.",
    flags=(Flag(names=("--say",), help="It's [a]: b", value=None, is_repeatable=False),),
    arguments=(),
    children=(
        Node(
            path="tgicli do",
            help="Do: it's.",
            flags=(
                Flag(
                    names=("-f", "--file"),
                    help="F.",
                    value=Word(name="FILE", is_file=True),
                    is_repeatable=True,
                ),
            ),
            arguments=(Word(name="X", choices=("a", "b"), listed_by="list x"),),
            children=(),
        ),
    ),
)


@pytest.mark.parametrize(
    ("shell", "render"), [("bash", to_bash), ("zsh", to_zsh), ("fish", to_fish)]
)
def test_quotes_brackets_and_colons_in_help_do_no_harm(tmp_path, shell, render):
    (tmp_path / "script").write_text(render(TREE))

    subprocess.run([needs(shell), "-n", str(tmp_path / "script")], check=True)


def test_zsh_is_told_everything_about_a_flag():
    text = to_zsh(TREE)

    assert r"'(--say)--say[It'\''s \[a\]\: b]'" in text
    assert "'*'{-f+,--file=}'[F.]:FILE:_files'" in text
    assert "'*:X:{_tgicli_names list x; true}'" in text
