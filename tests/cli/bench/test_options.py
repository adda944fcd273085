"""What a command line means, and how it is said again."""

from __future__ import annotations

import pytest

from tests.cli.bench.conftest import Understood
from tgicli.bench.slo import Slo
from tgicli.bench.sweep import MAX_USERS
from tgicli.cli.bench.options import Ramped, Rate, Sweeping, Users
from tgicli.cli.bench.sweeping import most_users
from tgicli.cli.bench.target import LocalTarget, RemoteTarget

SECRET = "sk-geheim-1234567890"


def test_without_words_three_numbers_of_users_ask_the_demo_model(understood: Understood):
    options = understood()

    assert options.plan == (Users(1), Users(4), Users(16))
    assert isinstance(options.target, LocalTarget)
    assert options.target.loading.model is None
    assert not options.target.loading.prefix_reuse


def test_each_kind_of_load_is_understood(understood: Understood):
    assert understood("http://a", "-c", "1,8").plan == (Users(1), Users(8))
    assert understood("http://a", "--max-in-flight", "3").plan == (Users(3),)
    assert understood("http://a", "--rate", "2").plan == (Rate(2.0, "poisson"),)
    assert understood("http://a", "--rate", "2", "--burstiness", "0.5").plan == (
        Rate(2.0, "gamma:0.5"),
    )
    assert understood("http://a", "--rate", "2", "--burst", "8").plan == (Rate(2.0, "burst:8"),)
    assert isinstance(understood("http://a", "--ramp", "1:5:9").plan, tuple)
    (ramp,) = understood("http://a", "--ramp", "1:5:9").plan  # type: ignore[misc]
    assert isinstance(ramp, Ramped)
    assert understood("http://a", "--sweep").plan == Sweeping(finds_max=False)
    assert understood("http://a", "--find-max", "--slo", "ttft:9").plan == Sweeping(finds_max=True)


def test_a_flag_wins_over_another_kind_of_load_in_a_variable(
    understood: Understood, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TGICLI_CONCURRENCY", "4")

    assert understood("http://a", "--rate", "2").plan == (Rate(2.0, "poisson"),)
    assert understood("http://a").plan == (Users(4),)


def test_a_line_written_for_vllm_is_understood(understood: Understood):
    line = (
        "--base-url http://host:8000 --endpoint /v1/completions --model org/name "
        "--request-rate 4 --max-concurrency 8 --num-prompts 100 --burstiness 0.5 "
        "--random-input-len 512 --random-output-len 64 --goodput ttft:200 tpot:50 --seed 3"
    )

    options = understood(*line.split())

    assert isinstance(options.target, RemoteTarget)
    assert options.target.options.model == "org/name"
    assert options.target.options.endpoint.path == "/v1/completions"
    assert options.plan == (Rate(4.0, "gamma:0.5"),)
    assert (options.max_in_flight, options.measuring.requests, options.seed) == (8, 100, 3)
    assert (str(options.prompt_tokens), str(options.output_tokens)) == ("512", "64")
    assert options.slo == Slo({"ttft": 200.0, "tpot": 50.0})


def test_a_limit_is_of_a_searchs_users_too(understood: Understood):
    options = understood("http://a", "--sweep", "--max-concurrency", "24")

    assert options.plan == Sweeping(finds_max=False)
    assert most_users(options) == 24
    assert most_users(understood("http://a", "--sweep")) == MAX_USERS


def test_a_new_seed_is_drawn_each_time(understood: Understood):
    assert understood("http://a").seed != understood("http://a").seed
    assert understood("http://a", "--seed", "7").seed == 7


def test_the_command_line_is_said_again_without_secrets(understood: Understood):
    options = understood(
        f"http://me:{SECRET}@host:80/v1?token={SECRET}",
        *("--header", f"X-Api-Key: {SECRET}", "--rate", "2,4", "--no-floor", "--check"),
    )

    assert SECRET not in options.command
    assert options.command == (
        "tgicli bench 'http://host:80/v1?token=***' --rate 2,4 --no-floor --check "
        "--header 'X-Api-Key: ***'"
    )


def test_a_key_and_headers_go_to_their_host_alone(
    understood: Understood, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TGICLI_API_KEY", SECRET)
    args = ("http://a:1", "--header", "X-Who: me", "--vs")

    elsewhere = understood(*args, "http://b:1").other
    same = understood(*args, "http://a:1/v1").other

    assert isinstance(elsewhere, RemoteTarget)
    assert isinstance(same, RemoteTarget)
    assert (elsewhere.options.key, elsewhere.options.headers) == (None, ())
    assert (same.options.key, same.options.headers) == (SECRET, (("X-Who", "me"),))


def test_a_variables_model_is_not_the_one_asked_of_a_server(
    understood: Understood, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TGICLI_MODEL", "mine.gguf")

    target = understood("http://a").target

    assert isinstance(target, RemoteTarget)
    assert target.options.model is None


@pytest.mark.parametrize("words", [("--shared-prefix", "64"), ("--trace", "trace.jsonl")])
def test_prefixes_are_reused_where_that_is_what_is_measured(
    understood: Understood, words: tuple[str, str]
):
    target = understood("m.gguf", *words).target

    assert isinstance(target, LocalTarget)
    assert target.loading.prefix_reuse
