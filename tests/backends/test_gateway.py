"""The gateway's backend against a server that does as a script says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from tests.faulty import Script, answer, chunk, head, serving, stall, tgi_event
from tgicli.backends.endpoint import Endpoint, RemoteOptions, Timeouts
from tgicli.backends.gateway import Gateway
from tgicli.core import Finish, FinishReason, GenerationRequest, SamplingParams
from tgicli.errors import TgicliError, Unreachable
from tgicli.wire import openai, tgi

PATIENCE_S = 30
TGI = answer(200, b'{"model_id":"m"}')
TOKENS = [{"id": 1, "text": "a", "start": 0, "stop": 1}] * 3
CUT: Script = [head(), chunk(tgi_event(1, "one")), chunk(tgi_event(2, " twEND")), stall]


def finish_of(
    scripts: Sequence[Script], request: GenerationRequest, path: str = "", **options: Any
) -> Finish:
    async def main(url: str) -> Finish:
        gateway = Gateway(RemoteOptions(endpoint=Endpoint.from_url(url + path), **options))
        async with aclosing(gateway), aclosing(gateway.generate(request)) as events:
            *_, finish = [event async for event in events]
            assert isinstance(finish, Finish)
            return finish

    with serving(*scripts, pages={"/info": TGI}) as server:
        return asyncio.run(asyncio.wait_for(main(server.url), PATIENCE_S))


@pytest.mark.parametrize(
    ("told", "truncate", "n_prompt_tokens"),
    [
        (answer(200, json.dumps(TOKENS).encode()), None, 3),
        (answer(200, json.dumps(TOKENS).encode()), 2, 2),
        (answer(404), None, 0),
    ],
    ids=["told", "truncated", "not told"],
)
def test_an_answer_that_is_cut_inside_a_token_has_its_prompt_counted(
    told: Script, truncate: int | None, n_prompt_tokens: int
):
    params = SamplingParams(temperature=0, stop=("E",))
    request = GenerationRequest(id="x", prompt="Once", params=params, truncate=truncate)

    finish = finish_of([CUT, told], request)

    assert finish.reason is FinishReason.STOP_SEQUENCE
    assert finish.n_prompt_tokens == n_prompt_tokens


ASKED = GenerationRequest(id="x", prompt="Once")
REFUSED = b'{"error":"Input validation error: too hot","error_type":"validation"}'


@pytest.mark.parametrize(
    ("scripts", "path", "timeouts", "words"),
    [
        ([answer(422, REFUSED)], "", Timeouts(), "too hot"),
        ([], "/v1/chat/completions", Timeouts(), "names the chat route"),
        ([[stall]], "", Timeouts(first_token_s=0.1), "no token came within 0.1 s"),
        ([answer(401)], "", Timeouts(), "the gateway is not let in; its log has more"),
    ],
    ids=["a status", "a flag", "a limit's flag", "a key"],
)
def test_clients_are_told_of_no_status_and_no_flag(
    scripts: list[Script], path: str, timeouts: Timeouts, words: str
):
    with pytest.raises(TgicliError) as caught:
        finish_of(scripts, ASKED, path, timeouts=timeouts)

    told = [tgi.encode_error(caught.value), openai.encode_error(caught.value)[1]]
    for body in map(bytes.decode, told):
        assert words in body
        assert "--" not in body
        assert "status" not in body


TWO_MODELS = answer(200, b'{"data":[{"id":"a"},{"id":"b"}]}')


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        ({"/v1/models": TWO_MODELS}, "has 2 models: a, b (choose one with --connect-model)"),
        ({}, "(name the whole URL of a route, or the dialect with --connect-api)"),
        ({"/info": answer(301, location="/x")}, "/x (name that with --connect; status 301)"),
    ],
    ids=["several models", "no server that is known", "a redirect"],
)
def test_who_starts_a_gateway_is_told_of_its_own_flags(pages: dict[str, Script], words: str):
    async def main(url: str) -> None:
        async with aclosing(Gateway(RemoteOptions(endpoint=Endpoint.from_url(url)))) as gateway:
            await gateway.info()

    with serving([stall], pages=pages) as server, pytest.raises(TgicliError) as caught:
        asyncio.run(asyncio.wait_for(main(server.url), PATIENCE_S))

    assert str(caught.value).endswith(words)


def test_a_log_names_no_flag_that_a_gateway_has_not(caplog: pytest.LogCaptureFixture):
    with pytest.raises(TgicliError):
        finish_of([answer(404)], ASKED, "/v1/completions")

    assert "is no route of this server (status 404; see --connect and --connect-api)" in caplog.text


def test_a_server_that_has_moved_is_looked_for_anew_each_time(caplog: pytest.LogCaptureFixture):
    pages: dict[str, Script] = {"/info": answer(301, location="/x")}
    done = answer(200, b'{"generated_text":"x"}')

    async def main(url: str) -> list[TgicliError]:
        errors: list[TgicliError] = []
        async with aclosing(Gateway(RemoteOptions(endpoint=Endpoint.from_url(url)))) as gateway:
            for _ in range(2):
                with pytest.raises(Unreachable) as caught:
                    await anext(gateway.generate(ASKED))
                errors.append(caught.value)
            pages["/info"] = TGI
            async with aclosing(gateway.generate(replace(ASKED, streams=False))) as events:
                assert [event async for event in events]
        return errors

    with serving(done, pages=pages) as server:
        first, second = asyncio.run(asyncio.wait_for(main(server.url), PATIENCE_S))

    assert first.__cause__ is not second.__cause__  # else its traceback would grow, with all in it
    assert caplog.text.count("(name that with --connect; status 301)") == 2


def test_a_key_is_told_to_nobody_also_where_a_servers_words_are_cut_short():
    echo = b'{"error":"%b geheimnis"}' % (b"x" * 493)

    with pytest.raises(TgicliError, match=r"xx \*\*\*\.\.\.") as caught:
        finish_of([answer(400, echo)], ASKED, key="geheimnis")

    assert "gehe" not in caught.value.message


def test_a_page_that_is_not_there_may_be_compressed_in_any_way():
    pages = {
        "/info": answer(404, b"\x8b", content_encoding="br"),
        "/v1/models": answer(200, b'{"data":[{"id":"a"}]}'),
    }

    async def main(url: str) -> str:
        async with aclosing(Gateway(RemoteOptions(endpoint=Endpoint.from_url(url)))) as gateway:
            return (await gateway.info()).name

    with serving([stall], pages=pages) as server:
        assert asyncio.run(asyncio.wait_for(main(server.url), PATIENCE_S)) == "a"
