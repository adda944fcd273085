"""What all answers of `generate` have in common: the request, and the way to where they are shown.

Called on the event loop by `local_answer`, `warm_answer` and `remote_answer`, who bring the events.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from tgicli.cli.generate.options import GenerateOptions
from tgicli.core import Event, Finish, GenerationRequest, Message, Progress, Run, Token
from tgicli.errors import ConfigError
from tgicli.ui.status import Status
from tgicli.ui.terminal import Terminal


def to_request(options: GenerateOptions, *, chats: bool) -> GenerationRequest:
    """Return the request: a conversation, or the prompt as it is.

    Raises:
        ConfigError: it goes as it is, and --system is lost.
    """
    if options.needs_template and not chats:
        raise ConfigError(
            "--system needs a chat template, and the prompt goes as it is here; leave it out"
        )
    return GenerationRequest(
        id="generate",
        prompt=_messages(options) if chats else options.prompt,
        params=options.params,
        truncate=options.truncate,
        best_of=options.best_of,
        special=options.special,
    )


def _messages(options: GenerateOptions) -> tuple[Message, ...]:
    question = Message("user", options.prompt)
    if options.system is None:
        return (question,)
    return (Message("system", options.system), question)


async def stream(
    events: AsyncGenerator[Event, None],
    options: GenerateOptions,
    terminal: Terminal,
    status: Status,
) -> Run:
    """Write the answer while it comes; return all of it.

    Raises:
        TgicliError: it does not come to its end; what came of it is written.
        BrokenPipeError: nobody reads it any more.
    """
    from contextlib import aclosing, closing

    from tgicli.cli.generate.sink import open_sink

    tokens: list[Token] = []
    finish: Finish | None = None
    with closing(open_sink(options, terminal)) as sink:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Progress):
                    if event.n_computed:
                        status.show(f"prompt {event.n_computed:,}/{event.n_prompt_tokens:,} tokens")
                    continue
                status.clear()
                tokens += event.tokens
                sink.write(event)
                await terminal.drain_stdout()
                if isinstance(event, Finish):
                    finish = event
                    break
    await terminal.drain_stdout()
    assert finish is not None, "a stream ends with Finish or raises"
    return Run(tuple(tokens), finish)
