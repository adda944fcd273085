"""Where a question is typed: the one place that knows prompt_toolkit, so importing it is slow.

Used by `chat` on its event loop, and between answers only: it reads keys and paints one question,
which stays on the screen. Asks the terminal nothing: a slow one would answer into the question.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO, cast

from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import CompleteStyle, PromptSession
from prompt_toolkit.styles import Style

from tgicli.ui.multiline import goes_on, next_line
from tgicli.ui.painting import ERASE_BELOW
from tgicli.ui.terminal import Terminal, harmless

PROMPT, CONTINUATION = "> ", "  "
HINT = "a question, or /help"
HINT_TO_LEAVE = "Ctrl-D or /quit leaves"
_STYLE = Style.from_dict({"prompt": "bold", "hint": "ansibrightblack"})


class Editor:
    """Reads questions: with history, over several lines, commands completed by Tab."""

    def __init__(
        self,
        terminal: Terminal,
        commands: Mapping[str, bool],  # e.g. /save: whether a file's name follows
        history: Path | None,
    ) -> None:
        """Take the terminal; None keeps a history for this run only."""
        self._terminal = terminal
        self._hint = HINT
        has_colour = terminal.stdout_has_colour
        self._session: PromptSession[str] = PromptSession(
            [("class:prompt", PROMPT)],
            multiline=True,
            prompt_continuation=CONTINUATION,
            placeholder=self._placeholder,
            completer=_Commands(commands),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            reserve_space_for_menu=0,
            enable_suspend=True,
            enable_open_in_editor=True,
            erase_when_done=True,
            tempfile_suffix=".md",
            style=_STYLE,
            color_depth=ColorDepth.DEPTH_4_BIT if has_colour else ColorDepth.DEPTH_1_BIT,
            history=_open_history(history, terminal),
            key_bindings=self._bindings(),
            input=_input(terminal),
            output=_output(terminal),
        )

    async def read(self, beginning: str = "") -> str | None:
        """Let a question be typed, from what it begins with; None: the end was typed."""
        try:
            # Signals are the caller's: here Ctrl-C is a key.
            return await self._session.prompt_async(default=beginning, handle_sigint=False)
        except EOFError:
            return None
        finally:
            self._leave_on_screen(self._session.default_buffer.text)

    def _leave_on_screen(self, question: str) -> None:
        """Print all of it: what was painted while it was typed is no more than the window holds."""
        text = harmless(question).replace("\n", f"\n{CONTINUATION}")
        self._session.app.print_text([("class:prompt", PROMPT), ("", f"{text}\n")])

    def _placeholder(self) -> StyleAndTextTuples:
        return [("class:hint", self._hint)]

    def _bindings(self) -> KeyBindings:
        bindings, typing = KeyBindings(), has_focus(DEFAULT_BUFFER)

        @bindings.add("enter", filter=typing)
        def _enter(event: KeyPressEvent) -> None:
            self._enter(event)

        @bindings.add("escape", "enter", filter=typing)
        def _break_line(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @bindings.add(Keys.BracketedPaste, filter=typing)
        def _paste(event: KeyPressEvent) -> None:
            lines = event.data.replace("\r\n", "\n").replace("\r", "\n")
            event.current_buffer.insert_text(lines.rstrip("\n"))  # or the cursor leaves the text

        @bindings.add("c-c", filter=typing)
        def _clear(event: KeyPressEvent) -> None:
            self._hint = HINT if event.current_buffer.text else HINT_TO_LEAVE
            event.current_buffer.reset()

        @bindings.add("c-d", filter=typing & Condition(lambda: not get_app().current_buffer.text))
        def _leave(event: KeyPressEvent) -> None:
            event.app.exit(exception=EOFError)

        return bindings

    def _enter(self, event: KeyPressEvent) -> None:
        """End the question, unless it goes on."""
        buffer = event.current_buffer
        if goes_on(buffer.text):
            text = next_line(buffer.text)
            buffer.document = Document(text, len(text))
        elif buffer.text.strip():
            self._hint = ""
            buffer.validate_and_handle()
        else:
            buffer.reset()


def _input(terminal: Terminal) -> Vt100Input:
    assert terminal.stdin is not None
    return Vt100Input(cast(TextIO, terminal.stdin))


def _output(terminal: Terminal) -> Vt100_Output:
    """Paint on stdout, or on stderr while the answers go elsewhere."""
    to_stdout = terminal.stdout_is_terminal
    stream = terminal.stdout if to_stdout else terminal.stderr
    assert stream is not None

    def size() -> Size:
        found = terminal.size() if to_stdout else terminal.stderr_size()
        return Size(rows=found.lines, columns=found.columns)

    return _Output(cast(TextIO, stream), size, term=os.environ.get("TERM"), enable_cpr=False)


class _Output(Vt100_Output):
    """Erases so that nothing moves."""

    def erase_down(self) -> None:
        """Erase all behind the cursor, which is at the beginning of a line."""
        self.write_raw(ERASE_BELOW)


class _Commands(Completer):
    """Completes a command's name, and the file's name behind it."""

    def __init__(self, commands: Mapping[str, bool]) -> None:
        self._commands = commands
        self._files = PathCompleter(expanduser=True)

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """Yield what may stand at the cursor."""
        command, blank, rest = document.text_before_cursor.partition(" ")
        if not blank and command.startswith("/"):
            names = (name for name in self._commands if name.startswith(command))
            yield from (Completion(name, -len(command)) for name in names)
        elif self._commands.get(command):
            yield from self._files.get_completions(Document(rest), complete_event)


def _open_history(path: Path | None, terminal: Terminal) -> History:
    """Open the file, for nobody else to read; without it, say so and keep what is typed in mind."""
    if path is None:
        return InMemoryHistory()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(fd):
            os.fchmod(fd, 0o600)  # it may be older than this rule
    except OSError as error:
        terminal.say(f"the questions are not kept in {path}: {error.strerror}")
        return InMemoryHistory()
    return _History(path, terminal)


class _History(FileHistory):
    """Questions in a file; one that can't be written is said once, and ends nothing."""

    def __init__(self, path: Path, terminal: Terminal) -> None:
        super().__init__(path)
        self._terminal = terminal
        self._has_complained = False

    def store_string(self, string: str) -> None:
        """Add a question to the file."""
        try:
            super().store_string(string)
        except OSError as error:
            if not self._has_complained:
                self._terminal.say(f"the questions are no longer kept: {error.strerror}")
            self._has_complained = True
