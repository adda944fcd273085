"""Who answers a batch of prompts: a model in this process, sized for them all, or a server.

Used by `job` on the event loop. Each context gives a backend and whether prompts go through the
chat template.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from tgicli.backends.endpoint import RemoteOptions
from tgicli.cli.batch.input import Prompt
from tgicli.cli.batch.options import BatchOptions
from tgicli.cli.local import Loading, context_options
from tgicli.core import Backend, GenerationRequest
from tgicli.errors import RequestError
from tgicli.ui.status import Status
from tgicli.ui.terminal import Terminal
from tgicli.wire.batch import PromptLine

if TYPE_CHECKING:
    from tgicli.engine.prompt import PromptEncoder
    from tgicli.engine.runner import ContextOptions

LARGE_BYTES = 1 << 30  # of a KV cache; worth a word
_N_AT_ONCE = 64  # prompts that are measured without a look at Ctrl-C


@asynccontextmanager
async def local_backend(
    options: BatchOptions,
    prompts: Sequence[Prompt],
    loading: Loading,
    status: Status,
    terminal: Terminal,
) -> AsyncGenerator[tuple[Backend, bool], None]:
    """Give the model that loads, with a lane for each prompt that may be asked at once.

    Raises:
        ModelError: it can't be loaded, or there is no room for the lanes.
    """
    from tgicli.backends.local import LocalBackend
    from tgicli.engine.prompt import PromptEncoder

    model = await asyncio.wrap_future(loading.future)
    encoder = PromptEncoder(model)
    chats = model.chat_template is not None if options.chat is None else options.chat
    requests = list(_requests(prompts, chats))
    context = await _context(options, encoder, requests, status)
    n_bytes = context.kv_bytes(model)
    if n_bytes >= LARGE_BYTES and not options.quiet:
        status.clear()
        terminal.say(
            f"{context.n_lanes} lanes of {context.n_ctx:,} tokens take {n_bytes / 2**30:,.1f} GiB; "
            f"a smaller --concurrency, --max-new-tokens or --ctx-size takes less"
        )
    backend = await LocalBackend.open(encoder, context)
    async with aclosing(backend):
        status.clear()
        yield backend, chats


@asynccontextmanager
async def remote_backend(
    options: BatchOptions, remote: RemoteOptions
) -> AsyncGenerator[tuple[Backend, bool], None]:
    """Give the server. It is asked again by us alone: all prompts share what it refuses."""
    from tgicli.backends.remote import RemoteBackend
    from tgicli.backends.retrying import RetryPolicy

    chats = remote.prefers_chat if options.chat is None else options.chat
    async with aclosing(RemoteBackend(remote, retries=RetryPolicy(n_retries=0))) as backend:
        yield backend, chats


def _requests(prompts: Sequence[Prompt], chats: bool) -> Iterator[GenerationRequest]:
    """Yield what can be asked; the rest fails by itself when its turn comes."""
    for prompt in prompts:
        if isinstance(prompt.line, PromptLine):
            try:
                yield prompt.line.to_request("size", chats=chats)
            except RequestError:
                continue


async def _context(
    options: BatchOptions,
    encoder: PromptEncoder,
    requests: Sequence[GenerationRequest],
    status: Status,
) -> ContextOptions:
    """Size the lanes for the longest prompt with its answer."""
    n_longest, is_open = 0, False
    for start in range(0, len(requests), _N_AT_ONCE):
        status.show(f"measuring the prompts {start:,}/{len(requests):,}")
        some = requests[start : start + _N_AT_ONCE]
        n_longest = max(n_longest, await asyncio.to_thread(_longest, encoder, some))
        is_open = is_open or any(request.params.max_new_tokens is None for request in some)
    n_runs = sum(request.best_of for request in requests)
    return context_options(
        options.loading,
        encoder.model,
        n_prompt=max(n_longest, 1),  # 0 if none can be asked, and to llama.cpp 0 is all it can
        max_new_tokens=None if is_open else 0,  # counted already
        n_lanes=max(min(options.concurrency, n_runs), 1),
    )


def _longest(encoder: PromptEncoder, requests: Sequence[GenerationRequest]) -> int:
    """Return how many tokens the longest prompt and its answer have."""
    return max(_n_tokens(encoder, request) for request in requests)


def _n_tokens(encoder: PromptEncoder, request: GenerationRequest) -> int:
    try:
        n_prompt = len(encoder.encode(request))
    except RequestError:  # its own failure, when its turn comes
        return 0
    return n_prompt + (request.params.max_new_tokens or 0)
