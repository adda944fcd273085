"""Where a server with the model in memory is found."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tgicli.cli.flags import LoadingFlags, Lora
from tgicli.cli.warm import offered, server_sockets, servers_are_there

LOADING = LoadingFlags()


@pytest.fixture(autouse=True)
def runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("rt")  # short: a socket's path has 107 bytes at most
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder / "tgicli"


def test_a_server_is_found_while_it_lives(tmp_path: Path):
    model = tmp_path / "model.gguf"

    with offered(model, LOADING) as bound:
        found = server_sockets(model, LOADING)
        assert [str(path) for path in found] == [bound.getsockname()]

    assert server_sockets(model, LOADING) == []


@pytest.mark.parametrize(
    "other",
    [replace(LOADING, kv_type="q8_0"), replace(LOADING, lora=(Lora(Path("adapter.gguf"), 1.0),))],
    ids=["KV type", "adapter"],
)
def test_a_server_that_would_answer_otherwise_is_not_found(tmp_path: Path, other: LoadingFlags):
    with offered(tmp_path / "model.gguf", LOADING):
        assert server_sockets(tmp_path / "another.gguf", LOADING) == []
        assert server_sockets(tmp_path / "model.gguf", other) == []


def test_a_link_to_the_model_is_the_model(tmp_path: Path):
    model, link = tmp_path / "model.gguf", tmp_path / "link.gguf"
    link.symlink_to(model)

    with offered(model, LOADING):
        assert len(server_sockets(link, LOADING)) == 1


def test_only_the_user_may_enter_the_folder(tmp_path: Path, runtime: Path):
    with offered(tmp_path / "model.gguf", LOADING):
        assert runtime.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_may_enter_is_not_used(tmp_path: Path, runtime: Path):
    model = tmp_path / "model.gguf"
    with offered(model, LOADING):
        runtime.chmod(0o755)

        assert server_sockets(model, LOADING) == []
        with pytest.raises(PermissionError, match="is open to others"), offered(model, LOADING):
            pass


def test_what_a_killed_process_left_is_replaced(tmp_path: Path, runtime: Path):
    model = tmp_path / "model.gguf"
    with offered(model, LOADING) as bound:
        left = Path(bound.getsockname())
        name = left.name
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(left))  # nobody unlinks it

    with offered(model, LOADING):
        assert [path.name for path in server_sockets(model, LOADING)] == [name]
    assert name.endswith(f"-{os.getpid()}.sock")


def test_without_a_runtime_folder_the_users_state_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    with offered(tmp_path / "model.gguf", LOADING) as bound:
        assert bound.getsockname().startswith(str(tmp_path / "state"))


def test_a_folder_that_nobody_can_look_into_holds_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("x" * 300)))  # too long for a name

    assert not servers_are_there()
    assert server_sockets(tmp_path / "model.gguf", LOADING) == []


def test_a_server_that_ends_while_one_looks_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model, glob = tmp_path / "model.gguf", Path.glob
    with offered(model, LOADING) as bound:

        def also_gone(folder: Path, pattern: str) -> list[Path]:
            return [folder / pattern.replace("*", "1"), *glob(folder, pattern)]

        monkeypatch.setattr(Path, "glob", also_gone)

        assert str(server_sockets(model, LOADING)[0]) == bound.getsockname()
