"""Numbers as people read them: bytes, weights, and how a download goes.

Pure but for the clock of a download; used by the commands that find models.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tgicli.ui.durations import duration_text


def download_progress(
    show: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic
) -> Callable[[int, int], None]:
    """Return a progress callback that shows how much is here, how fast it comes, how long still."""
    started: tuple[float, int] | None = None  # time, bytes that were here already

    def progress(n_done: int, n_total: int) -> None:
        nonlocal started
        now = clock()
        if started is None:
            started = now, n_done
        rate = (n_done - started[1]) / elapsed if (elapsed := now - started[0]) > 0 else 0.0
        text = f"downloading {size_text(n_done)} of {size_text(n_total)}"
        if rate > 0:
            text += f", {size_text(int(rate))}/s, {duration_text((n_total - n_done) / rate)} left"
        show(text)

    return progress


def count_text(n: int) -> str:
    """Spell a number of weights as people speak of models: 135M, 7.2B."""
    return _scaled(n, ("", "K", "M", "B", "T"))


def size_text(n_bytes: int) -> str:
    """Spell a number of bytes, e.g. `98.4 MB`."""
    return _scaled(n_bytes, (" B", " kB", " MB", " GB", " TB"))


def _scaled(value: int, units: Sequence[str]) -> str:
    scaled, rank = float(value), 0
    while scaled >= 1000 and rank < len(units) - 1:
        scaled, rank = scaled / 1000, rank + 1
    decimals = 1 if rank and scaled < 100 else 0
    return f"{scaled:.{decimals}f}{units[rank]}"
