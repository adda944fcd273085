"""The remote backend at OpenAI's servers as they are: what they keep to themselves, and refuse."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from tests.faulty import DONE, FaultyServer, Script, answer, chat_event, serving, stream
from tgicli.backends.endpoint import Endpoint, RemoteOptions
from tgicli.backends.remote import RemoteBackend
from tgicli.backends.retrying import Retry, RetryPolicy
from tgicli.core import Finish, GenerationRequest, Message, ModelInfo, SamplingParams
from tgicli.errors import Overloaded, RequestError, TgicliError, Unauthorized, Unreachable

PATIENCE_S = 20.0
PROMPT = GenerationRequest(id="x", prompt="Hello", params=SamplingParams(temperature=0))
CHAT = replace(PROMPT, prompt=(Message("user", "Hello"),))
HELLO = stream(chat_event(content="Hel"), chat_event(content="lo", reason="stop"), DONE)
ROUTE = "/v1/chat/completions"
AT_ONCE = RetryPolicy(draw=lambda: 0.0)
_T = TypeVar("_T")


def run(main: Coroutine[Any, Any, _T]) -> _T:
    return asyncio.run(asyncio.wait_for(main, PATIENCE_S))


def backend_at(url: str, **options: Any) -> RemoteBackend:
    return RemoteBackend(RemoteOptions(endpoint=Endpoint.from_url(url), **options), retries=AT_ONCE)


def asked(server: FaultyServer, path: str, *requests: GenerationRequest, **options: Any) -> Finish:
    """Make requests one after the other; return the end of the last one."""

    async def main() -> Finish:
        async with aclosing(backend_at(server.url + path, **options)) as backend:
            for request in requests:
                async with aclosing(backend.generate(request)) as events:
                    *_, finish = [event async for event in events]
        assert isinstance(finish, Finish)
        return finish

    return run(main())


def info_of(server: FaultyServer, path: str = ROUTE, **options: Any) -> ModelInfo:
    async def main() -> ModelInfo:
        async with aclosing(backend_at(server.url + path, **options)) as backend:
            return await backend.info()

    return run(main())


def listed(*cards: dict[str, Any]) -> dict[str, Script]:
    """Return the page that lists models."""
    return {"/v1/models": answer(200, json.dumps({"data": cards}).encode())}


def paths(server: FaultyServer) -> Sequence[str]:
    return [seen.path for seen in server.seen]


@pytest.mark.parametrize("status", [401, 403, 404, 405, 500, 501])
@pytest.mark.parametrize("path", [ROUTE, "/v1"])
def test_who_names_the_model_needs_no_list_of_models(path: str, status: int):
    with serving(HELLO, pages={"/v1/models": answer(status)}) as server:
        asked(server, path, CHAT, CHAT, model="m")
        info = info_of(server, path, model="m")

    assert paths(server)[:3] == ["/v1/models", ROUTE, ROUTE]
    assert server.posts[0].json["model"] == "m"
    assert info.name == "m"


def test_a_closed_list_of_models_is_one_of_openais_dialect():
    with serving(HELLO, pages={"/v1/models": answer(403)}) as server:
        asked(server, "", CHAT, model="m")

    assert paths(server) == ["/info", "/v1/models", ROUTE]


def test_who_names_the_model_hears_of_a_wrong_key_from_the_route_itself():
    wrong = answer(401, b'{"error":{"message":"no such key"}}')
    pages = {"/v1/models": answer(401)}
    with serving(wrong, pages=pages) as server, pytest.raises(Unauthorized, match="no such key"):
        asked(server, ROUTE, CHAT, model="m")


@pytest.mark.parametrize("status", [502, 503, 529])
def test_a_server_that_is_not_there_yet_is_not_taken_for_one_that_keeps_its_list(status: int):
    with (
        serving(HELLO, pages={"/v1/models": answer(status, retry_after="0")}) as server,
        pytest.raises((Overloaded, Unreachable)),
    ):
        asked(server, "/v1", CHAT, model="m")

    assert server.posts == []


@pytest.mark.parametrize(
    ("status", "has_advice"), [(401, True), (403, True), (500, True), (502, False), (429, False)]
)
def test_who_names_no_model_hears_that_naming_one_helps(status: int, has_advice: bool):
    with (
        serving(HELLO, pages={"/v1/models": answer(status, retry_after="0")}) as server,
        pytest.raises(TgicliError) as caught,
    ):
        asked(server, ROUTE, CHAT)

    assert server.posts == []
    assert ("with --model no list is needed" in caught.value.aside) is has_advice


def test_a_list_that_is_there_later_is_read_then():
    loading = answer(503, retry_after="0")
    pages: dict[str, Script] = {"/v1/models": loading}

    def on_retry(retry: object) -> None:
        pages.update(listed({"id": "m", "owned_by": "vllm"}))

    async def main(url: str) -> None:
        remote = RemoteOptions(endpoint=Endpoint.from_url(url), model="m")
        backend = RemoteBackend(remote, retries=AT_ONCE, on_retry=on_retry)
        async with aclosing(backend):
            for request in (CHAT, CHAT):
                async with aclosing(backend.generate(request)) as events:
                    assert [event async for event in events]

    with serving(loading, HELLO, pages=pages) as server:
        run(main(server.url + ROUTE))

    assert server.posts[-1].json["top_k"] == -1


COUNTLESS = answer(
    422,
    b'{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body",'
    b'"stream_options","include_usage"],"msg":"Extra inputs are not permitted","input":true}]}}',
)
RENAMED = answer(
    400,
    b'{"error":{"message":"Unsupported parameter: \'max_tokens\' is not supported with this model. '
    b'Use \'max_completion_tokens\' instead.","param":"max_tokens"}}',
)
SHORT = replace(CHAT, params=SamplingParams(temperature=0, max_new_tokens=9))


def fields(server: FaultyServer, *names: str) -> list[tuple[str, ...]]:
    """Return which of some fields each request had."""
    return [tuple(name for name in names if name in seen.json) for seen in server.posts]


def test_a_server_that_takes_no_stream_options_is_asked_without_from_then_on():
    with serving(COUNTLESS, HELLO, pages=listed({"id": "m"})) as server:
        finish = asked(server, "", CHAT, CHAT)

    assert fields(server, "stream_options") == [("stream_options",), (), ()]
    assert not finish.has_usage


def test_a_server_that_has_another_name_for_the_longest_answer_is_told_by_that():
    names = ("max_tokens", "max_completion_tokens")
    with serving(RENAMED, HELLO, pages=listed({"id": "m"})) as server:
        asked(server, "", SHORT, SHORT)

    assert fields(server, *names) == [names[:1], names[1:], names[1:]]
    assert server.posts[1].json["max_completion_tokens"] == 9


def test_a_server_that_refuses_both_is_asked_a_third_time():
    with serving(COUNTLESS, RENAMED, HELLO, pages=listed({"id": "m"})) as server:
        asked(server, "", SHORT)

    assert fields(server, "stream_options", "max_completion_tokens") == [
        ("stream_options",),
        (),
        ("max_completion_tokens",),
    ]


@pytest.mark.parametrize("refusal", [COUNTLESS, RENAMED])
def test_a_server_that_refuses_a_field_again_is_asked_no_more(refusal: Script):
    with serving(refusal, pages=listed({"id": "m"})) as server, pytest.raises(RequestError):
        asked(server, "", SHORT)

    assert len(server.posts) == 2


def test_what_made_no_difference_is_not_remembered():
    """A refusal may repeat all of a request, stream_options too, whatever the reason is."""
    echo = answer(400, b'{"detail":[{"loc":["body"],"input":{"stream_options":{},"seed":-1}}]}')

    async def main(url: str) -> None:
        async with aclosing(backend_at(url)) as backend:
            with pytest.raises(RequestError):
                _ = [event async for event in backend.generate(CHAT)]
            assert [event async for event in backend.generate(CHAT)]

    with serving(echo, echo, HELLO, pages=listed({"id": "m"})) as server:
        run(main(server.url))

    assert fields(server, "stream_options") == [("stream_options",), (), ("stream_options",)]


def test_a_refused_field_is_no_retry_and_is_told_to_nobody():
    told: list[Retry] = []

    async def main(url: str) -> list[str]:
        remote = RemoteOptions(endpoint=Endpoint.from_url(url))
        backend = RemoteBackend(remote, retries=RetryPolicy(n_retries=0), on_retry=told.append)
        async with aclosing(backend), aclosing(backend.generate(CHAT)) as events:
            return [type(event).__name__ async for event in events]

    with serving(COUNTLESS, HELLO, pages=listed({"id": "m"})) as server:
        names = run(main(server.url))

    assert (names.count("Progress"), names[-1]) == (1, "Finish")
    assert told == []


def test_the_model_that_is_named_says_what_is_sent_and_how_long_its_context_is():
    cards = (
        {"id": "first", "owned_by": "vllm", "max_model_len": 4096},
        {"id": "named", "owned_by": "openai"},
    )
    with serving(HELLO, pages=listed(*cards)) as server:
        asked(server, "", SHORT, model="named")
        info = info_of(server, "", model="named")

    assert fields(server, "top_k", "max_tokens") == [("max_tokens",)]
    assert info.n_ctx == 0


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://eu.api.openai.com/v1", "max_completion_tokens"),
        ("https://mine.openai.azure.com/openai/v1", "max_completion_tokens"),
        ("https://router.huggingface.co/v1", "max_tokens"),
    ],
)
def test_openais_hosts_are_known_without_a_question(url: str, name: str):
    async def main() -> bytes:
        async with aclosing(backend_at(url, model="m")) as backend:
            return (await backend.describe(SHORT)).body

    assert json.loads(run(main()))[name] == 9


def healths(server: FaultyServer, n_times: int = 1, **options: Any) -> list[bool]:
    """Ask for the server's health some times."""

    async def main() -> list[bool]:
        async with aclosing(backend_at(server.url + ROUTE, **options)) as backend:
            return [await backend.health() for _ in range(n_times)]

    return run(main())


@pytest.mark.parametrize("owner", ["openai", "somebody", "library"])
def test_a_server_whose_health_may_cost_money_is_not_asked_for_it(owner: str):
    pages = {"/health": answer(500), **listed({"id": "m", "owned_by": owner})}
    with serving(HELLO, pages=pages) as server:
        assert healths(server, 2) == [True, True]

    assert set(paths(server)) == {"/v1/models"}


@pytest.mark.parametrize("owner", ["vllm", "sglang", "llamacpp"])
@pytest.mark.parametrize(
    ("status", "is_healthy"),
    [(200, True), (401, True), (403, True), (404, True), (405, True), (500, False), (503, False)],
)
def test_an_engine_is_asked_for_its_health_unless_that_is_closed(
    owner: str, status: int, is_healthy: bool
):
    """A llama-server's is 503 while it loads its model."""
    pages = {"/health": answer(status), **listed({"id": "m", "owned_by": owner})}
    with serving(HELLO, pages=pages) as server:
        assert healths(server) == [is_healthy]

    assert "/health" in paths(server)


@pytest.mark.parametrize(
    ("status", "is_healthy"),
    [(401, True), (403, True), (404, True), (405, True), (429, True), (500, False), (503, False)],
)
def test_a_list_that_is_closed_is_a_sign_of_life(status: int, is_healthy: bool):
    pages: dict[str, Script] = {"/v1/models": answer(403)}

    async def main(url: str) -> bool:
        async with aclosing(backend_at(url + ROUTE, model="m")) as backend:
            await backend.info()
            pages["/v1/models"] = answer(status)
            return await backend.health()

    with serving(HELLO, pages=pages) as server:
        assert run(main(server.url)) is is_healthy
