"""Model files with random weights, in the shapes of models that people run.

Used by gpu.py. How fast a model is depends on its tensors' sizes and types, not on their values; so
nothing needs to be downloaded. The tokenizer is another model's, so that a text has as many tokens
as usual; answers are noise. All big matrices are Q8_0, what lies between them is F32.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import gguf
import numpy as np
import numpy.typing as npt

N_BLOCK, BLOCK_BYTES = 32, 34  # of Q8_0: a half float, 32 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A llama."""

    n_layer: int
    n_embd: int
    n_ff: int
    n_head: int
    n_head_kv: int
    head: int
    n_vocab: int = 128_256
    is_tied: bool = False  # the embedding serves as output, too

    def matrices(self) -> Iterator[tuple[str, int, int]]:
        """Yield name, columns and rows of each matrix."""
        yield "token_embd.weight", self.n_embd, self.n_vocab
        if not self.is_tied:
            yield "output.weight", self.n_embd, self.n_vocab
        for i in range(self.n_layer):
            for name, n_in, n_out in self._of_a_layer():
                yield f"blk.{i}.{name}.weight", n_in, n_out

    def _of_a_layer(self) -> Iterator[tuple[str, int, int]]:
        n_q, n_kv = self.n_head * self.head, self.n_head_kv * self.head
        yield "attn_q", self.n_embd, n_q
        yield "attn_k", self.n_embd, n_kv
        yield "attn_v", self.n_embd, n_kv
        yield "attn_output", n_q, self.n_embd
        yield "ffn_gate", self.n_embd, self.n_ff
        yield "ffn_up", self.n_embd, self.n_ff
        yield "ffn_down", self.n_ff, self.n_embd

    def norms(self) -> Iterator[str]:
        """Yield the names of the gains."""
        yield "output_norm.weight"
        for i in range(self.n_layer):
            yield from (f"blk.{i}.attn_norm.weight", f"blk.{i}.ffn_norm.weight")


SHAPES = MappingProxyType(
    {
        "tiny": Shape(
            n_layer=2, n_embd=256, n_ff=512, n_head=4, n_head_kv=2, head=64, n_vocab=50_000
        ),
        "1b": Shape(
            n_layer=16, n_embd=2048, n_ff=8192, n_head=32, n_head_kv=8, head=64, is_tied=True
        ),
        "8b": Shape(n_layer=32, n_embd=4096, n_ff=14336, n_head=32, n_head_kv=8, head=128),
    }
)


def made(name: str, folder: Path, *, like: Path) -> Path:
    """Return the file of a shape, written unless it is there, with the tokenizer of a model."""
    path = folder / f"random-{name}-Q8_0.gguf"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        _write(SHAPES[name], unfinished, like)
        unfinished.rename(path)
    return path


def _write(shape: Shape, path: Path, like: Path) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    _add_keys(writer, shape)
    _add_vocabulary(writer, shape.n_vocab, like)
    for name in shape.norms():
        writer.add_tensor_info(name, [shape.n_embd], np.dtype(np.float32), 4 * shape.n_embd)
    kind = gguf.GGMLQuantizationType.Q8_0
    for name, n_in, n_out in shape.matrices():
        row_bytes = n_in // N_BLOCK * BLOCK_BYTES
        dims, dtype = [n_out, row_bytes], np.dtype(np.uint8)
        writer.add_tensor_info(name, dims, dtype, n_out * row_bytes, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _ in shape.norms():
        writer.write_tensor_data(np.ones(shape.n_embd, np.float32))
    for _, n_in, n_out in shape.matrices():
        writer.write_tensor_data(_random_q8(n_in, n_out))
    writer.close()


def _random_q8(n_in: int, n_out: int) -> npt.NDArray[np.uint8]:
    """Return a matrix that keeps the size of what it is multiplied with, in Q8_0's bytes."""
    rng = np.random.default_rng(n_in)
    blocks = rng.integers(0, 256, (n_out * n_in // N_BLOCK, BLOCK_BYTES), dtype=np.uint8)
    scale = np.float16(1 / 73 / n_in**0.5)  # 73: the deviation of a random signed byte
    blocks[:, :2] = np.frombuffer(scale.tobytes(), np.uint8)
    return blocks.reshape(n_out, -1)


def _add_keys(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_context_length(131_072)
    writer.add_embedding_length(shape.n_embd)
    writer.add_block_count(shape.n_layer)
    writer.add_feed_forward_length(shape.n_ff)
    writer.add_head_count(shape.n_head)
    writer.add_head_count_kv(shape.n_head_kv)
    writer.add_key_length(shape.head)
    writer.add_value_length(shape.head)
    writer.add_rope_dimension_count(shape.head)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(500_000.0)


def _add_vocabulary(writer: gguf.GGUFWriter, n_vocab: int, like: Path) -> None:
    """Take over a model's tokenizer, and fill the vocabulary up with words that no text has."""
    fields = gguf.GGUFReader(like).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    n_more = n_vocab - len(tokens)
    assert n_more >= 0, f"{len(tokens)} tokens are more than {n_vocab}"
    writer.add_tokenizer_model(fields["tokenizer.ggml.model"].contents())
    writer.add_tokenizer_pre(fields["tokenizer.ggml.pre"].contents())
    writer.add_token_list([*tokens, *(f"<more {i}>" for i in range(n_more))])
    writer.add_token_types([*types, *[gguf.TokenType.NORMAL] * n_more])
    writer.add_token_merges(fields["tokenizer.ggml.merges"].contents())
    writer.add_bos_token_id(fields["tokenizer.ggml.bos_token_id"].contents())
    writer.add_eos_token_id(fields["tokenizer.ggml.eos_token_id"].contents())
