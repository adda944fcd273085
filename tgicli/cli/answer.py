"""Answer one prompt on a local model: what `tgicli generate` does once its options are checked.

Called on the main thread; runs the event loop. Everything happens in the order in which a user sees
it: the model loads, the prompt is computed, tokens come, the last words go to stderr.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tgicli.cli.generate import GenerateOptions
from tgicli.cli.local import Loading, context_options, start_loading
from tgicli.core import Finish, FinishReason, GenerationRequest, Message, Progress
from tgicli.ui.status import Status
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.backends.local import LocalBackend
    from tgicli.cli.output import Sink
    from tgicli.engine.model import Model

REQUEST_ID = "generate"
MAX_LANES = 8  # of --best-of runs at once


def answer(options: GenerateOptions, terminal: Terminal) -> None:
    """Load the model, stream the answer, say how it went."""
    status = Status(terminal)
    loading = start_loading(options.loading, terminal, status, quiet=options.quiet)
    try:
        from tgicli.cli.loop import run  # asyncio is imported while the weights load

        finish = run(_answer(options, terminal, status, loading))
    finally:
        status.clear()
        loading.close()
    _last_words(options, terminal, finish)


async def _answer(
    options: GenerateOptions, terminal: Terminal, status: Status, loading: Loading
) -> Finish:
    from asyncio import wrap_future
    from contextlib import aclosing

    from tgicli.cli.output import open_sink

    model = await wrap_future(loading.future)
    request = _request(options, model)
    backend = await _open_backend(options, model, request)
    async with aclosing(backend):
        status.clear()
        sink = open_sink(options, terminal)
        try:
            return await _stream(backend, request, sink, status)
        finally:
            sink.close()


def _request(options: GenerateOptions, model: Model) -> GenerationRequest:
    """Return the request: a conversation when it is wanted, or by itself if the model can chat."""
    chats = model.chat_template is not None if options.chat is None else options.chat
    return GenerationRequest(
        id=REQUEST_ID,
        prompt=_messages(options) if chats else options.prompt,
        params=options.params,
        truncate=options.truncate,
        best_of=options.best_of,
    )


def _messages(options: GenerateOptions) -> tuple[Message, ...]:
    question = Message("user", options.prompt)
    if options.system is None:
        return (question,)
    return (Message("system", options.system), question)


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
    return await LocalBackend.open(encoder, context, prefix_reuse=options.loading.prefix_reuse)


async def _stream(
    backend: LocalBackend, request: GenerationRequest, sink: Sink, status: Status
) -> Finish:
    from contextlib import aclosing

    async with aclosing(backend.generate(request)) as events:
        async for event in events:
            match event:
                case Progress():
                    if event.n_computed:
                        status.show(f"prompt {event.n_computed:,}/{event.n_prompt_tokens:,} tokens")
                    continue
                case Finish():
                    status.clear()
                    sink.write(event)
                    return event
            status.clear()
            sink.write(event)
    raise AssertionError("a stream ends with Finish or raises")


def _last_words(options: GenerateOptions, terminal: Terminal, finish: Finish) -> None:
    """Say on stderr what the answer itself can't."""
    is_full = finish.reason is FinishReason.LENGTH and options.params.max_new_tokens is None
    if is_full and not options.quiet:
        n_ctx = finish.n_prompt_tokens + finish.n_generated_tokens
        terminal.say(f"the answer was cut off: the context of {n_ctx:,} tokens is full")
    if options.stats:
        terminal.say(stats_line(finish))


def stats_line(finish: Finish) -> str:
    """Say in one line what was computed, how fast and with which seed."""
    n_computed = finish.n_prompt_tokens - finish.n_cached_tokens
    n_decoded = finish.n_generated_tokens - 1  # the first one comes out of the prompt
    parts = [
        f"prompt {finish.n_prompt_tokens:,} tokens ({finish.n_cached_tokens:,} cached) "
        f"in {finish.prefill_s:.2f} s{_rate(n_computed, finish.prefill_s)}",
        f"answer {finish.n_generated_tokens:,} tokens "
        f"in {finish.decode_s:.2f} s{_rate(n_decoded, finish.decode_s)}",
        f"ended by {finish.reason}",
    ]
    if finish.seed is not None:
        parts.append(f"seed {finish.seed}")
    return "; ".join(parts)


def _rate(count: int, seconds: float) -> str:
    return f", {count / seconds:,.1f} tokens/s" if count > 0 and seconds > 0 else ""
