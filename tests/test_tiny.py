"""The tiny models are what their names say, as llama.cpp sees them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.tiny import N_WINDOW, RECIPES
from tgicli.engine.llama import llama_cpp, quiet_log

DECODERS = [
    "llama",
    "llama_spm",
    "no_template",
    "ends",
    "split",
    "mixtral",
    "mamba",
    "jamba",
    "gemma3",
]
TinyModels = Callable[[str], Path]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model and a context of llama.cpp, with the few calls that these tests need."""

    model: Any
    ctx: Any

    @property
    def vocab(self) -> Any:
        return llama_cpp.llama_model_get_vocab(self.model)

    def tokenize(self, text: str, *, add_special: bool = True) -> list[int]:
        data, tokens = text.encode(), (llama_cpp.llama_token * 512)()
        count = llama_cpp.llama_tokenize(
            self.vocab, data, len(data), tokens, 512, add_special, True
        )
        return list(tokens[:count])

    def piece(self, token: int, *, special: bool = False) -> bytes:
        buffer = ctypes.create_string_buffer(64)
        count = llama_cpp.llama_token_to_piece(self.vocab, token, buffer, 64, 0, special)
        return buffer.raw[:count]

    def detokenize(self, tokens: list[int]) -> bytes:
        array, buffer = (
            (llama_cpp.llama_token * len(tokens))(*tokens),
            ctypes.create_string_buffer(512),
        )
        count = llama_cpp.llama_detokenize(self.vocab, array, len(tokens), buffer, 512, True, False)
        return buffer.raw[:count]

    def decode(self, tokens: list[int]) -> npt.NDArray[np.float32]:
        """Append tokens to the only sequence; return the last one's logits, (n_vocab,)."""
        array = (llama_cpp.llama_token * len(tokens))(*tokens)
        code = llama_cpp.llama_decode(self.ctx, llama_cpp.llama_batch_get_one(array, len(tokens)))
        assert code == 0
        logits = llama_cpp.llama_get_logits_ith(self.ctx, -1)
        return np.ctypeslib.as_array(logits, (llama_cpp.llama_vocab_n_tokens(self.vocab),)).copy()

    def generate(self, prompt: str, count: int) -> list[int]:
        """Take the most likely token, count times or up to an end-of-generation token."""
        answer, tokens = list[int](), self.tokenize(prompt)
        while len(answer) < count:
            tokens = [int(self.decode(tokens).argmax())]
            answer += tokens
            if llama_cpp.llama_vocab_is_eog(self.vocab, tokens[0]):
                break
        return answer


@contextmanager
def loaded(path: Path) -> Iterator[Loaded]:
    quiet_log()
    model = llama_cpp.llama_model_load_from_file(
        str(path).encode(), llama_cpp.llama_model_default_params()
    )
    assert model
    params = llama_cpp.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_threads, params.n_threads_batch = 256, 256, 1, 1
    ctx = llama_cpp.llama_init_from_model(model, params)
    assert ctx
    try:
        yield Loaded(model, ctx)
    finally:
        llama_cpp.llama_free(ctx)
        llama_cpp.llama_model_free(model)


@pytest.mark.parametrize("name", DECODERS)
def test_a_tiny_model_computes_finite_logits(tiny_models: TinyModels, name: str):
    with loaded(tiny_models(name)) as tiny:
        logits = [tiny.decode(tiny.tokenize("Hello the world")), tiny.decode([42])]

    assert np.isfinite(logits).all()
    assert np.std(logits) > 1


@pytest.mark.parametrize("name", DECODERS)
def test_a_tiny_model_answers_the_same_in_chunks(tiny_models: TinyModels, name: str):
    with loaded(tiny_models(name)) as tiny:
        prompt = tiny.tokenize("Hello the world and all of it")
        whole = tiny.decode(prompt)
    with loaded(tiny_models(name)) as tiny:
        tiny.decode(prompt[:5])
        chunked = tiny.decode(prompt[5:])

    np.testing.assert_allclose(chunked, whole, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "recurrent", "hybrid", "n_window"),
    [
        ("llama", False, False, 0),
        ("mixtral", False, False, 0),
        ("mamba", True, False, 0),
        ("jamba", False, True, 0),
        ("gemma3", False, False, N_WINDOW),
    ],
)
def test_a_tiny_model_has_the_memory_that_its_name_promises(
    tiny_models: TinyModels, name: str, recurrent: bool, hybrid: bool, n_window: int
):
    with loaded(tiny_models(name)) as tiny:
        memory = (
            llama_cpp.llama_model_is_recurrent(tiny.model),
            llama_cpp.llama_model_is_hybrid(tiny.model),
            llama_cpp.llama_model_n_swa(tiny.model),
        )

    assert memory == (recurrent, hybrid, n_window)


def test_an_encoder_has_no_memory_to_generate_with(tiny_models: TinyModels):
    with loaded(tiny_models("bert")) as tiny:
        memory = llama_cpp.llama_get_memory(tiny.ctx)

    assert not memory


@pytest.mark.parametrize("name", DECODERS)
def test_a_tiny_model_has_the_template_of_its_recipe(tiny_models: TinyModels, name: str):
    with loaded(tiny_models(name)) as tiny:
        template = llama_cpp.llama_model_chat_template(tiny.model, None)

    assert (template and template.decode()) == RECIPES[name].template


@pytest.mark.parametrize("name", ["llama", "llama_spm"])
def test_a_tiny_vocabulary_writes_any_text(tiny_models: TinyModels, name: str):
    text = "the world: né 😀\n"

    with loaded(tiny_models(name)) as tiny:
        bos, *tokens = tiny.tokenize(text)
        pieces = b"".join(map(tiny.piece, tokens))

        assert bos == llama_cpp.llama_vocab_bos(tiny.vocab)
        assert len(tokens) < len(text.encode())
        assert pieces.decode().removeprefix(" ") == text


def test_only_whole_texts_lose_the_leading_space_of_sentencepiece(tiny_models: TinyModels):
    with loaded(tiny_models("llama_spm")) as tiny:
        tokens = tiny.tokenize("the world", add_special=False)

        assert b"".join(map(tiny.piece, tokens)) == b" the world"
        assert tiny.detokenize(tokens) == b"the world"


def test_control_tokens_have_bytes_only_when_asked(tiny_models: TinyModels):
    with loaded(tiny_models("llama")) as tiny:
        [token] = tiny.tokenize("<|im_end|>", add_special=False)

        assert tiny.piece(token) == b""
        assert tiny.piece(token, special=True) == b"<|im_end|>"
        assert llama_cpp.llama_vocab_is_eog(tiny.vocab, token)


def test_llama_does_not_end_by_itself(tiny_models: TinyModels):
    with loaded(tiny_models("llama")) as tiny:
        answer = tiny.generate("the world", 100)

    assert len(answer) == 100


def test_ends_ends_after_a_while(tiny_models: TinyModels):
    with loaded(tiny_models("ends")) as tiny:
        *answer, end = tiny.generate("Hello", 200)

        assert end == llama_cpp.llama_vocab_eos(tiny.vocab)
        assert answer


def test_nan_computes_no_number(tiny_models: TinyModels):
    with loaded(tiny_models("nan")) as tiny:
        logits = tiny.decode(tiny.tokenize("the world"))

    assert np.isnan(logits).all()


@pytest.mark.parametrize("name", ["truncated", "wrong_magic"])
def test_a_damaged_file_does_not_load(tiny_models: TinyModels, name: str):
    quiet_log()

    model = llama_cpp.llama_model_load_from_file(
        str(tiny_models(name)).encode(), llama_cpp.llama_model_default_params()
    )

    assert not model


def test_a_split_model_computes_what_the_whole_computes(tiny_models: TinyModels):
    assert len(list(tiny_models("split").parent.glob("split-*-of-*.gguf"))) > 1

    with loaded(tiny_models("split")) as split, loaded(tiny_models("llama")) as whole:
        prompt = whole.tokenize("the world")

        np.testing.assert_array_equal(split.decode(prompt), whole.decode(prompt))


@pytest.mark.parametrize("name", [*RECIPES, "truncated", "wrong_magic"])
def test_a_tiny_model_is_tiny(tiny_models: TinyModels, name: str):
    assert tiny_models(name).stat().st_size < 2_000_000


def test_a_tiny_model_is_the_same_every_time(tiny_models: TinyModels, tmp_path: Path):
    again = RECIPES["llama"].write(tmp_path / "again.gguf")

    assert again.read_bytes() == tiny_models("llama").read_bytes()


@pytest.mark.model
def test_the_demo_model_is_a_file(demo_model: Path):
    assert demo_model.read_bytes()[:4] == b"GGUF"
