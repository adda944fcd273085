"""What all routes share: the backend, the places, the limits, and the counters.

Made once by `run`; used on the event loop.
"""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field

from tgicli.core import Backend
from tgicli.server.admission import Admission
from tgicli.server.metrics import Metrics
from tgicli.wire.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How to serve. Valid once built: the command checks it."""

    limits: Limits
    max_concurrent_requests: int = 128
    max_queue_wait_s: float | None = None  # None: as long as it takes
    payload_limit_bytes: int = 2_000_000
    stall_timeout_s: float = 60.0  # a reader that takes nothing for so long is cancelled
    api_keys: tuple[str, ...] = ()
    keyless_socket: str | None = None  # the path of a Unix socket that only the user can reach
    cors_allow_origins: tuple[str, ...] = ()
    isolates_keys: bool = False
    on_gpu: bool | None = None  # whether one computes; None: a server behind this one does not tell


@dataclass(slots=True, eq=False)
class Service:
    """One server."""

    backend: Backend
    options: ServerOptions
    model_id: str
    version: str
    admission: Admission = field(init=False)
    metrics: Metrics = field(init=False)
    _prefix: str = field(default_factory=lambda: secrets.token_hex(4))
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.admission = Admission(self.options.max_concurrent_requests)
        self.metrics = Metrics(self.options.limits)

    @property
    def limits(self) -> Limits:
        """What a request may ask for."""
        return self.options.limits

    def new_id(self) -> str:
        """Return an id that no other request of this server has."""
        return f"{self._prefix}{next(self._numbers):x}"
