"""`tgicli bench selftest`, and the server of known times that a client's floor is measured at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tgicli.backends.endpoint import Endpoint, RemoteOptions
from tgicli.ui.status import Status
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from tgicli.bench.result import Floor

STREAMS = (1, 4, 16, 64)
GAP_MS = 20.0
SECONDS = 3.0


@contextlib.contextmanager
def fake_server() -> Iterator[RemoteOptions]:
    """Give a server of known times, in a process of its own."""
    from tgicli.bench.fake.server import FakeServer

    with FakeServer() as fake:
        yield RemoteOptions(endpoint=Endpoint.from_url(fake.url))


def run_selftest(terminal: Terminal) -> int:
    """Measure the floor at some numbers of streams, and show it; return the exit status."""
    from tgicli.cli.loop import run

    with fake_server() as fake:
        floors = run(_measure(fake, Status(terminal)))
    terminal.write_stdout(_table(floors, terminal))
    return 0


async def _measure(fake: RemoteOptions, status: Status) -> list[Floor]:
    from tgicli.cli.bench.jobs import MeasureFloor
    from tgicli.cli.bench.load_process import load_process

    floors = []
    async with load_process() as process:
        for n_streams in STREAMS:
            status.show(f"measuring {n_streams} streams")
            job = MeasureFloor(fake=fake, n_streams=n_streams, gap_ms=GAP_MS, seconds=SECONDS)
            floors.append(await process.do(job))
            status.clear()
    return floors


def _table(floors: list[Floor], terminal: Terminal) -> bytes:
    from tgicli.cli.bench.showing import to_stdout
    from tgicli.ui.rows import row
    from tgicli.ui.tables import grid_rows

    titles = ("streams", "TTFT +p50", "TTFT +p99", "gap +p50", "gap +p99")
    cells = [
        (
            f"{floor.n_streams}",
            *(
                f"{added:.2f} ms"
                for added in (
                    floor.ttft_added_p50_ms,
                    floor.ttft_added_p99_ms,
                    floor.icl_added_p50_ms,
                    floor.icl_added_p99_ms,
                )
            ),
        )
        for floor in floors
    ]
    head = row(f"What this client adds by itself, at a token each {GAP_MS:g} ms of each stream:")
    return to_stdout([head, *grid_rows(titles, cells, terminal.size().columns)], terminal)
