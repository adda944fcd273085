"""Show what a server does: a panel on a terminal, lines elsewhere.

Used by `serving` on its event loop. Everything goes to stderr; stdout stays empty.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime

from tgicli.cli.serve import ServeOptions
from tgicli.server.access import AccessLine
from tgicli.server.record import Record
from tgicli.server.recording import Report
from tgicli.server.service import Service
from tgicli.ui.panel import Panel, RequestLine, ServerView
from tgicli.ui.terminal import Terminal

REFRESH_S = 0.25
QUIET_PATHS = frozenset({"/health", "/ping", "/metrics"})  # asked every few seconds by machines


@contextlib.asynccontextmanager
async def watch(
    service: Service, options: ServeOptions, terminal: Terminal, url: str
) -> AsyncGenerator[Report, None]:
    """Say that the server is ready; give what is to be told of each request that is over."""
    if options.quiet:
        yield lambda record: None
    elif options.live and terminal.stderr_can_animate and not options.json_output:
        async with _panel(service, terminal, url) as report:
            yield report
    else:
        limits = service.limits
        terminal.say(
            f"serving {service.model_id} on {url}; "
            f"{service.options.max_concurrent_requests} requests at most, "
            f"{limits.max_total_tokens:,} tokens each"
        )
        yield _Log(terminal, as_json=options.json_output).report


@dataclass(slots=True, eq=False)
class _Log:
    """The access log."""

    terminal: Terminal
    as_json: bool

    def report(self, record: Record) -> None:
        """Write one line."""
        if record.path in QUIET_PATHS and record.status == 200:
            return
        line = _access_line(record)
        text = line.to_json() if self.as_json else line.to_text()
        self.terminal.write_stderr(f"{text}\n".encode())


def _access_line(record: Record) -> AccessLine:
    finishes = record.finishes
    return AccessLine(
        time=datetime.now(UTC),
        request_id=record.request_id,
        client=record.client,
        method=record.method,
        path=record.path,
        status=record.status,
        duration_s=record.elapsed_s,
        n_prompt_tokens=record.n_prompt_tokens,
        n_new_tokens=record.n_new_tokens,
        queue_s=max((f.queue_s for f in finishes), default=None),
        prefill_s=max((f.prefill_s for f in finishes), default=None),
        decode_s=max((f.decode_s for f in finishes), default=None),
        error_type=record.error_type,
    )


@contextlib.asynccontextmanager
async def _panel(service: Service, terminal: Terminal, url: str) -> AsyncGenerator[Report, None]:
    totals = _Totals()
    panel = Panel(terminal).start()

    def report(record: Record) -> None:
        totals.add(record)
        if record.path not in QUIET_PATHS:
            panel.add(_request_line(record))

    async def refresh() -> None:
        while True:
            panel.update(_view(service, totals, url))
            await asyncio.sleep(REFRESH_S)

    try:
        async with asyncio.TaskGroup() as group:
            refreshing = group.create_task(refresh())
            try:
                yield report
            finally:
                refreshing.cancel()
    finally:
        panel.update(_view(service, totals, url))
        panel.close()


@dataclass(slots=True, eq=False)
class _Totals:
    """What was answered since the start."""

    n_done: int = 0
    n_refused: int = 0
    n_generated_tokens: int = 0

    def add(self, record: Record) -> None:
        """Count one request."""
        self.n_done += bool(record.finishes)
        self.n_refused += record.error_type == "overloaded"
        self.n_generated_tokens += record.n_new_tokens or 0


def _view(service: Service, totals: _Totals, url: str) -> ServerView:
    stats, admission = service.backend.stats(), service.admission
    return ServerView(
        address=url,
        model=service.model_id,
        state=f"draining, {admission.n_taken} left" if admission.is_closed else "ready",
        n_places=admission.n_places,
        n_running=stats.n_running,
        n_waiting=stats.n_waiting,
        n_done=totals.n_done,
        n_refused=totals.n_refused,
        n_generated_tokens=totals.n_generated_tokens,
        n_prompt_tokens=stats.n_prompt_tokens,
        n_cached_tokens=stats.n_cached_tokens,
        worst_step_s=stats.worst_step_s,
    )


def _request_line(record: Record) -> RequestLine:
    first_s = record.first_token_s
    return RequestLine(
        time=datetime.now(),
        method=record.method,
        path=record.path,
        status=record.status,
        n_prompt_tokens=record.n_prompt_tokens,
        n_new_tokens=record.n_new_tokens,
        ttft_s=None if first_s is None else first_s - record.began_s,
        duration_s=record.elapsed_s,
    )
