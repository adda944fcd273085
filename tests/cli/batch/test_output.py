"""The file of answers: repaired, locked, resumed and sorted, whatever killed its writer, when."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgicli.cli.batch.input import Prompt
from tgicli.cli.batch.options import Earlier
from tgicli.cli.batch.output import AnswerFile
from tgicli.cli.batch.resume import resume
from tgicli.core import Finish, FinishReason, SamplingParams, Token
from tgicli.errors import ConfigError, Overloaded, StreamBroken
from tgicli.wire.batch import Ask, PromptLine
from tgicli.wire.batch_answers import Answer, Key, encode_answer, encode_failure

ASK = Ask(params=SamplingParams())


def prompts(n: int, digest: str = "line.settings") -> list[Prompt]:
    return [Prompt(Key(i, digest), i + 1, PromptLine(f"prompt {i}", ASK)) for i in range(n)]


def answer(index: int, *, text: str = "answer", digest: str = "line.settings") -> bytes:
    finish = Finish(
        tokens=(),
        reason=FinishReason.LENGTH,
        n_prompt_tokens=1,
        n_cached_tokens=0,
        n_generated_tokens=1,
        seed=None,
    )
    return encode_answer(Key(index, digest), {}, Answer((Token(1, text),), finish, 0.0))


def failure(index: int) -> bytes:
    return encode_failure(Key(index, "line.settings"), {}, Overloaded("busy"))


def write(file: AnswerFile, *lines: bytes) -> None:
    async def write_all() -> None:
        await asyncio.gather(*(file.write(json.loads(line)["index"], line) for line in lines))

    asyncio.run(write_all())


def indexes(path: Path) -> list[int]:
    return [json.loads(line)["index"] for line in path.read_bytes().splitlines()]


def rest(path: Path, asked: Sequence[Prompt], earlier: Earlier = Earlier.KEEP) -> list[int]:
    with closing(AnswerFile(path)) as file:
        return [p.key.index for p in resume(file, list(asked), earlier, path)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


def test_what_is_answered_is_not_asked_again(path: Path):
    with closing(AnswerFile(path)) as file:
        write(file, answer(2), answer(0))

    assert rest(path, prompts(4)) == [1, 3]
    assert indexes(path) == [2, 0]


def test_what_failed_is_asked_again_and_its_line_goes(path: Path):
    with closing(AnswerFile(path)) as file:
        write(file, answer(0), failure(1), answer(2))

    assert rest(path, prompts(3)) == [1]
    assert indexes(path) == [0, 2]


def test_sorting_brings_the_lines_into_the_prompts_order(path: Path):
    with closing(AnswerFile(path)) as file:
        write(file, *(answer(i, text="x" * i) for i in (3, 0, 2, 1)))
        file.sort()

        assert indexes(path) == [0, 1, 2, 3]
        write(file, answer(4))

    assert indexes(path) == [0, 1, 2, 3, 4]


def test_a_sorted_file_is_left_alone(path: Path):
    with closing(AnswerFile(path)) as file:
        write(file, answer(0), answer(1))
        before = path.stat().st_ino
        file.sort()

    assert path.stat().st_ino == before


def test_what_a_killed_rewriting_left_is_taken_away(path: Path):
    path.write_bytes(answer(0))
    draft = path.with_name(f".{path.name}.tgicli")
    draft.write_bytes(answer(0)[:9])

    AnswerFile(path).close()

    assert not draft.exists()
    assert indexes(path) == [0]


@pytest.mark.parametrize("n_cut", [1, 2, 50, len(answer(1)) - 1])
def test_a_line_that_was_cut_off_is_dropped_or_mended(path: Path, n_cut: int):
    path.write_bytes((answer(0) + answer(1))[:-n_cut])

    still = rest(path, prompts(2))

    assert still == ([] if n_cut == 1 else [1])
    assert path.read_bytes() == (answer(0) + answer(1) if n_cut == 1 else answer(0))


@pytest.mark.parametrize(
    "content",
    [b"my notes", b"my notes\n", b'{"prompt":"a"}\n', answer(0) + b"\n", answer(0) + b"{}\n"],
)
@pytest.mark.parametrize("earlier", Earlier)
def test_a_file_that_is_not_ours_is_never_changed(path: Path, content: bytes, earlier: Earlier):
    path.write_bytes(content)

    with pytest.raises(ConfigError, match="is not overwritten"):
        rest(path, prompts(1), earlier)

    assert path.read_bytes() == content


def of_lines(*digests: str) -> list[Prompt]:
    """Return prompts whose lines have these digests."""
    return [
        Prompt(Key(i, f"{digest}.settings"), i + 1, PromptLine(digest, ASK))
        for i, digest in enumerate(digests)
    ]


def answer_to(index: int, digest: str) -> bytes:
    return answer(index, text=f"to {digest}", digest=f"{digest}.settings")


def answers_in(path: Path) -> list[tuple[int, str]]:
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [(line["index"], line["text"]) for line in lines]


def test_a_prompt_that_has_moved_keeps_its_answer(path: Path):
    path.write_bytes(answer_to(0, "a") + answer_to(9, "b") + failure(1) + answer_to(10, "c"))

    assert rest(path, of_lines("new", "a", "x", "c", "b")) == [0, 2]
    assert answers_in(path) == [(1, "to a"), (4, "to b"), (3, "to c")]
    assert rest(path, of_lines("new", "a", "x", "c", "b")) == [0, 2]


def test_an_answer_is_to_one_prompt_only_though_others_are_the_same(path: Path):
    path.write_bytes(answer_to(2, "a") + answer_to(3, "a"))

    assert rest(path, of_lines("a", "a", "a")) == [1]
    assert sorted(answers_in(path)) == [(0, "to a"), (2, "to a")]


def test_an_answer_whose_prompt_was_taken_out_is_dropped_only_when_told(path: Path):
    path.write_bytes(answer_to(0, "a") + answer_to(1, "b") + answer_to(2, "c"))
    asked = of_lines("a", "c")

    with pytest.raises(ConfigError, match=r"1 of the answers .* what was prompt 2 is not there"):
        rest(path, asked)
    assert rest(path, asked, Earlier.REDO_CHANGED) == []
    assert answers_in(path) == [(0, "to a"), (1, "to c")]


def test_a_moved_answer_can_be_gone_on_from_in_the_same_run(path: Path):
    path.write_bytes(answer_to(9, "a") + answer_to(10, "b"))

    with closing(AnswerFile(path)) as file:
        resume(file, of_lines("c", "b", "a"), Earlier.KEEP, path)
        write(file, answer_to(0, "c"))
        file.sort()

    assert answers_in(path) == [(0, "to c"), (1, "to b"), (2, "to a")]


def test_changed_prompts_and_parameters_are_refused_and_said(path: Path):
    path.write_bytes(answer(0) + answer(1))

    with pytest.raises(ConfigError, match=r"2 of the answers .* line 1 of the prompts has changed"):
        rest(path, prompts(2, "other.settings"))
    with pytest.raises(ConfigError, match=r"the options, the model or the server have changed"):
        rest(path, prompts(2, "line.other"))
    with pytest.raises(ConfigError, match=r"what was prompt 2 is not there any more"):
        rest(path, prompts(1))
    assert indexes(path) == [0, 1]


def test_more_prompts_are_no_change(path: Path):
    path.write_bytes(answer(0))

    assert rest(path, prompts(3)) == [1, 2]


def test_redoing_changed_ones_keeps_the_others(path: Path):
    path.write_bytes(answer(0, digest="old.settings") + answer(1) + answer_to(7, "gone"))

    assert rest(path, prompts(2), Earlier.REDO_CHANGED) == [0]
    assert indexes(path) == [1]


def test_a_restart_drops_all(path: Path):
    path.write_bytes(answer(0) + answer(1))

    assert rest(path, prompts(2), Earlier.RESTART) == [0, 1]
    assert path.read_bytes() == b""


def test_two_processes_cannot_have_one_file(path: Path):
    with closing(AnswerFile(path)) as file:
        write(file, answer(1), answer(0))
        with pytest.raises(ConfigError, match="another process is writing"):
            AnswerFile(path)
        file.sort()  # replaces the file
        with pytest.raises(ConfigError, match="another process is writing"):
            AnswerFile(path)

    AnswerFile(path).close()


def test_a_link_stays_a_link_and_permissions_stay_as_they_are(path: Path, tmp_path: Path):
    path.write_bytes(answer(1) + answer(0))
    path.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(path)

    with closing(AnswerFile(link)) as file:
        file.sort()

    assert link.is_symlink()
    assert indexes(path) == [0, 1]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["", "no/such/folder"])
def test_what_cannot_be_a_file_is_refused(tmp_path: Path, name: str):
    with pytest.raises(ConfigError, match="--output"):
        AnswerFile(tmp_path / name)


def test_a_pipe_is_refused_by_each_of_its_names(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo")
    end, other = os.pipe()

    for name in (tmp_path / "fifo", Path(f"/dev/fd/{other}")):
        with pytest.raises(ConfigError, match="is no regular file; for a pipe use `-`"):
            AnswerFile(name)
    os.close(end)
    os.close(other)


def test_a_full_disk_leaves_whole_lines(path: Path):
    real_write = os.write

    def half(fd: int, data: bytes) -> int:
        if len(data) < 30:
            raise OSError(28, "No space left on device")
        return real_write(fd, data[:20])

    with closing(AnswerFile(path)) as file:
        write(file, answer(0))
        with mock.patch("os.write", half), pytest.raises(StreamBroken, match="No space left"):
            write(file, answer(1))

        assert indexes(path) == [0]
        write(file, answer(2))
    assert indexes(path) == [0, 2]


class Killed(BaseException):
    """The process is dead."""


@contextmanager
def killed_after(n_calls: int, n_bytes: int) -> Iterator[None]:
    """Let all calls that change the disk fail after so many; the last write stops half-way."""
    n_left = n_calls

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal n_left
            n_left -= 1
            if n_left < 0:
                raise Killed
            if n_left == 0 and real is real_write:
                fd, data = args
                real(fd, bytes(data)[:n_bytes])
                raise Killed
            return real(*args, **options)

        return call

    real_write = os.write
    with ExitStack() as stack:
        for name in ("write", "ftruncate", "replace", "unlink"):
            stack.enter_context(mock.patch.object(os, name, dying(getattr(os, name))))
        yield


def one_run(path: Path, asked: list[Prompt], order: Callable[[int], int], done: list[int]) -> None:
    """Answer what is left; note what a finished write promised."""
    with closing(AnswerFile(path)) as file:
        left = resume(file, asked, Earlier.KEEP, path)
        assert not set(done) & {prompt.key.index for prompt in left}, "asked twice"
        for prompt in sorted(left, key=lambda prompt: order(prompt.key.index)):
            index = prompt.key.index
            fails = order(index) % 5 == 0
            write(file, failure(index) if fails else answer(index, text="x" * order(index)))
            if not fails:
                done.append(index)
        file.sort()


@given(
    n=st.integers(1, 6),
    runs=st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, 300), st.randoms(use_true_random=False)),
        max_size=6,
    ),
)
def test_wherever_a_run_is_killed_the_next_ones_answer_everything_once(
    tmp_path_factory: pytest.TempPathFactory, n: int, runs: list[tuple[int, int, Any]]
):
    path = tmp_path_factory.mktemp("killed") / "answers.jsonl"
    asked, done = prompts(n), list[int]()

    for n_calls, n_bytes, random in runs:
        order = {i: random.randrange(50) for i in range(n)}
        try:
            with killed_after(n_calls, n_bytes):
                one_run(path, asked, order.__getitem__, done)
        except Killed:
            pass
    one_run(path, asked, lambda index: index * 5 + 1, done)

    assert indexes(path) == list(range(n))
    assert sorted(set(done)) == sorted(done), "promised twice"
    assert os.listdir(path.parent) == [path.name]
