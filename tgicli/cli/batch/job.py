"""Answer a file of prompts: what `tgicli generate --input` does once its options are checked.

Called on the main thread; runs the event loop. Prompts are read and the answers' file is opened,
locked and compared first: what is wrong there is said before anything is loaded or sent.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tgicli.cli.batch.input import Prompt, read_prompts, settings_digest
from tgicli.cli.batch.options import BatchOptions
from tgicli.cli.batch.resume import resume
from tgicli.cli.signals import Terminated
from tgicli.errors import RequestError, TgicliError
from tgicli.ui.status import Status
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.backends.endpoint import RemoteOptions
    from tgicli.cli.batch.output import AnswerFile
    from tgicli.cli.batch.run import Answers, Tally
    from tgicli.core import Backend

MAX_LISTED = 10  # failures


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be done, and all that it needs."""

    options: BatchOptions
    terminal: Terminal
    answers: Answers
    prompts: Sequence[Prompt]
    tally: Tally


def batch(options: BatchOptions, terminal: Terminal) -> None:
    """Answer all prompts that have no answer yet.

    Raises:
        TgicliError: some got none; its kind is that of the failure with the greatest exit status.
    """
    prompts = _read(options, terminal)
    if options.output is None:
        _to_stdout(options, prompts, terminal)
    else:
        from tgicli.cli.batch.output import AnswerFile

        with contextlib.closing(AnswerFile(options.output)) as file:
            _to_file(options, file, prompts, terminal)


def _read(options: BatchOptions, terminal: Terminal) -> list[Prompt]:
    common, loading, remote = options.common, options.loading, options.remote
    settings = settings_digest(
        common.params,
        system=common.system,
        truncate=common.truncate,
        best_of=common.best_of if common.best_of > 1 else None,
        chat="" if options.chat is None else str(options.chat),
        model=loading.model if remote is None else _name_of(remote),  # as it is asked for
        lora=[] if remote else [(str(lora.path), lora.scale) for lora in loading.lora],
    )
    return read_prompts(
        options.input, options.format, common, terminal, settings=settings, quiet=options.quiet
    )


def _name_of(remote: RemoteOptions) -> str:
    """Name what answers: a model may be anywhere, and without its name there is the address."""
    return remote.model or f"{remote.endpoint.shown}{remote.endpoint.path}"


def _to_stdout(options: BatchOptions, prompts: list[Prompt], terminal: Terminal) -> None:
    from tgicli.cli.batch.run import Tally
    from tgicli.cli.batch.stream import AnswerStream

    tally = Tally(len(prompts))
    stream = AnswerStream(terminal, in_order=options.in_order)
    with contextlib.closing(stream):
        _ask_all(_Work(options, terminal, stream, prompts, tally))
    _raise_failures(tally, terminal, resumes=False)


def _to_file(
    options: BatchOptions, file: AnswerFile, prompts: list[Prompt], terminal: Terminal
) -> None:
    from tgicli.cli.batch.run import Tally

    assert options.output is not None
    rest = resume(file, prompts, options.earlier, options.output)
    tally = Tally(len(prompts), n_answered=len(prompts) - len(rest))
    if tally.n_answered and not options.quiet:
        terminal.say(f"{_so_far(tally)} in {options.output}")
    try:
        _ask_all(_Work(options, terminal, file, rest, tally))
    except (TgicliError, KeyboardInterrupt, Terminated):
        tally.n_answered = file.n_answers  # those that did not hear of the disk any more, too
        if not options.quiet:
            terminal.say(
                f"{_so_far(tally)} in {options.output}; the same command goes on with the rest"
            )
        raise
    if options.in_order:
        file.sort()
    _raise_failures(tally, terminal, resumes=True)


def _so_far(tally: Tally) -> str:
    return f"{tally.n_answered:,} of {tally.n_prompts:,} prompts are answered"


def _ask_all(work: _Work) -> None:
    """Ask these prompts, and say how it went."""
    if not work.prompts:
        return
    tally = work.tally
    began_s, n_before = time.monotonic(), tally.n_answered
    if work.options.remote is not None:
        _ask_remotely(work, work.options.remote)
    else:
        _ask_locally(work)
    if work.options.stats:
        took_s = time.monotonic() - began_s
        n_new = tally.n_answered - n_before
        work.terminal.say(
            f"{n_new:,} prompt{'' if n_new == 1 else 's'} answered in {took_s:,.1f} s: "
            f"{tally.n_tokens:,} tokens, {tally.n_tokens / took_s:,.1f} tokens/s"
        )


def _ask_locally(work: _Work) -> None:
    from tgicli.cli.local import loading_model

    options, terminal = work.options, work.terminal
    status = Status(terminal)
    with loading_model(
        options.loading, terminal, status, quiet=options.quiet, n_lanes=options.concurrency
    ) as loading:
        from tgicli.cli.batch.backend import local_backend
        from tgicli.cli.loop import run

        async def ask() -> None:
            opened = local_backend(options, work.prompts, loading, status, terminal)
            async with opened as (backend, chats):
                await _run(work, backend, chats=chats)

        run(ask())


def _ask_remotely(work: _Work, remote: RemoteOptions) -> None:
    from tgicli.cli.batch.backend import remote_backend
    from tgicli.cli.loop import run

    async def ask() -> None:
        async with remote_backend(work.options, remote) as (backend, chats):
            await _run(work, backend, chats=chats)

    run(ask())


async def _run(work: _Work, backend: Backend, *, chats: bool) -> None:
    from tgicli.cli.batch.run import BatchRun, RunOptions
    from tgicli.cli.batch.watching import watched
    from tgicli.cli.batch.window import Window

    options, terminal = work.options, work.terminal
    window = Window(options.concurrency)
    how = RunOptions(
        chats=chats,
        patience_s=options.patience_s,
        timeout_s=options.timeout_s,
        stops_at_failure=options.stops_at_failure,
    )
    # On one terminal the answers would run into the bar.
    is_silent = options.quiet or (options.output is None and terminal.stdout_is_terminal)
    with contextlib.nullcontext() if is_silent else watched(work.tally, window, terminal):
        await BatchRun(backend, work.answers, work.tally, window, how).run(work.prompts)


def _raise_failures(tally: Tally, terminal: Terminal, *, resumes: bool) -> None:
    """List what failed, if anything did; resumes: the next run leaves out what is answered.

    Raises:
        TgicliError: something did; see `batch`.
    """
    failures = sorted(tally.failures, key=lambda failure: failure[0].key.index)
    if not failures:
        return
    for prompt, error in failures[:MAX_LISTED]:
        terminal.say(f"{prompt.name}: {error}")
    if len(failures) > MAX_LISTED:
        terminal.say(f"... and {len(failures) - MAX_LISTED:,} more")
    worst = max((error for _, error in failures), key=lambda error: error.exit_status)
    advice = ""
    if resumes:
        are_all_bad = all(isinstance(prompt.line, RequestError) for prompt, _ in failures)
        advice = "; mend those lines, then" if are_all_bad else ";"
        advice += " the same command asks them again"
    raise type(worst)(f"{len(failures):,} of {tally.n_prompts:,} prompts failed{advice}")
