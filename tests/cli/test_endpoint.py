"""`tgicli generate --endpoint`: what is sent, what is shown, what is refused, what stays secret."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends.golden import GOLDEN
from tests.cli.conftest import Cli, Outcome
from tests.faulty import (
    DONE,
    Seen,
    answer,
    chat_event,
    chunk,
    end,
    head,
    refusing_url,
    serving,
    stall,
    stream,
    tgi_error,
    tgi_event,
    tgi_stream,
)
from tgicli.errors import ExitStatus

TGI_PAGES = {"/info": answer(200, b'{"model_id":"org/model","max_total_tokens":4096}')}
OPENAI_PAGES = {
    "/v1/models": answer(200, b'{"data":[{"id":"small","owned_by":"vllm"}],"object":"list"}')
}
HELLO = tgi_stream("Hel", "lo")
CHAT = [chat_event(content="Hel"), chat_event(content="lo"), chat_event(reason="stop"), DONE]
SECRET = "sk-geheim-1234567890"


def generate(cli: Cli, url: str, *args: str) -> Outcome:
    return cli("generate", "--no-stdin", "--endpoint", url, *args)


def asked(cli: Cli, *args: str, path: str = "", **pages: object) -> Seen:
    """Return the request that a TGI server gets."""
    events = HELLO if "--no-chat" in args or path else CHAT
    with serving(stream(*events), pages=TGI_PAGES) as server:
        outcome = generate(cli, server.url + path, "Hi", *args)
    assert outcome.status == ExitStatus.OK, outcome.stderr
    return server.posts[0]


def test_a_conversation_goes_to_the_chat_route_so_that_the_servers_template_applies(cli: Cli):
    seen = asked(cli, "--system", "Be brief.")

    assert seen.path == "/v1/chat/completions"
    assert seen.json["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]


def test_an_empty_system_message_is_none(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TGICLI_SYSTEM", "Be brief.")

    seen = asked(cli, "--system", "")

    assert [message["role"] for message in seen.json["messages"]] == ["user"]


def test_a_prompt_as_it_is_goes_to_tgis_own_route(cli: Cli):
    seen = asked(cli, "--no-chat", "--max-new-tokens", "9", "--seed", "7", "--stop", "x")

    assert seen.path == "/generate_stream"
    assert seen.json == {
        "inputs": "Hi",
        "parameters": {
            "return_full_text": False,
            "details": True,
            "do_sample": True,
            "seed": 7,
            "max_new_tokens": 9,
            "stop": ["x"],
        },
    }


def test_a_route_in_the_url_is_asked_as_it_is(cli: Cli):
    assert asked(cli, path="/generate_stream").path == "/generate_stream"


@pytest.mark.parametrize(
    ("api", "path"),
    [("openai-chat", "/v1/chat/completions"), ("openai-completions", "/v1/completions")],
)
def test_a_dialect_can_be_forced(cli: Cli, api: str, path: str):
    with serving(stream(*CHAT), pages=OPENAI_PAGES) as server:
        outcome = generate(cli, server.url, "--api", api, "Hi")

    assert (outcome.status, outcome.stdout) == (ExitStatus.OK, "Hello")
    assert server.posts[0].path == path
    assert server.posts[0].json["model"] == "small"
    assert [seen.path for seen in server.seen] == ["/v1/models", path]


def test_an_openai_server_is_found_out(cli: Cli):
    with serving(stream(*CHAT), pages=OPENAI_PAGES) as server:
        outcome = generate(cli, server.url, "Hi")

    assert outcome.stdout == "Hello"
    assert [seen.path for seen in server.seen] == [
        "/info",
        "/v1/models",
        "/v1/chat/completions",
    ]


def test_of_several_models_one_must_be_chosen(cli: Cli):
    pages = {"/v1/models": answer(200, b'{"data":[{"id":"a"},{"id":"b"}]}')}

    with serving(stream(*CHAT), pages=pages) as server:
        outcome = generate(cli, server.url, "Hi")
        chosen = generate(cli, server.url, "Hi", "-m", "b")

    assert outcome.status == ExitStatus.BAD_REQUEST
    assert "has 2 models: a, b (choose one with --model)" in outcome.stderr
    assert chosen.stdout == "Hello"
    assert server.posts[0].json["model"] == "b"


def test_a_model_that_a_variable_names_is_this_processs_own(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TGICLI_MODEL", "./local.gguf")

    with serving(stream(*CHAT), pages=OPENAI_PAGES) as server:
        generate(cli, server.url, "Hi")

    assert server.posts[0].json["model"] == "small"


def test_an_unknown_server_is_said_to_be_one(cli: Cli):
    with serving(stream(*CHAT)) as server:
        outcome = generate(cli, server.url, "Hi")

    assert outcome.status == ExitStatus.BAD_REQUEST
    assert "is no server that is known here" in outcome.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--min-p", "0.1", "--no-chat"], "min_p 0.1 can't be sent to TGI's /generate"),
        (["--presence-penalty", "1", "--no-chat"], "presence_penalty 1.0 can't be sent"),
        (["--top-k", "5"], "top_k 5 can't be sent to OpenAI's routes of"),
        (["--truncate", "5"], "truncate 5 can't be sent"),
        (["--special"], "special True can't be sent to OpenAI's routes of"),
        (["--gbnf", 'root ::= "a"'], "a grammar of the kind gbnf can't be sent to a TGI server"),
        (["--no-chat", "-m", "other"], "model other can't be sent to TGI's /generate"),
    ],
)
def test_an_option_that_the_dialect_can_not_carry_is_refused_by_name(
    cli: Cli, args: list[str], words: str
):
    with serving(stream(*CHAT), pages=TGI_PAGES) as server:
        outcome = generate(cli, server.url, "Hi", *args)

    assert words in outcome.stderr
    assert outcome.status == ExitStatus.BAD_REQUEST
    assert server.posts == []


def test_a_schema_is_sent_as_the_server_wants_it(cli: Cli):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    args = ["--schema", json.dumps(schema)]

    with serving(stream(*CHAT), pages=OPENAI_PAGES) as server:
        generate(cli, server.url, "Hi", *args)

    assert asked(cli, "--no-chat", *args).json["parameters"]["grammar"]["value"] == schema
    assert server.posts[0].json["response_format"]["json_schema"]["schema"] == schema


@pytest.mark.parametrize(
    ("text", "form", "words"),
    [
        ('{"a": 1}', ["--schema", "{}"], ""),
        ('{"a": ', ["--schema", "{}"], "cut off before its form was complete"),
        ("aaa", ["--regex", "a+"], "cut off perhaps before its form was complete"),
        ("aaa", [], ""),
    ],
)
def test_a_servers_answer_of_a_form_is_to_be_all_of_it(
    cli: Cli, tmp_path: Path, text: str, form: list[str], words: str
):
    (tmp_path / "p.txt").write_text("Hi")
    events = [chat_event(content=text), chat_event(reason="length"), DONE]
    models = b'{"data":[{"id":"small","owned_by":"sglang"}],"object":"list"}'

    with serving(stream(*events), pages={"/v1/models": answer(200, models)}) as server:
        asked = ["--endpoint", server.url, "--max-new-tokens", "3", *form]
        outcome = cli("generate", "--no-stdin", "Hi", *asked)
        of_many = cli("generate", "--input", str(tmp_path / "p.txt"), *asked)

    status = ExitStatus.STREAM_BROKEN if words else ExitStatus.OK
    said = f"error: the answer was {words}: --max-new-tokens 3 is reached\n" if words else ""
    assert (outcome.status, outcome.stdout, outcome.stderr) == (status, text, said)
    is_known = "perhaps" not in words  # what nobody knows is no failure: its text would be lost
    assert of_many.status == (status if is_known else ExitStatus.OK)


def test_special_tokens_are_shown_where_the_server_tells_them(cli: Cli):
    events = [tgi_event(1, "<s>"), *tgi_stream("Hi", "!")]
    events[0] = events[0].replace(b'"special": false', b'"special": true')

    with serving(stream(*events), pages=TGI_PAGES) as server:
        outcome = generate(cli, server.url, "Hi", "--no-chat", "--special")

    assert outcome.stdout == "<s>Hi!"


def test_what_is_not_said_is_not_sent(cli: Cli):
    """Our defaults are for a model here: a server has its own, or knows no such option."""
    assert asked(cli, "--no-chat").json["parameters"] == {
        "return_full_text": False,
        "details": True,
        "do_sample": True,
        "max_new_tokens": None,  # as many as there is room for: said, older TGIs end at 100
    }


def test_what_the_file_says_is_sent(cli: Cli, config_file: Callable[[str], Path]):
    config_file("temperature = 0.8\n")

    assert asked(cli).json["temperature"] == 0.8


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--endpoint", "http://h", "--threads", "2"], "--threads is for a model in this process"),
        (["--endpoint", "http://h", "--ctx-size", "9"], "--ctx-size is for a model in this"),
        (["--retries", "2"], "--retries is for a server; name one with --endpoint"),
        (["--reasoning", "hide"], "--reasoning is for a server"),
        (["--endpoint", "ftp://h"], "'ftp://h' is no address of a server"),
        (["--endpoint", "http://\u2603\u2603.example"], "is no address of a server: Invalid IDNA"),
        (["--endpoint", "http://xn--/"], "http://xn-- is no address"),
        (["--endpoint", "unix:sock"], "'unix:sock' is no address of a server; write unix:/PATH"),
        (["--endpoint", "http://u:pw@h:x"], "'http://***@h:x' is no address of a server"),
        (["--endpoint", "http://h", "--header", "x"], "--header x: must be NAME: VALUE"),
        (["--endpoint", "http://h", "--header", "a b: x"], "'a b' is no name of a header"),
        (["--endpoint", "http://h", "--header", "a: \u00e9"], "the header a has characters"),
        (["--endpoint", "http://h", "--timeout", "-1"], "--timeout -1: must be >= 0"),
    ],
)
def test_flags_that_contradict_each_other_are_refused(cli: Cli, args: list[str], words: str):
    outcome = cli("generate", "--no-stdin", "Hi", *args)

    assert words in outcome.stderr
    assert outcome.status == ExitStatus.USAGE


def test_an_empty_endpoint_is_none(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TGICLI_ENDPOINT", refusing_url())

    outcome = cli("generate", "--no-stdin", "-e", "", "-m", "/no/such.gguf", "Hi")

    assert outcome.status == ExitStatus.MODEL


def test_a_body_has_one_content_type(cli: Cli):
    with serving(stream(*HELLO)) as server:
        args = ("--header", "Content-Type: text/plain", "--dry-run")
        outcome = generate(cli, server.url + "/generate_stream", "Hi", *args)

    assert "-H 'content-type: text/plain'" in outcome.stdout
    assert outcome.stdout.count("content-type") == 1


def test_headers_are_sent_and_win_over_ours(cli: Cli):
    seen = asked(cli, "-H", "X-A: b", "-H", "User-Agent: me", "-H", "X-A: c", "--no-chat")

    assert seen.headers["user-agent"] == "me"
    assert seen.headers["x-a"] == "c"  # the last of two, as the server was written
    assert "authorization" not in seen.headers


def key_of(seen: Seen) -> str | None:
    return seen.headers.get("authorization")


def test_a_key_comes_from_a_variable(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TGICLI_API_KEY", SECRET)

    assert key_of(asked(cli)) == f"Bearer {SECRET}"


def test_a_key_comes_from_a_file(cli: Cli, tmp_path: Path):
    file = tmp_path / "key"
    file.write_text(f"{SECRET}\n")

    assert key_of(asked(cli, "--api-key-file", str(file))) == f"Bearer {SECRET}"


def test_a_key_comes_from_a_command(cli: Cli):
    assert key_of(asked(cli, "--api-key-command", f"echo {SECRET}")) == f"Bearer {SECRET}"


def test_a_flags_key_wins_over_a_variables(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TGICLI_API_KEY", "other")

    assert key_of(asked(cli, "--api-key-command", f"echo {SECRET}")) == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--api-key", SECRET], "--api-key on the command line is seen by others"),
        (["--api-key-file", "/no/such"], "can't read --api-key-file /no/such"),
        (["--api-key-command", "exit 3"], "--api-key-command returned 3"),
        (["--api-key-command", "true"], "the API key is empty"),
        (["--api-key-command", "printf 'a\\nb'"], "characters that no header can carry"),
        (["--api-key-command", "true", "--api-key-file", "x"], "exclude each other"),
    ],
)
def test_a_key_that_can_not_be_had_is_said_without_showing_one(
    cli: Cli, args: list[str], words: str
):
    outcome = cli("generate", "--no-stdin", "-e", "http://h", "Hi", *args)

    assert words in outcome.stderr
    assert SECRET not in outcome.stderr
    assert outcome.status == ExitStatus.USAGE


@pytest.mark.parametrize("variable", ["HF_TOKEN", "OPENAI_API_KEY"])
def test_other_tools_keys_are_not_sent_to_just_anybody(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, variable: str
):
    monkeypatch.setenv(variable, SECRET)

    assert key_of(asked(cli)) is None


@pytest.mark.parametrize(
    ("url", "variable", "is_sent"),
    [
        ("https://router.huggingface.co/v1", "HF_TOKEN", True),
        ("https://x.eu-west-1.aws.endpoints.huggingface.cloud/v1", "HF_TOKEN", True),
        ("http://router.huggingface.co/v1", "HF_TOKEN", False),
        ("https://huggingface.co.evil.example/v1", "HF_TOKEN", False),
        ("https://api.openai.com/v1", "OPENAI_API_KEY", True),
        ("https://api.openai.com/v1", "HF_TOKEN", False),
    ],
)
def test_other_tools_keys_are_for_their_own_hosts(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, url: str, variable: str, is_sent: bool
):
    from tgicli.backends.endpoint import Endpoint
    from tgicli.cli.endpoint import _usual_key

    for name in ("HF_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, SECRET)

    assert (_usual_key(Endpoint.from_url(url)) == SECRET) is is_sent


def test_a_key_is_in_no_traceback_and_in_no_list_of_settings(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TGICLI_API_KEY", SECRET)
    monkeypatch.setenv("TGICLI_HEADER", f"X-Api-Key: {SECRET}2")

    with serving(answer(401)) as server:
        refused = cli(
            "--traceback", "generate", "--no-stdin", "-e", f"{server.url}/generate_stream", "Hi"
        )
    settings = json.loads(cli("config", "--json").stdout)["commands"]["generate"]

    assert refused.status == ExitStatus.BAD_REQUEST
    assert "Traceback" in refused.stderr
    assert SECRET not in refused.stderr
    assert SECRET not in json.dumps(settings)
    assert settings["api-key"]["value"] == "***"


def test_a_dry_run_is_the_request_as_curl_with_no_key_in_it(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TGICLI_API_KEY", SECRET)
    with serving(stream(*CHAT), pages=TGI_PAGES) as server:
        shown = generate(cli, server.url, "It's", "--dry-run", "-H", f"X-Token: {SECRET}")
        assert server.posts == []
        sent = generate(cli, server.url, "It's", "-H", f"X-Token: {SECRET}")
    assert (shown.status, sent.status) == (ExitStatus.OK, ExitStatus.OK)

    words = shlex.split(shown.stdout.replace("\\\n", " "))

    assert words[:3] == ["curl", "-N", f"{server.url}/v1/chat/completions"]
    assert SECRET not in shown.stdout
    headers = dict(h.split(": ", 1) for h in words if ": " in h and not h.startswith("{"))
    [seen] = server.posts
    assert headers.pop("authorization") == "Bearer ***"
    assert headers.pop("x-token") == "***"
    assert headers.items() <= seen.headers.items()
    assert words[-2:] == ["--data-raw", seen.body.decode()]


def test_a_dry_runs_curl_gets_the_same_answer(cli: Cli):
    if subprocess.run(["curl", "--version"], capture_output=True).returncode:
        pytest.skip("curl is not installed")
    with serving(stream(*HELLO), pages=TGI_PAGES) as server:
        shown = generate(cli, server.url, "Hi", "--dry-run", "--no-chat", "--seed", "3")

        got = subprocess.run(["sh", "-c", shown.stdout], capture_output=True).stdout
        generate(cli, server.url, "Hi", "--no-chat", "--seed", "3")

    assert got == b"".join(HELLO)
    by_curl, by_us = server.posts
    assert (by_curl.path, by_curl.body) == (by_us.path, by_us.body)


def test_json_has_tgis_shape_also_from_an_openai_server(cli: Cli):
    with serving(stream(*CHAT), pages=OPENAI_PAGES) as server:
        outcome = generate(cli, server.url, "Hi", "--json")

    events = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert [event["token"]["text"] for event in events] == ["Hel", "lo", ""]
    assert [event["token"]["id"] for event in events] == [-1, -1, -1]
    assert events[-1]["generated_text"] == "Hello"
    assert events[-1]["details"]["finish_reason"] == "eos_token"


def test_a_json_stream_that_fails_ends_with_the_error_as_in_tgi(cli: Cli):
    broken = stream(tgi_event(1, "Hel"), tgi_error("boom", "generation"))
    with serving(broken, pages=TGI_PAGES) as server:
        outcome = generate(cli, server.url, "Hi", "--no-chat", "--json")

    last = json.loads(outcome.stdout.splitlines()[-1])
    assert last["error_type"] == "generation"
    assert "boom" in last["error"]
    assert "boom" in outcome.stderr


def test_no_stream_shows_all_at_the_end(cli: Cli):
    with serving(stream(*HELLO), pages=TGI_PAGES) as server:
        outcome = generate(cli, server.url, "Hi", "--no-chat", "--no-stream", "--json", "--details")

    assert json.loads(outcome.stdout)["details"]["generated_tokens"] == 2


def test_stats_say_what_the_server_tells(cli: Cli):
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    with_usage = stream(*CHAT[:2], chat_event(reason="stop", usage=usage), DONE)
    with serving(with_usage, stream(*CHAT), pages=OPENAI_PAGES) as server:
        told = generate(cli, server.url, "Hi", "--stats")
        untold = generate(cli, server.url, "Hi", "--stats")

    assert "prompt 9 tokens (0 cached)" in told.stderr
    assert "answer 2 tokens" in told.stderr
    assert "prompt of unknown length" in untold.stderr
    assert "answer 2 pieces" in untold.stderr
    assert "tokens/s" not in untold.stderr


REASONING = next(golden for golden in GOLDEN if golden.name == "sglang_chat")


@pytest.mark.parametrize(
    ("args", "stdout", "stderr"),
    [
        ([], REASONING.text, f"{REASONING.thoughts}\n\n"),
        (["--reasoning", "show"], REASONING.text, f"{REASONING.thoughts}\n\n"),
        (["--reasoning", "hide"], REASONING.text, ""),
        (["--quiet"], REASONING.text, ""),
        (["--reasoning", "stdout"], REASONING.thoughts + REASONING.text, ""),
    ],
)
def test_reasoning_goes_where_it_is_wanted(cli: Cli, args: list[str], stdout: str, stderr: str):
    with serving([head(), chunk(REASONING.bytes), end], pages=REASONING.pages) as server:
        outcome = generate(cli, server.url, "Hi", *args)

    assert (outcome.status, outcome.stdout, outcome.stderr) == (ExitStatus.OK, stdout, stderr)


def test_reasoning_in_json_is_no_part_of_the_text(cli: Cli):
    with serving([head(), chunk(REASONING.bytes), end], pages=REASONING.pages) as server:
        shown = generate(cli, server.url, "Hi", "--json", "--reasoning", "stdout")
        plain = generate(cli, server.url, "Hi", "--json")

    events = [json.loads(line) for line in shown.stdout.splitlines()]
    assert events[0]["token"]["text"] == REASONING.thoughts
    assert events[0]["token"]["special"] is True
    assert events[-1]["generated_text"] == REASONING.text
    assert REASONING.thoughts not in plain.stdout


def test_thoughts_behind_the_answers_beginning_come_at_its_end(cli: Cli):
    events = [
        chat_event(reasoning="first"),
        chat_event(content="one "),
        chat_event(reasoning="second"),
        chat_event(content="two"),
        chat_event(reason="stop"),
        DONE,
    ]
    with serving(stream(*events), pages=OPENAI_PAGES) as server:
        outcome = generate(cli, server.url, "Hi")

    assert outcome.stdout == "one two"
    assert outcome.stderr == "first\n\nsecond\n\n"


@pytest.mark.parametrize("is_streamed", [True, False])
def test_an_answer_that_ends_among_its_thoughts_has_an_end_in_json(cli: Cli, is_streamed: bool):
    thoughts = {"reasoning_content": "hm", "content": None}
    choice = {"index": 0, "message": thoughts, "finish_reason": "length"}
    whole = answer(200, json.dumps({"choices": [choice]}).encode())
    stream_ = stream(chat_event(reasoning="hm", reason="length"), DONE)
    with serving(stream_ if is_streamed else whole, pages=OPENAI_PAGES) as server:
        outcome = generate(cli, server.url, "Hi", "--json")

    last = json.loads(outcome.stdout.splitlines()[-1])
    assert last["generated_text"] == ""


@pytest.mark.parametrize(
    ("args", "is_here"),
    [
        (["-m", "./no-such.gguf"], True),
        (["-m", "no-such.gguf"], True),
        (["-m", "org/model"], False),
        (["-m", "org/model:no-such.gguf"], False),
        (["-m", "./no-such.gguf", "--endpoint", "http://localhost:1"], False),
    ],
)
@pytest.mark.parametrize("command", ["generate", "chat"])
def test_a_file_that_was_typed_wins_over_a_server_that_a_variable_names(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, command: str, args: list[str], is_here: bool
):
    monkeypatch.setenv("TGICLI_ENDPOINT", "http://localhost:1")
    monkeypatch.setenv("TGICLI_RETRIES", "0")

    outcome = cli(command, "Hi", *args)

    assert ("no-such.gguf" in outcome.stderr) is is_here
    assert outcome.status == (ExitStatus.MODEL if is_here else ExitStatus.UNREACHABLE)


@pytest.mark.parametrize("route", ["/v1/completions", "/generate"])
def test_a_system_prompt_that_a_route_can_not_carry_is_refused(cli: Cli, route: str):
    with serving(stream(*HELLO), pages=TGI_PAGES) as server:
        outcome = generate(cli, server.url + route, "Hi", "--system", "Be brief.")

    assert outcome.status == ExitStatus.USAGE
    assert outcome.stderr.startswith("error: --system needs a chat template")
    assert server.posts == []


def on_a_terminal(*args: str) -> bytes:
    """Run generate on a pseudo-terminal; return what it shows."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tgicli", "generate", *args],
        stdin=subprocess.DEVNULL,
        stdout=child,
        stderr=child,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"},
    )
    os.close(child)
    shown = b""
    while True:
        try:
            shown += os.read(parent, 65536)
        except OSError:
            break
    os.close(parent)
    assert process.wait(timeout=30) == 0
    return shown


def test_reasoning_is_dim_on_a_terminal_and_stands_above_the_answer():
    with serving([head(), chunk(REASONING.bytes), end], pages=REASONING.pages) as server:
        shown = on_a_terminal("-e", server.url, "Hi")

    assert b"\x1b[2mThe user greets.\x1b[0m" in shown
    assert shown.index(b"greets") < shown.rindex("Bonjour 🌍".encode())


def test_a_server_is_reached_by_its_unix_socket(cli: Cli, tmp_path: Path):
    path = tmp_path / "server.sock"
    with serving(stream(*HELLO), pages=TGI_PAGES, path=path) as server:
        outcome = generate(cli, server.url, "Hi", "--no-chat")
        shown = generate(cli, server.url, "Hi", "--no-chat", "--dry-run")

    assert (outcome.status, outcome.stdout) == (ExitStatus.OK, "Hello")
    assert f"--unix-socket {path}" in shown.stdout


def test_a_proxy_of_the_environment_is_used_but_not_for_this_machine(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    with serving(stream(*HELLO)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        outcome = generate(cli, "http://far.example/generate_stream", "Hi")
        local = generate(cli, f"{refusing_url()}/generate_stream", "Hi", "--retries", "0")

    assert outcome.stdout == "Hello"
    assert [seen.path for seen in proxy.seen] == ["http://far.example/generate_stream"]
    assert local.status == ExitStatus.UNREACHABLE


@pytest.mark.parametrize(
    ("name", "value", "url"),
    [
        ("HTTP_PROXY", "socks9://x", "http://far.example"),
        ("SSL_CERT_FILE", "/no/such.pem", "https://far.example"),
        ("REQUESTS_CA_BUNDLE", "/no/such.pem", "https://far.example"),
    ],
)
def test_a_broken_environment_is_said_to_be_so(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str, value: str, url: str
):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv(name, value)
    monkeypatch.setenv(name.lower(), value)

    outcome = generate(cli, url, "Hi")

    assert outcome.status == ExitStatus.USAGE
    assert "that the environment names can't be used" in outcome.stderr


@pytest.mark.parametrize("variable", [None, "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_certificate_must_be_known_and_may_be_named_by_the_environment(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, certificate: Path, variable: str | None
):
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    if variable is not None:
        monkeypatch.setenv(variable, str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    with serving(stream(*HELLO), tls=context) as server:
        outcome = generate(cli, f"{server.url}/generate_stream", "Hi", "--retries", "0")

    if variable is None:
        assert outcome.status == ExitStatus.UNREACHABLE
        assert "certificate verify failed" in outcome.stderr
        assert "_ssl.c" not in outcome.stderr
        assert "(SSL_CERT_FILE names a file of certificates to trust)" in outcome.stderr
    else:
        assert (outcome.status, outcome.stdout) == (ExitStatus.OK, "Hello")


def test_a_dry_run_of_a_local_model_is_the_prompt_as_it_sees_it(cli: Cli, tiny_model: Path):
    model = ["-m", str(tiny_model)]
    chat = cli("generate", "--no-stdin", "--dry-run", *model, "Hi", "--system", "Be brief.")
    plain = cli("generate", "--no-stdin", "--dry-run", *model, "Hi there", "--no-chat")
    cut = cli("generate", "--no-stdin", "--dry-run", *model, "Hi", "--truncate", "3")

    assert chat.stdout == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert plain.stdout == "Hi there"
    assert "the model sees the last 3 tokens of it" in cut.stderr
    assert [one.status for one in (chat, plain, cut)] == [ExitStatus.OK] * 3


ENVIRONMENT = {name: v for name, v in os.environ.items() if not name.startswith("TGICLI_")}
WITHOUT_LLAMA = (
    "import sys\n"
    "for name in ('llama_cpp', 'numpy', 'starlette'): sys.modules[name] = None\n"
    "from tgicli.__main__ import main\n"
    "main()\n"
)


def start(url: str, *args: str, code: str | None = None) -> subprocess.Popen[bytes]:
    program = ["-m", "tgicli"] if code is None else ["-c", code]
    return subprocess.Popen(
        [sys.executable, *program, "generate", "--no-stdin", "-e", url, "Hi", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # what a buffer took is lost to communicate()
        env={**ENVIRONMENT, "TGICLI_CONFIG": os.devnull},
    )


def test_a_server_is_asked_where_llama_cpp_python_is_not_importable():
    with serving(stream(*CHAT), pages=TGI_PAGES) as server:
        process = start(server.url, code=WITHOUT_LLAMA)
        stdout, stderr = process.communicate(timeout=30)

    assert (process.returncode, stdout, stderr) == (ExitStatus.OK, b"Hello", b"")


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, ExitStatus.INTERRUPTED), (signal.SIGTERM, ExitStatus.TERMINATED)],
)
def test_a_signal_keeps_what_came_and_ends_the_request_at_the_server(
    number: signal.Signals, status: ExitStatus
):
    with serving([head(), chunk(tgi_event(1, "Hello")), stall]) as server:
        process = start(f"{server.url}/generate_stream")
        assert process.stdout is not None
        begun = process.stdout.read(5)
        process.send_signal(number)
        rest, stderr = process.communicate(timeout=30)

        assert (begun + rest, stderr, process.returncode) == (b"Hello", b"", status)
    assert server.n_gone == 1


def test_a_signal_is_heard_while_a_retry_waits():
    with serving(answer(429, retry_after="60")) as server:
        process = start(f"{server.url}/generate_stream")
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"busy, retrying 1/4 in 6")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)

    assert process.returncode == ExitStatus.INTERRUPTED


def test_a_reader_that_goes_ends_the_request_at_the_server():
    endless = [head(), *[chunk(tgi_event(1, "Hello"))] * 50_000]
    with serving(endless) as server:
        process = start(f"{server.url}/generate_stream")
        assert process.stdout is not None
        process.stdout.read(5)
        process.stdout.close()
        process.stdout = None
        _, stderr = process.communicate(timeout=30)

    assert (process.returncode, stderr) == (ExitStatus.BROKEN_PIPE, b"")


HEAVY = {"click", "jinja2", "llama_cpp", "numpy", "pydantic", "pygments", "rich", "starlette"}


def test_asking_a_server_loads_nothing_heavy():
    code = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: print(json.dumps(list(sys.modules)), file=sys.stderr))\n"
        "from tgicli.__main__ import main\n"
        "main()\n"
    )
    with serving(stream(*CHAT), pages=TGI_PAGES) as server:
        process = start(server.url, code=code)
        stdout, stderr = process.communicate(timeout=30)

    modules = set(json.loads(stderr.splitlines()[-1]))
    assert stdout == b"Hello"
    assert "httpx" in modules
    assert modules.isdisjoint(HEAVY)
    assert {name for name in modules if name.startswith("tgicli.engine")} <= {
        "tgicli.engine",
        "tgicli.engine.detokenizer",
    }
