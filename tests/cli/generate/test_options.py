"""From generate's flags to the options that `answer` gets: precedence and contradictions."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tgicli.cli.flags import Lora, TensorSplit
from tgicli.cli.generate.options import GenerateOptions
from tgicli.cli.output import Output
from tgicli.errors import ExitStatus
from tgicli.ui.terminal import Terminal

Asked = Callable[..., GenerateOptions]


@pytest.fixture
def asked(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Return `tgicli generate` as a function that stops where the work would begin."""
    seen: list[GenerateOptions] = []

    def answer(options: GenerateOptions, terminal: Terminal) -> None:
        seen.append(options)

    def ask(*args: str) -> GenerateOptions:
        outcome = cli("generate", *args)
        assert (outcome.status, outcome.stderr) == (ExitStatus.OK, "")
        return seen.pop()

    monkeypatch.setattr("tgicli.cli.generate.answer.answer", answer)
    return ask


def test_without_flags_the_documented_defaults_hold(asked: Asked):
    options = asked("hi")

    assert (options.prompt, options.chat, options.output) == ("hi", None, Output.AUTO)
    assert (options.stream, options.best_of, options.truncate) == (True, 1, None)
    assert (options.params.temperature, options.params.min_p) == (0.8, 0.05)
    assert (options.params.max_new_tokens, options.params.seed) == (None, None)
    assert (options.loading.model, options.loading.ctx_size) == (None, 0)
    assert (options.loading.mmap, options.loading.prefix_reuse) == (None, True)


def test_every_flag_arrives_where_it_belongs(asked: Asked):
    options = asked(
        *("hi", "-m", "m.gguf", "--max-new-tokens", "9", "--temperature", "0", "--top-k", "3"),
        *("--top-p", "0.5", "--typical-p", "0.6", "--min-p", "0.1", "--repetition-penalty", "1.2"),
        *("--frequency-penalty", "0.3", "--presence-penalty", "-0.3", "--stop", "a", "--stop", "b"),
        *("--seed", "7", "--truncate", "5", "-s", "be brief", "--chat", "--json", "--no-stream"),
        *("--details", "--top-n-tokens", "2", "--special", "--stats", "-q", "--offline"),
        *("--ctx-size", "64", "--threads", "2", "--gpu-layers", "4", "--flash-attn", "off"),
        *("--kv-type", "q8_0", "--batch-size", "32", "--lora", "l.gguf=0.5", "--no-mmap"),
        *("--mlock", "--no-prefix-reuse", "--main-gpu", "1", "--tensor-split", "3,1"),
    )

    params, loading = options.params, options.loading
    assert (options.system, options.chat, options.truncate) == ("be brief", True, 5)
    assert (options.output, options.stream, options.details) == (Output.JSON, False, True)
    assert (options.special, options.stats, options.quiet) == (True, True, True)
    assert (params.max_new_tokens, params.temperature, params.top_k) == (9, 0, 3)
    assert (params.top_p, params.typical_p, params.min_p) == (0.5, 0.6, 0.1)
    assert (params.repetition_penalty, params.frequency_penalty) == (1.2, 0.3)
    assert (params.presence_penalty, params.stop, params.seed) == (-0.3, ("a", "b"), 7)
    assert (params.logprobs, params.top_n_tokens) == (True, 2)
    assert (loading.model, loading.offline, loading.ctx_size) == ("m.gguf", True, 64)
    assert (loading.threads, loading.gpu_layers, loading.flash_attn) == (2, 4, "off")
    assert (loading.main_gpu, loading.tensor_split) == (1, TensorSplit((3, 1)))
    assert (loading.kv_type, loading.batch_size) == ("q8_0", 32)
    assert loading.lora == (Lora(Path("l.gguf"), 0.5),)
    assert (loading.mmap, loading.mlock, loading.prefix_reuse) == (False, True, False)


def test_flags_may_be_written_with_underscores(asked: Asked):
    assert asked("hi", "--max_new_tokens", "3", "--no_mmap").params.max_new_tokens == 3


def test_an_underscore_in_a_value_stays(asked: Asked):
    assert asked("a_b", "--stop", "--c_d").params.stop == ("--c_d",)


def test_a_flag_wins_over_a_variable_and_that_over_the_file(
    asked: Asked, config_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
):
    config_file("top-k = 1\ntemperature = 1\n[generate]\nseed = 1\ntop-k = 11")
    monkeypatch.setenv("TGICLI_TOP_K", "2")
    monkeypatch.setenv("TGICLI_TEMPERATURE", "2")

    params = asked("hi", "--temperature", "3").params

    assert (params.temperature, params.top_k, params.seed) == (3, 2, 1)


def test_an_empty_variable_is_none(asked: Asked, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TGICLI_TOP_K", "")

    assert asked("hi").params.top_k == 0


def test_a_repeatable_options_variable_holds_one_value_whole(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TGICLI_STOP", "User: \n")

    assert asked("hi").params.stop == ("User: \n",)


def test_a_repeatable_option_is_a_list_in_the_file(
    asked: Asked, config_file: Callable[[str], Path]
):
    config_file('[generate]\nstop = ["a", "b"]\nlora = ["l.gguf=2"]')

    options = asked("hi")

    assert options.params.stop == ("a", "b")
    assert options.loading.lora == (Lora(Path("l.gguf"), 2.0),)


def test_a_flag_denies_what_the_file_says(asked: Asked, config_file: Callable[[str], Path]):
    config_file("stream = false\nchat = false\nmmap = false")

    options = asked("hi", "--stream", "--chat", "--mmap")

    assert (options.stream, options.chat, options.loading.mmap) == (True, True, True)


@pytest.mark.parametrize("flag", ["raw", "plain", "json"])
def test_an_output_flag_wins_over_the_files(
    asked: Asked, config_file: Callable[[str], Path], flag: str
):
    config_file("raw = true")

    assert asked("hi", f"--{flag}").output is Output(flag)


def test_an_output_variable_wins_over_the_files(
    asked: Asked, config_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
):
    config_file("raw = true")
    monkeypatch.setenv("TGICLI_JSON", "yes")

    assert asked("hi").output is Output.JSON


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--raw --json", "--raw and --json exclude each other"),
        ("--plain --raw", "--raw and --plain exclude each other"),
        ("--raw --plain --json", "--raw and --plain and --json exclude each other"),
        ("--details", "--details shows in JSON only; add --json"),
        ("--top-n-tokens 3", "--top-n-tokens shows in JSON only; add --json"),
        ("--system x --no-chat", "--system needs the chat template, which --no-chat leaves out"),
    ],
)
def test_flags_that_contradict_each_other_are_refused(cli: Cli, flags: str, message: str):
    outcome = cli("generate", "hi", *flags.split())

    assert outcome.status == ExitStatus.USAGE
    assert outcome.stderr.startswith(f"error: {message}")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("- --no-stdin", "`-` and --no-stdin exclude each other"),
        ("--file - --no-stdin", "`-` and --no-stdin exclude each other"),
        ("- --file x", "`-` and --file exclude each other"),
    ],
)
def test_a_dash_asks_for_stdin_and_tolerates_no_contradiction(cli: Cli, flags: str, message: str):
    outcome = cli("generate", *flags.split())

    assert outcome.status == ExitStatus.USAGE
    assert outcome.stderr.startswith(f"error: {message}")


@pytest.mark.parametrize("flags", ["-", "--file -"])
def test_a_dash_is_stdin(cli: Cli, flags: str):
    outcome = cli("generate", *flags.split())

    assert outcome.status == ExitStatus.BAD_REQUEST
    assert outcome.stderr.startswith("error: the prompt is empty: stdin had no text")


def test_what_the_file_says_gives_way_to_a_flag_it_contradicts(
    asked: Asked, config_file: Callable[[str], Path], tmp_path: Path
):
    (tmp_path / "prompt").write_text("hi")
    config_file('details = true\nstdin = true\nsystem = "be brief"')

    options = asked("--file", str(tmp_path / "prompt"), "--no-chat")

    assert (options.prompt, options.system) == ("hi", None)


def test_without_a_prompt_the_help_page_says_how_to_give_one(cli: Cli):
    outcome = cli("generate", "--no-stdin")

    assert outcome.status == ExitStatus.USAGE
    assert outcome.stderr.startswith("Usage: tgicli generate")
    assert outcome.stderr.endswith(
        "error: there is no prompt: say it as an argument, or send it on stdin\n"
    )


@pytest.mark.parametrize("flag", ["--system", "--stop", "--endpoint"])
def test_what_is_sent_must_be_utf_8(cli: Cli, flag: str):
    outcome = cli("generate", "hi", flag, os.fsdecode(b"\xff"))

    assert (outcome.status, outcome.stderr) == (
        ExitStatus.USAGE,
        f"error: {flag} ?: must be UTF-8\n",
    )


def test_a_models_name_may_be_any_bytes(asked: Asked):
    name = os.fsdecode(b"\xff.gguf")

    assert asked("hi", "-m", name).loading.model == name


@pytest.mark.parametrize("input", [["hi"], ["--input", os.devnull]], ids=["prompt", "input"])
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--best-of 2 --seed 1", "best_of 2 draws its own seeds; leave the seed out"),
        (
            "--best-of 2 --temperature 0",
            "best_of 2 needs sampling: with temperature 0 all runs are equal",
        ),
    ],
)
def test_what_no_prompt_can_be_asked_with_is_refused_before_a_model_is_looked_for(
    cli: Cli, input: list[str], flags: str, message: str
):
    outcome = cli("generate", "-m", "nowhere.gguf", *input, *flags.split())

    assert (outcome.status, outcome.stderr) == (ExitStatus.BAD_REQUEST, f"error: {message}\n")


@pytest.mark.parametrize("flag", ["--temperature", "--top-p", "--timeout"])
def test_nan_is_no_number(cli: Cli, flag: str):
    outcome = cli("generate", "hi", flag, "nan")

    assert (outcome.status, outcome.stderr) == (
        ExitStatus.USAGE,
        f"error: {flag} nan: must be a number\n",
    )


@pytest.mark.parametrize(
    "flags",
    ["--threads 0", "--batch-size 0", "--ctx-size -1", "--best-of 0", "--truncate 0"],
)
def test_an_option_below_its_least_value_is_a_usage_error(cli: Cli, flags: str):
    outcome = cli("generate", "hi", *flags.split())

    assert outcome.status == ExitStatus.USAGE
    assert outcome.stderr.startswith(f"error: {flags}: must be >= ")


@pytest.mark.parametrize("command", ["generate --no-stdin hi", "chat"])
@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("--temperature", "-1", "must be >= 0"),
        ("--top-k", "-1", "must be >= 0"),
        ("--top-p", "2", "must be in (0, 1]"),
        ("--typical-p", "0", "must be in (0, 1]"),
        ("--min-p", "1", "must be in [0, 1)"),
        ("--repetition-penalty", "0", "must be > 0"),
        ("--frequency-penalty", "3", "must be in [-2, 2]"),
        ("--presence-penalty", "-3", "must be in [-2, 2]"),
        ("--seed", "-5", "must be in [0, 2**64)"),
        ("--max-new-tokens", "0", "must be >= 1"),
        ("--stop", "", "must not be empty"),
    ],
)
def test_a_value_out_of_its_range_is_refused_with_its_flag(
    cli: Cli, command: str, flag: str, value: str, words: str
):
    outcome = cli(*command.split(), flag, value)

    assert (outcome.status, outcome.stderr) == (2, f"error: {flag} {value}: {words}\n")


def test_a_value_out_of_its_range_is_refused_with_its_variable_or_line(
    cli: Cli, config_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
):
    path = config_file("\ntop_p = 2")
    in_the_file = cli("generate", "hi")
    path.write_text("")
    monkeypatch.setenv("TGICLI_TEMPERATURE", "-1")
    in_a_variable = cli("generate", "hi")

    assert f"{path}:2: top-p = 2: must be in (0, 1]" in in_the_file.stderr
    assert "TGICLI_TEMPERATURE=-1: must be >= 0" in in_a_variable.stderr
