"""A client library in a process of its own: calls go there as JSON, and what they give comes back.

So two versions of one library, and two languages, are tested side by side by the same tests. The
other end is caller.py or node/caller.mjs; the tests' own process imports no client.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE_S = 120.0  # a call that takes longer hangs; its process is killed


class Raised(Exception):
    """What a call raised: the names of its classes, the most special one first."""

    def __init__(self, classes: Sequence[str], message: str) -> None:
        super().__init__(f"{classes[0]}: {message}")
        self.classes = classes
        self.message = message


@dataclass(frozen=True, slots=True)
class Library:
    """A running library."""

    process: subprocess.Popen[str]

    def new(self, name: str, *made_of: object, **made_with: object) -> Client:
        """Describe a client: a class of the library and what it is made of."""
        return Client(self, {"name": name, "made_of": made_of, "made_with": made_with})

    def ask(self, request: Mapping[str, object]) -> Any:
        """Pass a request on and wait for its answer. Raises Raised if the call raised."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        watchdog = threading.Timer(PATIENCE_S, self.process.kill)
        watchdog.start()
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        finally:
            watchdog.cancel()
        assert line, "the client's process died, or hung and was killed; see its stderr"
        answer = json.loads(line)
        if "raised" in answer:
            raise Raised(answer["raised"], answer["message"])
        return answer["value"]


@dataclass(frozen=True, slots=True)
class Client:
    """One client of a library, made anew for each call."""

    library: Library
    made: dict[str, object] = field(default_factory=dict)

    def call(self, method: str, *arguments: object, **named: object) -> Any:
        """Return what the method gives; all items of a stream as a list."""
        return self.first(None, method, *arguments, **named)

    def first(self, n_items: int | None, method: str, *arguments: object, **named: object) -> Any:
        """Return a stream's first items; the client leaves the stream there."""
        call = {"method": method, "arguments": arguments, "named": named, "n_items": n_items}
        return self.library.ask(self.made | call)


@contextmanager
def running_library(command: Sequence[str], packages: Path | None) -> Iterator[Library]:
    """Start a caller; Python packages in a folder come before those installed."""
    environ = os.environ | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    if packages is not None:
        environ["PYTHONPATH"] = str(packages)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environ) as process:
        try:
            yield Library(process)
        finally:
            process.kill()
