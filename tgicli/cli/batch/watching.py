"""Show how far a batch is, four times a second, for as long as it runs.

Used by `job` on the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from tgicli.cli.batch.run import Tally
from tgicli.cli.batch.window import Window
from tgicli.ui.batch import BatchProgress, BatchView, open_progress
from tgicli.ui.terminal import Terminal

REFRESH_S = 0.25


@contextlib.contextmanager
def watched(tally: Tally, window: Window, terminal: Terminal) -> Iterator[None]:
    """Show it for the length of a block."""
    progress = open_progress(terminal)
    watch = _Watch(tally, window, progress)
    watch.show()
    try:
        yield
    finally:
        watch.timer.cancel()
        progress.close()


class _Watch:
    def __init__(self, tally: Tally, window: Window, progress: BatchProgress) -> None:
        self._tally = tally
        self._window = window
        self._progress = progress
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._n_at_first = tally.n_answered

    def show(self) -> None:
        self.timer = self._loop.call_later(REFRESH_S, self.show)
        tally = self._tally
        self._progress.show(
            BatchView(
                n_prompts=tally.n_prompts,
                n_answered=tally.n_answered,
                n_failed=len(tally.failures),
                n_running=tally.n_running,
                n_allowed=self._window.size,
                n_tokens=tally.n_tokens,
                trouble=tally.trouble,
                left_s=self._left_s(),
            )
        )

    def _left_s(self) -> float | None:
        tally = self._tally
        n_done = tally.n_answered - self._n_at_first + len(tally.failures)
        n_left = tally.n_prompts - tally.n_answered - len(tally.failures)
        elapsed_s = self._loop.time() - self._began_s
        return elapsed_s / n_done * n_left if n_done else None
