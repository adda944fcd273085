"""Values that only our flags have."""

from __future__ import annotations

from pathlib import Path

import pytest

from tgicli.cli.flags import (
    Lora,
    SamplingFlags,
    parse_gpu_layers,
    parse_lora,
    parse_named_loras,
    parse_tensor_split,
)
from tgicli.errors import RequestError


@pytest.mark.parametrize(("word", "layers"), [("auto", None), ("0", 0), ("12", 12), (12, 12)])
def test_gpu_layers_are_a_number_or_auto(word, layers):
    assert parse_gpu_layers(word) == layers


@pytest.mark.parametrize("word", ["all", "-1", -1, 1.5, True, ""])
def test_gpu_layers_are_nothing_else(word):
    with pytest.raises(ValueError, match="must be auto or a whole number >= 0"):
        parse_gpu_layers(word)


@pytest.mark.parametrize(
    ("word", "shares"), [("1", (1,)), ("3,1", (3, 1)), ("0.5, 0,2", (0.5, 0, 2))]
)
def test_a_tensor_split_is_a_share_for_each_gpu(word, shares):
    assert parse_tensor_split(word).shares == shares


@pytest.mark.parametrize("word", ["", "a", "1,", "1;2", "-1,2", "0,0", "inf", "nan,1", 3, None])
def test_a_tensor_split_is_nothing_else(word):
    with pytest.raises(ValueError, match=r"^must be "):
        parse_tensor_split(word)


@pytest.mark.parametrize(
    ("word", "lora"),
    [
        ("a.gguf", Lora(Path("a.gguf"), 1.0)),
        ("a.gguf=0.5", Lora(Path("a.gguf"), 0.5)),
        ("a=b.gguf", Lora(Path("a=b.gguf"), 1.0)),
        ("a=b.gguf=-2", Lora(Path("a=b.gguf"), -2.0)),
        ("=2", Lora(Path("=2"), 1.0)),
        ("a.gguf=nan", Lora(Path("a.gguf=nan"), 1.0)),
    ],
)
def test_an_adapter_is_a_file_and_perhaps_a_scale(word, lora):
    assert parse_lora(word) == lora


@pytest.mark.parametrize("word", ["", 3, None])
def test_an_adapter_without_a_file_is_refused(word):
    with pytest.raises(ValueError, match="must be FILE or FILE=SCALE"):
        parse_lora(word)


@pytest.mark.parametrize(
    ("word", "adapters"),
    [
        ("sql=a.gguf", (("sql", Path("a.gguf")),)),
        ("sql=a.gguf, en-de=b=c.gguf", (("sql", Path("a.gguf")), ("en-de", Path("b=c.gguf")))),
    ],
)
def test_named_adapters_stand_between_commas(word, adapters):
    assert parse_named_loras(word).adapters == adapters


@pytest.mark.parametrize("word", ["", "a.gguf", "sql=", "=a.gguf", "sql=a.gguf,", 3, None])
def test_a_named_adapter_without_its_name_or_file_is_refused(word):
    with pytest.raises(ValueError, match="must be NAME=FILE, or several with commas"):
        parse_named_loras(word)


def test_sampling_options_become_cores_parameters():
    options = SamplingFlags(temperature=0, stop=("a",), seed=3, max_new_tokens=5)

    params = options.to_params(logprobs=True, top_n_tokens=2)

    assert (params.temperature, params.stop, params.seed, params.max_new_tokens) == (
        0,
        ("a",),
        3,
        5,
    )
    assert (params.min_p, params.logprobs, params.top_n_tokens) == (0.05, True, 2)


def test_a_parameter_out_of_range_is_cores_to_refuse():
    with pytest.raises(RequestError, match="top_p must be in"):
        SamplingFlags(top_p=2.0).to_params(logprobs=False, top_n_tokens=0)
