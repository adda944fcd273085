"""Every error tgicli raises on purpose, and what each one means to a shell and to an HTTP client.

Raised in every room. Whoever can't help lets them pass: `cli` makes an exit status of them, and
`server` an HTTP answer. Never imports anything of ours. A few more classes are defined where they
are raised; each is a kind of one of these.

    TgicliError
    ├─ ConfigError          2         a flag, variable or file is wrong
    ├─ Unreachable          3   502   nobody answers there
    ├─ DeadlineExceeded     4   504   a time limit ran out
    ├─ RequestError         5   422   the request can't be served as asked
    │  ├─ ContextOverflow             it is longer than the context
    │  ├─ MalformedBody         400   it is not JSON
    │  ├─ BodyTooLarge          413
    │  ├─ WrongMediaType        415
    │  ├─ Unauthorized          401   its API key is missing or wrong
    │  ├─ WrongAddress                another server has no such page, or has moved
    │  ├─ TemplateFailed              the chat template is missing or fails
    │  └─ GrammarInvalid              the grammar does not compile
    ├─ Overloaded           6   429   busy; the same request may succeed later
    ├─ StreamBroken         7   502   a stream ended without its finish
    └─ ModelError           8   424   the model
       ├─ ModelNotFound               there is no such file or repository
       ├─ ModelLoadError              it can't be loaded
       └─ DecodeFailed                computing failed
"""

from __future__ import annotations

import enum


class ExitStatus(enum.IntEnum):
    """What the process returns. The members' order is the order of `--help`."""

    OK = 0
    BUG = 1
    USAGE = 2
    UNREACHABLE = 3
    DEADLINE_EXCEEDED = 4
    BAD_REQUEST = 5
    OVERLOADED = 6
    STREAM_BROKEN = 7
    MODEL = 8
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143

    @property
    def meaning(self) -> str:
        """Say in a few words when this status is returned."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitStatus.OK: "done",
    ExitStatus.BUG: "a bug in tgicli (--traceback shows where)",
    ExitStatus.USAGE: "a flag, variable or configuration file is wrong",
    ExitStatus.UNREACHABLE: "a server or hub can't be reached",
    ExitStatus.DEADLINE_EXCEEDED: "a time limit ran out",
    ExitStatus.BAD_REQUEST: "the request can't be served as asked",
    ExitStatus.OVERLOADED: "busy; the same request may succeed later",
    ExitStatus.STREAM_BROKEN: "the answer ended before its end",
    ExitStatus.MODEL: "the model can't be found, loaded or run",
    ExitStatus.INTERRUPTED: "interrupted (Ctrl-C)",
    ExitStatus.BROKEN_PIPE: "the reader of the output went away",
    ExitStatus.TERMINATED: "terminated (SIGTERM)",
}


class TgicliError(Exception):
    """The root. A message says what happened, with the value, and what to do.

    An aside is for who gave the command, and no part of what our server's clients are told: a flag
    of ours, or the status that another server answered with.
    """

    exit_status = ExitStatus.BUG
    http_status = 500
    error_type = "internal"

    def __init__(self, message: str, *, aside: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.aside = aside

    def __str__(self) -> str:
        return f"{self.message} ({self.aside})" if self.aside else self.message


class ConfigError(TgicliError):
    """A flag, an environment variable or the configuration file is wrong."""

    exit_status = ExitStatus.USAGE


class Unreachable(TgicliError):
    """Nobody answers at that address."""

    exit_status = ExitStatus.UNREACHABLE
    http_status = 502
    error_type = "incomplete_generation"


class DeadlineExceeded(TgicliError):
    """A time limit ran out."""

    exit_status = ExitStatus.DEADLINE_EXCEEDED
    http_status = 504
    error_type = "incomplete_generation"


class RequestError(TgicliError):
    """The request can't be served as asked, now or later."""

    exit_status = ExitStatus.BAD_REQUEST
    http_status = 422
    error_type = "validation"


class ContextOverflow(RequestError):
    """The prompt and the wanted tokens do not fit into the context."""


class TemplateFailed(RequestError):
    """The model's chat template is missing, or fails on these messages."""

    error_type = "template_error"


class GrammarInvalid(RequestError):
    """A grammar does not compile."""


class MalformedBody(RequestError):
    """A request's body is not JSON."""

    http_status = 400


class BodyTooLarge(RequestError):
    """A request's body is larger than the server accepts."""

    http_status = 413


class WrongMediaType(RequestError):
    """A request's body does not say that it is JSON."""

    http_status = 415


class Unauthorized(RequestError):
    """The API key is missing or wrong."""

    http_status = 401
    error_type = "authentication"


class WrongAddress(RequestError):
    """A server has no such page, or has moved: its address must be another one."""


class Overloaded(TgicliError):
    """The queue is full; the same request may succeed later."""

    exit_status = ExitStatus.OVERLOADED
    http_status = 429
    error_type = "overloaded"

    def __init__(
        self, message: str, *, aside: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, aside=aside)
        self.retry_after_s = retry_after_s


class StreamBroken(TgicliError):
    """A stream ended without its finish."""

    exit_status = ExitStatus.STREAM_BROKEN
    http_status = 502
    error_type = "incomplete_generation"


class ModelError(TgicliError):
    """The model is the reason."""

    exit_status = ExitStatus.MODEL
    http_status = 424
    error_type = "generation"


class ModelNotFound(ModelError):
    """There is no such file, repository or quantisation."""


class ModelLoadError(ModelError):
    """The file is there and llama.cpp can't load it."""


class DecodeFailed(ModelError):
    """llama.cpp failed to compute a batch."""
