"""Cut waits off when a patience ends: asyncio.timeout for the many short waits of one answer.

Used by `http` on the event loop. A stream waits once for each event, and a timer of its own for
each would cost more than reading it. Here one timer serves them all: when it fires too early, since
tokens have come meanwhile, it is set again.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

from tgicli.backends.patience import Patience


class Watch:
    """Guards `with` blocks of one task, one after the other; closed with the answer."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")  # on the patience's clock
        self._task: asyncio.Task[object] | None = None  # the one in a block
        self._n_cancelled = 0  # how often somebody else has cancelled it
        self._has_fired = False

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        assert self._task is not None
        self._n_cancelled = self._task.cancelling()
        self._patience.resume()
        if self._patience.until < self._timer_at:
            self._set()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        task, self._task = self._task, None
        self._patience.pause()
        if self._has_fired and task is not None:
            self._has_fired = False
            # As asyncio.timeout: if somebody else cancels, too, theirs goes on.
            if task.uncancel() <= self._n_cancelled and kind is asyncio.CancelledError:
                raise self._patience.error() from error

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _set(self) -> None:
        self.close()
        self._timer_at = self._patience.until
        rest_s = self._patience.rest_s()
        assert rest_s is not None, "until is finite"
        self._timer = asyncio.get_running_loop().call_later(rest_s, self._fire)

    def _fire(self) -> None:
        self._timer, self._timer_at = None, float("inf")
        if self._task is None:
            return  # the next block sets it again
        rest_s = self._patience.rest_s()
        if rest_s is None:
            return
        if rest_s > 0:
            self._set()
        else:
            self._has_fired = True
            self._task.cancel()
