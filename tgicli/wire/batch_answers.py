"""One line of a file of answers: an answer or a failure, and how one is known again.

Pure; called by `tgicli generate --input`. A line begins with its prompt's index, always, so that
the piece of a line that a killed process leaves is known as ours. `digest` names the prompt and the
parameters that it was asked with: an answer counts only where both are the same again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from tgicli.core import Finish, Token, visible_text
from tgicli.errors import TgicliError

Kept = Mapping[str, msgspec.Raw]  # of the prompt's line

BEGINNING = b'{"index":'
ANSWER_KEYS = frozenset(
    {
        "index",
        "text",
        "reasoning",
        "finish_reason",
        "prompt_tokens",
        "generated_tokens",
        "seed",
        "timings",
        "error",
        "digest",
    }
)


@dataclass(frozen=True, slots=True)
class Key:
    """Which prompt a line is about."""

    index: int  # of the prompt, from 0; lines without text do not count
    digest: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    tokens: tuple[Token, ...]  # the last ones, too
    finish: Finish
    total_s: float  # from asking to the last token; waits for a busy server do not count


def encode_answer(key: Key, kept: Kept, answer: Answer) -> bytes:
    """Return the line of an answer, with its newline."""
    finish = answer.finish
    thought = "".join(token.text for token in answer.tokens if token.reasoning)
    times = {
        "queue_s": finish.queue_s,
        "prefill_s": finish.prefill_s,
        "decode_s": finish.decode_s,
        "total_s": answer.total_s,
    }
    return _line(
        key,
        kept,
        {
            "text": visible_text(answer.tokens),
            **({"reasoning": thought} if thought else {}),
            "finish_reason": str(finish.reason),
            "prompt_tokens": finish.n_prompt_tokens if finish.has_usage else None,
            "generated_tokens": finish.n_generated_tokens,
            "seed": finish.seed,
            "timings": {name: round(seconds, 4) for name, seconds in times.items()},
        },
    )


def encode_failure(key: Key, kept: Kept, error: TgicliError) -> bytes:
    """Return the line of a prompt that got no answer, with its newline."""
    return _line(key, kept, {"error": {"type": error.error_type, "message": str(error)}})


def _line(key: Key, kept: Kept, fields: Mapping[str, Any]) -> bytes:
    line = {"index": key.index, **kept, **fields, "digest": key.digest}
    return _ENCODER.encode(line) + b"\n"


_ENCODER = msgspec.json.Encoder()


class _Record(msgspec.Struct, frozen=True):
    index: int
    digest: str
    error: dict[str, str] | None = None
    text: str | None = None


_RECORD = msgspec.json.Decoder(_Record)


@dataclass(frozen=True, slots=True)
class Record:
    """What a line of answers is about."""

    key: Key
    is_answer: bool  # else a failure

    def at(self, index: int) -> Record:
        """Return it about the same prompt at another index."""
        return replace(self, key=replace(self.key, index=index))


def decode_record(line: bytes) -> Record | None:
    """Read a line, with or without its newline; None: it is none of ours, or not whole."""
    if not line.startswith(BEGINNING):
        return None
    try:
        found = _RECORD.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if found.index < 0 or (found.text is None) == (found.error is None):
        return None
    return Record(Key(found.index, found.digest), found.text is not None)


def with_index(line: bytes, index: int) -> bytes:
    """Return one of our lines about the same prompt at another index."""
    assert line.startswith(BEGINNING)
    return BEGINNING + b"%d" % index + line[line.index(b",") :]


def may_be_cut(piece: bytes) -> bool:
    """Whether a piece without a newline can be the beginning of one of our lines."""
    return BEGINNING.startswith(piece[: len(BEGINNING)])
