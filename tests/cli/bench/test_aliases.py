"""What was written for vLLM is understood."""

from __future__ import annotations

from tgicli.cli.bench.aliases import to_our_words


def test_vllms_names_become_ours_in_any_spelling():
    words = to_our_words(["--request-rate=4", "--num_prompts", "100", "--random-input-len", "64"])

    assert words == ["--rate=4", "--requests", "100", "--prompt-tokens", "64"]


def test_a_limit_beside_a_rate_is_one_of_requests_in_flight():
    words = to_our_words(["--max-concurrency", "8", "--request-rate", "2"])

    assert words == ["--max-in-flight", "8", "--rate", "2"]


def test_objectives_with_blanks_between_become_one_value():
    words = to_our_words(["--goodput", "ttft:200", "tpot:50", "http://host"])

    assert words == ["--slo", "ttft:200,tpot:50", "http://host"]


def test_a_host_and_port_behind_one_objective_is_no_second_one():
    assert to_our_words(["--slo", "ttft:200", "http://host:80"])[2] == "http://host:80"


def test_a_base_and_a_path_become_one_url():
    words = ["--base-url", "http://host:8000/", "--endpoint", "/v1/completions", "--seed", "1"]

    assert to_our_words(words) == [
        *("--seed", "1"),
        *("--endpoint", "http://host:8000/v1/completions"),
    ]


def test_our_own_words_are_left_alone():
    words = ["./model.gguf", "--endpoint", "http://host", "-c", "1,2"]

    assert to_our_words(words) == words
