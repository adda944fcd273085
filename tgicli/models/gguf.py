"""Read what a GGUF file says about itself before its weights: metadata, and the size it must have.

Called by `resolve`, `hub` and `tgicli models`, on whichever thread resolves a model. The format,
all little-endian, is ggml's docs/gguf.md:

    "GGUF" | version u32 | n_tensors u64 | n_pairs u64
    pairs:   key text | type u32 | value              a text is: n_bytes u64 | UTF-8
    tensors: name text | n_dims u32 | dims u64[] |    an array is: item type u32 | n u64 | items
             type u32 | offset u64
    padding to general.alignment | weights

The file is not trusted: every count and length is held against what is left of the file before it
is used, and whatever doesn't fit is a ModelLoadError. Never reads weights, never decodes a
vocabulary, never maps the file (which may shrink under us).
"""

from __future__ import annotations

import os
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO, NoReturn

from tgicli.errors import ModelLoadError
from tgicli.models.quants import FILE_TYPES, TENSOR_TYPES, TensorType

Scalar = int | float | bool | str

_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_TYPE_AND_LENGTH = struct.Struct("<IQ")
_TENSORS = [struct.Struct(f"<{n_dims}QIQ") for n_dims in range(5)]  # dims, type, offset
_SCALARS = {
    number: struct.Struct("<" + code) for number, code in enumerate("BbHhIif?--Qqd") if code != "-"
}
_TEXT, _ARRAY = 8, 9  # the two holes in between

_MAX_TEXT_BYTES = 32 << 20  # keys, names and texts of one header together
_MAX_TEXTS = 1 << 22  # of all arrays together; the largest vocabularies have 2**19 merges
_MAX_PAIRS = 1 << 16
_MAX_TENSORS = 1 << 18
_FILE_TYPE_IS_GUESSED = 1024  # a flag in general.file_type
_UNKNOWN_TYPE = TensorType("unknown", 1, 0)

_N_WALKED = 1000  # shorter arrays of texts are walked
_NEXT_KEY = bytes(7) + b"tokenizer.ggml."  # high bytes of a key's length, and its start
_BLOCK_BYTES = 64 << 10

_LOOKS = {
    b"version https://git-lfs": "a git-LFS pointer; fetch the file itself with `git lfs pull`",
    b"<!doctype": "a web page; the download went wrong",
    b"<html": "a web page; the download went wrong",
    b"<?xml": "an XML document; the download went wrong",
    b"pk\x03\x04": "a zip archive or a PyTorch checkpoint; llama.cpp needs it converted to GGUF",
    b"\x1f\x8b": "gzip data; unpack it first",
    b"tjgg": "a model in the format before GGUF; llama.cpp needs it converted",
    b"fmgg": "a model in the format before GGUF; llama.cpp needs it converted",
    b"lmgg": "a model in the format before GGUF; llama.cpp needs it converted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """What one GGUF file says about itself. Of a split model, the first part has the metadata."""

    n_bytes: int  # the file's size, at least what its header promises
    metadata: Mapping[str, Scalar]
    array_lengths: Mapping[str, int]
    n_weights_by_type: Mapping[str, int]

    @property
    def architecture(self) -> str:
        """The model's kind in llama.cpp's words, e.g. llama."""
        return self._text("general.architecture") or "unknown"

    @property
    def name(self) -> str | None:
        """The model's own name."""
        return self._text("general.name")

    @property
    def context_length(self) -> int | None:
        """Tokens the model was trained on at once."""
        return self._number(f"{self.architecture}.context_length")

    @property
    def n_layers(self) -> int | None:
        """Transformer blocks."""
        return self._number(f"{self.architecture}.block_count")

    @property
    def n_weights(self) -> int:
        """Weights in this file; of a split model, in this part."""
        return sum(self.n_weights_by_type.values())

    @property
    def n_vocab(self) -> int | None:
        """Tokens in the vocabulary."""
        n_tokens = self.array_lengths.get("tokenizer.ggml.tokens")
        return n_tokens or self._number(f"{self.architecture}.vocab_size")

    @property
    def bos_id(self) -> int | None:
        """The token that begins a text."""
        return self._number("tokenizer.ggml.bos_token_id")

    @property
    def eos_id(self) -> int | None:
        """The token that ends a text."""
        return self._number("tokenizer.ggml.eos_token_id")

    @property
    def chat_template(self) -> str | None:
        """The Jinja source that makes a prompt of messages."""
        return self._text("tokenizer.chat_template")

    @property
    def n_parts(self) -> int:
        """Files the model is split into."""
        return self._number("split.count") or 1

    @property
    def quantisation(self) -> str:
        """How most weights are stored, e.g. Q4_K_M."""
        file_type = self._number("general.file_type")
        if file_type is not None and (known := FILE_TYPES.get(file_type & ~_FILE_TYPE_IS_GUESSED)):
            return known
        by_type = self.n_weights_by_type
        return max(by_type, key=by_type.__getitem__, default=_UNKNOWN_TYPE.name)

    def _text(self, key: str) -> str | None:
        value = self.metadata.get(key)
        return value if isinstance(value, str) else None

    def _number(self, key: str) -> int | None:
        value = self.metadata.get(key)
        return value if isinstance(value, int) else None


def read_header(path: Path) -> GgufHeader:
    """Read a file's header and check that the file is as long as it promises.

    Raises:
        ModelLoadError: unreadable, empty, no GGUF, cut off, or nonsense; says which.
    """
    try:
        with path.open("rb") as file:
            _check_start(_Reader(path, file))
            reader = _Reader(path, file)
            try:
                return _parse(reader, _jump)
            except ModelLoadError:
                if not reader.has_jumped:
                    raise
                # A wrong guess, or a damaged file: the walk decides.
                return _parse(_Reader(path, file), _walk)
    except OSError as error:
        raise ModelLoadError(f"can't read {path}: {error.strerror or error}") from error


class _Reader:
    """A cursor that can't leave the file; it knows the file's name for its complaints."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.n_bytes = os.fstat(file.fileno()).st_size
        self.at = file.seek(0)
        self._file = file
        self.has_jumped = False  # over texts, by a guess
        self._n_text_bytes = 0
        self._n_texts = 0

    @property
    def n_left(self) -> int:
        return self.n_bytes - self.at

    def seek(self, at: int) -> None:
        self.at = self._file.seek(at)

    def take(self, n_bytes: int) -> bytes:
        data = self._file.read(n_bytes) if n_bytes <= self.n_bytes - self.at else b""
        if len(data) < n_bytes:
            raise ModelLoadError(
                f"{self.path} is cut off: its {self.n_bytes} bytes end inside the header; "
                "download or copy it again"
            )
        self.at += n_bytes
        return data

    def skip(self, n_bytes: int) -> None:
        if n_bytes > self.n_left:
            self.take(n_bytes)  # complains
        self.at = self._file.seek(self.at + n_bytes)

    def u32(self) -> int:
        return int(_U32.unpack(self.take(4))[0])

    def u64(self) -> int:
        return int(_U64.unpack(self.take(8))[0])

    def count(self, what: str, most: int) -> int:
        n = self.u64()
        if n > most:
            self.fail(f"it claims {n} {what}")
        return n

    def announce(self, n_texts: int) -> None:
        """An array of texts follows."""
        self._n_texts += n_texts
        if n_texts > self.n_left // _U64.size or self._n_texts > _MAX_TEXTS:
            self.fail(f"it claims an array of {n_texts} texts")

    def text(self) -> str:
        n_bytes = self.u64()
        self._n_text_bytes += n_bytes
        if n_bytes <= self.n_left and self._n_text_bytes > _MAX_TEXT_BYTES:
            self.fail(f"a text of {n_bytes} bytes")
        return self.take(n_bytes).decode(errors="replace")

    def find(self, needle: bytes, n_bytes: int) -> int | None:
        """Return where `needle` starts within the next n_bytes; the cursor stays."""
        tail, end = b"", self.at + min(n_bytes, self.n_left)
        for start in range(self.at, end, _BLOCK_BYTES):
            block = tail + self._file.read(min(_BLOCK_BYTES, end - start))
            if (found := block.find(needle)) >= 0:
                return start - len(tail) + found
            tail = block[1 - len(needle) :]
        return None

    def fail(self, reason: str) -> NoReturn:
        raise ModelLoadError(
            f"{self.path} is damaged: {reason} (before byte {self.at}); download or copy it again"
        )


def _check_start(reader: _Reader) -> None:
    """Complain about what is no GGUF, or one that llama.cpp can't read."""
    start = reader.take(min(24, reader.n_left))
    if not start:
        raise ModelLoadError(f"{reader.path} is empty; download or copy it again")
    if not start.startswith(b"GGUF"):
        raise ModelLoadError(f"{reader.path} is no GGUF file: it is {_looks_like(start)}")
    reader.seek(4)
    version = reader.u32()
    if version & 0xFFFF == 0:
        raise ModelLoadError(
            f"{reader.path} is a big-endian GGUF; this machine needs the little-endian one"
        )
    if version not in (2, 3):
        raise ModelLoadError(
            f"{reader.path} is GGUF version {version}; versions 2 and 3 can be read: "
            "get a newer file of the model, or a newer tgicli"
        )


def _looks_like(start: bytes) -> str:
    for prefix, meaning in _LOOKS.items():
        if start.lstrip().lower().startswith(prefix):
            return meaning
    if start[8:9] == b"{" and start[5:8] == bytes(3):  # u64 length, then JSON
        return "a safetensors file; llama.cpp needs it converted to GGUF"
    return f"something else, it starts with {start[:8]!r}"


def _parse(reader: _Reader, skip_texts: Callable[[_Reader, int], None]) -> GgufHeader:
    reader.skip(8)
    n_tensors = reader.count("tensors", _MAX_TENSORS)
    metadata, array_lengths = dict[str, Scalar](), dict[str, int]()
    for _ in range(reader.count("metadata entries", _MAX_PAIRS)):
        key, kind = reader.text(), reader.u32()
        if kind == _ARRAY:
            array_lengths[key] = _skip_array(reader, skip_texts)
        else:
            metadata[key] = _read_scalar(reader, kind)
    n_weights_by_type, n_data_bytes = _read_tensors(reader, n_tensors)
    n_promised = _align(reader, metadata.get("general.alignment", 32)) + n_data_bytes
    if n_tensors and reader.n_bytes < n_promised:
        raise ModelLoadError(
            f"{reader.path} is cut off: it has {reader.n_bytes} bytes and its header promises "
            f"{n_promised}; download or copy it again"
        )
    return GgufHeader(
        n_bytes=reader.n_bytes,
        metadata=metadata,
        array_lengths=array_lengths,
        n_weights_by_type=n_weights_by_type,
    )


def _read_scalar(reader: _Reader, kind: int) -> Scalar:
    if kind == _TEXT:
        return reader.text()
    if (layout := _SCALARS.get(kind)) is None:
        reader.fail(f"there is no value type {kind}")
    value: Scalar = layout.unpack(reader.take(layout.size))[0]
    return value


def _skip_array(reader: _Reader, skip_texts: Callable[[_Reader, int], None]) -> int:
    """Go behind an array and return its length."""
    kind, n = _TYPE_AND_LENGTH.unpack(reader.take(_TYPE_AND_LENGTH.size))
    if kind == _TEXT:
        reader.announce(n)
        skip_texts(reader, n)
    elif kind in _SCALARS:
        reader.skip(n * _SCALARS[kind].size)
    else:
        reader.fail(f"there is no item type {kind}")
    return int(n)


def _jump(reader: _Reader, n: int) -> None:
    """Go behind n texts by looking for the next key of the tokenizer.

    A vocabulary has 10^5 tokens and as many merges, and no token looks like a key: this takes a
    millisecond where the walk takes a hundred. A wrong guess leaves counts that don't fit, hence an
    error, hence the walk.
    """
    found = reader.find(_NEXT_KEY, 64 * n) if n >= _N_WALKED else None
    if found is None:
        reader.seek(reader.at)
        _walk(reader, n)
    else:
        reader.has_jumped = True
        reader.seek(found - 1)


def _walk(reader: _Reader, n: int) -> None:
    """Go behind n texts one by one."""
    for _ in range(n):
        reader.skip(reader.u64())


def _read_tensors(reader: _Reader, n_tensors: int) -> tuple[Counter[str], int]:
    """Return the number of weights by type, and the bytes they take behind the header."""
    n_weights_by_type, n_data_bytes = Counter[str](), 0
    for _ in range(n_tensors):
        name, n_dims = reader.text(), reader.u32()
        if n_dims >= len(_TENSORS):
            reader.fail(f"tensor {name[:64]!r} has {n_dims} dimensions")
        layout = _TENSORS[n_dims]
        *dims, number, offset = layout.unpack(reader.take(layout.size))
        if (n_weights := prod(dims)) >= 2**63:
            reader.fail(f"tensor {name[:64]!r} has {n_weights} weights")
        kind = TENSOR_TYPES.get(number, _UNKNOWN_TYPE)
        n_weights_by_type[kind.name] += n_weights
        n_blocks = -(-n_weights // kind.n_weights)
        n_data_bytes = max(n_data_bytes, offset + n_blocks * kind.n_bytes)
    return n_weights_by_type, n_data_bytes


def _align(reader: _Reader, alignment: Scalar) -> int:
    """Return where the weights start: here, rounded up."""
    if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
        reader.fail(f"general.alignment is {alignment!r}, not a power of two")
    return -(-reader.at // alignment) * alignment
