"""What is left of a conversation's file, whatever happens."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tgicli.cli.chat.conversation import Conversation, load, save
from tgicli.errors import ConfigError

SAID = Conversation().answered("question", "answer")
N_FREE_BYTES = 1000
LONG = Conversation().answered("question", "a" * 2 * N_FREE_BYTES)


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """Let no file become longer than N_FREE_BYTES."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (N_FREE_BYTES, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("overwrites", [False, True])
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, overwrites: bool):
    with full_disk(), pytest.raises(ConfigError, match=r"can't write .*: File too large"):
        save(LONG.messages, tmp_path / "chat.json", overwrites=overwrites)

    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_file_that_was_there(tmp_path: Path):
    path = tmp_path / "chat.json"
    save(SAID.messages, path, overwrites=False)

    with full_disk(), pytest.raises(ConfigError):
        save(LONG.messages, path, overwrites=True)

    assert load(path) == (SAID, None)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("overwrites", [False, True])
def test_a_new_file_has_the_usual_mode(tmp_path: Path, overwrites: bool):
    path = tmp_path / "chat.json"
    umask = os.umask(0o027)
    try:
        save(SAID.messages, path, overwrites=overwrites)
    finally:
        os.umask(umask)

    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path):
    path = tmp_path / "chat.json"
    path.touch()
    path.chmod(0o604)

    save(SAID.messages, path, overwrites=True)

    assert path.stat().st_mode & 0o777 == 0o604


def test_a_link_stays_one(tmp_path: Path):
    path, link = tmp_path / "chat.json", tmp_path / "link"
    link.symlink_to(path)
    path.touch()

    save(SAID.messages, link, overwrites=True)

    assert link.is_symlink()
    assert load(path) == (SAID, None)


def test_the_oldest_questions_are_forgotten_with_their_answers():
    said = Conversation("Be kind.")
    for n in "123":
        said = said.answered(f"question {n}", f"answer {n}")

    left = said.without_first(2)

    assert left == Conversation("Be kind.").answered("question 3", "answer 3")
    assert said.without_first(3) == said.without_first(9) == Conversation("Be kind.")


def test_a_byte_that_was_typed_and_is_no_text_is_saved_as_a_question_mark(tmp_path: Path):
    path = tmp_path / "chat.json"

    save(Conversation().answered("caf\udce9", "yes").messages, path, overwrites=False)

    assert load(path) == (Conversation().answered("caf?", "yes"), None)
