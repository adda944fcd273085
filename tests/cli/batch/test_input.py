"""Which lines of a file are prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tgicli.cli.batch.input import Prompt, read_prompts, settings_digest
from tgicli.cli.batch.options import InputFormat
from tgicli.core import SamplingParams
from tgicli.errors import ConfigError, RequestError
from tgicli.ui.terminal import Terminal
from tgicli.wire.batch import Ask, PromptLine

NOBODY = Terminal(stdin=None, stdout=None, stderr=None)


def read(
    folder: Path, data: bytes, name: str = "p.jsonl", format: InputFormat = "auto"
) -> list[Prompt]:
    path = folder / name
    path.write_bytes(data)
    return read_prompts(path, format, Ask(params=SamplingParams()), NOBODY, settings="s")


def texts(prompts: list[Prompt]) -> list[object]:
    return [p.line.prompt if isinstance(p.line, PromptLine) else None for p in prompts]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("p.jsonl", b'{"prompt":"a"}\n"b"'),
        ("p.data", b'{"prompt":"a"}\n"b"\n'),
        ("p.txt", b"a\nb\n"),
        ("p.data", b"a\r\n\r\nb\r\n"),
        ("p", b"\xef\xbb\xbfa\nb"),
    ],
)
def test_a_file_is_what_its_name_or_its_first_line_says(tmp_path: Path, name: str, data: bytes):
    assert texts(read(tmp_path, data, name)) == ["a", "b"]


def test_a_line_of_text_is_the_prompt_as_it_is(tmp_path: Path):
    prompts = read(tmp_path, b"  if a:\r\n\tb \n \n", "p.txt")

    assert texts(prompts) == ["  if a:", "\tb "]
    assert prompts[0].key != read(tmp_path, b"if a:\n", "p.txt")[0].key


def test_blanks_around_a_line_of_json_mean_nothing(tmp_path: Path):
    assert texts(read(tmp_path, b' "a" \n\f{"prompt": "b"}\t\r\n')) == ["a", "b"]


def test_the_format_can_be_said(tmp_path: Path):
    assert texts(read(tmp_path, b'"a"', "p.jsonl", "text")) == ['"a"']
    assert texts(read(tmp_path, b'"a"', "p.txt", "jsonl")) == ["a"]


def test_empty_lines_count_as_lines_and_not_as_prompts(tmp_path: Path):
    prompts = read(tmp_path, b'\n"a"\n  \n"b"\n')

    assert [(p.key.index, p.number) for p in prompts] == [(0, 2), (1, 4)]


def test_a_bad_line_costs_only_itself(tmp_path: Path):
    prompts = read(tmp_path, b'"a"\n{bad\n"c"\n')

    assert texts(prompts) == ["a", None, "c"]
    assert isinstance(prompts[1].line, RequestError)
    assert prompts[1].name == "line 2"


def test_a_prompt_is_called_by_its_id(tmp_path: Path):
    assert read(tmp_path, b'{"prompt":"a","id":"x"}')[0].name == 'line 1 (id "x")'
    of_batch = b'{"custom_id":"y","body":{"prompt":"a"}}'
    assert read(tmp_path, of_batch)[0].name == 'line 1 (id "y")'


def test_a_digest_tells_the_line_and_what_it_is_asked_with(tmp_path: Path):
    one, same, other = read(tmp_path, b'"a"\n"a" \n"b"\n')

    assert one.key.digest == same.key.digest != other.key.digest
    assert one.key.digest.endswith(".s")


def test_a_line_that_is_read_as_text_is_another_prompt_than_the_same_as_json(tmp_path: Path):
    (as_json,) = read(tmp_path, b'{"prompt":"a"}\n', format="jsonl")
    (as_text,) = read(tmp_path, b'{"prompt":"a"}\n', format="text")

    assert as_json.key.digest != as_text.key.digest


def test_settings_that_differ_have_other_names():
    usual = settings_digest(SamplingParams(), model="m", system=None)

    assert usual == settings_digest(SamplingParams(), model="m")
    assert usual != settings_digest(SamplingParams(temperature=0), model="m")
    assert usual != settings_digest(SamplingParams(), model="n")


@pytest.mark.parametrize("name", ["p.json", "p.jsonl", "p.data", "-"])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'[\n {"prompt":"a"}\n]\n', r"is a JSON array; .* jq -c '\.\[\]' "),
        (b'[{"prompt":"a"},\n {"prompt":"b"}]\n', "is a JSON array"),
        (b'["a", "b"]', "is a JSON array"),
        (b'{\n "prompt": "a"\n}\n', r"is a JSON object over several lines; .* jq -c '\.' "),
    ],
)
def test_json_over_all_lines_is_refused_whole(tmp_path: Path, name: str, data: bytes, words: str):
    with pytest.raises(ConfigError, match=words):
        read(tmp_path, data, name)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("p.csv", b"a\nb\n"),
        ("p.tsv", b"id\tquestion\n"),
        ("p", b'id,prompt\n1,"a, b"\n'),
        ("p.data", b'"id";"prompt"\n'),
    ],
)
def test_a_table_is_refused(tmp_path: Path, name: str, data: bytes):
    with pytest.raises(ConfigError, match="is a table; write a JSON object a line"):
        read(tmp_path, data, name)


@pytest.mark.parametrize(
    "first",
    [b"[INST] Hi [/INST]", b"[1] Who said so?", b"Write a prompt, please", b"{name} is who?"],
)
def test_text_may_begin_like_something_else(tmp_path: Path, first: bytes):
    assert texts(read(tmp_path, first + b"\nb", "p")) == [first.decode(), "b"]


def test_whatever_is_said_to_be_text_is_text(tmp_path: Path):
    data = b'[\n"id","prompt"'

    assert texts(read(tmp_path, data, "p.txt")) == ["[", '"id","prompt"']
    assert texts(read(tmp_path, data, "p.csv", "text")) == ["[", '"id","prompt"']


@pytest.mark.parametrize("data", [b"", b"\n \n"])
def test_a_file_without_prompts_is_refused(tmp_path: Path, data: bytes):
    with pytest.raises(ConfigError, match="has no prompt"):
        read(tmp_path, data)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"can't read --input .*: No such file"):
        read_prompts(tmp_path / "no", "auto", Ask(params=SamplingParams()), NOBODY, settings="")
