"""`tgicli chat` without a terminal: each line of stdin is a question."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.chat.chatting import CHAT, environment

SHORT = ["--max-new-tokens", "6", "--temperature", "0"]


def chat(
    tiny_model: Path, tmp_path: Path, stdin: bytes, *args: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*CHAT, "-m", str(tiny_model), *SHORT, *args],
        input=stdin,
        capture_output=True,
        timeout=120,
        env=environment(tmp_path / "state"),
    )


def test_each_line_is_a_question_and_each_answer_ends_with_a_newline(
    tiny_model: Path, tmp_path: Path
) -> None:
    file = tmp_path / "said.json"
    lines = f'one\n\n  \ntwo\\\nthree\r\n"""four\n\nfive"""\n/save {file}'

    result = chat(tiny_model, tmp_path, lines.encode())

    messages = json.loads(file.read_text())
    assert result.returncode == 0
    asked = [message["content"] for message in messages if message["role"] == "user"]
    answers = [message["content"] for message in messages if message["role"] == "assistant"]
    assert asked == ["one", "two\nthree", "four\n\nfive"]
    ended = [answer if answer.endswith("\n") else answer + "\n" for answer in answers]
    assert result.stdout.decode() == "".join(ended)
    assert b"\x1b" not in result.stdout + result.stderr


def test_the_first_question_may_be_an_argument(tiny_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "said.json"

    result = chat(tiny_model, tmp_path, f"two\n/save {file}".encode(), "one")

    asked = [turn["content"] for turn in json.loads(file.read_text()) if turn["role"] == "user"]
    assert (result.returncode, asked) == (0, ["one", "two"])


def test_a_question_that_nobody_has_answered_is_saved_too(tiny_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "said.json"
    said = [{"role": role, "content": role} for role in ("user", "assistant", "user")]
    file.write_text(json.dumps(said))

    result = chat(tiny_model, tmp_path, f"/save! {file}".encode(), "--load", str(file))

    assert (result.returncode, json.loads(file.read_text())) == (0, said)
    assert b"loaded 3 messages" in result.stderr


def test_the_oldest_questions_are_forgotten_when_that_is_said(
    tiny_model: Path, tmp_path: Path
) -> None:
    file = tmp_path / "said.json"
    lines = f"one\ntwo\nthree\n/forget 2\n/save {file}\n/forget x"

    result = chat(tiny_model, tmp_path, lines.encode())

    assert json.loads(file.read_text())[0]["content"] == "three"
    assert b"forgot 4 messages; the conversation goes on, its 2 messages stay" in result.stderr
    assert b"'x' is no number of questions, such as /forget 2" in result.stderr


def test_a_file_s_system_prompt_holds_unless_another_one_is_said(
    tiny_model: Path, tmp_path: Path
) -> None:
    file = tmp_path / "said.json"
    file.write_text('[{"role": "system", "content": "Be kind."}]')

    for more, system in ({}, ["Be kind."]), ({"--system": "Be brief."}, ["Be brief."]):
        words = [word for pair in more.items() for word in pair]
        result = chat(tiny_model, tmp_path, b"/system", "--load", str(file), *words)
        assert result.stderr.decode().splitlines()[-1:] == system
    result = chat(tiny_model, tmp_path, b"/system", "--system", "")
    assert b"there is no system prompt" in result.stderr


def test_no_line_is_no_question(tiny_model: Path, tmp_path: Path) -> None:
    result = chat(tiny_model, tmp_path, b"")

    assert (result.returncode, result.stdout) == (0, b"")


def test_nothing_of_it_is_kept_in_the_history(tiny_model: Path, tmp_path: Path) -> None:
    chat(tiny_model, tmp_path, b"one\n")

    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("stdin", "status", "words"),
    [
        (b"/nothing\none\n", 2, b"there is no command /nothing"),
        (b"one\n\xff\n", 5, b"line 2 of stdin is not UTF-8"),
        (b"x " * 5000 + b"\none\n", 5, b"the conversation has"),
    ],
)
def test_the_first_error_ends_the_run(
    tiny_model: Path, tmp_path: Path, stdin: bytes, status: int, words: bytes
) -> None:
    result = chat(tiny_model, tmp_path, stdin, "--ctx-size", "512")

    assert result.returncode == status
    assert result.stderr.startswith(b"error: ")
    assert words in result.stderr


def test_an_answer_that_takes_too_long_is_given_up(tiny_model: Path, tmp_path: Path) -> None:
    endless = ["--ctx-size", "100000", "--max-new-tokens", "90000", "--timeout", "2"]

    result = chat(tiny_model, tmp_path, b"one\n", *endless)

    assert result.returncode == 4
    assert b"error: it took longer than 2 s (--timeout)\n" in result.stderr


def test_a_closed_stdin_is_the_end(tiny_model: Path, tmp_path: Path) -> None:
    words = [*CHAT, "-m", str(tiny_model), *SHORT]
    command = f"{' '.join(words)} <&-"

    result = subprocess.run(
        ["bash", "-c", command], capture_output=True, timeout=60, env=environment(tmp_path)
    )

    assert (result.returncode, result.stderr) == (0, b"")


def test_a_file_is_read_like_a_pipe(tiny_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "questions"
    file.write_bytes(b"one\ntwo\n")
    piped = chat(tiny_model, tmp_path, b"one\ntwo\n")

    with file.open("rb") as stdin:
        result = subprocess.run(
            [*CHAT, "-m", str(tiny_model), *SHORT],
            stdin=stdin,
            capture_output=True,
            timeout=60,
            env={**environment(tmp_path), "TGICLI_CONFIG": os.devnull},
        )

    assert (result.returncode, result.stdout) == (0, piped.stdout)


def test_a_signal_is_heard_while_nobody_reads_the_answer(tiny_model: Path, tmp_path: Path) -> None:
    endless = ["--max-new-tokens", "9000", "--ctx-size", "10000"]
    process = subprocess.Popen(
        [*CHAT, "-m", str(tiny_model), *SHORT, *endless],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        env=environment(tmp_path / "state"),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
    process.stdin.write(b"one\n")
    os.read(process.stdout.fileno(), 1)
    time.sleep(0.5)  # the pipe is full again

    process.send_signal(signal.SIGINT)

    assert process.wait(timeout=30) == 130
    process.communicate()
