"""The answers of `generate --input` on stdout: nothing there can be gone on from later.

Used by `job` on the event loop; a thread waits for a slow reader.
"""

from __future__ import annotations

import asyncio

from tgicli.ui.terminal import Terminal


class AnswerStream:
    """Lines on their way to stdout, in the order of the prompts or as they come."""

    def __init__(self, terminal: Terminal, *, in_order: bool) -> None:
        self._terminal = terminal
        self._in_order = in_order
        self._next = 0  # the prompt whose line is written next
        # Lines that are there before their turn. No more than there are prompts, which are all in
        # memory anyway: a bound would let the lanes of quick answers wait for a slow one.
        self._early: dict[int, bytes] = {}
        self._writing = asyncio.Lock()

    async def write(self, index: int, line: bytes) -> None:
        """Write a line, and those that waited for it.

        Raises:
            BrokenPipeError: nobody reads them any more.
            StreamBroken: they can't be written.
        """
        self._early[index] = line
        async with self._writing:
            if lines := self._due():
                await asyncio.to_thread(self._terminal.write_stdout, lines)

    def close(self) -> None:
        """Write what waits for lines that will not come. Raises as write."""
        lines = b"".join(line for _, line in sorted(self._early.items()))
        self._early.clear()
        if lines:
            self._terminal.write_stdout(lines)

    def _due(self) -> bytes:
        if not self._in_order:
            lines = list(self._early.values())
            self._early.clear()
            return b"".join(lines)
        due = []
        while (line := self._early.pop(self._next, None)) is not None:
            due.append(line)
            self._next += 1
        return b"".join(due)
