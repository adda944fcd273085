"""Which server or model is meant, and where keys go."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tgicli.cli.bench.target import is_url
from tgicli.errors import ExitStatus


@pytest.mark.parametrize(
    "word", ["http://host", "https://host/v1", "unix:/run/x", "localhost:8080", "[::1]:80/v1"]
)
def test_a_url_is_a_server(word: str):
    assert is_url(word)


@pytest.mark.parametrize("word", ["model.gguf", "org/name:Q4_K_M", "./compare", "org/name", "demo"])
def test_anything_else_is_a_model(word: str):
    assert not is_url(word)


def test_a_file_with_a_servers_name_is_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("host:80").touch()

    assert not is_url("host:80")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["http://a", "--endpoint", "http://b"], "TARGET and --endpoint exclude each other"),
        (["m.gguf", "--model", "n.gguf"], "TARGET and --model exclude each other"),
        (["http://a", "--threads", "2"], "--threads is for a model in this process"),
        (["m.gguf", "--timeout", "2"], "--timeout is for a server"),
        (["http://a", "--concurrency", "1", "--rate", "1"], "--concurrency and --rate exclude"),
        (["http://a", "--vs", "http://b", "--noise"], "--vs and --noise exclude each other"),
        (["http://a", "--vs", "http://b", "-c", "1,2"], "a comparison is made at one load"),
        (["http://a", "--noise", "--records", "x"], "--records is not for comparisons"),
        (["http://a", "--noise", "--check"], "--check looks at one target's text"),
        (["http://a", "--retries", "3"], "--retries must be 0"),
        (["http://a", "--find-max"], "--find-max needs an objective"),
        (["http://a", "--slo", "speed:1"], "there is no objective 'speed'"),
        (["http://a", "--prompt-tokens", "many"], "length 'many' is none of"),
        (["http://a", "--rate", "1", "--arrival", "often"], "often"),
        (["http://a", "--rate", "1", "--arrival", "poisson", "--burst", "2"], "exclude each other"),
        (["http://a", "--burst", "8"], "--burst says when a rate's requests come; add --rate"),
        (["http://a", "-c", "2", "--burstiness", "0.5"], "--burstiness says when a rate's"),
        (["http://a", "-c", "2", "--arrival", "burst:3"], "--arrival says when a rate's"),
        (["http://a", "-c", "2", "--max-concurrency", "1"], "--concurrency and --max-in-flight"),
        (["http://a", "-c", "2,4,2"], "--concurrency 2,4,2: must all be different"),
        (["http://a", "--rate", "2,2.0"], "--rate 2,2.0: must all be different"),
        (
            ["http://a", "--trace", "x", "--requests", "3", "--warmup", "0"],
            "--trace says what is sent, and when; leave out --requests and --warmup",
        ),
        (["http://a", "--trace", "x", "--prompt-tokens", "3"], "leave out --prompt-tokens"),
        (["http://a", "--trace", "x", "--shared-prefix", "3"], "leave out --shared-prefix"),
        (
            ["http://a", "--dataset", "x", "--shared-prefix", "3"],
            "--dataset says how prompts begin; leave out --shared-prefix",
        ),
        (
            ["http://a", "--ramp", "1:2:3", "--warmup", "1", "--requests", "9"],
            "--ramp says how long it goes on; leave out --requests and --warmup",
        ),
        (["http://a", "--strict"], "--strict needs something to be strict about; add --slo"),
        (["http://a", "--find-max", "--slo", "ttft:9", "--repeat", "2"], "--find-max and --repeat"),
        (["http://a", "--noise", "--slo", "ttft:9", "--strict"], "--slo is not for comparisons"),
        (["http://a", "--vs", "http://b", "--slo", "ttft:9"], "--slo is not for comparisons"),
        (["http://a", "--rate", "1", "--burst", "0"], "--burst"),
        (["http://a", "--llama-bench-rows"], "--llama-bench-rows is for a model"),
        (["http://a", "--json", "-", "--csv", "-"], "two outputs want stdout"),
        (["http://a", "--html", "x", "--md", "./x"], "two outputs want /"),
        (["http://a", "--json", "/no/such/folder/x"], "can't write /no/such/folder/x"),
        (["http://a", "--dataset", "/no/such.jsonl"], "/no/such.jsonl can't be read"),
        (["http://a", "--concurrency", "0"], "--concurrency 0: must be whole numbers >= 1"),
        (["compare", "/no/base.json", "/no/new.json"], "can't read /no/base.json"),
    ],
)
def test_what_contradicts_itself_is_refused_before_anything_is_done(
    cli: Cli, args: list[str], words: str
):
    outcome = cli("bench", *args)

    assert outcome.status == ExitStatus.USAGE
    assert words in outcome.stderr
    assert outcome.stdout == ""


def test_a_model_with_a_commands_name_is_measured(cli: Cli):
    for args in (["./compare"], ["run", "compare"]):
        outcome = cli("bench", *args, "--offline")

        assert outcome.status == ExitStatus.MODEL
        assert "compare" in outcome.stderr


def test_the_page_of_the_group_is_that_of_the_command_that_is_meant(cli: Cli):
    page = cli("bench", "--help").stdout

    assert page.startswith("Usage: tgicli bench [OPTIONS] [TARGET]\n")
    assert "--concurrency N,..." in page
    assert "\n  selftest " in page
    assert "\n    4  the figures can't be believed" in page
