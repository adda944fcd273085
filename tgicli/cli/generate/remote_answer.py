"""Answer one prompt by a remote server.

Called by `answer` on the main thread; runs the event loop. Nothing of the engine is imported, so
this works where llama-cpp-python does not.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tgicli.backends.endpoint import Endpoint, RemoteOptions
from tgicli.cli.endpoint import announce
from tgicli.cli.generate.options import GenerateOptions
from tgicli.cli.generate.streaming import stream, to_request
from tgicli.core import Run
from tgicli.ui.status import Status
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.backends.http import HttpCall


def answer_remotely(
    options: GenerateOptions, remote: RemoteOptions, terminal: Terminal
) -> Run | None:
    """Stream the answer; with --dry-run, print the request and return None."""
    from tgicli.cli.loop import run

    status = Status(terminal)
    try:
        return run(_answer(options, remote, terminal, status), timeout_s=options.timeout_s)
    finally:
        status.clear()


async def _answer(
    options: GenerateOptions, remote: RemoteOptions, terminal: Terminal, status: Status
) -> Run | None:
    from contextlib import aclosing

    from tgicli.backends.remote import RemoteBackend
    from tgicli.backends.retrying import Retry, RetryPolicy

    def on_retry(retry: Retry) -> None:
        status.clear()
        if not options.quiet:
            announce(retry, terminal)

    chats = remote.prefers_chat if options.chat is None else options.chat
    request = to_request(options, chats=chats)
    policy = RetryPolicy(n_retries=options.n_retries)
    async with aclosing(RemoteBackend(remote, retries=policy, on_retry=on_retry)) as backend:
        if options.dry_run:
            call = await backend.describe(request)
            terminal.write_stdout(to_curl(call, remote.endpoint).encode())
            return None
        status.show(f"waiting for {remote.endpoint.shown}")
        return await stream(backend.generate(request), options, terminal, status)


def to_curl(call: HttpCall, endpoint: Endpoint) -> str:
    """Return a request as a command line, an option a line."""
    return (
        " \\\n  ".join(" ".join(map(shlex.quote, words)) for words in _words(call, endpoint)) + "\n"
    )


def _words(call: HttpCall, endpoint: Endpoint) -> Iterator[list[str]]:
    yield ["curl", "-N", call.url]
    if endpoint.socket is not None:
        yield ["--unix-socket", str(endpoint.socket)]
    for name, value in call.headers:
        yield ["-H", f"{name}: {value}"]
    yield ["--data-raw", call.body.decode()]
