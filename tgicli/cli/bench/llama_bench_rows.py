"""`--llama-bench-rows`: pp512 and tg128 of the model in the load's process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tgicli.cli.bench.single_jobs import ROW_REPEATS, Row, RowsJob
from tgicli.ui import rows as ui_rows
from tgicli.ui.tables import grid_rows

if TYPE_CHECKING:
    from tgicli.cli.bench.runs import Bench


async def measure_rows(bench: Bench) -> tuple[Row, ...]:
    """Measure them. Raises RequestError where the context has no room for them."""
    assert bench.ruler is not None
    job = RowsJob(ruler=bench.ruler, seed=bench.options.seed)
    return await bench.process.do(job, bench.screen.hears)


def row_table(model: str, rows: tuple[Row, ...], n_columns: int) -> list[ui_rows.Row]:
    """Return them as llama-bench shows them, and what is different."""
    cells = [(model, one.test, f"{one.mean_tps:.2f} ± {one.sd_tps:.2f}") for one in rows]
    note = f"r={ROW_REPEATS}; unlike llama-bench's, with sampling, detokenising and Python"
    return [
        *grid_rows(("model", "test", "t/s"), cells, n_columns),
        ui_rows.row(note),
        ui_rows.row(""),
    ]
