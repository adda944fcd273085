"""`tgicli generate` as a shell sees it: real processes, pipes and signals, on a tiny model."""

from __future__ import annotations

import array
import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

TGICLI = [sys.executable, "-m", "tgicli", "generate"]
SAYS_WHEN_IT_STARTS = [
    sys.executable,
    "-c",
    "import os; from tgicli.__main__ import main; os.write(1, b'!'); main()",
    "generate",
]
GREEDY = ["--no-chat", "--temperature", "0"]
PAGE_BYTES = 4096
ENDLESS = ["--ctx-size", "100000", "--max-new-tokens", "99000"]
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("TGICLI_")},
    "TGICLI_CONFIG": os.devnull,
}

Generate = Callable[..., subprocess.CompletedProcess[bytes]]
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def generate(tiny_model: Path) -> Generate:
    """Return a function that runs `tgicli generate` on the tiny model, greedily, to its end."""

    def run(
        *args: str,
        model: Path = tiny_model,
        input: bytes | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*TGICLI, *GREEDY, "-m", str(model), *args],
            capture_output=True,
            timeout=60,
            env=ENVIRONMENT,
            input=b"" if input is None else input,
        )

    return run


@pytest.fixture
def start(tiny_model: Path) -> Start:
    """Return a function that starts an endless answer."""

    def run(
        *args: str,
        program: Sequence[str] = TGICLI,
        stdout: int = subprocess.PIPE,
        **variables: str,
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*program, *GREEDY, "-m", str(tiny_model), *ENDLESS, *args],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            bufsize=0,  # what a buffer took is lost to communicate()
            env={**ENVIRONMENT, **variables},
        )

    return run


def end(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    """Wait for a process; return its status and the rest of its output."""
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_a_pipe_gets_the_bytes_of_the_answer_and_nothing_else(generate: Generate) -> None:
    plain = generate("Hello", "--max-new-tokens", "40")
    as_json = generate("Hello", "--max-new-tokens", "40", "--json")

    events = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert len(events) == 40
    assert plain.stdout.decode() == "".join(event["token"]["text"] for event in events)
    assert plain.stdout.decode() == events[-1]["generated_text"]
    assert (plain.stderr, as_json.stderr) == (b"", b"")
    assert plain.returncode == as_json.returncode == 0


def test_a_json_stream_has_tgis_shape(generate: Generate) -> None:
    result = generate("Hello", "--max-new-tokens", "3", "--json", "--top-n-tokens", "2")

    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["index"] for event in events] == [1, 2, 3]
    assert all(len(event["top_tokens"]) == 2 for event in events)
    assert all(event["token"]["logprob"] < 0 for event in events)
    assert [event["generated_text"] is None for event in events] == [True, True, False]
    assert events[-1]["details"] == {
        "finish_reason": "length",
        "generated_tokens": 3,
        "seed": None,
        "input_length": events[-1]["details"]["input_length"],
    }


def test_no_stream_prints_the_same_answer_once(generate: Generate) -> None:
    streamed = generate("Hello", "--max-new-tokens", "20")
    whole = generate("Hello", "--max-new-tokens", "20", "--no-stream")
    as_json = generate("Hello", "--max-new-tokens", "20", "--no-stream", "--json", "--details")

    answer = json.loads(as_json.stdout)
    assert whole.stdout == streamed.stdout
    assert answer["generated_text"].encode() == streamed.stdout
    assert len(answer["details"]["tokens"]) == 20


def test_a_stop_string_ends_the_answer_and_is_not_shown(generate: Generate) -> None:
    text = generate("Hello", "--max-new-tokens", "40").stdout.decode()
    stop = text[len(text) // 2 :][:3]

    result = generate("Hello", "--max-new-tokens", "40", "--stop", stop, "--json")

    last = json.loads(result.stdout.splitlines()[-1])
    assert last["generated_text"] == text[: text.index(stop)]
    assert last["details"]["finish_reason"] == "stop_sequence"


def test_the_prompt_comes_from_argument_stdin_or_both(generate: Generate, tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text("Hello\n\nworld")
    tokens = ["--max-new-tokens", "9"]

    both = generate("Hello", *tokens, input=b"world")

    assert both.stdout
    assert both.stdout == generate("-", *tokens, input=b"Hello\n\nworld").stdout
    assert both.stdout == generate(*tokens, input=b"Hello\n\nworld").stdout
    assert both.stdout == generate("--file", str(file), *tokens).stdout
    assert both.stdout != generate("Hello", *tokens).stdout


SCHEMA = '{"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]}'
RULES = 'root ::= "yes" | "no"'


def test_an_answer_has_the_form_that_is_asked_for(generate: Generate, tmp_path: Path) -> None:
    schema, rules = tmp_path / "schema.json", tmp_path / "rules.gbnf"
    schema.write_text(SCHEMA)
    rules.write_text(RULES)

    for given in (SCHEMA, str(schema)):
        assert json.loads(generate("Hello", "--schema", given).stdout) in ({"a": 1}, {"a": 2})
    for given in (RULES, str(rules)):
        assert generate("Hello", "--gbnf", given).stdout in (b"yes", b"no")
    assert generate("Hello", "--regex", "ab{3}c").stdout == b"abbbc"


def test_half_a_form_is_an_answer_that_ended_before_its_end(generate: Generate) -> None:
    short = ["--max-new-tokens", "2", "-q"]

    half = generate("Hello", "--schema", SCHEMA, *short)
    as_json = generate("Hello", "--schema", SCHEMA, "--json", *short)
    whole = generate("Hello", "--regex", "[a-z]+", *short)

    words = "the answer was cut off before its form was complete: --max-new-tokens 2 is reached"
    assert half.stdout.startswith(b"{")
    assert (half.returncode, half.stderr) == (7, f"error: {words}\n".encode())
    assert (as_json.returncode, whole.returncode, whole.stderr) == (7, 0, b"")
    assert b"error" not in as_json.stdout


def test_a_stop_string_in_the_midst_of_a_form_leaves_half_of_it(generate: Generate) -> None:
    in_json = generate("Hello", "--schema", SCHEMA, "--stop", ":", "-q")
    in_expression = generate("Hello", "--regex", "a{5}", "--stop", "aa", "-q")
    behind = generate("Hello", "--regex", "a{5}b*", "--stop", "b", "-q")

    words = b"error: the answer was cut off before its form was complete: a stop string came\n"
    assert (in_json.returncode, in_json.stderr) == (7, words)
    assert (in_expression.returncode, in_expression.stderr) == (7, words)
    assert (behind.returncode, behind.stdout) == (0, b"aaaaa")


def test_half_a_form_is_a_failure_of_its_prompt(generate: Generate) -> None:
    lines = b'{"prompt": "one", "max_new_tokens": 2}\n{"prompt": "two"}\n'

    result = generate("--input", "-", "--regex", "[a-z]{90}", "-q", input=lines)

    half, whole = map(json.loads, result.stdout.splitlines())
    assert result.returncode == 7
    assert half["error"] == {
        "type": "incomplete_generation",
        "message": "it was cut off before its form was complete: max_new_tokens is 2",
    }
    assert len(whole["text"]) == 90


def test_a_form_is_the_default_of_many_prompts(generate: Generate) -> None:
    lines = b'{"prompt": "one"}\n{"prompt": "two", "grammar": {"type": "regex", "value": "no"}}'

    result = generate("--input", "-", "--regex", "yes", "-q", input=lines)

    assert [json.loads(line)["text"] for line in result.stdout.splitlines()] == ["yes", "no"]


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["--schema", "{a"], 2, "--schema is not JSON"),
        (["--schema", "[]"], 2, "--schema must be a JSON object"),
        (["--schema", "/no/such.json"], 2, "can't read --schema /no/such.json"),
        (["--gbnf", "/no/such.gbnf"], 2, "can't read --gbnf /no/such.gbnf"),
        (["--gbnf", "root ::= ("], 5, "the GBNF grammar can't be converted"),
        (["--regex", "("], 5, "the regex does not compile"),
        (["--schema", '{"type": 3}'], 5, "the JSON schema does not compile"),
        (["--regex", "a", "--gbnf", RULES], 2, "--regex and --gbnf exclude each other"),
    ],
)
def test_a_form_that_can_not_be_had_says_why(
    generate: Generate, args: list[str], status: int, words: str
) -> None:
    result = generate("Hello", *args)

    assert words in result.stderr.decode()
    assert (result.returncode, result.stdout) == (status, b"")


def test_stats_go_to_stderr(generate: Generate) -> None:
    result = generate("Hello", "--max-new-tokens", "5", "--stats")

    assert b"answer 5 tokens" in result.stderr
    assert b"ended by length" in result.stderr


def test_best_of_shows_one_answer_and_keeps_the_others_for_json(generate: Generate) -> None:
    result = generate(
        *["Hello", "--temperature", "1", "--max-new-tokens", "5", "--best-of", "3"],
        *["--json", "--no-stream", "--details"],
    )

    assert len(json.loads(result.stdout)["details"]["best_of_sequences"]) == 2


def test_a_full_context_is_said_on_stderr(generate: Generate) -> None:
    result = generate("Hello", "--ctx-size", "256")

    assert result.returncode == 0
    assert b"the context of 256 tokens is full" in result.stderr


def test_a_context_holds_what_is_asked_for_and_no_more(generate: Generate) -> None:
    result = generate("Hello", "--ctx-size", "60", "--stats")

    assert b"the context of 60 tokens is full" in result.stderr
    counts = re.findall(rb"(\d+) tokens[ (]", result.stderr.splitlines()[-1])
    assert sum(map(int, counts)) == 60


def read_some(process: subprocess.Popen[bytes], n_bytes: int = 20) -> bytes:
    assert process.stdout is not None
    some = process.stdout.read(n_bytes)
    assert some, "it ended at once"
    return some


def test_ctrl_c_keeps_what_was_printed_and_returns_130(start: Start, generate: Generate) -> None:
    process = start("Hello")
    head = read_some(process)

    process.send_signal(signal.SIGINT)
    status, rest, err = end(process)

    assert status == 130
    assert generate("Hello", "--max-new-tokens", "200").stdout.startswith((head + rest)[:60])
    assert err == b""


def test_a_time_limit_keeps_what_was_printed_and_returns_4(start: Start) -> None:
    status, out, err = end(start("Hello", "--timeout", "4"))

    assert (status, err) == (4, b"error: it took longer than 4 s (--timeout)\n")
    assert out


def test_a_json_stream_ends_with_the_error(generate: Generate) -> None:
    result = generate("x" * 9_000, "--ctx-size", "512", "--json")

    error = json.loads(result.stdout)
    assert error["error_type"] == "validation"
    assert "the context holds 512" in error["error"]


def test_sigterm_returns_143(start: Start) -> None:
    process = start("Hello")
    read_some(process)

    process.send_signal(signal.SIGTERM)

    assert end(process)[0] == 143


def test_a_closed_pipe_stops_the_model_silently_with_141(start: Start) -> None:
    process = start("Hello")
    read_some(process)

    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None

    status, _, err = end(process)
    assert (status, err) == (141, b"")


@pytest.mark.parametrize("delay_s", [0.05, 0.2, 0.5, 1.0])
def test_ctrl_c_is_heard_before_the_first_token(start: Start, delay_s: float) -> None:
    process = start("word " * 15_000, "--max-new-tokens", "10", program=SAYS_WHEN_IT_STARTS)
    assert process.stdout is not None
    assert process.stdout.read(1) == b"!"
    time.sleep(delay_s)  # somewhere between the first import and the last prompt token

    process.send_signal(signal.SIGINT)

    assert end(process)[0] == 130


def test_a_second_ctrl_c_leaves_while_the_first_still_closes(start: Start) -> None:
    process = start("Hello")
    read_some(process)

    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)

    assert end(process)[0] == 130


@pytest.mark.parametrize("output", ["--raw", "--json"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_heard_while_nobody_reads_the_pipe(
    start: Start, output: str, number: signal.Signals
) -> None:
    process = start("Hello", output)
    assert process.stdout is not None
    fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 2 * PAGE_BYTES)
    wait_until_full(process.stdout.fileno(), PAGE_BYTES)

    process.send_signal(number)

    assert process.wait(timeout=30) == 128 + number
    end(process)


def wait_until_full(pipe: int, n_bytes: int) -> None:
    """Wait until a pipe holds about so many bytes, which nobody reads."""
    n_unread = array.array("i", [0])
    while n_unread[0] < n_bytes / 4:
        time.sleep(0.01)
        fcntl.ioctl(pipe, termios.FIONREAD, n_unread)
    time.sleep(0.2)  # for what has no room


@pytest.mark.parametrize("output", ["--raw", "--plain"])
def test_a_signal_is_heard_while_the_terminal_is_held(start: Start, output: str) -> None:
    parent, child = pty.openpty()
    process = start("Hello", output, stdout=child)
    os.read(parent, 20)
    termios.tcflow(child, termios.TCOOFF)
    time.sleep(0.1)  # tokens come, and wait

    process.send_signal(signal.SIGINT)

    assert process.wait(timeout=30) == 130
    end(process)
    os.close(parent)
    os.close(child)


@pytest.mark.parametrize("length", [[], ["--max-new-tokens", "9"]], ids=["endless", "whole"])
def test_a_second_signal_leaves_a_held_terminal_that_markdown_is_drawn_on(
    start: Start, length: list[str]
) -> None:
    parent, child = pty.openpty()
    process = start(
        "Hello", *length, program=SAYS_WHEN_IT_STARTS, stdout=child, TERM="xterm-256color"
    )
    os.read(parent, 1)
    termios.tcflow(child, termios.TCOOFF)
    time.sleep(2)  # a frame is due, and waits

    assert insist(process, signal.SIGTERM) == 143
    end(process)
    os.close(parent)
    os.close(child)


def insist(process: subprocess.Popen[bytes], number: signal.Signals) -> int:
    """Send a signal until the process ends; two that come too quickly are one to it."""
    for _ in range(100):
        process.send_signal(number)
        try:
            return process.wait(0.3)
        except subprocess.TimeoutExpired:
            continue
    pytest.fail("it is deaf")


def shell(command: str, tiny_model: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a command line in which $G stands for a greedy generate on the tiny model."""
    words = [*TGICLI, *GREEDY, "-m", str(tiny_model)]
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        timeout=60,
        env={**ENVIRONMENT, "G": " ".join(words)},
    )


def test_a_shell_pipeline_that_reads_one_line_ends_quietly(tiny_model: Path) -> None:
    result = shell(f"$G {' '.join(ENDLESS)} Hello </dev/null | head -c 5", tiny_model)

    assert result.returncode == 141
    assert len(result.stdout) == 5
    assert result.stderr == b""


def test_a_closed_stdout_is_a_closed_pipe(tiny_model: Path) -> None:
    result = shell("$G --max-new-tokens 9 Hello </dev/null >&-", tiny_model)

    assert result.returncode == 141
    assert result.stderr == b""


@pytest.mark.parametrize("redirection", ["</dev/null", "<&-", "2>&-", "2>/dev/null </dev/null"])
def test_closed_and_empty_streams_do_no_harm(tiny_model: Path, redirection: str) -> None:
    plain = shell("$G --max-new-tokens 9 Hello </dev/null", tiny_model)

    result = shell(f"$G --max-new-tokens 9 Hello {redirection}", tiny_model)

    assert result.returncode == 0
    assert result.stdout == plain.stdout


def test_stats_in_the_answers_place_begin_on_a_line_of_their_own(tiny_model: Path) -> None:
    answer = shell("$G --max-new-tokens 9 Hello </dev/null", tiny_model).stdout

    both = shell("$G --max-new-tokens 9 --stats Hello </dev/null 2>&1", tiny_model).stdout

    assert both.startswith(answer + b"\nprompt ")


def test_no_terminal_at_all_does_no_harm(tiny_model: Path) -> None:
    result = shell("setsid $G --max-new-tokens 9 Hello </dev/null", tiny_model)

    assert result.returncode == 0
    assert result.stdout


REFUSALS: Sequence[tuple[str, list[str], int, str]] = [
    ("no tokens", ["Hello", "--max-new-tokens", "0"], 2, "--max-new-tokens 0: must be >= 1"),
    ("empty prompt", [""], 5, "the prompt is empty"),
    ("cold", ["Hello", "--temperature", "-1"], 2, "--temperature -1: must be >= 0"),
    ("no number", ["Hello", "--temperature", "hot"], 2, "--temperature hot"),
    ("unknown flag", ["Hello", "--temprature", "1"], 2, "--temperature"),
    ("contradiction", ["Hello", "--raw", "--json"], 2, "--raw and --json exclude each other"),
    ("best of one", ["Hello", "--best-of", "2", "--temperature", "0"], 5, "needs sampling"),
    ("too long", ["x" * 9_000, "--ctx-size", "512"], 5, "tokens, the context holds 512"),
    (
        "too much",
        ["Hello", "--ctx-size", "256", "--max-new-tokens", "999"],
        5,
        "999 more are wanted",
    ),
    ("no memory", ["Hello", "--ctx-size", "2000000000"], 8, "GiB are free"),
]


@pytest.mark.parametrize(
    ("args", "status", "words"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS]
)
def test_a_request_that_cannot_be_served_says_why(
    generate: Generate, args: list[str], status: int, words: str
) -> None:
    result = generate(*args)

    assert result.stdout == b""
    assert words in result.stderr.decode()
    assert result.stderr.startswith(b"error: ")
    assert b"Traceback" not in result.stderr
    assert result.returncode == status


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("text", "is no GGUF"),
        ("empty", "empty"),
        ("truncated", "truncated"),
        ("folder", "directory"),
        ("missing", "there is no file"),
        ("bert", "embeds text"),
        ("nan", "NaN"),
    ],
)
def test_a_model_that_cannot_run_says_why(
    generate: Generate,
    tiny_models: Callable[[str], Path],
    tmp_path: Path,
    name: str,
    words: str,
) -> None:
    files = {"text": b"Dear reader, " * 99, "empty": b""}
    path = tmp_path / f"{name}.gguf"
    if name in files:
        path.write_bytes(files[name])
    elif name == "folder":
        path.mkdir()
    elif name != "missing":
        path = tiny_models(name)

    result = generate("Hello", "--max-new-tokens", "3", model=path)

    assert words.lower() in result.stderr.decode().lower()
    assert result.stderr.startswith(b"error: ")
    assert b"Traceback" not in result.stderr
    assert (result.returncode, result.stdout) == (8, b"")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(generate: Generate, tmp_path: Path) -> None:
    path = tmp_path / "secret.gguf"
    path.write_bytes(b"GGUF")
    path.chmod(0)

    result = generate("Hello", model=path)

    assert result.returncode == 8
    assert b"permission" in result.stderr.lower()


def on_a_terminal(args: Sequence[str], **variables: str) -> tuple[int, bytes]:
    """Run generate with a pseudo-terminal as stdout and stderr; return what it shows."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [*TGICLI, *args],
        stdin=subprocess.DEVNULL,
        stdout=child,
        stderr=child,
        env={**ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "80", **variables},
    )
    os.close(child)
    shown = b""
    while True:
        try:
            chunk = os.read(parent, 65536)
        except OSError:  # EIO: the process has closed its side
            break
        shown += chunk
    os.close(parent)
    return process.wait(timeout=30), shown


@pytest.mark.model
def test_a_terminal_sees_markdown_and_a_pipe_does_not(demo_model: Path) -> None:
    args = ["-m", str(demo_model), "--temperature", "0", "--max-new-tokens", "120"]
    question = "Write a Markdown list of three colours, each in bold."

    status, shown = on_a_terminal([*args, question])
    piped = subprocess.run(
        [*TGICLI, *args, question],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        env=ENVIRONMENT,
    )

    assert status == 0
    assert b"\x1b[" in shown
    assert b"*Red*" in piped.stdout
    assert b"Red" in shown
    assert b"*Red*\n" not in shown
    assert b"\x1b" not in piped.stdout + piped.stderr


@pytest.mark.model
def test_a_dumb_terminal_sees_plain_text(demo_model: Path) -> None:
    args = ["-m", str(demo_model), "--temperature", "0", "--max-new-tokens", "20", "Hello"]

    status, shown = on_a_terminal(args, TERM="dumb")

    assert status == 0
    assert b"\x1b" not in shown
    assert shown.endswith(b"\n")


@pytest.mark.model
def test_chat_is_the_default_where_the_model_has_a_template(demo_model: Path) -> None:
    def run(*args: str) -> bytes:
        return subprocess.run(
            [*TGICLI, "-m", str(demo_model), "--temperature", "0", "--max-new-tokens", "16", *args],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            env=ENVIRONMENT,
        ).stdout

    question = "What is the capital of France?"
    system = ("--system", "You are a helpful assistant.")

    assert run(question) == run(question, "--chat") != run(question, "--no-chat")
    assert b"Paris" in run(question, *system)
    assert run(question, *system) != run(question)
