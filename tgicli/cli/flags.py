"""Flags that several commands share: how to sample, and which model to load how.

Imported by the command modules and, as values, by what does the commands' work. Names, types and
help texts only: variables, the file and error messages are `command`'s, the ranges of sampling
parameters are core's, which is asked for each as soon as it is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

import typer

from tgicli.cli.precedence import is_flag
from tgicli.cli.signature import option
from tgicli.cli.value import check_float, check_int, check_name, check_range, check_text
from tgicli.core import SamplingParams
from tgicli.errors import RequestError

SAMPLING, LOADING = "Sampling and length", "Model"

FlashAttention = Literal["auto", "on", "off"]
KvType = Literal["f32", "f16", "bf16", "q8_0", "q4_0"]


class Lora(NamedTuple):
    """An adapter."""

    path: Path
    scale: float


class TensorSplit(NamedTuple):
    """How the layers are spread over the GPUs."""

    shares: tuple[float, ...]


class NamedLoras(NamedTuple):
    """Adapters that requests choose by name: what one value of --lora-adapters holds."""

    adapters: tuple[tuple[str, Path], ...]


def parse_gpu_layers(value: object) -> int | None:
    """Read `auto` (None) or a number of layers. Raises ValueError."""
    if value == "auto":
        return None
    try:
        return check_range(check_int(value), 0)
    except ValueError:
        raise ValueError("must be auto or a whole number >= 0") from None


def parse_tensor_split(value: object) -> TensorSplit:
    """Read A,B,...: numbers in any unit. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("must be numbers with commas between them, one for each GPU")
    shares = tuple(check_float(word.strip()) for word in value.split(","))
    if not all(0 <= share < float("inf") for share in shares) or not any(shares):
        raise ValueError("must be numbers >= 0, and not all 0")
    return TensorSplit(shares)


def parse_lora(value: object) -> Lora:
    """Read FILE or FILE=SCALE; a `=` before no number belongs to the name. Raises ValueError."""
    if not isinstance(value, str) or not value:
        raise ValueError("must be FILE or FILE=SCALE")
    path, _, scale = value.rpartition("=")
    try:
        return Lora(Path(path), check_float(scale)) if path else Lora(Path(value), 1.0)
    except ValueError:
        return Lora(Path(value), 1.0)


def parse_named_loras(value: object) -> NamedLoras:
    """Read NAME=FILE[,NAME=FILE...], as TGI's --lora-adapters. Raises ValueError."""
    pairs = [word.strip().partition("=") for word in str(value).split(",")]
    if not isinstance(value, str) or not all(name and path for name, _, path in pairs):
        raise ValueError("must be NAME=FILE, or several with commas between them")
    return NamedLoras(tuple((name, Path(path)) for name, _, path in pairs))


def sampling(name: str, check: Callable[[object], object]) -> Callable[[object], object]:
    """Return the check of a sampling parameter's type and range."""

    def parse(value: object) -> object:
        found = check(value)
        wanted: dict[str, Any] = {name: (found,) if name == "stop" else found}
        try:
            SamplingParams(**wanted)
        except RequestError as error:
            rule = str(error).partition(", got ")[0]
            raise ValueError(rule[rule.index("must ") :]) from None
        return found

    return parse


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingFlags:
    """How to choose the next token, and when to end."""

    max_new_tokens: int | None = option(
        None,
        metavar="N",
        panel=SAMPLING,
        parser=sampling("max_new_tokens", check_int),
        default_text="until the model ends or the context is full",
        help="Generate at most N tokens.",
    )
    temperature: float | None = option(
        0.8,
        metavar="T",
        panel=SAMPLING,
        parser=sampling("temperature", check_float),
        help="Flatten (> 1) or sharpen (< 1) the odds; 0 always takes the likeliest token. Left "
        "out, a server's own holds.",
    )
    top_k: int = option(
        0,
        metavar="K",
        panel=SAMPLING,
        parser=sampling("top_k", check_int),
        help="Keep the K likeliest tokens; 0 keeps all.",
    )
    top_p: float = option(
        1.0,
        metavar="P",
        panel=SAMPLING,
        parser=sampling("top_p", check_float),
        help="Keep the likeliest tokens that make up P of the probability; 1 keeps all.",
    )
    typical_p: float = option(
        1.0,
        metavar="P",
        panel=SAMPLING,
        parser=sampling("typical_p", check_float),
        help="Keep the locally typical tokens that make up P of the probability; 1 keeps all.",
    )
    min_p: float = option(
        0.05,
        metavar="P",
        panel=SAMPLING,
        parser=sampling("min_p", check_float),
        help="Drop tokens less likely than P times the likeliest; 0 keeps all.",
    )
    repetition_penalty: float = option(
        1.0,
        metavar="X",
        panel=SAMPLING,
        parser=sampling("repetition_penalty", check_float),
        help="Make tokens that occurred less likely, X > 1; 1 changes nothing.",
    )
    frequency_penalty: float = option(
        0.0,
        metavar="X",
        panel=SAMPLING,
        parser=sampling("frequency_penalty", check_float),
        help="Subtract X, in [-2, 2], from a token's logit for each time it occurred.",
    )
    presence_penalty: float = option(
        0.0,
        metavar="X",
        panel=SAMPLING,
        parser=sampling("presence_penalty", check_float),
        help="Subtract X, in [-2, 2], from the logit of each token that occurred.",
    )
    stop: tuple[str, ...] = option(
        (),
        metavar="TEXT",
        panel=SAMPLING,
        parser=sampling("stop", check_text),
        help="End before this text, which is not shown. Repeatable; TGICLI_STOP holds one.",
    )
    seed: int | None = option(
        None,
        metavar="N",
        panel=SAMPLING,
        parser=sampling("seed", check_int),
        default_text="a new one each time",
        help="Draw the same tokens again; --stats shows the seed.",
    )

    def to_params(self, *, logprobs: bool, top_n_tokens: int) -> SamplingParams:
        """Return core's parameters. Raises RequestError when one is out of its range."""
        return SamplingParams(
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            typical_p=self.typical_p,
            min_p=self.min_p,
            repetition_penalty=self.repetition_penalty,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            seed=self.seed,
            max_new_tokens=self.max_new_tokens,
            stop=self.stop,
            logprobs=logprobs,
            top_n_tokens=top_n_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadingFlags:
    """Which model, and how to load it."""

    model: str | None = option(
        None,
        "--model",
        "-m",
        metavar="MODEL",
        panel=LOADING,
        parser=check_name,
        default_text="the demo model",
        help="A GGUF file, or ORG/NAME[:QUANT|:FILE] from a hub, downloaded once.",
    )
    offline: bool = option(
        False, "--offline", panel=LOADING, help="Use what is on disk; never ask a hub."
    )
    ctx_size: int = option(
        0,
        metavar="N",
        panel=LOADING,
        least=0,
        help="Tokens that prompt and answer may have together; 0: what the prompt needs "
        "(`serve`: 4096), within what the model was trained for.",
    )
    threads: int | None = option(
        None,
        metavar="N",
        panel=LOADING,
        least=1,
        default_text="one per core",
        help="Compute with N threads.",
    )
    gpu_layers: int | None = option(
        None,
        metavar="auto|N",
        panel=LOADING,
        parser=parse_gpu_layers,
        default_text="auto",
        help="Layers on the GPU; auto: all that fit, where there is one.",
    )
    main_gpu: int | None = option(
        None,
        metavar="N",
        panel=LOADING,
        least=0,
        default_text="all GPUs",
        help="Use one GPU alone, the N-th; `tgicli doctor` counts them from 0.",
    )
    tensor_split: TensorSplit | None = option(
        None,
        metavar="A,B,...",
        panel=LOADING,
        parser=parse_tensor_split,
        default_text="by free memory",
        help="Spread the layers over the GPUs in this proportion.",
    )
    flash_attn: FlashAttention = option(
        "auto", metavar="auto|on|off", panel=LOADING, help="Use flash attention."
    )
    kv_type: KvType = option(
        "f16",
        metavar="TYPE",
        panel=LOADING,
        help="How the KV cache stores its values: f32, f16, bf16, q8_0 or q4_0.",
    )
    batch_size: int = option(
        512, metavar="N", panel=LOADING, least=1, help="Tokens computed at once, at most."
    )
    lora: tuple[Lora, ...] = option(
        (),
        metavar="FILE[=SCALE]",
        panel=LOADING,
        parser=parse_lora,
        help="Apply an adapter. Repeatable; TGICLI_LORA holds one.",
    )
    mmap: bool | None = option(
        None,
        panel=LOADING,
        default_text="a small model that stays is read",
        help="Map the file into memory, or read it whole, into huge pages where there are some.",
    )
    mlock: bool = option(
        False, "--mlock", panel=LOADING, help="Keep the model in RAM, never swapped."
    )
    prefix_reuse: bool = option(
        True, panel=LOADING, help="Compute a beginning that prompts share only once."
    )


def says_how_to_load(ctx: typer.Context) -> bool:
    """Say whether a flag does; then a model that is loaded already will not do."""
    return any(is_flag(ctx, field.name) for field in fields(LoadingFlags))
