"""The prompts of `generate --input`: which lines of a file they are, and what each one asks.

Called by `job` on the main thread, before anything is loaded. The file is read whole, so that the
longest prompt is known, and a bad line is told, before the first one is computed. A bad line costs
only itself: it is a prompt that fails.
"""

from __future__ import annotations

import hashlib
import json
import re
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from tgicli.cli.batch.options import InputFormat
from tgicli.cli.prompt import WAITING, read_input
from tgicli.core import SamplingParams
from tgicli.errors import ConfigError, RequestError
from tgicli.ui.terminal import Terminal
from tgicli.wire.batch import Ask, PromptLine, decode_json_line, decode_text_line
from tgicli.wire.batch_answers import Kept, Key

_FORMATS: dict[str, InputFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".txt": "text",
}
_TABLES = (".csv", ".tsv", ".parquet", ".xlsx")
_PROMPT_KEYS = {b"prompt", b"inputs", b"messages"}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\f\v"
_DIGEST_BYTES = 8
_NOTHING: Kept = {}


@dataclass(frozen=True, slots=True)
class Prompt:
    """One line of the input."""

    key: Key
    number: int  # of the line, from 1
    line: PromptLine | RequestError  # what it asks, or why that can't be read

    @property
    def kept(self) -> Kept:
        """What its answer repeats."""
        return self.line.kept if isinstance(self.line, PromptLine) else _NOTHING

    @property
    def name(self) -> str:
        """What it is called in a message."""
        named = self.kept.get("id", self.kept.get("custom_id"))
        return f"line {self.number}" + (f" (id {bytes(named).decode()})" if named else "")


def read_prompts(
    path: Path,
    format: InputFormat,
    common: Ask,
    terminal: Terminal,
    *,
    settings: str,
    quiet: bool = False,
) -> list[Prompt]:
    """Read all prompts; lines without text are none. `-` is stdin.

    settings names what all are asked with; it becomes a part of each digest.

    Raises:
        ConfigError: the file can't be read, has no prompt, or is something else than prompts.
    """
    waiting = None if quiet else WAITING
    lines = list(_lines(read_input(path, terminal, flag="--input", waiting=waiting)))
    if not lines:
        raise ConfigError(f"--input {path} has no prompt: write one a line")
    if _is_jsonl(path, format, lines[0][1]):
        decode, kind = decode_json_line, b""
        lines = [(number, data.strip(_BLANKS)) for number, data in lines]
    else:
        decode, kind = decode_text_line, b"text\0"  # the same line is another prompt as JSON
    return [
        Prompt(
            Key(index, f"{_digest(kind + data)}.{settings}"),
            number,
            _decode(decode, data, common),
        )
        for index, (number, data) in enumerate(lines)
    ]


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that have text, with their numbers; blanks may be a part of a prompt."""
    for number, line in enumerate(data.removeprefix(_BYTE_ORDER_MARK).split(b"\n"), start=1):
        if line.strip(_BLANKS):
            yield number, line.removesuffix(b"\r")


def _is_jsonl(path: Path, format: InputFormat, first: bytes) -> bool:
    """Whether lines are JSON, or text.

    Raises:
        ConfigError: lines are no prompts: it is a table, or one JSON value over all lines.
    """
    suffix, first = path.suffix.lower(), first.strip(_BLANKS)
    if format == "auto":
        # A file of another name is what its first line is.
        format = _FORMATS.get(suffix, "auto")
        if suffix in _TABLES or (format == "auto" and _is_head_of_table(first)):
            raise ConfigError(
                f"--input {path} is a table; write a JSON object a line, such as "
                f'{{"prompt": "..."}}, or say --input-format text if each line is a prompt'
            )
    if format != "text" and (whole := _whole_json(first)):
        value, selector = whole
        raise ConfigError(
            f"--input {path} is a JSON {value}; write an object a line, as jq -c '{selector}' does"
            f", or say --input-format text if each line is a prompt"
        )
    return format == "jsonl" or (format == "auto" and _is_json(first, dict | str))


def _is_head_of_table(line: bytes) -> bool:
    """Whether a line names columns, one of them a prompt's."""
    cells = re.split(rb"[,;\t]", line)
    return len(cells) > 1 and any(cell.strip(b' "') in _PROMPT_KEYS for cell in cells)


def _whole_json(line: bytes) -> tuple[str, str] | None:
    """Name the JSON value that a file is as a whole, by its first line; and how jq makes lines."""
    if line.startswith(b"[{") or line == b"[" or _is_json(line, list):
        return "array", ".[]"
    return ("object over several lines", ".") if line == b"{" else None


def _is_json(line: bytes, kind: type | types.UnionType) -> bool:
    try:
        return isinstance(json.loads(line), kind)
    except (ValueError, RecursionError):
        return False


def _decode(
    decode: Callable[[bytes, Ask], PromptLine], data: bytes, common: Ask
) -> PromptLine | RequestError:
    try:
        return decode(data, common)
    except RequestError as error:
        return error


def settings_digest(params: SamplingParams, **others: object) -> str:
    """Name what all prompts are asked with. What has its default is not a part of the name."""
    said = [
        (field.name, repr(value))
        for field in fields(params)
        if (value := getattr(params, field.name)) != field.default
    ]
    said += [(name, repr(value)) for name, value in others.items() if value]
    return _digest(repr(sorted(said)).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[: 2 * _DIGEST_BYTES]
