"""Rows in, sampled tokens out: the only caller of llama_decode.

Created and closed on a worker thread, called by the engine on its own thread. Owns the llama.cpp
context (the KV cache and the compute buffers), the batch and what samples from it. Never decides
anything: which rows, and what a failure means for whom, is the scheduler's and the engine's.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence as ReadOnlyList
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tgicli.core import Token
from tgicli.engine.adapters import Adapters
from tgicli.engine.batch_sampler import BatchSampler
from tgicli.engine.chunks import LEAST, MOST_SCORED, SMALL, Cut, cut_into_tiles, cut_small
from tgicli.engine.hardware import n_usable_cores
from tgicli.engine.lanes import LaneEdit
from tgicli.engine.llama import llama_cpp, quiet_log
from tgicli.engine.model import Model
from tgicli.engine.room import check_room
from tgicli.engine.saved import SavedLanes
from tgicli.engine.scheduler import Result, Row
from tgicli.engine.sequence import Sequence
from tgicli.errors import DecodeFailed, ModelLoadError

MOST_ON_GPU = 2048  # tokens of a micro-batch, which sizes the buffers to compute in; not measured
FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}  # llama_flash_attn_type
KV_TYPES = {  # name: (ggml_type, bytes a value)
    "f32": (0, 4.0),
    "f16": (1, 2.0),
    "bf16": (30, 2.0),
    "q8_0": (8, 34 / 32),
    "q4_0": (2, 18 / 32),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextOptions:
    """How large the context is and how it is computed."""

    n_ctx: int  # tokens one request may hold
    n_lanes: int = 1
    batch_size: int = 512  # tokens in one llama_decode at most
    threads: int | None = None  # None: the physical cores this process may use
    flash_attn: str = "auto"
    kv_type: str = "f16"
    prefix_reuse: bool = True  # start from the longest prefix that a lane holds, if it can be cut
    cache_bytes: int = 0  # of RAM for prefixes whose lanes went to others
    lora: tuple[tuple[Path, float], ...] = ()  # adapters for all, with their scales
    named_lora: tuple[tuple[str, Path], ...] = ()  # adapters that a request names; names differ

    @property
    def n_tokens(self) -> int:
        """Tokens of all lanes."""
        return self.n_ctx * self.n_lanes

    def token_bytes(self, model: Model) -> float:
        """Return what one token's keys and values take."""
        return float(model.kv_values_per_token * KV_TYPES[self.kv_type][1])

    def kv_bytes(self, model: Model) -> int:
        """Return what those of all lanes take."""
        return int(self.n_tokens * self.token_bytes(model))

    def max_saved_tokens(self, model: Model) -> int:
        """Return how many tokens cache_bytes hold."""
        token_bytes = self.token_bytes(model)
        return int(self.cache_bytes / token_bytes) if token_bytes else 0


class Runner:
    """A llama.cpp context with lanes."""

    def __init__(self, model: Model, options: ContextOptions) -> None:
        self.n_threads = options.threads or n_usable_cores()
        self.n_lanes = options.n_lanes
        self._model = model
        self._ctx = _new_context(model, options)
        self._memory = llama_cpp.llama_get_memory(self._ctx)
        if not self._memory:
            raise ModelLoadError(f"{model.path} has no KV cache: it embeds text and generates none")
        self._adapters = Adapters(model, self._ctx, always=options.lora, named=options.named_lora)
        # llama.cpp rounds up to 256 cells.
        self.n_ctx: int = min(options.n_ctx, llama_cpp.llama_n_ctx_seq(self._ctx))
        self.n_batch: int = llama_cpp.llama_n_batch(self._ctx)
        self.n_micro_batch: int = llama_cpp.llama_n_ubatch(self._ctx)
        self.cut: Cut = _cut_for(self.n_micro_batch)
        self.reuses_prefixes = options.prefix_reuse and model.can_trim
        self.max_saved_tokens = options.max_saved_tokens(model)
        self.decode_s = 0.0  # spent in llama_decode
        self._is_asynchronous = model.gpu_layers != 0
        self._batch = _Batch(self.n_batch)
        self._saved = SavedLanes(self._ctx)
        self._sampler = BatchSampler(
            model, self._ctx, n_ctx=self.n_ctx, n_lanes=self.n_lanes, n_threads=self.n_threads
        )

    def close(self) -> None:
        """Free the context. The model stays."""
        self._sampler.close()
        llama_cpp.llama_free(self._ctx)
        self._adapters.close()

    @property
    def adapter_names(self) -> tuple[str, ...]:
        """The adapters that a sequence may have."""
        return self._adapters.names

    def edit_lane(self, edit: LaneEdit) -> int:
        """Make a lane hold what the edit says; return how many tokens it holds now.

        That is n_keep, or 0 where the memory can't be trimmed, or a copy is not to be had.
        """
        if edit.saved is not None:
            llama_cpp.llama_memory_seq_rm(self._memory, edit.lane, edit.n_saved, -1)
            self._saved.save(edit.saved, edit.lane)
        n_kept = self._fill_lane(edit)
        for number in edit.dropped:
            self._saved.drop(number)
        return n_kept

    def _fill_lane(self, edit: LaneEdit) -> int:
        if edit.restored is not None and not self._saved.restore(edit.restored, edit.lane):
            llama_cpp.llama_memory_seq_rm(self._memory, edit.lane, -1, -1)
            return 0
        if edit.source != edit.lane:
            llama_cpp.llama_memory_seq_rm(self._memory, edit.lane, -1, -1)
            llama_cpp.llama_memory_seq_cp(self._memory, edit.source, edit.lane, -1, -1)
        if llama_cpp.llama_memory_seq_rm(self._memory, edit.lane, edit.n_keep, -1):
            return edit.n_keep
        llama_cpp.llama_memory_seq_rm(self._memory, edit.lane, -1, -1)
        return 0

    def forget(self, sequence: Sequence) -> None:
        """Free what is kept for a sequence that has ended."""
        self._sampler.forget(sequence)

    def prompt_tokens(self, sequence: Sequence) -> tuple[Token, ...]:
        """Return the prompt's tokens with their log-probabilities, if they are wanted."""
        pieces = ((i, self._model.piece(i)) for i in sequence.token_ids[: sequence.n_prompt])
        return tuple(
            Token(token_id, piece.data.decode("utf-8", "replace"), logprob, piece.special)
            for (token_id, piece), logprob in zip(pieces, sequence.prompt_logprobs, strict=False)
        )

    def run(self, rows: ReadOnlyList[Row]) -> list[Result]:
        """Compute the rows in one batch; return what each row that reaches its end samples.

        They have one adapter.

        Raises:
            DecodeFailed: the rows' cells are undefined from each row.start on.
        """
        (adapter,) = {row.sequence.adapter for row in rows}
        self._adapters.switch(adapter)
        lasts = self._batch.fill(rows)
        began_s = time.perf_counter()
        code = llama_cpp.llama_decode(self._ctx, self._batch.struct)  # the GIL is free in here
        if self._is_asynchronous:  # else the next batch would seem to take this one's time
            llama_cpp.llama_synchronize(self._ctx)
        self.decode_s += time.perf_counter() - began_s
        match code:
            case 0:
                return self._sampler.sample(rows, lasts)
            case 1:
                raise DecodeFailed(f"no room in the KV cache for {self._batch.n_tokens} tokens")
            case _:
                reasons = "; ".join(list(quiet_log().lines)[-2:])
                raise DecodeFailed(f"llama_decode returned {code} ({reasons})")


class _Batch:
    """A llama_batch over arrays of our own, filled again for each step."""

    def __init__(self, size: int) -> None:
        self._token: Any = (ctypes.c_int32 * size)()
        self._pos: Any = (ctypes.c_int32 * size)()
        self._lane: Any = (ctypes.c_int32 * size)()
        self._output: Any = (ctypes.c_int8 * size)()
        self._n_seq_id = (ctypes.c_int32 * size)(*[1] * size)
        pointer = ctypes.POINTER(ctypes.c_int32)
        first, width = ctypes.addressof(self._lane), ctypes.sizeof(ctypes.c_int32)
        # seq_id[i] is a pointer to a list of one: the token's lane.
        self._seq_id = (pointer * size)(
            *[ctypes.cast(first + i * width, pointer) for i in range(size)]
        )
        self.n_tokens = 0
        self.struct = llama_cpp.llama_batch(
            n_tokens=0,
            token=self._token,
            embd=None,
            pos=self._pos,
            n_seq_id=self._n_seq_id,
            seq_id=self._seq_id,
            logits=self._output,
        )

    def fill(self, rows: ReadOnlyList[Row]) -> list[int]:
        """Lay the rows one after the other; return the index of each row's last token."""
        lasts: list[int] = []
        begin = 0
        for row in rows:
            end = begin + row.count
            stop = row.start + row.count
            self._token[begin:end] = row.sequence.token_ids[row.start : stop]
            self._pos[begin:end] = range(row.start, stop)
            self._lane[begin:end] = [row.sequence.lane] * row.count
            self._output[begin:end] = [int(row.scores)] * row.count
            if row.samples:
                self._output[end - 1] = 1
            lasts.append(end - 1)
            begin = end
        self.n_tokens = self.struct.n_tokens = begin
        return lasts


def context_params(options: ContextOptions, *, on_gpu: bool) -> Any:
    """Return llama.cpp's llama_context_params."""
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = options.n_tokens
    params.n_seq_max = options.n_lanes
    params.kv_unified = False
    params.swa_full = False
    params.n_batch = max(options.batch_size, options.n_lanes, 2 * LEAST)
    params.n_ubatch = _micro_batch(params.n_batch, options, on_gpu=on_gpu)
    # One row of logits a lane, not one a token; more for a prompt that is scored.
    params.n_outputs_max = max(options.n_lanes, MOST_SCORED)
    params.n_threads = params.n_threads_batch = options.threads or n_usable_cores()
    params.flash_attn_type = FLASH_ATTENTION[options.flash_attn]
    params.type_k = params.type_v = KV_TYPES[options.kv_type][0]
    params.no_perf = True
    return params


def _new_context(model: Model, options: ContextOptions) -> Any:
    log = quiet_log()
    params = context_params(options, on_gpu=model.gpu_layers != 0)
    check_room(model, params, kv_bytes=options.kv_bytes(model), n_tokens=options.n_tokens)
    log.clear()
    ctx = llama_cpp.llama_init_from_model(model.pointer, params)
    if not ctx:
        what = f"llama.cpp can't make a context of {options.n_lanes} x {options.n_ctx} tokens"
        raise ModelLoadError("\n  ".join([what, *log.lines]))
    return ctx


def _micro_batch(n_batch: int, options: ContextOptions, *, on_gpu: bool) -> int:
    """Return how many tokens are computed in one piece.

    On a CPU small ones, because the cuts must not be seen in the logits and prompts beside running
    answers are cut small. That costs prefill 5-8 % at 500 tokens and a quarter at 1,500; one lane
    alone has nobody beside it.
    """
    if on_gpu:
        return min(n_batch, MOST_ON_GPU)
    return n_batch if options.n_lanes == 1 else min(n_batch, SMALL)


def _cut_for(micro_batch: int) -> Cut:
    return cut_small if micro_batch <= SMALL else partial(cut_into_tiles, micro_batch=micro_batch)
