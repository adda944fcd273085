"""Run a bench from its options to its exit status.

Called by the command on the main thread; runs the event loop. Models are found, and files to be
written are looked at, before anything is started. When Ctrl-C ends it early, what was measured is
shown all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Coroutine, Iterator
from typing import TYPE_CHECKING

from tgicli.cli.bench.options import BenchOptions, Sweeping
from tgicli.cli.bench.outputs import check_outputs
from tgicli.cli.bench.target import LocalTarget, RemoteTarget, Target
from tgicli.cli.loop import run
from tgicli.errors import TgicliError
from tgicli.ui.status import Status
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.backends.endpoint import RemoteOptions
    from tgicli.cli.bench.findings import Findings
    from tgicli.cli.bench.runs import Bench

N_SWEPT = 10  # points of a search, about: so long each of them is measured


def run_job(options: BenchOptions, terminal: Terminal) -> int:
    """Do what the options say; return the exit status.

    Raises:
        TgicliError: nothing could be measured.
        KeyboardInterrupt: it was ended early; what was measured is shown.
    """
    began_s = time.monotonic()
    check_outputs(options.output)
    options = _with_models(options, terminal)
    with _fake(options) as fake:
        return run(_run(options, fake, began_s, terminal))


def _with_models(options: BenchOptions, terminal: Terminal) -> BenchOptions:
    """Find the models' files, in a hub if need be."""
    target = _found(options.target, options, terminal)
    other = options.other and _found(options.other, options, terminal)
    return dataclasses.replace(options, target=target, other=other)


def _found(target: Target, options: BenchOptions, terminal: Terminal) -> Target:
    if not isinstance(target, LocalTarget):
        return target
    from tgicli.cli.local import find_model

    found = find_model(target.loading, terminal, Status(terminal), quiet=options.output.quiet)
    return dataclasses.replace(target, path=found.path, name=found.name)


@contextlib.contextmanager
def _fake(options: BenchOptions) -> Iterator[RemoteOptions | None]:
    """Give a server of known times, where this client's floor is to be measured."""
    if not options.measuring.floor or not isinstance(options.target, RemoteTarget):
        yield None
        return
    from tgicli.cli.bench.selftest import fake_server

    with fake_server() as fake:
        yield fake


async def _run(
    options: BenchOptions, fake: RemoteOptions | None, began_s: float, terminal: Terminal
) -> int:
    from tgicli.cli.bench.asking import asking_of
    from tgicli.cli.bench.budget import Budget
    from tgicli.cli.bench.findings import Findings, show
    from tgicli.cli.bench.load_process import load_process
    from tgicli.cli.bench.runs import Bench
    from tgicli.cli.bench.screen import Screen

    asking = asking_of(options)
    screen = Screen(terminal, is_quiet=options.output.quiet, is_live=options.output.live)
    n_points = N_SWEPT if isinstance(options.plan, Sweeping) else len(options.plan)
    budget = Budget(began_s, n_points * options.measuring.repeat)
    found = Findings()
    with contextlib.closing(screen):
        async with load_process() as process:
            bench = Bench(options, asking, process, screen, budget, fake)
            ending = await _ending(_measure(bench, found)) or process.interruption
    if process.words and not options.output.quiet:
        terminal.say(f"the process that makes the load said:\n{process.words}")
    status = show(bench, found, terminal)
    if ending is not None:
        raise ending
    return status


async def _ending(
    work: Coroutine[object, object, None],
) -> asyncio.CancelledError | TgicliError | None:
    """Do it; return what ended it early, if something did: there may be something to show."""
    try:
        await work
    except TgicliError as error:
        return error
    except asyncio.CancelledError as interruption:
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
        return interruption
    return None


async def _measure(bench: Bench, found: Findings) -> None:
    """Do what is wanted, and put what comes of it into found while it comes."""
    from tgicli.cli.bench import checking, llama_bench_rows, sweeping, versus

    options = bench.options
    await bench.prepare()
    if options.measuring.llama_bench_rows:
        found.rows = await llama_bench_rows.measure_rows(bench)
    if options.compares_streaming:
        found.streaming = await versus.compare_streaming(bench)
    elif options.other is not None:
        found.paired = await versus.compare_targets(bench)
    elif isinstance(options.plan, Sweeping):
        search = sweeping.find_max if options.plan.finds_max else sweeping.sweep
        found.words.append(await search(bench))
    else:
        await bench.measure_planned()
    if options.checks_text and bench.process.is_stopped:
        found.words.append("the text was not checked: it was ended, or time was up")
    elif options.checks_text:
        found.check = await checking.check_text(bench)
