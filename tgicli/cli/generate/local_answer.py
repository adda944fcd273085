"""Answer one prompt on a model in this process.

Called by `answer` on the main thread; runs the event loop. Everything happens in the order in which
a user sees it: the model loads, the prompt is computed, tokens come.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from tgicli.cli.generate.options import GenerateOptions
from tgicli.cli.generate.streaming import stream, to_request
from tgicli.cli.local import Loading, context_options, find_model, loading_model
from tgicli.core import GenerationRequest, Run
from tgicli.errors import DeadlineExceeded
from tgicli.ui.status import Status
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.backends.local import LocalBackend
    from tgicli.engine.model import Model

MAX_LANES = 8  # of --best-of runs at once


def answer_locally(options: GenerateOptions, terminal: Terminal) -> Run | None:
    """Load the model and stream the answer; with --dry-run, print the prompt and return None."""
    status, begun = Status(terminal), time.monotonic()
    _download(options, terminal)
    n_lanes = min(options.best_of, MAX_LANES)
    with loading_model(
        options.loading, terminal, status, quiet=options.quiet, n_lanes=n_lanes, brief=True
    ) as loading:
        from tgicli.cli.loop import run  # asyncio is imported while the weights load

        return run(
            _answer(options, terminal, status, loading),
            timeout_s=options.timeout_s,
            spent_s=time.monotonic() - begun,
        )


def _download(options: GenerateOptions, terminal: Terminal) -> None:
    """Get the model from a hub if need be, while there is time."""
    if options.timeout_s is None:
        return
    from tgicli.cli.waiting import wait_for

    status = Status(terminal)
    find = partial(find_model, options.loading, terminal, status, quiet=True)
    try:
        wait_for(find, options.timeout_s)
    except DeadlineExceeded:
        status.close()
        raise


async def _answer(
    options: GenerateOptions, terminal: Terminal, status: Status, loading: Loading
) -> Run | None:
    from asyncio import wrap_future
    from contextlib import aclosing

    model = await wrap_future(loading.future)
    chats = model.chat_template is not None if options.chat is None else options.chat
    request = to_request(options, chats=chats)
    if options.dry_run:
        status.clear()
        _show_prompt(request, model, terminal)
        await terminal.drain_stdout()
        return None
    backend = await _open_backend(options, model, request)
    async with aclosing(backend):
        status.clear()
        return await stream(backend.generate(request), options, terminal, status)


def _show_prompt(request: GenerationRequest, model: Model, terminal: Terminal) -> None:
    """Print the prompt as the model would see it; on a terminal, made harmless."""
    from tgicli.engine.prompt import PromptEncoder
    from tgicli.ui.live import open_view

    encoder = PromptEncoder(model)
    n_tokens = len(encoder.encode(request))
    view = open_view(terminal, markdown=False, raw=False)
    view.append(encoder.render(request))
    view.close()
    if request.truncate is not None:
        terminal.say(f"the model sees the last {n_tokens:,} tokens of it")


async def _open_backend(
    options: GenerateOptions, model: Model, request: GenerationRequest
) -> LocalBackend:
    """Make a context that is as large as this request needs."""
    from tgicli.backends.local import LocalBackend
    from tgicli.engine.prompt import PromptEncoder, room_for_answer

    encoder = PromptEncoder(model)
    n_prompt, max_new_tokens = len(encoder.encode(request)), request.params.max_new_tokens
    context = context_options(
        options.loading,
        model,
        n_prompt=n_prompt,
        max_new_tokens=max_new_tokens,
        n_lanes=min(request.best_of, MAX_LANES),
    )
    room_for_answer(n_prompt, max_new_tokens, context.n_ctx)  # refused before memory is taken
    return await LocalBackend.open(encoder, context)
