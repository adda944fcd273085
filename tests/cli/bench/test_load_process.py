"""The process that makes the load, from outside: real processes."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from tgicli.cli.bench.jobs import Say
from tgicli.cli.bench.load_process import load_process
from tgicli.cli.bench.session import Session
from tgicli.cli.bench.status import LoadProcessDied
from tgicli.errors import Overloaded


@dataclass(frozen=True)
class Echo:
    """Says a word, and returns it with the process's id."""

    word: str
    measures: bool = False

    async def run(self, session: Session, say: Say) -> tuple[str, int]:
        say(self.word)
        return self.word, os.getpid()


@dataclass(frozen=True)
class Fail:
    """Fails as a server does."""

    measures: bool = False

    async def run(self, session: Session, say: Say) -> None:
        raise Overloaded("busy", retry_after_s=3.0)


@dataclass(frozen=True)
class Crash:
    """Fails as nobody should."""

    measures: bool = False

    async def run(self, session: Session, say: Say) -> None:
        raise LookupError("nobody thought of this")


@dataclass(frozen=True)
class Die:
    """Ends its process."""

    measures: bool = False

    async def run(self, session: Session, say: Say) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Measure:
    """Goes on until it is stopped."""

    measures: bool = True

    async def run(self, session: Session, say: Say) -> str:
        say("begun")
        await session.stop.wait()
        return "as far as it came"


def cancel(task: asyncio.Task[None]) -> None:
    task.cancel()


def test_a_job_is_done_elsewhere_and_says_how_it_goes():
    async def main() -> None:
        heard: list[object] = []
        async with load_process() as process:
            word, pid = await process.do(Echo("hello"), heard.append)

        assert (word, heard) == ("hello", ["hello"])
        assert pid != os.getpid()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    asyncio.run(main())


def test_our_errors_come_back_whole_and_the_process_goes_on():
    async def main() -> None:
        async with load_process() as process:
            with pytest.raises(Overloaded, match="busy") as raised:
                await process.do(Fail())
            assert raised.value.retry_after_s == 3.0

            assert (await process.do(Echo("still here")))[0] == "still here"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("job", "words"),
    [(Crash(), r"with status 1; its last words:[\s\S]*LookupError: nobody"), (Die(), "by SIGKILL")],
)
def test_a_process_that_dies_is_told_with_its_last_words(job: Crash | Die, words: str):
    async def main() -> None:
        async with load_process() as process:
            for _ in range(2):  # whoever asks again is told again
                with pytest.raises(LoadProcessDied, match=words):
                    await process.do(job)

    asyncio.run(main())


def test_a_measurement_that_is_cancelled_returns_what_there_is():
    async def main() -> None:
        async with load_process() as process:
            task = asyncio.current_task()
            assert task is not None

            found = await process.do(Measure(), lambda what: cancel(task))

            assert (found, process.is_stopped) == ("as far as it came", True)
            assert task.cancelling() == 0

    asyncio.run(main())


def test_any_other_job_that_is_cancelled_ends_with_its_process():
    async def main() -> None:
        async with load_process() as process:
            task = asyncio.current_task()
            assert task is not None
            await process.do(Measure(measures=False), lambda what: cancel(task))

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_ends_the_command_does_not_reach_it(number: signal.Signals):
    async def main() -> None:
        async with load_process() as process:
            _, pid = await process.do(Echo("who"))
            os.kill(pid, number)

            assert (await process.do(Echo("unmoved")))[1] == pid

    asyncio.run(main())


def test_a_key_is_in_no_command_line():
    async def main() -> None:
        async with load_process() as process:
            _, pid = await process.do(Echo("geheim-1234"))
            seen = [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ")]

        assert b"spawn_main" in seen[0]
        assert b"geheim" not in seen[0] + seen[1]

    asyncio.run(main())
