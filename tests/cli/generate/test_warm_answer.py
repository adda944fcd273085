"""`tgicli generate` and `chat` beside a `tgicli serve` of the same user with the model."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faulty import PATIENCE_S, Script, answer, chat_event, serving, stall, stream
from tests.server.conftest import RunningServer, running_command
from tgicli.cli.flags import LoadingFlags
from tgicli.cli.warm import offered
from tgicli.errors import ExitStatus

Generate = Callable[..., subprocess.CompletedProcess[str]]
ASKED = ["Hello", "--temperature", "0", "--max-new-tokens", "8"]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rt")


@pytest.fixture(scope="module")
def server(tiny_model: Path, runtime: Path) -> Iterator[RunningServer]:
    options = ["-m", str(tiny_model), "--max-total-tokens", "200", "--api-key", "k"]
    options += ["--threads", "1"]
    with running_command(*options, runtime=runtime) as one:
        yield one


@pytest.fixture
def generate(tiny_model: Path, runtime: Path) -> Generate:
    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        environ = {"XDG_RUNTIME_DIR": str(runtime), "TGICLI_MODEL": str(tiny_model), **more}
        return started("generate", *arguments, environ=environ)

    return run


@pytest.fixture
def chat(tiny_model: Path, runtime: Path) -> Generate:
    """Return a function that asks what it is given, a question a line."""

    def run(lines: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {"XDG_RUNTIME_DIR": str(runtime), "TGICLI_MODEL": str(tiny_model)}
        return started("chat", *arguments, environ=environ, stdin=lines)

    return run


def started(
    *words: str, environ: dict[str, str], stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tgicli", *words],
        input=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, "TGICLI_CONFIG": os.devnull, **environ},
        timeout=120,
    )


@pytest.fixture
def place(tiny_model: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where a server with the model would be found."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with offered(tiny_model, LoadingFlags()) as bound:
        return Path(bound.getsockname())


@contextlib.contextmanager
def faulty(place: Path, script: Script, *, info: Script | None = None) -> Iterator[None]:
    """Let a server of ours be found that does what a script says."""
    known = json.dumps({"model_id": "tiny", "server": "tgicli", "max_total_tokens": 200}).encode()
    try:
        with serving(script, pages={"/info": info or answer(200, known)}, path=place):
            yield
    finally:
        place.unlink(missing_ok=True)


def n_served(server: RunningServer) -> int:
    """Return how many answers the server gave so far, by its log."""
    return sum(" 200 " in line for line in server.log("/v1/chat/completions"))


def test_a_server_answers_as_a_model_here_would(server: RunningServer, generate: Generate):
    before = n_served(server)

    warm, cold = generate(*ASKED), generate(*ASKED, "--no-server")

    assert n_served(server) == before + 1
    assert (warm.stdout, warm.returncode) == (cold.stdout, 0)
    assert warm.stdout


@pytest.mark.parametrize("stop", [[], ["--stop", "e"]], ids=["no stop", "stop"])
def test_the_seed_that_is_shown_repeats_a_servers_answer(
    server: RunningServer, generate: Generate, stop: list[str]
):
    asked, before = ["Hello", "--max-new-tokens", "8", *stop], n_served(server)

    warm = generate(*asked, "--stats")
    (seed,) = re.findall(r"seed (\d+)", warm.stderr)
    cold = generate(*asked, "--no-server", "--seed", seed)

    assert n_served(server) == before + 1
    assert warm.stdout == cold.stdout


@pytest.mark.parametrize(
    "options",
    [["--json"], ["--special"], ["--threads", "1"], ["--best-of", "2", "--temperature", "1"]],
    ids=lambda options: options[0],
)
def test_what_a_server_can_not_do_alike_is_done_here(
    server: RunningServer, generate: Generate, options: list[str]
):
    before = n_served(server)

    done = generate(*ASKED, *options)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
    assert n_served(server) == before


def test_who_names_a_model_gets_it_loaded(
    server: RunningServer, generate: Generate, tiny_model: Path
):
    before = n_served(server)

    assert generate(*ASKED, "-m", str(tiny_model)).returncode == 0

    assert n_served(server) == before


def test_what_a_server_refuses_is_done_here(server: RunningServer, generate: Generate):
    done = generate("Hello " * 60, "--temperature", "0", "--max-new-tokens", "4")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_another_models_server_is_left_alone(
    server: RunningServer, generate: Generate, tiny_models: Callable[[str], Path]
):
    before = n_served(server)

    assert generate(*ASKED, TGICLI_MODEL=str(tiny_models("llama_spm"))).returncode == 0

    assert n_served(server) == before


def test_a_killed_server_is_forgotten(generate: Generate, tiny_model: Path, tmp_path: Path):
    with running_command("-m", str(tiny_model), runtime=tmp_path) as killed:
        killed.process.kill()
        killed.process.wait()
        assert list(tmp_path.glob("tgicli/*.sock"))

        done = generate(*ASKED, XDG_RUNTIME_DIR=str(tmp_path))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
    assert list(tmp_path.glob("tgicli/*.sock")) == []


def test_an_answer_that_a_server_began_is_not_begun_again_here(generate: Generate, place: Path):
    failure = b'data: {"error":{"message":"llama_decode returned -3","type":"generation"}}\n\n'
    with faulty(place, stream(chat_event(content="Once upon"), failure)):
        done = generate(*ASKED)

    assert (done.stdout, done.returncode) == ("Once upon", ExitStatus.MODEL)
    assert "llama_decode returned -3" in done.stderr


def test_a_time_limit_holds_for_an_answer_that_a_server_began(generate: Generate, place: Path):
    with faulty(place, [*stream(chat_event(content="Once upon"))[:-1], stall]):
        done = generate(*ASKED, "--timeout", "1.5")

    assert (done.stdout, done.returncode) == ("Once upon", ExitStatus.DEADLINE_EXCEEDED)
    assert "it took longer than 1.5 s (--timeout)" in done.stderr


def test_a_server_that_hangs_is_not_waited_for(generate: Generate, place: Path):
    began_s = time.monotonic()
    with faulty(place, [stall], info=[stall]):
        done = generate(*ASKED)

    assert time.monotonic() - began_s < PATIENCE_S
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_a_server_that_answers_with_something_else_stays_where_it_is_found(
    generate: Generate, place: Path
):
    with faulty(place, answer(200, b"<p>Sign in</p>", "text/html")):
        done = generate(*ASKED)
        assert place.exists()

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_a_server_answers_a_chat_as_a_model_here_would(server: RunningServer, chat: Generate):
    before = n_served(server)

    warm, cold = chat("One?\nTwo?", *ASKED[1:]), chat("One?\nTwo?", *ASKED[1:], "--no-server")

    assert n_served(server) == before + 2
    assert (warm.stdout, warm.stderr, warm.returncode) == (cold.stdout, "", 0)
    assert warm.stdout


def test_the_seed_that_a_chat_shows_repeats_a_servers_answer(server: RunningServer, chat: Generate):
    before = n_served(server)

    warm = chat("One?", "--max-new-tokens", "8", "--stats")
    (seed,) = re.findall(r"seed (\d+)", warm.stderr)
    cold = chat("One?", "--max-new-tokens", "8", "--no-server", "--seed", seed)

    assert n_served(server) == before + 1
    assert warm.stdout == cold.stdout


def test_a_question_that_a_server_refuses_is_answered_here_and_so_are_the_next_ones(
    server: RunningServer, chat: Generate
):
    lines, before = f"One?\n{'Two? ' * 60}\n/clear\nThree?", n_served(server)

    warm, cold = chat(lines, *ASKED[1:]), chat(lines, *ASKED[1:], "--no-server")

    assert n_served(server) == before + 1
    assert (warm.stdout, warm.returncode) == (cold.stdout, 0)


def test_a_chat_whose_server_is_gone_goes_on_here(chat: Generate, place: Path):
    begun = stream(chat_event(content="Once"), chat_event(reason="stop"), b"data: [DONE]\n\n")
    with faulty(place, begun):
        done = chat("One?\n/retry\n/stats", *ASKED[1:])

    assert done.stdout.startswith("Once\n")
    assert len(done.stdout) > len("Once\n")
    assert done.returncode == 0


@pytest.mark.parametrize("options", [["--threads", "1"], ["-m", "demo"]], ids=["threads", "model"])
def test_who_says_how_to_load_chats_with_a_model_here(
    server: RunningServer, chat: Generate, tiny_model: Path, options: list[str]
):
    before = n_served(server)
    options = [str(tiny_model) if option == "demo" else option for option in options]

    assert chat("One?", *ASKED[1:], *options).returncode == 0

    assert n_served(server) == before
