"""Show what a server does: a panel on a terminal, lines elsewhere.

Used by `run` on its event loop, which never waits for stderr. Everything goes there; stdout
stays empty.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from tgicli.cli.serve.flags import ServeFlags
from tgicli.errors import Overloaded
from tgicli.server.access import AccessLine
from tgicli.server.record import Record
from tgicli.server.recording import Report
from tgicli.server.service import Service
from tgicli.ui.log import Log
from tgicli.ui.panel import Panel, RequestLine, ServerView
from tgicli.ui.terminal import Terminal, harmless

REFRESH_S = 0.25
QUIET_PATHS = frozenset({"/health", "/ping", "/metrics"})  # asked every few seconds by machines
MAX_COMPLAINTS = 20  # kept while a panel is on the screen


@contextlib.asynccontextmanager
async def watch(
    service: Service, flags: ServeFlags, terminal: Terminal, url: str
) -> AsyncGenerator[Report, None]:
    """Say that the server is ready; give what is to be told of each request that is over."""
    if flags.quiet:
        yield lambda record: None
    elif flags.live and terminal.stderr_can_animate and not flags.json_output:
        with _panel(service, terminal, url) as report:
            yield report
    else:
        limits = service.limits
        terminal.say(
            f"serving {service.model_id} on {url}; "
            f"{service.options.max_concurrent_requests} requests at most, "
            f"{limits.max_total_tokens:,} tokens each"
        )
        access = _JsonLog() if flags.json_output else _TextLog()
        log = Log(terminal, access.dropped).start()
        with contextlib.closing(log), _complaints(lambda text: log.write(access.complaint(text))):
            yield lambda record: _report(record, access, log)


class _TextLog:
    """The access log for people."""

    def line(self, line: AccessLine) -> str:
        """Write what became of a request."""
        return line.to_text()

    def dropped(self, count: int) -> str:
        """Write that lines are missing."""
        return f"{count:,} lines of this log are missing here: nobody read them in time"

    def complaint(self, text: str) -> str:
        """Write what went wrong, a traceback perhaps."""
        return harmless(text)


class _JsonLog:
    """The access log for machines: every line is an object."""

    def line(self, line: AccessLine) -> str:
        """Write what became of a request."""
        return line.to_json()

    def dropped(self, count: int) -> str:
        """Write that lines are missing."""
        return json.dumps({"n_dropped_lines": count})

    def complaint(self, text: str) -> str:
        """Write what went wrong, a traceback perhaps."""
        return json.dumps({"complaint": text})


def _report(record: Record, access: _TextLog | _JsonLog, log: Log) -> None:
    if record.path not in QUIET_PATHS or record.status != 200:
        log.write(access.line(_access_line(record)))


@contextlib.contextmanager
def _complaints(write: Callable[[str], None]) -> Iterator[None]:
    """Send what libraries log, and so the tracebacks of our bugs, there; it would go to stderr."""
    handler = _Complaints(write)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


class _Complaints(logging.Handler):
    """Hands on warnings and worse, as text."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Hand on one."""
        self._write(self.format(record))


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


@contextlib.contextmanager
def _panel(service: Service, terminal: Terminal, url: str) -> Iterator[Report]:
    """Show a panel for the length of a block; what went wrong is said below it, at its end."""
    totals = _Totals()
    panel = Panel(terminal).start()
    complaints: deque[str] = deque(maxlen=MAX_COMPLAINTS)

    def report(record: Record) -> None:
        totals.add(record)
        if record.path not in QUIET_PATHS:
            panel.add(_request_line(record))

    try:
        with (
            _complaints(complaints.append),
            contextlib.closing(_Repetition(lambda: panel.update(_view(service, totals, url)))),
        ):
            yield report
    finally:
        panel.update(_view(service, totals, url))
        panel.close()
        for text in complaints:
            terminal.say(text)


class _Repetition:
    """Does something now and then on the event loop, until it is closed."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._action = action
        self._loop = asyncio.get_running_loop()
        self._act()

    def _act(self) -> None:
        self._timer = self._loop.call_later(REFRESH_S, self._act)
        self._action()

    def close(self) -> None:
        self._timer.cancel()


@dataclass(slots=True, eq=False)
class _Totals:
    """What was answered since the start."""

    n_done: int = 0
    n_refused: int = 0

    def add(self, record: Record) -> None:
        """Count one request."""
        self.n_done += bool(record.finishes)
        self.n_refused += record.error_type == Overloaded.error_type


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
        n_generated_tokens=service.metrics.n_generated_tokens,
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
