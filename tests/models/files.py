"""Small GGUF files with a header like a real one's, written by the gguf package."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
TOKENS = ("<s>", "</s>", "a", "b", "c")


def write_gguf(
    path: Path,
    *,
    tokens: tuple[str, ...] = TOKENS,
    merges: tuple[str, ...] = ("a b", "b c"),
    n_weights: int = 4096,
    part: tuple[int, int] | None = None,  # index from 0, and how many
    chat_template: str | None = TEMPLATE,
    file_type: gguf.LlamaFileType | None = gguf.LlamaFileType.MOSTLY_Q8_0,
    seed: int = 0,
) -> Path:
    """Write a file with one tensor of Q8_0 and one of F32, both random; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, "llama")
    if part is None or part[0] == 0:
        _add_metadata(writer, tokens, merges, chat_template, file_type)
    if part is not None:
        writer.add_uint16("split.no", part[0])
        writer.add_uint16("split.count", part[1])
    random = np.random.default_rng(seed)
    weights = random.standard_normal((n_weights // 64, 64), dtype=np.float32)
    stored = gguf.quantize(weights, gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("token_embd.weight", stored, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("output_norm.weight", random.standard_normal(64, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_metadata(
    writer: gguf.GGUFWriter,
    tokens: tuple[str, ...],
    merges: tuple[str, ...],
    chat_template: str | None,
    file_type: gguf.LlamaFileType | None,
) -> None:
    writer.add_name("Tiny Test")
    writer.add_context_length(2048)
    writer.add_block_count(3)
    writer.add_array("general.languages", ["en", "de"])
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * len(tokens))
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    if chat_template is not None:
        writer.add_chat_template(chat_template)
    if file_type is not None:
        writer.add_file_type(file_type)


def split_gguf(folder: Path, stem: str, n_parts: int) -> list[Path]:
    """Write a model in parts; return their paths in order."""
    return [
        write_gguf(folder / f"{stem}-{i + 1:05}-of-{n_parts:05}.gguf", part=(i, n_parts), seed=i)
        for i in range(n_parts)
    ]
