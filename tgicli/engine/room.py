"""Refuse a context that has no room, before the kernel or a driver does it in its own way.

Called by the runner when the model is loaded and its context is not yet made. Nearly always a
formula says at once that there is plenty; only when it is close is llama.cpp asked for the exact
size, which takes as long as loading the vocabulary once more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tgicli.engine.hardware import available_memory_bytes
from tgicli.engine.llama import llama_cpp
from tgicli.engine.model import Model
from tgicli.errors import ModelLoadError

if TYPE_CHECKING:
    from tgicli.engine.memory import Need, Shortage

PLENTY_BYTES = 1 << 30  # more than all that the formula leaves out


def check_room(model: Model, context: Any, *, kv_bytes: int, n_tokens: int) -> None:
    """Return if the context fits beside the model.

    kv_bytes is what the cache takes at most, context the llama_context_params for n_tokens.

    Raises:
        ModelLoadError: it does not; the message has what is needed and what is free.
    """
    is_hybrid = llama_cpp.llama_model_is_hybrid(model.pointer)  # then kv_bytes says nothing
    if not is_hybrid and _has_plenty(model, kv_bytes + _most_attention_bytes(model, context)):
        return
    from tgicli.engine.devices import devices  # these take 10 ms, which most runs need not spend
    from tgicli.engine.dry_run import measure
    from tgicli.engine.memory import shortages

    need = measure(model.path, model.options, context, n_tokens=n_tokens)
    still = need.without_weights() if _is_resident(model) else need
    if missing := shortages(still, devices()):
        raise ModelLoadError(refusal(model.path.name, still, missing, n_tokens))


def _is_resident(model: Model) -> bool:
    """Whether the weights are in memory; what is mapped comes there while it is computed with."""
    return model.gpu_layers != 0 or not model.options.mmap or model.options.mlock


def _most_attention_bytes(model: Model, context: Any) -> int:
    """Bound the scores of one layer: without flash attention a float for each pair and head."""
    n_heads = max(1, llama_cpp.llama_model_n_head(model.pointer))
    n_pairs = context.n_ubatch * context.n_ctx // context.n_seq_max
    return int(4 * n_pairs * (n_heads + 1))  # and one for the mask


def _has_plenty(model: Model, context_bytes: int) -> bool:
    available = available_memory_bytes()
    if model.gpu_layers == 0:
        still = context_bytes + (0 if _is_resident(model) else model.size_bytes)
        return available is None or still + PLENTY_BYTES <= available
    from tgicli.engine.devices import devices
    from tgicli.engine.memory import gpus_among

    needed = context_bytes + PLENTY_BYTES
    places = gpus_among(devices())
    return all(gpu.free_bytes - gpu.margin_bytes >= needed for gpu in places if gpu.total_bytes)


def refusal(name: str, need: Need, missing: Iterable[Shortage], n_tokens: int) -> str:
    """Say what is needed, what is free, and what to do."""
    where = "; ".join(map(str, missing))
    fewer = ", fewer --gpu-layers" if need.n_gpu_layers else ""
    return (
        f"{name} with a context of {n_tokens:,} tokens needs {where}; "
        f"choose a smaller --ctx-size, a smaller --kv-type{fewer} or a smaller model"
    )
