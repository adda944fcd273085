"""GGUF headers: what is read, what is refused, and that nothing else happens."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import gguf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.models.files import TEMPLATE, write_gguf
from tgicli.errors import ModelLoadError
from tgicli.models.gguf import read_header
from tgicli.models.quants import FILE_TYPES, TENSOR_TYPES

START = struct.Struct("<4sIQQ")  # magic, version, n_tensors, n_pairs
MANY_TOKENS = tuple(f"token{i}" for i in range(5000))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "model.gguf", n_weights=64)


@pytest.fixture
def damaged(tmp_path: Path, model: Path) -> Callable[[Callable[[bytes], bytes]], Path]:
    def damage(change: Callable[[bytes], bytes]) -> Path:
        path = tmp_path / "damaged.gguf"
        path.write_bytes(change(model.read_bytes()))
        return path

    return damage


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def texts(*values: str | bytes) -> bytes:
    return struct.pack("<IQ", 8, len(values)) + b"".join(map(text, values))


def file_of(path: Path, *pairs: bytes, n_tensors: int = 0, rest: bytes = b"") -> Path:
    path.write_bytes(START.pack(b"GGUF", 3, n_tensors, len(pairs)) + b"".join(pairs) + rest)
    return path


def test_a_header_says_what_was_written(model: Path) -> None:
    header = read_header(model)

    assert header.architecture == "llama"
    assert header.name == "Tiny Test"
    assert header.context_length == 2048
    assert header.n_layers == 3
    assert header.n_vocab == 5
    assert (header.bos_id, header.eos_id) == (0, 1)
    assert header.chat_template == TEMPLATE
    assert header.quantisation == "Q8_0"
    assert header.n_weights_by_type == {"Q8_0": 64, "F32": 64}
    assert header.n_weights == 128
    assert header.n_parts == 1
    assert header.n_bytes == model.stat().st_size


def test_what_a_header_does_not_say_is_none(tmp_path: Path) -> None:
    header = read_header(file_of(tmp_path / "empty.gguf"))

    assert header.architecture == "unknown"
    assert header.name is None
    assert header.chat_template is None
    assert header.context_length is None
    assert header.n_vocab is None
    assert header.quantisation == "unknown"


def test_a_value_of_the_wrong_type_is_none(tmp_path: Path) -> None:
    pairs = (
        pair("general.architecture", 8, text("llama")),
        pair("llama.context_length", 8, text("many")),
        pair("tokenizer.chat_template", 4, struct.pack("<I", 7)),
    )

    header = read_header(file_of(tmp_path / "odd.gguf", *pairs))

    assert header.context_length is None
    assert header.chat_template is None


def test_without_a_file_type_most_weights_decide(tmp_path: Path) -> None:
    header = read_header(write_gguf(tmp_path / "m.gguf", file_type=None))

    assert header.quantisation == "Q8_0"


@pytest.mark.model
def test_the_demo_model_is_what_its_makers_say(demo_model: Path) -> None:
    header = read_header(demo_model)

    assert (header.architecture, header.quantisation) == ("llama", "Q4_1")
    assert (header.n_layers, header.n_vocab, header.context_length) == (30, 49152, 8192)
    assert header.n_weights == 134_515_008
    assert str(header.chat_template).startswith("{% for message in messages %}")


def test_tensor_types_have_ggmls_sizes() -> None:
    ours = {number: (kind.n_weights, kind.n_bytes) for number, kind in TENSOR_TYPES.items()}
    theirs = {kind.value: size for kind, size in gguf.GGML_QUANT_SIZES.items()}

    assert {n: ours[n] for n in ours if n in theirs} == {n: theirs[n] for n in theirs if n in ours}
    assert theirs.keys() - ours.keys() <= {gguf.GGMLQuantizationType.Q8_1}  # never in a file


def test_file_types_have_llama_cpps_names() -> None:
    theirs = {
        kind.value: kind.name.removeprefix("MOSTLY_").removeprefix("ALL_")
        for kind in gguf.LlamaFileType
        if kind.name != "GUESSED"
    }

    assert {number: FILE_TYPES.get(number) for number in theirs} == theirs


def test_a_vocabulary_is_jumped_over(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", tokens=MANY_TOKENS, merges=MANY_TOKENS[:3000])

    header = read_header(path)

    assert header.n_vocab == 5000
    assert header.array_lengths["tokenizer.ggml.merges"] == 3000
    assert (header.bos_id, header.eos_id) == (0, 1)
    assert header.n_weights == 4096 + 64


@pytest.mark.parametrize(
    "tokens",
    [
        pytest.param(("",) * 2000, id="empty"),
        pytest.param(("\0" * 9,) * 2000, id="zeros"),
        pytest.param(("x" * 300,) * 2000, id="long"),
        pytest.param((*MANY_TOKENS, "\0\0\0\0\0\0\0tokenizer.ggml.merges"), id="like a key"),
    ],
)
def test_odd_vocabularies_are_read_right(tmp_path: Path, tokens: tuple[str, ...]) -> None:
    header = read_header(write_gguf(tmp_path / "m.gguf", tokens=tokens))

    assert header.n_vocab == len(tokens)
    assert header.eos_id == 1
    assert header.n_weights == 4096 + 64


def test_keys_between_a_vocabulary_and_the_next_tokenizer_key_are_not_lost(tmp_path: Path) -> None:
    path = file_of(
        tmp_path / "m.gguf",
        pair("tokenizer.ggml.tokens", 9, texts(*MANY_TOKENS)),
        pair("general.name", 8, text("between")),
        pair("tokenizer.ggml.eos_token_id", 4, struct.pack("<I", 2)),
    )

    header = read_header(path)

    assert header.name == "between"
    assert header.eos_id == 2


def test_a_vocabulary_may_come_last(tmp_path: Path) -> None:
    path = file_of(tmp_path / "m.gguf", pair("tokenizer.ggml.tokens", 9, texts(*MANY_TOKENS)))

    assert read_header(path).n_vocab == 5000


@pytest.mark.parametrize(
    ("content", "meaning"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a git-LFS pointer"),
        (b"\n <!DOCTYPE html><html>", "a web page"),
        (b"<html><body>404</body>", "a web page"),
        (b"PK\x03\x04" + bytes(30), "a zip archive or a PyTorch checkpoint"),
        (b"\x1f\x8b\x08" + bytes(30), "gzip"),
        (b"tjgg" + bytes(30), "before GGUF"),
        (struct.pack("<Q", 100) + b'{"__metadata__": {}}', "a safetensors file"),
        (b"hello there, this is prose", "it starts with b'hello th'"),
        (b"GG", "it starts with b'GG'"),
        (b"GGUF", "end inside the header"),
        (START.pack(b"GGUF", 1, 0, 0), "GGUF version 1"),
        (START.pack(b"GGUF", 4, 0, 0), "GGUF version 4"),
        (struct.pack(">4sIQQ", b"GGUF", 3, 0, 0), "big-endian"),
    ],
)
def test_what_is_no_gguf_is_called_what_it_is(tmp_path: Path, content: bytes, meaning: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)

    with pytest.raises(ModelLoadError, match=meaning) as caught:
        read_header(path)

    assert str(path) in str(caught.value)


def test_a_file_without_its_last_weights_is_cut_off(
    damaged: Callable[[Callable[[bytes], bytes]], Path], model: Path
) -> None:
    n_bytes = model.stat().st_size

    with pytest.raises(ModelLoadError, match=rf"it has {n_bytes - 100} bytes .* {n_bytes};"):
        read_header(damaged(lambda data: data[:-100]))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: START.pack(b"GGUF", 3, 2**40, 1) + data[24:], "claims 1099511627776 tensors"),
        (lambda data: START.pack(b"GGUF", 3, 2, 2**63) + data[24:], "metadata entries"),
        (lambda data: data[:24] + struct.pack("<Q", 2**62) + data[32:], "inside the header"),
        (lambda data: data[:200], "inside the header"),
    ],
)
def test_impossible_counts_are_refused(
    damaged: Callable[[Callable[[bytes], bytes]], Path],
    change: Callable[[bytes], bytes],
    reason: str,
) -> None:
    with pytest.raises(ModelLoadError, match=reason):
        read_header(damaged(change))


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (pair("k", 13, bytes(8)), "there is no value type 13"),
        (pair("k", 9, struct.pack("<IQ", 9, 0)), "there is no item type 9"),
        (pair("k", 9, struct.pack("<IQ", 8, 2**40)), "an array of 1099511627776 texts"),
        (pair("k", 9, struct.pack("<IQ", 0, 2**40)), "inside the header"),
        (pair("general.alignment", 4, struct.pack("<I", 0)), "general.alignment is 0"),
        (pair("general.alignment", 4, struct.pack("<I", 24)), "general.alignment is 24"),
        (pair("general.alignment", 8, text("x")), "general.alignment is 'x'"),
    ],
)
def test_impossible_metadata_is_refused(tmp_path: Path, entry: bytes, reason: str) -> None:
    with pytest.raises(ModelLoadError, match=reason):
        read_header(file_of(tmp_path / "m.gguf", entry))


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (text("t") + struct.pack("<I", 5), "5 dimensions"),
        (text("t") + struct.pack("<IQQIQ", 2, 2**40, 2**40, 0, 0), "weights"),
        (text("t") + struct.pack("<IQIQ", 1, 2**40, 0, 0), "its header promises 43980465"),
        (text("t") + struct.pack("<IQIQ", 1, 0, 0, 2**63), "its header promises 92233720"),
    ],
)
def test_impossible_tensors_are_refused(tmp_path: Path, tensor: bytes, reason: str) -> None:
    with pytest.raises(ModelLoadError, match=reason):
        read_header(file_of(tmp_path / "m.gguf", n_tensors=1, rest=tensor))


def test_a_tensor_type_of_the_future_is_no_reason_to_refuse(tmp_path: Path) -> None:
    tensor = text("t") + struct.pack("<IQIQ", 1, 256, 4000, 0)

    header = read_header(file_of(tmp_path / "m.gguf", n_tensors=1, rest=tensor + bytes(64)))

    assert header.n_weights_by_type == {"unknown": 256}


def test_a_text_as_long_as_a_huge_file_takes_no_memory(tmp_path: Path) -> None:
    n_bytes = 2**31
    path = file_of(tmp_path / "m.gguf", pair("k", 8, struct.pack("<Q", n_bytes)))
    with path.open("ab") as file:
        file.truncate(n_bytes * 2)  # sparse: takes no room on the disk

    tracemalloc.start()
    with pytest.raises(ModelLoadError, match=f"a text of {n_bytes} bytes"):
        read_header(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 1 << 20


def test_all_arrays_together_have_a_bearable_number_of_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tgicli.models.gguf._MAX_TEXTS", 1000)
    entries = [pair(key, 9, texts(*[b""] * 400)) for key in "abc"]
    assert read_header(file_of(tmp_path / "m.gguf", *entries[:2])).array_lengths["b"] == 400

    with pytest.raises(ModelLoadError, match="an array of 400 texts"):
        read_header(file_of(tmp_path / "m.gguf", *entries))


def test_a_damaged_file_is_walked_once_if_nothing_was_jumped_over(tmp_path: Path) -> None:
    entries = [pair("a", 9, texts(*MANY_TOKENS)), pair("k", 13, bytes(8))]

    with pytest.raises(ModelLoadError, match="no value type 13") as caught:
        read_header(file_of(tmp_path / "m.gguf", *entries))

    assert caught.value.__context__ is None  # the complaint of a first try


def test_a_directory_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"can't read .*: Is a directory"):
        read_header(tmp_path)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_mutation_does_more_than_raise(tmp_path: Path, model: Path, data: st.DataObject) -> None:
    content = bytearray(model.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        patch = data.draw(
            st.one_of(
                st.binary(min_size=1, max_size=8),
                st.integers(0, 2**64 - 1).map(lambda n: struct.pack("<Q", n)),
            )
        )
        content[at : at + len(patch)] = patch
    path = tmp_path / "mutated.gguf"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])

    tracemalloc.start()
    with contextlib.suppress(ModelLoadError):  # and nothing else
        read_header(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 1 << 20
