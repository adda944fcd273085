"""`tgicli generate --input` as a shell sees it: real processes and signals, on a tiny model."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli, Outcome
from tests.faulty import DONE, chat_event, serving, stream
from tests.server.conftest import eventually
from tgicli.cli.batch.backend import _context
from tgicli.cli.batch.options import BatchOptions, Earlier
from tgicli.cli.flags import LoadingFlags
from tgicli.core import SamplingParams
from tgicli.engine.model import LoadOptions, Model
from tgicli.engine.prompt import PromptEncoder
from tgicli.errors import ExitStatus
from tgicli.ui.status import Status
from tgicli.ui.terminal import Terminal
from tgicli.wire.batch import Ask

NOBODY = Terminal(stdin=None, stdout=None, stderr=None)

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("TGICLI_")},
    "TGICLI_CONFIG": os.devnull,
}
USUAL = ["--no-chat", "--temperature", "0", "--max-new-tokens", "8", "--threads", "1"]

Start = Callable[..., "subprocess.Popen[str]"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(tiny_model: Path) -> list[str]:
    return [sys.executable, "-m", "tgicli", "generate", "-m", str(tiny_model), *USUAL]


@pytest.fixture
def run(command: list[str], tmp_path: Path) -> Run:
    """Return a function that runs generate on the tiny model, greedily, to its end."""

    def to_end(*args: str, input: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *args],
            capture_output=True,
            timeout=60,
            env=ENVIRONMENT,
            input=input,
            text=True,
            cwd=tmp_path,
        )

    return to_end


@pytest.fixture
def start(command: list[str], tmp_path: Path) -> Start:
    def begin(*args: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            text=True,
            cwd=tmp_path,
        )

    return begin


def write_prompts(folder: Path, n: int) -> Path:
    path = folder / "prompts.jsonl"
    path.write_text(
        "".join(json.dumps({"prompt": f"Prompt {i}", "id": i}) + "\n" for i in range(n))
    )
    return path


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("order", [[], ["--as-completed"]])
def test_each_prompt_gets_the_answer_that_it_gets_alone(run: Run, tmp_path: Path, order: list[str]):
    write_prompts(tmp_path, 12)

    result = run("--input", "prompts.jsonl", "--concurrency", "4", *order)
    alone = run("Prompt 7")

    answers = lines(result.stdout)
    by_id = {answer["id"]: answer for answer in answers}
    assert (result.returncode, len(answers), len(by_id)) == (0, 12, 12)
    assert by_id[7]["text"] == alone.stdout
    assert (by_id[7]["finish_reason"], by_id[7]["generated_tokens"]) == ("length", 8)
    if not order:
        assert [answer["index"] for answer in answers] == list(range(12))


def test_prompts_come_from_stdin_and_text_files(run: Run, tmp_path: Path):
    (tmp_path / "p.txt").write_text("One\n\nTwo\n")

    from_stdin = run("--input", "-", input="One\nTwo\n")
    from_file = run("--input", "p.txt")

    texts = [answer["text"] for answer in lines(from_stdin.stdout)]
    assert texts == [answer["text"] for answer in lines(from_file.stdout)]
    assert len(texts) == 2


def test_a_line_has_parameters_of_its_own(run: Run, tmp_path: Path):
    (tmp_path / "p.jsonl").write_text('{"prompt":"a","max_new_tokens":3}\n{"prompt":"a"}\n')

    answers = lines(run("--input", "p.jsonl").stdout)

    assert [answer["generated_tokens"] for answer in answers] == [3, 8]


def test_failures_are_written_listed_and_asked_again(run: Run, tmp_path: Path):
    (tmp_path / "p.jsonl").write_text('"a"\n{"prompt":1}\n"c"\n')
    arguments = ["--input", "p.jsonl", "--output", "a.jsonl"]

    first = run(*arguments)
    again = run(*arguments)

    answers = lines((tmp_path / "a.jsonl").read_text())
    assert ["text" in answer for answer in answers] == [True, False, True]
    assert answers[1]["error"]["type"] == "validation"
    assert first.returncode == again.returncode == 5
    assert "line 2: prompt: Expected" in first.stderr
    assert "2 prompts answered in" in first.stderr
    assert first.stderr.endswith(
        "error: 1 of 3 prompts failed; mend those lines, then the same command asks them again\n"
    )
    assert "2 of 3 prompts are answered in a.jsonl" in again.stderr


def test_many_failures_are_counted(run: Run, tmp_path: Path):
    (tmp_path / "p.jsonl").write_text("{}\n" * 13)

    result = run("--input", "p.jsonl", "--quiet")

    assert result.stderr.count("neither `prompt` nor `messages`") == 10
    assert "... and 3 more" in result.stderr
    assert result.stderr.endswith("error: 13 of 13 prompts failed\n")  # nothing is kept of stdout


def test_the_first_failure_stops_all_if_asked_to(run: Run, tmp_path: Path):
    (tmp_path / "p.jsonl").write_text('{}\n"a"\n')

    result = run("--input", "p.jsonl", "--fail-fast", "--concurrency", "1")

    assert result.returncode == 5
    assert "error: line 1: " in result.stderr


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(
    run: Run, start: Start, tmp_path: Path
):
    write_prompts(tmp_path, 400)
    path = tmp_path / "a.jsonl"
    arguments = ["--input", "prompts.jsonl", "--output", "a.jsonl", "--max-new-tokens", "40"]

    process = start(*arguments)
    assert eventually(lambda: path.exists() and path.read_bytes().count(b"\n") > 5, within_s=60)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    kept = set(path.read_text().splitlines())
    resumed = run(*arguments)

    assert process.returncode == 130
    assert 5 < len(kept) < 400
    assert f"{len(kept)} of 400 prompts are answered in a.jsonl; the same command goes on" in err
    assert resumed.returncode == 0
    answers = path.read_text().splitlines()
    assert [json.loads(answer)["index"] for answer in answers] == list(range(400))
    assert kept <= set(answers)


def test_a_finished_file_needs_no_model(run: Run, tmp_path: Path):
    write_prompts(tmp_path, 2)
    arguments = ["--input", "prompts.jsonl", "--output", "a.jsonl"]
    run(*arguments)

    again = run(*arguments, "--threads", "2")

    assert again.returncode == 0
    assert again.stderr == "2 of 2 prompts are answered in a.jsonl\n"


@pytest.fixture
def ask(cli: Cli, tmp_path: Path) -> Callable[..., Outcome]:
    """Return a function that asks a server all prompts."""
    asked = ["--input", str(write_prompts(tmp_path, 2)), "--output", str(tmp_path / "a.jsonl")]
    return lambda url, *more: cli("generate", "--endpoint", f"{url}/v1", *asked, *more)


SAYING_HI = stream(chat_event(content="Hi"), chat_event(reason="stop"), DONE)


def test_answers_of_another_server_do_not_count(ask: Callable[..., Outcome]):
    with serving(SAYING_HI) as one, serving(SAYING_HI) as other:
        ask(one.url)
        refused, same = ask(other.url), ask(one.url)

    assert refused.status == ExitStatus.USAGE
    assert "the options, the model or the server have changed" in refused.stderr
    assert same.stderr.startswith("2 of 2 prompts are answered")
    assert other.posts == []


def test_answers_of_a_named_model_count_wherever_it_is(ask: Callable[..., Outcome]):
    with serving(SAYING_HI) as one, serving(SAYING_HI) as other:
        ask(one.url, "--model", "tiny")
        moved = ask(other.url, "--model", "tiny")

    assert moved.stderr.startswith("2 of 2 prompts are answered")


def test_changed_parameters_are_refused_unless_told_what_to_do(run: Run, tmp_path: Path):
    write_prompts(tmp_path, 2)
    arguments = ["--input", "prompts.jsonl", "--output", "a.jsonl"]
    run(*arguments)
    before = (tmp_path / "a.jsonl").read_bytes()

    refused = run(*arguments, "--max-new-tokens", "5")
    after = (tmp_path / "a.jsonl").read_bytes()
    redone = run(*arguments, "--max-new-tokens", "5", "--redo-changed")

    assert refused.returncode == 2
    assert "the options, the model or the server have changed; use --redo-changed" in refused.stderr
    assert after == before
    assert redone.returncode == 0
    answers = lines((tmp_path / "a.jsonl").read_text())
    assert [answer["generated_tokens"] for answer in answers] == [5, 5]


def test_a_closed_pipe_ends_it_silently(start: Start, tmp_path: Path):
    write_prompts(tmp_path, 200)
    process = start("--input", "prompts.jsonl", "--quiet")
    assert process.stdout is not None
    process.stdout.readline()

    process.stdout.close()
    process.stdout = None

    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (141, "")


def test_a_lane_holds_the_longest_prompt_with_its_answer(run: Run, tmp_path: Path):
    prompts = [{"prompt": "a"}, {"prompt": "word " * 300, "max_new_tokens": 50}]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(p) + "\n" for p in prompts))

    answers = lines(run("--input", "p.jsonl").stdout)

    assert [answer["generated_tokens"] for answer in answers] == [8, 50]


def test_where_nothing_can_be_asked_the_context_is_small(
    tiny_model: Path, capfd: pytest.CaptureFixture[str]
):
    options = BatchOptions(
        input=Path("p"),
        output=None,
        format="auto",
        common=Ask(params=SamplingParams()),
        chat=None,
        concurrency=8,
        in_order=False,
        earlier=Earlier.KEEP,
        stops_at_failure=False,
        patience_s=1.0,
        timeout_s=None,
        quiet=True,
        stats=False,
        remote=None,
        loading=LoadingFlags(),
    )
    model = Model.load(tiny_model, LoadOptions())

    context = asyncio.run(_context(options, PromptEncoder(model), [], Status(NOBODY)))

    model.close()
    assert 0 < context.n_ctx < 1_000
    assert context.n_lanes == 1


def test_a_system_prompt_that_no_template_takes_is_no_answer_without_it(run: Run, tmp_path: Path):
    prompts = [
        {"prompt": "a"},
        {"prompt": "b", "system": "Be brief."},
        {"prompt": "c", "system": ""},
    ]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(p) + "\n" for p in prompts))

    process = run("--input", "p.jsonl")

    assert process.returncode == ExitStatus.BAD_REQUEST
    assert [line["index"] for line in lines(process.stdout) if "error" in line] == [1]
    assert "a system prompt needs a chat template" in process.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--output", "a"], "--output is for a file of prompts; name one with --input"),
        (["--concurrency", "2"], "--concurrency is for a file of prompts"),
        (["--input", "p", "hello"], "PROMPT is for one prompt"),
        (["--input", "p", "--json"], "--json is for one prompt"),
        (["--input", "p", "--no-stream"], "--no-stream is for one prompt"),
        (["--input", "p", "--restart"], "--restart is for a file; name one with --output"),
        (
            ["--input", "p", "-o", "a", "--restart", "--redo-changed"],
            "--redo-changed and --restart exclude each other",
        ),
        (["--input", __file__, "-o", __file__], "is --input, too"),
        (["--input", "no-such-file"], "can't read --input no-such-file"),
        (["--input", "x" * 300, "-o", "a"], "can't read --input xxx"),
        (["--input", "p", "--concurrency", "0"], "must be >= 1"),
    ],
)
def test_flags_that_contradict_each_other_are_refused(cli: Cli, args: list[str], words: str):
    outcome = cli("generate", *args)

    assert outcome.status == 2
    assert words in outcome.stderr
