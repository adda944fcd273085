"""The program as a whole: finding commands, showing help, turning errors into statuses."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from types import MappingProxyType

import pytest

from tests.cli.conftest import Cli
from tgicli.cli import app as program
from tgicli.cli.app import run
from tgicli.cli.lazy import LazyCommand
from tgicli.cli.signals import Terminated
from tgicli.errors import DecodeFailed, ExitStatus, Overloaded
from tgicli.ui.terminal import Terminal


def test_without_a_command_the_help_page_goes_to_stderr(cli: Cli):
    outcome = cli()

    assert (outcome.status, outcome.stdout) == (ExitStatus.USAGE, "")
    assert outcome.stderr.startswith("Usage: tgicli [OPTIONS] COMMAND")


@pytest.mark.parametrize("name", ["models", "config", "bench"])
def test_no_word_of_a_sub_commands_help_is_cut(cli: Cli, name: str):
    page = cli(name, "--help").stdout

    assert "..." not in page.partition("\nCommands:\n")[2]


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_goes_to_stdout(cli: Cli, flag: str):
    outcome = cli(flag)

    assert (outcome.status, outcome.stderr) == (ExitStatus.OK, "")
    assert outcome.stdout.startswith("Usage: tgicli [OPTIONS] COMMAND")


def test_help_names_every_command_and_every_exit_status(cli: Cli):
    page = cli("--help").stdout

    for name in program.Commands.modules:
        assert f"\n  {name} " in page
    for status in ExitStatus:
        assert f"  {status:3}  {status.meaning}\n" in page


def test_help_says_of_each_command_what_its_own_page_says(cli: Cli):
    for name, found in program.Commands.modules.items():
        page = cli(name, "--help").stdout

        assert f"\n\n  {found.summary}\n" in page


@pytest.mark.parametrize("command", ["generate", "config", "config path", "completion"])
def test_every_page_shows_examples_before_options(cli: Cli, command: str):
    page = cli(*command.split(), "-h").stdout

    assert page.index("Examples:\n    ") < page.index("\nOptions:")


def test_a_mistyped_command_is_guessed(cli: Cli):
    outcome = cli("genrate", "hi")

    assert outcome.status == ExitStatus.USAGE
    assert outcome.stderr == (
        "error: there is no command 'genrate'; did you mean generate?\n"
        "`tgicli --help` shows what there is\n"
    )


def test_a_command_that_looks_like_none_gets_the_list(cli: Cli):
    outcome = cli("frobnicate")

    assert outcome.stderr.startswith("error: there is no command 'frobnicate'; one of generate, ")


def test_a_mistyped_flag_is_guessed(cli: Cli):
    outcome = cli("generate", "--top-kk", "3")

    assert outcome.status == ExitStatus.USAGE
    assert "error: no such option: --top-kk; did you mean --top-k" in outcome.stderr
    assert "`tgicli generate --help` shows what there is\n" in outcome.stderr


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--temp", "no such option: --temp; did you mean --temperature?"),
        ("--max-new", "no such option: --max-new; did you mean --max-new-tokens?"),
        ("--nope", "no such option: --nope"),
        ("--no", "no such option: --no"),
    ],
)
def test_a_flag_is_guessed_by_its_beginning_or_not_at_all(cli: Cli, flag: str, words: str):
    assert cli("generate", flag, "3").stderr.splitlines()[0] == f"error: {words}"


def test_a_flag_without_its_value_names_its_own_page(cli: Cli):
    assert cli("generate", "--kv-type").stderr == (
        "error: option '--kv-type' requires an argument\n"
        "`tgicli generate --help` shows what there is\n"
    )


def test_a_prompt_without_quotes_is_told_so(cli: Cli):
    assert cli("generate", "hello", "my", "world").stderr == (
        "error: `my world` is more than it takes; put quotes around what belongs together\n"
        "`tgicli generate --help` shows what there is\n"
    )


def test_a_flag_that_is_no_number_is_named_with_its_value(cli: Cli):
    outcome = cli("generate", "--temperature", "warm")

    assert outcome.status == ExitStatus.USAGE
    assert outcome.stderr == "error: --temperature warm: must be a number\n"


def test_a_variable_that_is_no_number_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TGICLI_TOP_K", "many")

    outcome = cli("generate", "hi")

    assert outcome.status == ExitStatus.USAGE
    assert outcome.stderr == "error: TGICLI_TOP_K=many: must be a whole number\n"


def test_a_missing_argument_is_a_usage_error(cli: Cli):
    outcome = cli("completion")

    assert outcome.status == ExitStatus.USAGE
    assert outcome.stderr.startswith("error: missing argument")


def test_a_word_too_many_is_a_usage_error(cli: Cli):
    outcome = cli("config", "path", "please")

    assert outcome.status == ExitStatus.USAGE
    assert "error: `please` is more than it takes" in outcome.stderr


def test_a_model_that_is_named_where_none_belongs_is_told_its_flag(cli: Cli):
    outcome = cli("serve", "demo")

    assert outcome.status == ExitStatus.USAGE
    assert outcome.stderr.startswith(
        "error: `demo` is more than it takes; a model is named by -m\n"
    )


def test_no_command_offers_typers_own_completion(cli: Cli):
    for name in program.Commands.modules:
        assert "--install-completion" not in cli(name, "--help").stdout


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Return a function that adds a command `fail`, which raises what it is given."""

    def arrange(error: BaseException) -> None:
        monkeypatch.setattr("tests.cli.failing.error", error)
        fail = LazyCommand("tests.cli.failing", "app", "Fail.")
        monkeypatch.setattr(program.Commands, "modules", MappingProxyType({"fail": fail}))

    return arrange


@pytest.mark.parametrize(
    ("error", "status", "stderr"),
    [
        (Overloaded("busy"), ExitStatus.OVERLOADED, "error: busy\n"),
        (DecodeFailed("code -3"), ExitStatus.MODEL, "error: code -3\n"),
        (KeyboardInterrupt(), ExitStatus.INTERRUPTED, ""),
        (Terminated(), ExitStatus.TERMINATED, ""),
        (BrokenPipeError(), ExitStatus.BROKEN_PIPE, ""),
        (ValueError("oops"), ExitStatus.BUG, "bug: ValueError: oops; try --traceback\n"),
        (AssertionError(), ExitStatus.BUG, "bug: AssertionError; try --traceback\n"),
    ],
)
def test_what_a_command_raises_becomes_a_status_and_one_line(
    cli: Cli,
    failing: Callable[[BaseException], None],
    error: BaseException,
    status: ExitStatus,
    stderr: str,
):
    failing(error)

    outcome = cli("fail")

    assert (outcome.status, outcome.stdout, outcome.stderr) == (status, "", stderr)


@pytest.mark.parametrize("args", [("--traceback", "fail"), ("fail", "--traceback")])
@pytest.mark.parametrize("error", [Overloaded("busy"), ValueError("oops")])
def test_a_traceback_is_shown_to_who_asks(
    cli: Cli,
    failing: Callable[[BaseException], None],
    error: BaseException,
    args: tuple[str, ...],
):
    failing(error)

    outcome = cli(*args)

    assert outcome.stderr.startswith("Traceback (most recent call last):\n")
    assert "in fail" in outcome.stderr


def test_a_variable_asks_for_tracebacks_too(
    cli: Cli, failing: Callable[[BaseException], None], monkeypatch: pytest.MonkeyPatch
):
    failing(ValueError("oops"))
    monkeypatch.setenv("TGICLI_TRACEBACK", "1")

    assert cli("fail").stderr.startswith("Traceback")


def test_a_traceback_shows_no_local_variable(cli: Cli, failing: Callable[[BaseException], None]):
    failing(ValueError("oops"))

    assert "sesame" not in cli("fail", "--traceback").stderr


def test_a_closed_pipe_silences_stdout(failing: Callable[[BaseException], None]):
    failing(BrokenPipeError())
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        stdout.write("unsent")

        status = run(["fail"], Terminal(stdin=None, stdout=stdout, stderr=io.StringIO()))

    assert status == ExitStatus.BROKEN_PIPE  # and closing stdout, which flushes it, did not raise
