"""A model's weights and vocabulary: load them, turn text into token ids and ids into bytes.

Loaded on a worker thread; afterwards immutable, so its methods may be called from any thread. Never
computes: that is the runner's.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from tgicli.engine.llama import llama_cpp, quiet_log
from tgicli.errors import ModelLoadError

ALL_LAYERS = -1
_UNKNOWN, _CONTROL = 1 << 0, 1 << 3  # llama_token_attr
_ONE_GPU = 0  # llama_split_mode


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """How to load the weights."""

    gpu_layers: int | None = None  # None: all when the build has a GPU, else none
    main_gpu: int | None = None  # the only GPU that gets layers; None: all do
    tensor_split: tuple[float, ...] = ()  # each GPU's share of the layers; (): by free memory
    mmap: bool = True
    mlock: bool = False


class Piece(NamedTuple):
    """What one token id stands for."""

    data: bytes
    special: bool  # control, unknown or end-of-generation: no part of the answer
    ends: bool


class Model:
    """A loaded model. Close it after everything that uses it."""

    def __init__(self, path: Path, pointer: Any, options: LoadOptions) -> None:
        self.path = path
        self.pointer = pointer
        self.options = options
        self.vocab = llama_cpp.llama_model_get_vocab(pointer)
        self.n_vocab: int = llama_cpp.llama_vocab_n_tokens(self.vocab)
        self.n_ctx_train: int = llama_cpp.llama_model_n_ctx_train(pointer)
        self._pieces: list[Piece | None] = [None] * self.n_vocab

    @classmethod
    def load(
        cls,
        path: Path,
        options: LoadOptions,
        on_progress: Callable[[float], bool] = lambda fraction: True,
    ) -> Model:
        """Load a GGUF file; of a split model, its first part.

        on_progress gets the loaded fraction and says whether to go on.

        Raises:
            ModelLoadError: llama.cpp refused; the message ends with its own last lines.
        """
        log = quiet_log()
        log.clear()
        llama_cpp.llama_backend_init()
        params = model_params(options)
        params.progress_callback = callback = llama_cpp.llama_progress_callback(
            lambda fraction, _user_data: on_progress(fraction)
        )
        pointer = llama_cpp.llama_model_load_from_file(bytes(path), params)
        del callback  # until here llama.cpp needed it
        if not pointer:
            raise ModelLoadError("\n  ".join([f"llama.cpp can't load {path}", *log.lines]))
        if params.n_gpu_layers == 0 and not options.mmap:
            from tgicli.engine import huge_pages  # a millisecond that a mapped file need not spend

            huge_pages.take()
        return cls(path, pointer, replace(options, gpu_layers=params.n_gpu_layers))

    def close(self) -> None:
        """Free the weights."""
        llama_cpp.llama_model_free(self.pointer)

    @property
    def gpu_layers(self) -> int:
        """How many layers were put on a GPU, or ALL_LAYERS."""
        return self.options.gpu_layers or 0

    @property
    def can_trim(self) -> bool:
        """Whether the tail of a sequence can be taken out of its memory.

        Not from a recurrent state, and not where a sliding window has already dropped the cells
        before it.
        """
        return not (
            llama_cpp.llama_model_is_recurrent(self.pointer)
            or llama_cpp.llama_model_is_hybrid(self.pointer)
            or llama_cpp.llama_model_n_swa(self.pointer) > 0
        )

    @property
    def size_bytes(self) -> int:
        """The weights' size."""
        return int(llama_cpp.llama_model_size(self.pointer))

    @property
    def description(self) -> str:
        """What it is, in llama.cpp's words, e.g. `llama 256M Q4_1`."""
        buffer = ctypes.create_string_buffer(128)
        llama_cpp.llama_model_desc(self.pointer, buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    @property
    def chat_template(self) -> str | None:
        """The Jinja source of the model's default chat template."""
        source = llama_cpp.llama_model_chat_template(self.pointer, None)
        return None if source is None else source.decode("utf-8", "replace")

    @property
    def bos(self) -> str:
        """The text of the begin-of-sequence token, empty when there is none."""
        return self._special_text(llama_cpp.llama_vocab_bos(self.vocab))

    @property
    def eos(self) -> str:
        """The text of the end-of-sequence token, empty when there is none."""
        return self._special_text(llama_cpp.llama_vocab_eos(self.vocab))

    def _special_text(self, token_id: int) -> str:
        return "" if token_id < 0 else self.piece(token_id).data.decode("utf-8", "replace")

    def metadata(self, key: str) -> str | None:
        """Return one GGUF metadata value as text, None when the file has no such key."""
        buffer = ctypes.create_string_buffer(256)
        length = llama_cpp.llama_model_meta_val_str(self.pointer, key.encode(), buffer, len(buffer))
        return None if length < 0 else buffer.value.decode("utf-8", "replace")

    def tokenize(self, text: str, *, add_special: bool) -> list[int]:
        """Return a text's token ids; special tokens written out in it are recognised.

        add_special adds what the vocabulary wants around a text (BOS); a chat template has written
        it already.
        """
        data = text.encode("utf-8", "surrogateescape")
        size = len(data) + 8
        while True:
            ids = (llama_cpp.llama_token * size)()
            n = llama_cpp.llama_tokenize(self.vocab, data, len(data), ids, size, add_special, True)
            if n >= 0:
                return list(ids[:n])
            size = -n

    def piece(self, token_id: int) -> Piece:
        """Return what a token stands for."""
        piece = self._pieces[token_id]
        if piece is None:
            piece = self._pieces[token_id] = self._look_up(token_id)
        return piece

    def _look_up(self, token_id: int) -> Piece:
        attributes = llama_cpp.llama_vocab_get_attr(self.vocab, token_id)
        ends = llama_cpp.llama_vocab_is_eog(self.vocab, token_id)
        buffer = ctypes.create_string_buffer(64)
        n = llama_cpp.llama_token_to_piece(self.vocab, token_id, buffer, len(buffer), 0, True)
        if n < 0:
            buffer = ctypes.create_string_buffer(-n)
            n = llama_cpp.llama_token_to_piece(self.vocab, token_id, buffer, -n, 0, True)
        special = bool(attributes & (_UNKNOWN | _CONTROL)) or ends
        return Piece(buffer.raw[:n], special, ends)

    @functools.cached_property
    def kv_values_per_token(self) -> int:
        """Numbers that one token adds to the KV cache, over all layers, if all are like the first.

        Not so in a hybrid model, whose first layer often has no keys and values at all.
        """
        arch = self.metadata("general.architecture")
        n_head = max(1, llama_cpp.llama_model_n_head(self.pointer))
        head = llama_cpp.llama_model_n_embd(self.pointer) // n_head
        key = int(self.metadata(f"{arch}.attention.key_length") or head)
        value = int(self.metadata(f"{arch}.attention.value_length") or head)
        n_head_kv = int(llama_cpp.llama_model_n_head_kv(self.pointer))
        n_layer = int(llama_cpp.llama_model_n_layer(self.pointer))
        return n_layer * n_head_kv * (key + value)


def model_params(options: LoadOptions) -> Any:
    """Return llama.cpp's llama_model_params. They keep alive what they point to."""
    params = llama_cpp.llama_model_default_params()
    params.n_gpu_layers = _gpu_layers(options)
    params.load_mode = _load_mode(options)
    if options.main_gpu is not None:
        params.split_mode, params.main_gpu = _ONE_GPU, options.main_gpu
    if options.tensor_split:
        n_shares = llama_cpp.llama_max_devices()
        params.tensor_split = (ctypes.c_float * n_shares)(*options.tensor_split[:n_shares])
    return params


def can_offload() -> bool:
    """Say whether the build has a GPU to put layers on."""
    return bool(llama_cpp.llama_supports_gpu_offload())


def _gpu_layers(options: LoadOptions) -> int:
    if not can_offload():
        return 0
    return ALL_LAYERS if options.gpu_layers is None else options.gpu_layers


def _load_mode(options: LoadOptions) -> int:
    """Return llama.cpp's llama_load_mode."""
    return (1 if options.mmap else 0) | (2 if options.mlock else 0)
