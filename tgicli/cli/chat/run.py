"""Open what answers, and hold a conversation with it: what `tgicli chat` does once it is checked.

Called on the main thread; runs the event loop. A model in this process begins to load before
anything else is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tgicli.cli.chat.options import ChatOptions
from tgicli.cli.local import Loading, loading_model
from tgicli.core import GenerationRequest, Token
from tgicli.ui.held_status import HeldStatus
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.backends.endpoint import RemoteOptions
    from tgicli.cli.chat.session import Opened


def run_chat(options: ChatOptions, terminal: Terminal) -> None:
    """Hold a conversation."""
    status = HeldStatus(terminal)
    try:
        if options.remote is None:
            _run_locally(options, terminal, status)
        else:
            _run_remotely(options, options.remote, terminal, status)
    finally:
        status.clear()


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
    from tgicli.cli.chat.session import Opened
    from tgicli.cli.endpoint import announce

    def on_retry(retry: Retry) -> None:
        status.clear()
        if not options.quiet:
            announce(retry, terminal)

    def forget(_request: GenerationRequest, _answer: list[Token]) -> None:
        """Keep nothing: only the server knows tokens."""

    policy = RetryPolicy(n_retries=options.n_retries)
    return Opened(RemoteBackend(remote, retries=policy, on_retry=on_retry), forget)
