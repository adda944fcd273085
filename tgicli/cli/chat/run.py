"""Open what answers, and hold a conversation with it: what `tgicli chat` does once it is checked.

Called on the main thread; runs the event loop. A model in this process begins to load before
anything else is imported.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tgicli.cli.chat.options import ChatOptions
from tgicli.cli.local import Loading, find_model, loading_model
from tgicli.cli.warm import servers_are_there, servers_with
from tgicli.ui.held_status import HeldStatus
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.backends.endpoint import RemoteOptions
    from tgicli.cli.chat.session import Opened, Opening

_HINT = " (-m chooses another)"


def run_chat(options: ChatOptions, terminal: Terminal) -> None:
    """Hold a conversation."""
    status = HeldStatus(terminal)
    try:
        if options.remote is not None:
            _run_remotely(options, options.remote, terminal, status)
        elif sockets := _warm_sockets(options):
            _run_warmly(options, sockets, terminal, status)
        else:
            _run_locally(options, terminal, status)
    finally:
        status.clear()


def _warm_sockets(options: ChatOptions) -> list[Path]:
    """Return where servers of the user's may have the model loaded."""
    if not options.may_be_warm or not servers_are_there():
        return []
    there = servers_with(options.loading)
    return [] if there is None else there[1]


def _run_warmly(
    options: ChatOptions, sockets: list[Path], terminal: Terminal, status: HeldStatus
) -> None:
    from tgicli.cli.chat.loop import converse
    from tgicli.cli.loop import run

    find_model(options.loading, terminal, status, quiet=options.quiet, hint=_HINT)  # says which
    if terminal.stdin_is_terminal:
        status.hold()
    with ExitStack() as stack:

        async def open_here() -> Opened:
            here = loading_model(options.loading, terminal, status, quiet=True)
            loading = stack.enter_context(here)
            return await _open_local(loading, options)

        run(converse(options, terminal, status, _open_warm(sockets, open_here)))


async def _open_warm(sockets: list[Path], open_here: Opening) -> Opened:
    """Take the first server that answers; what it refuses later is left to a model here."""
    from tgicli.cli.chat.session import Opened, forget
    from tgicli.cli.generate.warm_answer import reached

    for path in sockets:
        if (backend := await reached(path)) is not None:
            return Opened(backend, forget, instead=open_here)
    return await open_here()


def _run_locally(options: ChatOptions, terminal: Terminal, status: HeldStatus) -> None:
    with loading_model(options.loading, terminal, status, quiet=options.quiet) as loading:
        if terminal.stdin_is_terminal:
            status.hold()  # the line is where a question is typed
        from tgicli.cli.chat.loop import converse
        from tgicli.cli.loop import run

        run(converse(options, terminal, status, _open_local(loading, options)))


async def _open_local(loading: Loading, options: ChatOptions) -> Opened:
    """Wait for the model; what the engine imports is imported beside it, on the loader's thread."""
    from asyncio import wrap_future

    model = await wrap_future(loading.future)
    from tgicli.cli.chat.local import open_local

    return await open_local(model, options.loading)


def _run_remotely(
    options: ChatOptions, remote: RemoteOptions, terminal: Terminal, status: HeldStatus
) -> None:
    from tgicli.cli.chat.loop import converse
    from tgicli.cli.loop import run

    run(converse(options, terminal, status, _open_remote(options, remote, terminal, status)))


async def _open_remote(
    options: ChatOptions, remote: RemoteOptions, terminal: Terminal, status: HeldStatus
) -> Opened:
    """Prepare; nothing is sent yet. What a server keeps of a conversation is its own business."""
    from tgicli.backends.remote import RemoteBackend
    from tgicli.backends.retrying import Retry, RetryPolicy
    from tgicli.cli.chat.session import Opened, forget
    from tgicli.cli.endpoint import announce

    def on_retry(retry: Retry) -> None:
        status.clear()
        if not options.quiet:
            announce(retry, terminal)

    policy = RetryPolicy(n_retries=options.n_retries)
    return Opened(RemoteBackend(remote, retries=policy, on_retry=on_retry), forget)
