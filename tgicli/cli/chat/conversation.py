"""What was said so far, as a value, and the files that hold it.

Used by `session` and `commands`. A conversation never changes: a question that fails
leaves the one before it as it was.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tgicli.core import Message
from tgicli.errors import ConfigError, RequestError

SYSTEM, USER, ASSISTANT = "system", "user", "assistant"


@dataclass(frozen=True, slots=True)
class Conversation:
    """A system prompt, and whole exchanges: each question with its answer."""

    system: str | None = None
    turns: tuple[Message, ...] = ()

    @property
    def messages(self) -> tuple[Message, ...]:
        """All of it, as a model is told."""
        first = () if self.system is None else (Message(SYSTEM, self.system),)
        return (*first, *self.turns)

    @property
    def last_question(self) -> str | None:
        """What was asked last."""
        asked = (turn.content for turn in reversed(self.turns) if turn.role == USER)
        return next(asked, None)

    def asking(self, question: str) -> tuple[Message, ...]:
        """Return the messages of a request with one more question."""
        return (*self.messages, Message(USER, question))

    def answered(self, question: str, answer: str) -> Conversation:
        """Add an exchange."""
        added = Message(USER, question), Message(ASSISTANT, answer)
        return replace(self, turns=(*self.turns, *added))

    def without_last(self) -> Conversation:
        """Take the last question back, and all that came after it."""
        places = [index for index, turn in enumerate(self.turns) if turn.role == USER]
        return replace(self, turns=self.turns[: places[-1]] if places else ())

    def without_first(self, n_questions: int) -> Conversation:
        """Drop the oldest questions, with all that came before the next one."""
        places = [index for index, turn in enumerate(self.turns) if turn.role == USER]
        rest = places[n_questions:]
        return replace(self, turns=self.turns[rest[0] :] if rest else ())

    @classmethod
    def from_messages(cls, messages: tuple[Message, ...]) -> tuple[Conversation, str | None]:
        """Return the conversation, and a last question that nobody answered."""
        has_system = messages[:1] and messages[0].role == SYSTEM
        system = messages[0].content if has_system else None
        turns = messages[1:] if has_system else messages
        if turns and turns[-1].role == USER:
            return cls(system, turns[:-1]), turns[-1].content
        return cls(system, turns), None


def save(messages: tuple[Message, ...], path: Path, *, overwrites: bool) -> None:
    """Write the messages as JSON.

    Raises:
        ConfigError: the file is there already, or can't be written.
    """
    from tgicli.wire.conversation import encode_conversation

    data = encode_conversation(messages)
    try:
        if overwrites:
            _replace(path, data)
        else:
            _create(path, data)
    except FileExistsError:
        raise ConfigError(f"{path} is there already; /save! {path} overwrites it") from None
    except OSError as error:
        raise ConfigError(f"can't write {path}: {error.strerror}") from error


def _create(path: Path, data: bytes) -> None:
    """Write a new file: whole, or not at all."""
    with path.open("xb") as file, _removed_on_failure(path):
        file.write(data)
        file.flush()


def _replace(path: Path, data: bytes) -> None:
    """Write a file in another's place: whole, or not at all."""
    target = path.resolve()
    if target.is_dir():
        raise IsADirectoryError(0, "it is a directory")
    draft = target.with_name(f".tgicli-{os.getpid()}")
    draft.unlink(missing_ok=True)  # of a process that was killed and had our number
    _create(draft, data)
    with _removed_on_failure(draft):
        if target.exists():
            draft.chmod(target.stat().st_mode & 0o777)
        draft.replace(target)


@contextlib.contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def load(path: Path) -> tuple[Conversation, str | None]:
    """Read messages; return them, and a last question that nobody answered.

    Raises:
        ConfigError: there is no such file, or it holds something else.
    """
    from tgicli.wire.conversation import decode_conversation

    try:
        messages = decode_conversation(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"can't read {path}: {error.strerror}") from error
    except RequestError as error:
        raise ConfigError(f"{path} holds no conversation: {error}") from error
    return Conversation.from_messages(messages)
