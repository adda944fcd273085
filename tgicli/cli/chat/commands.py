"""What can be typed beside questions: /help and the other commands.

Used by `loop` on the event loop. A command that is refused changes nothing.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from tgicli.cli.chat.conversation import Conversation, load, save
from tgicli.cli.chat.session import Session, first_words, roles
from tgicli.errors import ConfigError
from tgicli.ui.multiline import split_command, whole

_QUOTES = "\"'"
NOBODY = "-"  # what /system takes for no system prompt at all
KEYS = """\
Alt-Enter, or a backslash at the end, goes on in the next line; so do
three quotes (\"""), up to the next three, and a ``` block.
Up, Down and Ctrl-R find earlier questions. Tab completes commands and files.
Ctrl-X Ctrl-E opens $EDITOR, and asks what it was left with.
Ctrl-C clears what is typed, or stops the answer and keeps what came of it."""


class Mistyped(ConfigError):
    """A line that is nearly a command."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command."""

    argument: str  # for the help page; empty: it takes none
    help: str
    run: Callable[[Session, str], Awaitable[None]] | None  # None: it ends the session

    @property
    def takes_file(self) -> bool:
        """Whether it is followed by a file's name."""
        return self.argument == "FILE"


async def run_command(line: str, session: Session) -> bool:
    """Do what a line says that begins with a slash; return whether to go on.

    Raises:
        Mistyped: there is no such command.
        ConfigError: it can't be done.
        TgicliError: it asks, and the answer fails.
    """
    name, argument = split_command(line)
    command, argument = COMMANDS.get(_ALIASES.get(name, name)), whole(argument).strip()
    if command is None:
        raise _unknown(name)
    if argument and not command.argument:
        raise Mistyped(f"{name} takes no {first_words(argument)!r}")
    if command.run is None:
        return False
    await command.run(session, argument)
    return True


def _unknown(name: str) -> Mistyped:
    close = difflib.get_close_matches(name, COMMANDS, n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    return Mistyped(
        f"there is no command {first_words(name)}{meant}\n"
        "/help lists all; put a blank before a question that begins with a slash"
    )


async def _help(session: Session, _: str) -> None:
    names = {name: f"{name} {command.argument}".strip() for name, command in COMMANDS.items()}
    width = max(map(len, names.values()))
    lines = [f"{names[name]:{width}}  {command.help}" for name, command in COMMANDS.items()]
    session.say("\n".join([*lines, "", KEYS]))


async def _system(session: Session, text: str) -> None:
    conversation = session.conversation
    if not text:
        session.say(conversation.system or "there is no system prompt; /system TEXT sets one")
        return
    system = None if text == NOBODY else text
    session.conversation = replace(conversation, system=system)
    done = "the system prompt is gone" if system is None else "the system prompt is set"
    session.say(f"{done}; {_goes_on(conversation)}")


def _goes_on(conversation: Conversation) -> str:
    if not conversation.turns:
        return "the conversation is empty"
    return f"the conversation goes on, its {roles(conversation.turns)} stay"


async def _save(session: Session, name: str) -> None:
    _write(session, name, overwrites=False)


async def _overwrite(session: Session, name: str) -> None:
    _write(session, name, overwrites=True)


def _write(session: Session, name: str, *, overwrites: bool) -> None:
    if not session.messages:
        raise ConfigError("there is nothing to save yet")
    path = _path(name)
    was_there = os.path.lexists(path)
    save(session.messages, path, overwrites=overwrites)
    done = "overwrote" if was_there else "saved in"
    session.say(f"{done} {path}: {roles(session.messages)}")


async def _load(session: Session, name: str) -> None:
    path = _path(name)
    before = session.conversation
    session.conversation, session.unanswered = load(path)
    gone = f"{roles(before.turns)} gone; " if before.turns else ""
    session.say(f"{gone}{where_it_is(session)}")


def where_it_is(session: Session) -> str:
    """Say how a conversation that was loaded goes on."""
    loaded = f"loaded {roles(session.messages)}"
    if session.unanswered is not None:
        return f"{loaded}\n/retry asks its last question: {first_words(session.unanswered)}"
    if session.conversation.last_question is not None:
        return f"{loaded}\nits last question: {first_words(session.conversation.last_question)}"
    return loaded


def _path(name: str) -> Path:
    if not name:
        raise ConfigError("say which file: /save FILE, /load FILE")
    if name[0] in _QUOTES and name.endswith(name[0]):
        name = name[1:-1]  # as for a shell; a blank needs none
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{name}: {error}") from error


async def _retry(session: Session, _: str) -> None:
    await session.retry()


async def _undo(session: Session, _: str) -> None:
    question = session.conversation.last_question
    if question is None:
        raise ConfigError("there is no question to take back")
    session.conversation = session.conversation.without_last()
    session.say(f"took back: {first_words(question)}")


async def _forget(session: Session, number: str) -> None:
    if not number.isdecimal() and number:
        raise Mistyped(f"{first_words(number)!r} is no number of questions, such as /forget 2")
    before = session.conversation
    if not before.turns:
        raise ConfigError("there is no question to forget")
    session.conversation = before.without_first(int(number[:9] or 1))
    n_gone = len(before.turns) - len(session.conversation.turns)
    session.say(f"forgot {roles(before.turns[:n_gone])}; {_goes_on(session.conversation)}")


async def _clear(session: Session, _: str) -> None:
    gone = roles(session.conversation.turns)
    session.conversation = Conversation(session.conversation.system)
    session.unanswered = None
    kept = "" if session.conversation.system is None else ", the system prompt stays"
    session.say(f"a new conversation: {gone} gone{kept}")


async def _stats(session: Session, _: str) -> None:
    if session.last is None:
        raise ConfigError("there is no answer yet")
    session.say("\n".join(session.last.lines(await session.n_ctx())))


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "/help": Command("", "Show this.", _help),
        "/system": Command("TEXT", f"Show the system prompt, or set it; {NOBODY}: none.", _system),
        "/retry": Command("", "Answer the last question again, otherwise.", _retry),
        "/undo": Command("", "Take the last question and its answer back.", _undo),
        "/forget": Command("[N]", "Drop the oldest N questions and their answers; 1.", _forget),
        "/clear": Command("", "Begin a new conversation.", _clear),
        "/stats": Command("", "Show the last answer's tokens and times.", _stats),
        "/save": Command("FILE", "Save the conversation as OpenAI's messages, in JSON.", _save),
        "/save!": Command("FILE", "The same, over a file that is there.", _overwrite),
        "/load": Command("FILE", "Go on with a conversation in such a file.", _load),
        "/quit": Command("", "Leave; so do /exit, /bye and Ctrl-D.", None),
    }
)
_ALIASES: Mapping[str, str] = MappingProxyType({"/exit": "/quit", "/bye": "/quit"})
