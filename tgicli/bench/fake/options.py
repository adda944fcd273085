"""How the fake server answers: its times, its load, its faults.

Values, made of a command line, of a URL's query or of words in a prompt: all three are pairs of a
name and a text, read in one place.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tgicli.errors import ConfigError

_T = TypeVar("_T")


class Fault(enum.StrEnum):
    """What the fake server can do wrong; each is named after what it does."""

    NONE = "none"
    BUSY = "busy"  # 429 at once
    ERROR = "error"  # an error event amid the stream, which goes no further
    CUT = "cut"  # the connection is reset amid the stream
    UTF8 = "utf8"  # a character of which half the bytes are missing
    NO_DONE = "no_done"  # OpenAI's routes: no [DONE]
    NO_USAGE = "no_usage"  # no counts, although they are asked for
    DOUBLE_USAGE = "double_usage"  # OpenAI's routes: the counts twice
    AFTER_DONE = "after_done"  # more text behind the end
    NO_FINISH = "no_finish"  # no reason for the end
    GZIP = "gzip"  # compressed, although nobody takes that
    SWAPPED = "swapped"  # two replies that run at once get each other's nonce
    BURST = "burst"  # a stream that comes all at its end


def _option(default: _T, words: str) -> _T:
    """Return a field, whose words `--help` shows."""
    return field(default=default, metadata={"help": words})


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeOptions:
    """What the server does. Valid once built."""

    ttft_ms: float = _option(100.0, "from a request's arrival to its first chunk")
    gap_ms: float = _option(10.0, "from one chunk to the next")
    jitter_ms: float = _option(0.0, "a chunk comes by as much earlier or later, at random")
    slow: float = _option(1.0, "multiply ttft_ms and gap_ms")
    n_tokens: int | None = _option(None, "of an answer, at most (default: as the request asks)")
    tokens_per_chunk: int = _option(1, "tokens in a chunk")
    first_chunk_tokens: int | None = _option(None, "tokens in the first one")
    role_early_ms: float | None = _option(
        None, "a chat's role comes by itself, so long before the first chunk"
    )
    n_reasoning: int = _option(0, "of a chat's tokens, the first are reasoning")
    aligned: bool = _option(
        False, "chunks but the first come at once in all streams, as from one batch"
    )
    capacity: int = _option(0, "requests answered at once; the others wait (0: all)")
    refuses: bool = _option(False, "the others are refused with 429 instead")
    n_cold: int = _option(0, "the first requests are slow")
    cold_ms: float = _option(0.0, "by so much, to their first chunk")
    freeze_at_s: float | None = _option(
        None, "everything stands still once, so long after the first request"
    )
    freeze_s: float = _option(2.0, "for so long")
    keeps_times: bool = _option(False, "/times tells of every chunk when it was written")
    fault: Fault = field(default=Fault.NONE, metadata={"help": f"one of: {', '.join(Fault)}"})
    fault_every: int = _option(1, "of so many requests, one has the fault")

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if isinstance(value, int | float) and not 0 <= value < float("inf"):
                raise ConfigError(f"{each.name} must be >= 0, got {value}")
        for name in ("tokens_per_chunk", "fault_every", "slow", "n_tokens", "first_chunk_tokens"):
            if getattr(self, name) == 0:
                raise ConfigError(f"{name} must be > 0, got 0")

    def changed(self, pairs: Iterable[tuple[str, str]]) -> FakeOptions:
        """Return these options but for some, given by name and text.

        Raises:
            ConfigError: a name is unknown, or a text is no value of it.
        """
        read = {name: _read(name, text) for name, text in pairs}
        return dataclasses.replace(self, **read) if read else self

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield the names and texts that `changed` makes these options of."""
        for each in dataclasses.fields(self):
            if (value := getattr(self, each.name)) != each.default:
                yield each.name, str(value)

    @classmethod
    def helps(cls) -> Iterator[tuple[str, str]]:
        """Yield each name with its words, and its default."""
        for each in dataclasses.fields(cls):
            default = "" if each.default is None else f" (default: {each.default})"
            yield each.name, each.metadata["help"] + default


def directive(pairs: Iterable[tuple[str, str]]) -> str:
    """Return words which, in a prompt, change the options for that request."""
    return f"[fake {' '.join(f'{name}={text}' for name, text in pairs)}]"


def _read(name: str, text: str) -> Any:
    kind = _KINDS.get(name)
    if kind is None:
        raise ConfigError(f"the fake server has no option {name!r}; it has {', '.join(_KINDS)}")
    try:
        return _READERS[kind](text)
    except ValueError as error:
        raise ConfigError(f"{name} can't be {text!r}") from error


def _read_bool(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError(text)
    return text.lower() in ("true", "1")


_READERS: dict[str, Callable[[str], Any]] = {
    "float": float,
    "int": int,
    "bool": _read_bool,
    "Fault": Fault,
}
_KINDS = {each.name: str(each.type).split()[0] for each in dataclasses.fields(FakeOptions)}
