"""A server of known times: what it sends, and when, is told beforehand, so a client can be checked.

`python -m tgicli.bench.fake --ttft-ms 200 --gap-ms 20` runs it; FakeServer runs it in a process of
its own for the length of a block. It speaks TGI's /generate and /generate_stream and OpenAI's
/v1/chat/completions and /v1/completions; /info, /v1/models, /health and /tokenize answer, and
/stats and /times tell how late its own writes were, so that a client's share can be told from the
server's.

Every option can be changed for one request: in the URL (`?gap_ms=50`) or by words in the prompt
(`[fake gap_ms=50 fault=cut]`). A prompt's tokens are its words. Its nonce, with which
the answer begins, is its first number of eight digits, or else its first word.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import subprocess
import sys
import urllib.request
from types import TracebackType
from typing import Any, Self

from tgicli.bench.fake.options import FakeOptions
from tgicli.bench.fake.reply import Times
from tgicli.errors import TgicliError

_EXIT_S = 5.0


class FakeServer:
    """The fake server in a process of its own, for the length of a block.

    It ends when this process does, however that ends.
    """

    def __init__(self, options: FakeOptions | None = None) -> None:
        self.options = options or FakeOptions()
        self.url = ""

    def __enter__(self) -> Self:
        """Start it; it answers when this returns."""
        flags = [flag for pair in self.options.texts() for flag in (_flag(pair[0]), pair[1])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tgicli.bench.fake", "--with-stdin", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().decode().strip()
        if not self.url:
            self._stop()
            raise TgicliError(
                f"the fake server ended at once, with status {self._process.returncode}"
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it."""
        self._stop()

    def stats(self) -> dict[str, Any]:
        """Ask what it saw; blocks. late_ms is that of its writes since it was asked last."""
        told: dict[str, Any] = self._ask("/stats")
        return told

    def times(self) -> dict[str, Times]:
        """Ask when it wrote what, by nonce, since it was asked last; blocks. See keeps_times."""
        return {told["nonce"]: Times(**told) for told in self._ask("/times")}

    def _ask(self, page: str) -> Any:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.url}{page}", timeout=_EXIT_S) as answer:
            return json.load(answer)

    def _stop(self) -> None:
        with self._process as process:  # closes its pipes, and so ends it
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(_EXIT_S)
            except subprocess.TimeoutExpired:
                process.kill()


async def serve(options: FakeOptions, host: str, port: int, *, ends_with_stdin: bool) -> None:
    """Print the URL, then serve until stdin ends, or until cancelled."""
    from tgicli.bench.fake.http import Connection
    from tgicli.bench.fake.reply import Desk

    loop = asyncio.get_running_loop()
    desk = Desk(loop, options)
    server = await loop.create_server(lambda: Connection(desk), host, port, backlog=1024)
    async with server:
        bound_host, bound_port = server.sockets[0].getsockname()[:2]
        print(f"http://{bound_host}:{bound_port}", flush=True)
        gc.freeze()
        if not ends_with_stdin:
            await loop.create_future()
        ended = asyncio.Event()
        loop.add_reader(sys.stdin.fileno(), ended.set)  # nobody writes there: it is its end
        await ended.wait()
        loop.remove_reader(sys.stdin.fileno())


def main() -> None:
    """Read the command line and serve."""
    from tgicli.bench.fake.reply import new_loop

    made = argparse.ArgumentParser(
        prog="python -m tgicli.bench.fake",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--host", default="127.0.0.1", help="(default: %(default)s)")
    made.add_argument("--port", type=int, default=0, help="(default: a free one)")
    made.add_argument("--with-stdin", action="store_true", help="end when stdin ends")
    for name, words in FakeOptions.helps():
        made.add_argument(_flag(name), metavar="X", help=words, default=argparse.SUPPRESS)
    told = vars(made.parse_args())
    address = [told.pop(name) for name in ("host", "port", "with_stdin")]
    try:
        options = FakeOptions().changed(told.items())
    except TgicliError as error:
        made.error(str(error))
    with asyncio.Runner(loop_factory=new_loop) as runner, contextlib.suppress(KeyboardInterrupt):
        runner.run(serve(options, address[0], address[1], ends_with_stdin=address[2]))


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
