"""LoRA adapters with random weights for the models of tests/tiny.py, written at test time."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from tests.tiny import RECIPES

RANK = 4
_BENT = ("attn_v.weight", "ssm_in.weight")  # a layer of each kind of memory has one of them


def write_adapter(
    path: Path, *, seed: int, model: str = "llama", invoked_by: tuple[int, ...] = ()
) -> Path:
    """Write an adapter for the tiny model of this name; return its path.

    It bends what each layer puts into its memory, so cells computed with it differ from others.
    `invoked_by` makes an activated adapter of it, that these tokens switch on.
    """
    recipe = RECIPES[model]
    writer = gguf.GGUFWriter(path, recipe.arch)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(RANK))
    if invoked_by:
        writer.add_key_value(
            "adapter.alora.invocation_tokens",
            list(invoked_by),
            gguf.GGUFValueType.ARRAY,
            sub_type=gguf.GGUFValueType.UINT32,
        )
    rng = np.random.default_rng(seed)
    for name, shape in recipe.tensors.items():
        if name.endswith(_BENT):
            n_in, n_out = shape
            a, b = rng.normal(size=(RANK, n_in)), rng.normal(size=(n_out, RANK))
            writer.add_tensor(f"{name}.lora_a", a.astype(np.float32))
            writer.add_tensor(f"{name}.lora_b", b.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
