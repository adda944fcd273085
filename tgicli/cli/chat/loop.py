"""The loop of `tgicli chat`: read a question or a command, answer it, until the end.

Runs on the event loop of `run`. The backend opens meanwhile: a model loads while the first
question is typed.

At a terminal an error is said, and the conversation goes on. From a pipe there is nobody who would
read it: the first error ends the run, with its exit status.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Protocol

from tgicli.cli.chat.commands import COMMANDS, Mistyped, run_command, where_it_is
from tgicli.cli.chat.lines import LineReader
from tgicli.cli.chat.options import ChatOptions
from tgicli.cli.chat.session import Opened, Session
from tgicli.cli.signals import leave_on_signals
from tgicli.errors import TgicliError
from tgicli.ui.held_status import HeldStatus
from tgicli.ui.multiline import MARK, whole
from tgicli.ui.terminal import Terminal

_LEAVING = frozenset({"exit", "quit"})  # typed alone, as elsewhere: nobody asks a model that


class Reader(Protocol):
    """Where questions come from."""

    async def read(self, beginning: str = "") -> str | None:
        """Return the next question, to be typed on from what it begins with; None at the end."""
        ...


async def converse(
    options: ChatOptions,
    terminal: Terminal,
    status: HeldStatus,
    opening: Coroutine[Any, Any, Opened],
) -> None:
    """Hold a conversation with the backend that opens.

    Raises:
        TgicliError: it does not open; or, where nobody types, an answer fails.
    """
    opened = asyncio.create_task(opening)
    session = Session(options, terminal, status, opened)
    try:
        if options.is_loaded and not options.quiet:
            session.say(where_it_is(session))
        with ExitStack() as stack:
            if not terminal.stdin_is_terminal:
                await _answer_lines(session, LineReader(terminal), options.question)
                return
            reader = _open_reader(options, terminal, stack)
            stack.enter_context(_stopping(session, reader))
            await _answer_questions(session, reader, status, opened, terminal, options.question)
    finally:
        await _close(session.opened)


def _open_reader(options: ChatOptions, terminal: Terminal, stack: ExitStack) -> Reader:
    is_editable = terminal.stdout_is_terminal or terminal.stderr_is_terminal
    if terminal.is_dumb or not is_editable:
        return LineReader(terminal)
    from tgicli.ui.editor import Editor  # the model loads while this is imported
    from tgicli.ui.keyboard import quiet_keyboard

    stack.enter_context(quiet_keyboard(terminal))
    names = {name: command.takes_file for name, command in COMMANDS.items()}
    return Editor(terminal, names, options.history)


@contextmanager
def _stopping(session: Session, reader: Reader) -> Iterator[None]:
    """Let Ctrl-C stop the answer, and nothing else."""

    def interrupt() -> None:
        if not session.stop() and isinstance(reader, LineReader):
            reader.clear()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        leave_on_signals()


async def _answer_lines(session: Session, reader: LineReader, first: str | None) -> None:
    if first is not None and not await _do(first, session):
        return
    while (line := await reader.read()) is not None:
        if not await _do(line, session):
            return


async def _answer_questions(
    session: Session,
    reader: Reader,
    status: HeldStatus,
    opened: asyncio.Task[Opened],
    terminal: Terminal,
    first: str | None,
) -> None:
    line, beginning = first, ""
    while True:
        if line is None:
            status.hold()
            line = await _read(reader, beginning, opened)
        if line is None or line.strip() in _LEAVING:
            return
        asked, line, beginning = line, None, ""
        try:
            if not await _do(asked, session):
                return
        except TgicliError as error:
            if opened.done() and opened.exception() is error:
                raise
            terminal.complain(error)
            if isinstance(error, Mistyped):
                beginning = asked  # to be corrected


async def _read(reader: Reader, beginning: str, opened: asyncio.Task[Opened]) -> str | None:
    """Read a question, unless there will be nobody to answer it.

    Raises:
        TgicliError: the backend does not open.
    """
    reading = asyncio.create_task(reader.read(beginning))
    try:
        await asyncio.wait({reading, opened}, return_when=asyncio.FIRST_COMPLETED)
        if opened.done():
            opened.result()
        return await reading
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading


async def _do(line: str, session: Session) -> bool:
    """Answer a question or run a command; return whether to go on."""
    if line.startswith(MARK):
        return await run_command(whole(line), session)
    if question := whole(line):
        await session.ask(question)
    return True


async def _close(opened: asyncio.Future[Opened]) -> None:
    """Close the backend, or stop opening it; why it did not open is said elsewhere."""
    opened.cancel()
    with suppress(asyncio.CancelledError, TgicliError):
        await (await opened).backend.aclose()
