"""Tiny models with random weights, written at test time: every kind of memory, and broken ones.

Called by the fixtures in conftest.py. The weights are seeded, so every run writes the same bytes.
The output layer is loud (logits deviate by about 3), so that sampling has something to choose
from, and silent for control tokens, so that only `ends` ends by itself.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import gguf
import numpy as np
import numpy.typing as npt

N_CTX_TRAIN = 2048
N_WINDOW = 16  # tokens that a layer of `gemma3` looks back
N_EMBD, N_HEAD, N_HEAD_KV, N_FF, N_LAYER = 64, 4, 2, 128, 2
HEAD = N_EMBD // N_HEAD
SEED = 20240501

CHATML = """\
{% for message in messages %}<|im_start|>{{ message['role'] }}
{{ message['content'] }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
MISTRAL = """\
{{ bos_token }}{% for message in messages %}\
{% if message['role'] == 'user' %}[INST] {{ message['content'] }} [/INST]\
{% else %}{{ message['content'] }}{{ eos_token }}{% endif %}{% endfor %}"""
GEMMA = """\
{{ bos_token }}{% if messages[0]['role'] == 'system' %}\
{{ raise_exception('System role not supported') }}{% endif %}\
{% for message in messages %}\
{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}\
<start_of_turn>{{ role }}
{{ message['content'] | trim }}<end_of_turn>
{% endfor %}{% if add_generation_prompt %}<start_of_turn>model
{% endif %}"""

Array = npt.NDArray[np.float32]
Shape = tuple[int, ...]  # as llama.cpp writes it: the fastest dimension first


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """A tokenizer: its kind in llama.cpp's words, and its tokens with their types."""

    kind: str
    pre: str = "default"
    tokens: tuple[tuple[str, gguf.TokenType], ...]
    merges: tuple[str, ...] = ()
    special: Mapping[str, str]  # which token is bos, eos, ...

    def id(self, token: str) -> int:
        """Return the token's id."""
        return [text for text, _ in self.tokens].index(token)

    @property
    def control_ids(self) -> list[int]:
        """The tokens that are no text."""
        return [i for i, (_, kind) in enumerate(self.tokens) if kind == gguf.TokenType.CONTROL]

    def write(self, writer: gguf.GGUFWriter) -> None:
        """Add the tokenizer's keys."""
        writer.add_tokenizer_model(self.kind)
        writer.add_tokenizer_pre(self.pre)
        writer.add_token_list([text for text, _ in self.tokens])
        writer.add_token_types([kind for _, kind in self.tokens])
        scores = [-float(i) for i in range(len(self.tokens))]  # SPM merges the best first
        writer.add_token_scores(scores)
        if self.merges:
            writer.add_token_merges(self.merges)
        if self.kind == "bert":
            writer.add_token_type_count(2)  # sentences a and b
        for role, token in self.special.items():
            writer.add_uint32(f"tokenizer.ggml.{role}_token_id", self.id(token))
        writer.add_add_bos_token(True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a model file is made of."""

    arch: str
    vocabulary: Vocabulary
    keys: Mapping[str, int | float | bool | list[int]]  # without the architecture's prefix
    tensors: Mapping[str, Shape]
    template: str | None = CHATML
    change: Callable[[str, Array, Vocabulary], None] = field(default=lambda *_: None)
    max_tensors: int = 0  # in a part; 0: one part

    def write(self, path: Path) -> Path:
        """Write the model; return the file to load, the first of its parts."""
        writer = gguf.GGUFWriter(path, self.arch, split_max_tensors=self.max_tensors)
        writer.add_name(f"tiny {self.arch}")
        for key, value in self.keys.items():
            _add(writer, f"{self.arch}.{key}", value)
        self.vocabulary.write(writer)
        if self.template is not None:
            writer.add_chat_template(self.template)
        rng = np.random.default_rng(SEED)
        for name, shape in self.tensors.items():
            weights = _draw(rng, name, shape)
            if name == "output.weight":
                weights[self.vocabulary.control_ids] = 0
            self.change(name, weights, self.vocabulary)
            writer.add_tensor(name, weights)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return Path(writer.format_shard_names(path)[0])


def _add(writer: gguf.GGUFWriter, key: str, value: int | float | bool | list[int]) -> None:
    match value:
        case bool():
            writer.add_bool(key, value)
        case int():
            writer.add_uint32(key, value)
        case float():
            writer.add_float32(key, value)
        case list():
            writer.add_array(key, value)


def _draw(rng: np.random.Generator, name: str, shape: Shape) -> Array:
    """Draw weights that keep activations near 1 through the layers."""
    is_gain = name.endswith(("norm.weight", "ssm_d"))
    if is_gain or name.endswith("bias"):
        deviation = 0.1
    else:
        deviation = (3 if name == "output.weight" else 1) / shape[0] ** 0.5
    weights = rng.normal(1 if is_gain else 0, deviation, shape[::-1]).astype(np.float32)
    return -np.exp(weights) if name.endswith("ssm_a") else weights  # a state must decay


def _byte_tokens() -> dict[int, str]:
    """Return the printable stand-ins of the 256 bytes, as GPT-2 chose them."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {
        byte: chr(256 + i) for i, byte in enumerate(others)
    }


# fmt: off
MERGES = (
    "Ġ t", "h e", "i n", "Ġ a", "e r", "Ġt he", "Ġ w", "o r", "l l", "l d", "o n", "Ġ s", "a n",
    "Ġ h", "o u", "r e", "Ġ o", "Ġ i", "Ġo f", "Ġa n", "Ġan d", "in g",
)
# fmt: on
NORMAL, CONTROL, BYTE = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL, gguf.TokenType.BYTE

BPE = Vocabulary(
    kind="gpt2",
    pre="gpt-2",
    tokens=(
        *((token, CONTROL) for token in ("<|bos|>", "<|eos|>", "<|im_start|>", "<|im_end|>")),
        *((token, NORMAL) for token in _byte_tokens().values()),
        *((merge.replace(" ", ""), NORMAL) for merge in MERGES),
    ),
    merges=MERGES,
    special={"bos": "<|bos|>", "eos": "<|eos|>", "eot": "<|im_end|>"},
)
SPM = Vocabulary(
    kind="llama",
    tokens=(
        ("<unk>", gguf.TokenType.UNKNOWN),
        *((token, CONTROL) for token in ("<s>", "</s>", "<start_of_turn>", "<end_of_turn>")),
        *((f"<0x{byte:02X}>", BYTE) for byte in range(256)),
        *((merge.replace(" ", "").replace("Ġ", "▁"), NORMAL) for merge in MERGES),
        *((token, NORMAL) for token in ("▁", *string.ascii_letters, *string.digits, *".,!?'")),
    ),
    special={"bos": "<s>", "eos": "</s>", "unknown": "<unk>"},
)
WPM = Vocabulary(
    kind="bert",
    tokens=(
        *((token, CONTROL) for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")),
        *((token, NORMAL) for letter in string.ascii_lowercase for token in (letter, f"▁{letter}")),
    ),
    special={"bos": "[CLS]", "eos": "[SEP]", "unknown": "[UNK]", "seperator": "[SEP]"},
)


def _frame(
    vocabulary: Vocabulary, layer: Mapping[str, Shape], *others: Mapping[str, Shape]
) -> dict[str, Shape]:
    """Name the tensors of a model: around its layers, and of each layer."""
    n_vocab = len(vocabulary.tokens)
    frame: dict[str, Shape] = {
        "token_embd.weight": (N_EMBD, n_vocab),
        "output_norm.weight": (N_EMBD,),
        "output.weight": (N_EMBD, n_vocab),
    }
    layers = (layer, *others)
    for i in range(N_LAYER):
        tensors = layers[i % len(layers)]
        frame |= {f"blk.{i}.{name}": shape for name, shape in tensors.items()}
    return frame


ATTENTION: Mapping[str, Shape] = {
    "attn_norm.weight": (N_EMBD,),
    "attn_q.weight": (N_EMBD, N_EMBD),
    "attn_k.weight": (N_EMBD, N_HEAD_KV * HEAD),
    "attn_v.weight": (N_EMBD, N_HEAD_KV * HEAD),
    "attn_output.weight": (N_EMBD, N_EMBD),
}
FEED_FORWARD: Mapping[str, Shape] = {
    "ffn_norm.weight": (N_EMBD,),
    "ffn_gate.weight": (N_EMBD, N_FF),
    "ffn_up.weight": (N_EMBD, N_FF),
    "ffn_down.weight": (N_FF, N_EMBD),
}
EXPERTS: Mapping[str, Shape] = {
    "ffn_norm.weight": (N_EMBD,),
    "ffn_gate_inp.weight": (N_EMBD, 4),
    "ffn_gate_exps.weight": (N_EMBD, N_FF, 4),
    "ffn_up_exps.weight": (N_EMBD, N_FF, 4),
    "ffn_down_exps.weight": (N_FF, N_EMBD, 4),
}
N_INNER, N_STATE, N_CONV, N_RANK = 2 * N_EMBD, 8, 4, 4
STATE_SPACE: Mapping[str, Shape] = {
    "attn_norm.weight": (N_EMBD,),
    "ssm_in.weight": (N_EMBD, 2 * N_INNER),
    "ssm_conv1d.weight": (N_CONV, N_INNER),
    "ssm_conv1d.bias": (N_INNER,),
    "ssm_x.weight": (N_INNER, N_RANK + 2 * N_STATE),
    "ssm_dt.weight": (N_RANK, N_INNER),
    "ssm_dt.bias": (N_INNER,),
    "ssm_a": (N_STATE, N_INNER),
    "ssm_d": (N_INNER,),
    "ssm_out.weight": (N_INNER, N_EMBD),
}
STATE_NORMS: Mapping[str, Shape] = {
    "ssm_dt_norm.weight": (N_RANK,),
    "ssm_b_norm.weight": (N_STATE,),
    "ssm_c_norm.weight": (N_STATE,),
}
GEMMA_NORMS: Mapping[str, Shape] = {
    "attn_q_norm.weight": (HEAD,),
    "attn_k_norm.weight": (HEAD,),
    "post_attention_norm.weight": (N_EMBD,),
    "post_ffw_norm.weight": (N_EMBD,),
}
BERT_LAYER: Mapping[str, Shape] = {
    **{f"attn_{part}.weight": (N_EMBD, N_EMBD) for part in ("q", "k", "v", "output")},
    "ffn_up.weight": (N_EMBD, N_FF),
    "ffn_down.weight": (N_FF, N_EMBD),
    **{
        f"{name}_norm.{part}": (N_EMBD,)
        for name in ("attn_output", "layer_output")
        for part in ("weight", "bias")
    },
}
TRANSFORMER_KEYS: Mapping[str, int | float | bool | list[int]] = {
    "context_length": N_CTX_TRAIN,
    "embedding_length": N_EMBD,
    "block_count": N_LAYER,
    "feed_forward_length": N_FF,
    "attention.head_count": N_HEAD,
    "attention.head_count_kv": N_HEAD_KV,
    "attention.layer_norm_rms_epsilon": 1e-5,
}
STATE_KEYS: Mapping[str, int | float | bool | list[int]] = {
    "ssm.conv_kernel": N_CONV,
    "ssm.inner_size": N_INNER,
    "ssm.state_size": N_STATE,
    "ssm.time_step_rank": N_RANK,
}


def _spoil(name: str, weights: Array, _: Vocabulary) -> None:
    """Make every logit NaN."""
    if name == "output.weight":
        weights[:] = np.nan


def _end_soon(name: str, weights: Array, vocabulary: Vocabulary) -> None:
    """Give the end-of-sequence token a logit that hardly depends on the text."""
    if name == "token_embd.weight":
        weights[:, 0] = 1  # one channel says the same at every token,
    if name.endswith(("attn_output.weight", "ffn_down.weight")):
        weights[0] = 0  # no layer writes to it,
    if name == "output.weight":
        weights[vocabulary.id("<|eos|>"), 0] = 11  # and the token listens to it


LLAMA = Recipe(
    arch="llama",
    vocabulary=BPE,
    keys={**TRANSFORMER_KEYS, "rope.dimension_count": HEAD},
    tensors=_frame(BPE, {**ATTENTION, **FEED_FORWARD}),
)
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "llama": LLAMA,
        "llama_spm": replace(
            LLAMA,
            vocabulary=SPM,
            tensors=_frame(SPM, {**ATTENTION, **FEED_FORWARD}),
            template=MISTRAL,
        ),
        "no_template": replace(LLAMA, template=None),
        "ends": replace(LLAMA, change=_end_soon),
        "nan": replace(LLAMA, change=_spoil),
        "split": replace(LLAMA, max_tensors=8),
        "mixtral": replace(
            LLAMA,
            keys={**LLAMA.keys, "expert_count": 4, "expert_used_count": 2},
            tensors=_frame(BPE, {**ATTENTION, **EXPERTS}),
        ),
        "mamba": replace(
            LLAMA,
            arch="mamba",
            keys={
                **TRANSFORMER_KEYS,
                **STATE_KEYS,
                "attention.head_count": 0,
                "feed_forward_length": 0,
            },
            tensors=_frame(BPE, STATE_SPACE),
        ),
        "jamba": replace(
            LLAMA,
            arch="jamba",
            keys={**TRANSFORMER_KEYS, **STATE_KEYS, "attention.head_count_kv": [0, N_HEAD_KV]},
            tensors=_frame(
                BPE, {**STATE_SPACE, **STATE_NORMS, **FEED_FORWARD}, {**ATTENTION, **FEED_FORWARD}
            ),
        ),
        "gemma3": replace(
            LLAMA,
            arch="gemma3",
            vocabulary=SPM,
            keys={
                **TRANSFORMER_KEYS,
                "attention.sliding_window": N_WINDOW,
                "attention.sliding_window_pattern": 2,  # every second layer sees everything
            },
            tensors=_frame(SPM, {**ATTENTION, **FEED_FORWARD, **GEMMA_NORMS}),
            template=GEMMA,
        ),
        "bert": Recipe(
            arch="bert",
            vocabulary=WPM,
            keys={
                "context_length": 128,
                "embedding_length": N_EMBD,
                "block_count": N_LAYER,
                "feed_forward_length": N_FF,
                "attention.head_count": N_HEAD,
                "attention.layer_norm_epsilon": 1e-5,
                "attention.causal": False,
                "pooling_type": 1,
            },
            tensors={
                "token_embd.weight": (N_EMBD, len(WPM.tokens)),
                "position_embd.weight": (N_EMBD, 128),
                "token_embd_norm.weight": (N_EMBD,),
                "token_embd_norm.bias": (N_EMBD,),
                **{
                    f"blk.{i}.{name}": shape
                    for i in range(N_LAYER)
                    for name, shape in BERT_LAYER.items()
                },
            },
            template=None,
        ),
    }
)


def write(name: str, folder: Path) -> Path:
    """Write the model of this name, or a damaged copy of `llama`; return the file to load."""
    path = folder / f"{name}.gguf"
    if name == "truncated":
        data = LLAMA.write(path).read_bytes()
        path.write_bytes(data[: len(data) // 2])
    elif name == "wrong_magic":
        data = LLAMA.write(path).read_bytes()
        path.write_bytes(b"GGML" + data[4:])
    else:
        return RECIPES[name].write(path)
    return path
