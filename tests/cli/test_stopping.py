"""Ctrl-Z, with a real shell's jobs on a pseudo-terminal."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.cli.chat.chatting import CTRL_Z, ENTER, Chatting
from tests.faulty import chat_event, chunk, head, serving, stall


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_the_shell_gets_a_clean_line_and_what_was_painted_comes_back(tmp_path: Path) -> None:
    text = "# Heading\n\nNone\nof\nthese\nlines\nis **finish"
    script = [head(), chunk(chat_event(content=text)), stall]
    shell = ["bash", "--norc", "--noprofile", "-i"]
    with (
        serving(script) as server,
        Chatting(program=shell, state=tmp_path, PS1="$ ", HISTFILE="/dev/null") as bash,
    ):
        bash.wait_for("$")
        asks = f"generate x --endpoint {server.url}/v1/chat/completions"
        bash.type(f"{sys.executable} -m tgicli {asks}{ENTER}")
        bash.wait_for("is **finish")

        bash.type(CTRL_Z)
        rows = bash.wait_until(lambda rows: rows[-1] == "$")
        assert not any(word in row for word in ("None", "these", "finish") for row in rows)
        bash.type(f"echo words{ENTER}")
        bash.wait_until(lambda rows: rows[-2:] == ["words", "$"])
        bash.type(f"fg{ENTER}")
        rows = bash.wait_for("is **finish")

    assert rows.count("Heading") == 1
    assert "words" in rows
